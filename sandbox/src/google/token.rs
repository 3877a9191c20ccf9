//! The token endpoint for service accounts with domain-wide delegation:
//! <https://developers.google.com/identity/protocols/oauth2/service-account>.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{GOOGLE_CLIENT_EMAIL, GOOGLE_SCOPES};
use crate::dice;
use crate::escape;
use crate::key;
use crate::population::Person;
use crate::reply::Reply;
use crate::world::Exchange;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// Google's own endpoint; its client libraries keep it as the audience even when they talk to another.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
/// A service account that acts as nobody.
const NOBODY: u32 = u32::MAX;

type Refusal = (u16, &'static str, &'static str);

/// Answers a request for a token. The assertion's RS256 signature is verified.
pub(crate) fn token(ex: &Exchange<'_>, body: &Bytes) -> Reply {
    match grant(ex, body) {
        Ok(reply) => reply,
        Err((status, error, description)) => {
            let body = json!({"error": error, "error_description": description});
            Reply::json(status, body.to_string().into_bytes())
        }
    }
}

fn grant(ex: &Exchange<'_>, body: &Bytes) -> Result<Reply, Refusal> {
    let form = escape::pairs(&String::from_utf8_lossy(body));
    if escape::value(&form, "grant_type") != Some(GRANT) {
        return Err((400, "unsupported_grant_type", "Invalid grant_type: "));
    }
    let assertion = escape::value(&form, "assertion").unwrap_or_default();
    let claims = claims(assertion)?;
    let text = |name: &str| claims[name].as_str();
    if text("iss") != Some(GOOGLE_CLIENT_EMAIL) {
        return Err((
            400,
            "invalid_grant",
            "Invalid issuer: Not a valid email or user ID.",
        ));
    }
    let here = format!("{}/token", ex.origin);
    if text("aud") != Some(AUDIENCE) && text("aud") != Some(here.as_str()) {
        return Err((400, "invalid_grant", "Invalid JWT: Failed audience check."));
    }
    let now = ex.now_ms() / 1000;
    let (issued, expires) = (claims["iat"].as_i64(), claims["exp"].as_i64());
    let (Some(issued), Some(expires)) = (issued, expires) else {
        return Err((
            400,
            "invalid_grant",
            "Invalid JWT: iat and exp are required.",
        ));
    };
    if expires <= now || issued > now + 300 || expires - issued > 3600 {
        return Err((
            400,
            "invalid_grant",
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.",
        ));
    }
    let rights = rights(ex, text("scope").unwrap_or_default())?;
    let caller = match text("sub") {
        None => NOBODY,
        Some(email) => ex
            .people()
            .by_google_key(email)
            .filter(|person| {
                !ex.world.state.is_gone(*person, false) && !ex.people().is_disabled(*person)
            })
            .map(Person::index)
            .ok_or((400, "invalid_grant", "Invalid email or User ID"))?,
    };
    Ok(issue(ex, rights, caller))
}

fn claims(assertion: &str) -> Result<Value, Refusal> {
    const MALFORMED: Refusal = (400, "invalid_request", "Invalid JWT: malformed assertion.");
    let (signed, signature) = assertion.rsplit_once('.').ok_or(MALFORMED)?;
    let (head, claims) = signed.split_once('.').ok_or(MALFORMED)?;
    let part = |text: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    let (Some(head), Some(claims)) = (part(head), part(claims)) else {
        return Err(MALFORMED);
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| MALFORMED)?;
    let genuine =
        head["alg"].as_str() == Some("RS256") && key::verifies(signed.as_bytes(), &signature);
    if genuine {
        Ok(claims)
    } else {
        Err((400, "invalid_grant", "Invalid JWT Signature."))
    }
}

/// Every scope must be authorised, or there is no token at all.
fn rights(ex: &Exchange<'_>, scopes: &str) -> Result<u16, Refusal> {
    let missing = &ex.faults().missing_rights;
    let mut rights = 0;
    for scope in scopes.split_whitespace() {
        let known = GOOGLE_SCOPES.iter().position(|known| *known == scope);
        match known.filter(|_| !missing.iter().any(|name| name == scope)) {
            Some(bit) => rights |= 1 << bit,
            None => {
                return Err((
                    401,
                    "unauthorized_client",
                    "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the scopes requested.",
                ));
            }
        }
    }
    if rights == 0 {
        return Err((400, "invalid_scope", "Empty or missing scope not allowed."));
    }
    Ok(rights)
}

fn issue(ex: &Exchange<'_>, rights: u16, caller: u32) -> Reply {
    let life_ms = ex
        .faults()
        .token_life
        .map_or(3_599_000, |life| life.as_millis() as u64);
    let number = ex.world.tokens.next_number();
    let sealed = dice::bits(ex.people().seed(), 0x62, number ^ ex.now_ms() as u64);
    let text = format!("ya29.sandbox-{number:x}-{sealed:016x}");
    ex.world.tokens.add(
        text.clone(),
        ex.tenant,
        rights,
        caller,
        ex.elapsed_ms(),
        life_ms,
    );
    ex.world.ledger.count_token();
    let body =
        json!({"access_token": text, "expires_in": life_ms.div_ceil(1000), "token_type": "Bearer"});
    Reply::json(200, body.to_string().into_bytes())
}
