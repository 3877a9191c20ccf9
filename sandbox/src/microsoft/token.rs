//! The token endpoint, version 2, for the client credentials grant:
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::request::Parts;
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::{
    MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, MICROSOFT_TENANT_ID, RIGHTS, header, held_rights,
};
use crate::dice;
use crate::escape;
use crate::population::{MICROSOFT_DOMAIN, MICROSOFT_INITIAL_DOMAIN};
use crate::reply::Reply;
use crate::world::Exchange;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const FEDERATED_AUDIENCE: &str = "api://AzureADTokenExchange";

/// A refusal: status, OAuth error, AADSTS number, sentence.
type Refusal = (u16, &'static str, u32, &'static str);

const BAD_TENANT: Refusal = (
    400,
    "invalid_request",
    90002,
    "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.",
);
const BAD_CLIENT: Refusal = (
    400,
    "unauthorized_client",
    700_016,
    "Application was not found in the directory. You may have sent your authentication request to the wrong tenant.",
);
const BAD_SECRET: Refusal = (
    401,
    "invalid_client",
    7_000_215,
    "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
);
const NO_CREDENTIAL: Refusal = (
    401,
    "invalid_client",
    7_000_218,
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
);
const BAD_SCOPE: Refusal = (
    400,
    "invalid_scope",
    70011,
    "The provided value for the input parameter 'scope' is not valid.",
);
const BAD_GRANT: Refusal = (
    400,
    "unsupported_grant_type",
    70003,
    "The app requested an unsupported grant type.",
);
const BAD_ASSERTION: Refusal = (
    401,
    "invalid_client",
    700_027,
    "The certificate with identifier used to sign the client assertion is not registered on application.",
);
const ASSERTION_NOT_OURS: Refusal = (
    401,
    "invalid_client",
    700_021,
    "Client assertion application identifier doesn't match 'client_id' parameter.",
);
const ASSERTION_AUDIENCE: Refusal = (
    401,
    "invalid_client",
    700_023,
    "Client assertion audience claim does not match Realm issuer.",
);
const ASSERTION_EXPIRED: Refusal = (
    401,
    "invalid_client",
    700_024,
    "Client assertion is not within its valid time range.",
);

/// Whether a path is some tenant's token endpoint.
pub(crate) fn is_token_path(path: &str) -> bool {
    tenant_of(path).is_some()
}

fn tenant_of(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.strip_suffix("/oauth2/v2.0/token")
}

/// Answers a request for a token. Signatures of client assertions are not verified: no certificate is registered here.
pub(crate) fn token(ex: &Exchange<'_>, parts: &Parts, body: &Bytes) -> Reply {
    match grant(ex, parts, body) {
        Ok(reply) => reply,
        Err((status, error, number, sentence)) => refusal(ex, status, error, number, sentence),
    }
}

fn grant(ex: &Exchange<'_>, parts: &Parts, body: &Bytes) -> Result<Reply, Refusal> {
    let path = parts.uri.path();
    let tenant = escape::segment(tenant_of(path).unwrap_or_default());
    let known = [
        MICROSOFT_TENANT_ID,
        MICROSOFT_INITIAL_DOMAIN,
        MICROSOFT_DOMAIN,
    ];
    if !known.iter().any(|name| name.eq_ignore_ascii_case(&tenant)) {
        return Err(BAD_TENANT);
    }
    let form = escape::pairs(&String::from_utf8_lossy(body));
    let field = |name: &str| escape::value(&form, name);
    let basic = header(parts, "authorization").and_then(basic_credentials);
    let client = field("client_id").or(basic.as_ref().map(|(id, _)| id.as_str()));
    if client != Some(MICROSOFT_CLIENT_ID) {
        return Err(BAD_CLIENT);
    }
    if field("grant_type") != Some("client_credentials") {
        return Err(BAD_GRANT);
    }
    let secret = field("client_secret").or(basic.as_ref().map(|(_, secret)| secret.as_str()));
    match (secret, field("client_assertion")) {
        (Some(secret), _) if secret == MICROSOFT_CLIENT_SECRET => {}
        (Some(_), _) => return Err(BAD_SECRET),
        (None, Some(assertion)) if field("client_assertion_type") == Some(ASSERTION) => {
            check_assertion(
                assertion,
                &format!("{}{path}", ex.origin),
                ex.now_ms() / 1000,
            )?;
        }
        (None, _) => return Err(NO_CREDENTIAL),
    }
    let scope = field("scope").unwrap_or_default();
    let resource = scope.strip_suffix("/.default").ok_or(BAD_SCOPE)?;
    if resource != ex.origin && !resource.starts_with("https://") {
        return Err(BAD_SCOPE);
    }
    Ok(issue(ex, resource))
}

