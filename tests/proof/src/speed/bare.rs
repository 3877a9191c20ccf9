//! The bare loop: the same HTTP client sends the same requests over as many connections, in the same batches, and keeps
//! nothing. What `rescind` takes longer than this is the price of its promises.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// People in one `$batch`.
const BATCH: usize = 20;

/// Requests of one kind under way: as many as the connector advises people, in batches.
const AT_ONCE: usize = 640 / BATCH;

const FIELDS: &str = "id,userPrincipalName,mail,userType,accountEnabled,externalUserState,signInSessionsValidFromDateTime,proxyAddresses";

/// Sends three requests for each person: look-up, revocation, evidence.
///
/// # Errors
/// When the tenant does not answer as it should: a loop that failed measures nothing.
pub(super) fn run(
    url: &str,
    client_id: &str,
    secret: &str,
    names: &[String],
    ids: &[String],
) -> io::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime
        .block_on(all(url, client_id, secret, names, ids))
        .map_err(io::Error::other)
}

async fn all(
    url: &str,
    client_id: &str,
    secret: &str,
    names: &[String],
    ids: &[String],
) -> Result<(), String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client that the toolkit is compared with"
    )]
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|error| error.to_string())?;
    let token = token(&http, url, client_id, secret).await?;
    let kinds = Arc::new([
        Semaphore::new(AT_ONCE),
        Semaphore::new(AT_ONCE),
        Semaphore::new(AT_ONCE),
    ]);
    let mut groups = JoinSet::new();
    // Bounded, as the program is: so many groups are on their way through the three stages.
    let room = Arc::new(Semaphore::new(3 * AT_ONCE));
    for (names, ids) in names.chunks(BATCH).zip(ids.chunks(BATCH)) {
        let requests = [
            batch(names, "GET", &format!("?$select={FIELDS}")),
            batch(ids, "POST", "/revokeSignInSessions"),
            batch(ids, "GET", "?$select=id,signInSessionsValidFromDateTime"),
        ];
        let place = Arc::clone(&room).acquire_owned().await;
        let (http, token, kinds) = (http.clone(), token.clone(), Arc::clone(&kinds));
        let url = format!("{url}/v1.0/$batch");
        groups.spawn(async move {
            let _place = place;
            for (kind, body) in kinds.iter().zip(requests) {
                let _turn = kind.acquire().await;
                send(&http, &url, &token, body).await?;
            }
            Ok::<(), String>(())
        });
        while let Some(done) = groups.try_join_next() {
            done.map_err(|error| error.to_string())??;
        }
    }
    while let Some(done) = groups.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(())
}

async fn token(
    http: &reqwest::Client,
    url: &str,
    client_id: &str,
    secret: &str,
) -> Result<String, String> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let tenant = rescind_sandbox::MICROSOFT_INITIAL_DOMAIN;
    let answer = http
        .post(format!("{url}/{tenant}/oauth2/v2.0/token"))
        .form(&form)
        .send()
        .await
        .map_err(|error| error.to_string())?;
    let answer: Value = answer.json().await.map_err(|error| error.to_string())?;
    answer["access_token"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| "no token".to_owned())
}

fn batch(keys: &[String], method: &str, rest: &str) -> Vec<u8> {
    let items = keys.iter().enumerate().map(|(n, key)| {
        let url = format!("/users('{key}'){rest}");
        let id = n.to_string();
        if method == "POST" {
            let headers = json!({"content-type": "application/json"});
            json!({"id": id, "method": method, "url": url, "headers": headers, "body": {}})
        } else {
            json!({"id": id, "method": method, "url": url})
        }
    });
    let requests: Vec<Value> = items.collect();
    json!({ "requests": requests }).to_string().into_bytes()
}

async fn send(http: &reqwest::Client, url: &str, token: &str, body: Vec<u8>) -> Result<(), String> {
    let answer = http
        .post(url)
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .map_err(|error| error.to_string())?;
    let answer = answer.bytes().await.map_err(|error| error.to_string())?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
    let items = answer["responses"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let good = |item: &Value| item["status"] == 200;
    if items.is_empty() || !items.iter().all(good) {
        return Err("not every item was answered with 200".to_owned());
    }
    Ok(())
}
