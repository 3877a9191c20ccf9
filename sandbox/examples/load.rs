//! How many revocations a second the sandbox carries out: `cargo run --release -p rescind-sandbox --example load`.
//!
//! Client and sandbox share the machine, so the figure is a floor.

#![expect(clippy::print_stdout, reason = "the figure is the program's result")]

use std::error::Error;
use std::time::Instant;

use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rescind_sandbox::{
    MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, Person, Quota, Sandbox, SandboxOptions,
};
use tokio::net::TcpStream;

type Failed = Box<dyn Error + Send + Sync>;

const PEOPLE: u32 = 200_000;
const CONNECTIONS: u32 = 32;
const BATCH: u32 = 20;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let sandbox = Sandbox::start(SandboxOptions {
        people: PEOPLE + 100,
        quota: Quota::Unlimited,
        ..SandboxOptions::default()
    })
    .await?;
    let token = token(&sandbox).await?;
    // The bodies are made before the clock starts.
    let mut shares = Vec::new();
    for connection in 0..CONNECTIONS {
        let first = (connection..PEOPLE / BATCH).step_by(CONNECTIONS as usize);
        shares.push(
            first
                .map(|n| batch(&sandbox, n * BATCH))
                .collect::<Vec<_>>(),
        );
    }
    let started = Instant::now();
    let mut senders = Vec::new();
    for share in shares {
        let (addr, token) = (sandbox.addr(), token.clone());
        senders.push(tokio::spawn(async move {
            let mut sender = connect(addr).await?;
            let host = addr.to_string();
            for body in share {
                send(&mut sender, &host, "/v1.0/$batch", Some(&token), body).await?;
            }
            Ok::<(), Failed>(())
        }));
    }
    for sender in senders {
        sender.await??;
    }
    let secs = started.elapsed().as_secs_f64();
    let effects = sandbox.summary().effects;
    println!(
        "{effects} revocations in {secs:.2} s: {:.0} a second",
        effects as f64 / secs
    );
    sandbox.shutdown().await?;
    Ok(())
}

fn batch(sandbox: &Sandbox, from: u32) -> Bytes {
    let items: Vec<String> = (from..from + BATCH)
        .map(|n| {
            let id = sandbox.people().object_id(Person::regular(n));
            format!(
                r#"{{"id":"{n}","method":"POST","url":"/users/{id}/revokeSignInSessions","headers":{{"Content-Type":"application/json"}},"body":{{}}}}"#
            )
        })
        .collect();
    format!(r#"{{"requests":[{}]}}"#, items.join(",")).into()
}

async fn token(sandbox: &Sandbox) -> Result<String, Failed> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", MICROSOFT_CLIENT_ID)
        .append_pair("client_secret", MICROSOFT_CLIENT_SECRET)
        .append_pair("scope", &format!("{}/.default", sandbox.base_url()))
        .finish();
    let mut sender = connect(sandbox.addr()).await?;
    let host = sandbox.addr().to_string();
    let path = "/contoso.com/oauth2/v2.0/token";
    let body = send(&mut sender, &host, path, None, form.into()).await?;
    let answer: serde_json::Value = serde_json::from_slice(&body)?;
    Ok(answer["access_token"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

async fn connect(addr: std::net::SocketAddr) -> Result<SendRequest<Full<Bytes>>, Failed> {
    let stream = TcpStream::connect(addr).await?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    host: &str,
    path: &str,
    token: Option<&str>,
    body: Bytes,
) -> Result<Bytes, Failed> {
    sender.ready().await?;
    let mut request = Request::post(path).header("host", host);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if status.is_success() {
        Ok(body)
    } else {
        Err(format!("{path} answered {status}").into())
    }
}