fn issue(ex: &Exchange<'_>, resource: &str) -> Reply {
    let rights = held_rights(ex);
    let roles: Vec<&str> = RIGHTS
        .iter()
        .enumerate()
        .filter(|(n, _)| rights & 1 << n != 0)
        .map(|(_, right)| *right)
        .collect();
    let life_ms = ex
        .faults()
        .token_life
        .map_or(3_599_000, |life| life.as_millis() as u64);
    let number = ex.world.tokens.next_number();
    let now = ex.now_ms() / 1000;
    let mut payload = json!({
        "aud": resource,
        "iss": format!("https://sts.windows.net/{MICROSOFT_TENANT_ID}/"),
        "iat": now,
        "nbf": now,
        "exp": now + (life_ms / 1000).cast_signed(),
        "appid": MICROSOFT_CLIENT_ID,
        "idtyp": "app",
        "tid": MICROSOFT_TENANT_ID,
        "uti": dice::guid(ex.people().seed(), 0x60, number as u32),
        "ver": "1.0",
    });
    // A token without any right has no such claim at all.
    if !roles.is_empty() {
        payload["roles"] = json!(roles);
    }
    let header = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"RS256","kid":"sandbox"}"#);
    let claims = URL_SAFE_NO_PAD.encode(payload.to_string());
    let sealed = URL_SAFE_NO_PAD
        .encode(dice::bits(ex.people().seed(), 0x61, number ^ now as u64).to_be_bytes());
    let text = format!("{header}.{claims}.{sealed}");
    ex.world
        .tokens
        .add(text.clone(), ex.tenant, rights, 0, ex.elapsed_ms(), life_ms);
    ex.world.ledger.count_token();
    let seconds = life_ms.div_ceil(1000);
    let body = json!({"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": text});
    Reply::json(200, body.to_string().into_bytes()).with("cache-control", "no-store, no-cache")
}

fn refusal(ex: &Exchange<'_>, status: u16, error: &str, number: u32, sentence: &str) -> Reply {
    let trace = crate::ledger::request_id(ex.people(), ex.number);
    let timestamp = crate::clock::rfc3339_secs(ex.now_ms()).replace('T', " ");
    let body = json!({
        "error": error,
        "error_description": format!(
            "AADSTS{number}: {sentence} Trace ID: {trace} Correlation ID: {trace} Timestamp: {timestamp}"
        ),
        "error_codes": [number],
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": format!("https://login.microsoftonline.com/error?code={number}"),
    });
    Reply::json(status, body.to_string().into_bytes())
}

fn basic_credentials(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    // Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
    let plain = |part: &str| {
        escape::pairs(&format!("x={part}"))
            .into_iter()
            .next()
            .map(|(_, value)| value)
    };
    Some((plain(id)?, plain(secret)?))
}

/// A certificate's assertion names its certificate; a federated one comes from somebody else and is told by its audience.
fn check_assertion(assertion: &str, endpoint: &str, now: i64) -> Result<(), Refusal> {
    let mut parts = assertion.split('.');
    let mut part = || -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let (Some(head), Some(claims)) = (part(), part()) else {
        return Err(BAD_ASSERTION);
    };
    if parts.next().is_none_or(str::is_empty) || parts.next().is_some() {
        return Err(BAD_ASSERTION);
    }
    let text = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
    let signed_well = matches!(head["alg"].as_str(), Some("PS256" | "RS256"));
    if !signed_well {
        return Err(BAD_ASSERTION);
    }
    let audience = text(&claims, "aud");
    let expires = claims["exp"].as_i64();
    if audience.as_deref() == Some(FEDERATED_AUDIENCE) {
        if text(&claims, "iss").is_none() || text(&claims, "sub").is_none() {
            return Err(ASSERTION_NOT_OURS);
        }
    } else {
        if text(&head, "x5t#S256").is_none() && text(&head, "x5t").is_none() {
            return Err(BAD_ASSERTION);
        }
        let ours = |name| text(&claims, name).as_deref() == Some(MICROSOFT_CLIENT_ID);
        if !(ours("iss") && ours("sub")) {
            return Err(ASSERTION_NOT_OURS);
        }
        if audience.as_deref() != Some(endpoint) {
            return Err(ASSERTION_AUDIENCE);
        }
    }
    let starts = claims["nbf"].as_i64().unwrap_or(now);
    if expires.is_none_or(|expires| expires <= now) || starts > now + 300 {
        return Err(ASSERTION_EXPIRED);
    }
    Ok(())
}
