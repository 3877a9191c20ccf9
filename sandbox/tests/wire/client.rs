//! The smallest HTTP client that shows everything: one connection a request.

use std::time::Duration;

use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rescind_sandbox::{MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, Sandbox, SandboxOptions};
use serde_json::{Value, json};
use tokio::net::TcpStream;

pub(crate) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// `error.code` of Graph.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    /// `error.errors[0].reason` of Google.
    pub(crate) fn reason(&self) -> String {
        self.json()["error"]["errors"][0]["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// A sandbox and a caller with a token for Graph.
pub(crate) struct Caller {
    pub sandbox: Sandbox,
    pub bearer: String,
}

pub(crate) async fn start(faults: &str) -> Caller {
    start_with(SandboxOptions {
        people: 80,
        faults: faults.parse().unwrap(),
        ..SandboxOptions::default()
    })
    .await
}

pub(crate) async fn start_with(options: SandboxOptions) -> Caller {
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut caller = Caller {
        sandbox,
        bearer: String::new(),
    };
    caller.bearer = caller.graph_token().await;
    caller
}

impl Caller {
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Failed> {
        let body = body.into();
        tokio::time::timeout(Duration::from_secs(10), async {
            let stream = TcpStream::connect(self.sandbox.addr()).await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            let driving = tokio::spawn(connection);
            let mut request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", self.sandbox.addr().to_string());
            if method == "POST" {
                request = request.header("content-length", body.len());
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = sender.send_request(request.body(Full::new(body))?).await?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            driving.abort();
            Ok(Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body,
            })
        })
        .await
        .unwrap_or_else(|_| Err("no answer in time".into()))
    }

    /// A call to Graph with the token.
    pub(crate) async fn graph(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer, Failed> {
        let authorization = format!("Bearer {}", self.bearer);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
            ("consistencylevel", "eventual"),
        ];
        self.send(method, &format!("/v1.0{path}"), &headers, body.to_owned())
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.graph("GET", path, "").await.unwrap()
    }

    pub(crate) async fn revoke(&self, key: &str) -> Answer {
        self.graph("POST", &format!("/users/{key}/revokeSignInSessions"), "")
            .await
            .unwrap()
    }

    pub(crate) async fn batch(&self, items: Value) -> Answer {
        let body = json!({ "requests": items }).to_string();
        self.graph("POST", "/$batch", &body).await.unwrap()
    }

    /// The form of a good token request.
    pub(crate) fn token_form(&self) -> Vec<(&'static str, String)> {
        vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", MICROSOFT_CLIENT_ID.to_owned()),
            ("client_secret", MICROSOFT_CLIENT_SECRET.to_owned()),
            ("scope", format!("{}/.default", self.sandbox.base_url())),
        ]
    }

    pub(crate) async fn form(&self, path: &str, fields: &[(&'static str, String)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send("POST", path, &headers, body).await.unwrap()
    }

    pub(crate) async fn graph_token(&self) -> String {
        let answer = self
            .form(
                "/contoso.onmicrosoft.com/oauth2/v2.0/token",
                &self.token_form(),
            )
            .await;
        assert_eq!(answer.status, 200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

/// An item of a batch that revokes.
pub(crate) fn revoke_item(id: &str, key: &str) -> Value {
    json!({
        "id": id,
        "method": "POST",
        "url": format!("/users/{key}/revokeSignInSessions"),
        "headers": {"Content-Type": "application/json"},
        "body": {},
    })
}
