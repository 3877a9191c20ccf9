//! What the client lets out, and what it makes of what comes back.

use std::sync::Arc;
use std::time::Duration;

use rescind_core::budget::Cost;
use rescind_core::config::HttpSettings;
use rescind_core::context::{Context, Observation};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_http::{Answer, BaseUrl, HttpClient, Request, Url};
use rescind_testkit::PaidPort;
use wiremock::matchers::{any, body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const SAFE: Retry = Retry::Safe { after: None };

struct Scene {
    server: MockServer,
    http: HttpClient,
    port: Arc<PaidPort>,
}

impl Scene {
    async fn new() -> Self {
        Self::patient_for(Duration::from_secs(60)).await
    }

    async fn patient_for(limit: Duration) -> Self {
        Self {
            server: MockServer::start().await,
            http: HttpClient::with_timeouts(&HttpSettings::default(), limit, limit)
                .expect("a client"),
            port: Arc::new(PaidPort::unlimited()),
        }
    }

    async fn answering(answer: ResponseTemplate) -> Self {
        Self::new().await.and_answers(answer).await
    }

    async fn and_answers(self, answer: ResponseTemplate) -> Self {
        Mock::given(any())
            .respond_with(answer)
            .expect(1)
            .mount(&self.server)
            .await;
        self
    }

    fn url(&self) -> Url {
        let base = BaseUrl::parse(&self.server.uri()).expect("a root");
        base.at("/thing").build()
    }

    async fn send(&self, request: Request) -> Result<Answer, Error> {
        let cx = Context::new(self.port.clone());
        self.http.send(&cx, Cost::of("calls", 1), request).await
    }

    /// The errors of a write and of a read that meet the same.
    async fn write_and_read(answer: ResponseTemplate) -> [Error; 2] {
        Self::both(
            Self::answering(answer.clone()).await,
            Self::answering(answer).await,
        )
        .await
    }

    async fn both(one: Self, other: Self) -> [Error; 2] {
        let write = one.send(Request::post("write", one.url())).await;
        let read = other.send(Request::get("read", other.url())).await;
        [write, read].map(|answer| answer.expect_err("no answer to use"))
    }
}

#[tokio::test]
async fn pays_before_it_sends_and_tells_the_vendors_time() {
    let scene = Scene::new().await;
    Mock::given(method("POST"))
        .and(path("/thing"))
        .and(query_param("q", "a b"))
        .and(header("accept", "application/json"))
        .and(header("content-type", "application/json"))
        .and(body_string(r#"{"a":1}"#))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("Date", "Sat, 21 Nov 2026 21:00:00 GMT")
                .set_body_string("ok"),
        )
        .expect(1)
        .mount(&scene.server)
        .await;
    let base = BaseUrl::parse(&scene.server.uri()).expect("a root");
    let url = base.at("/thing").query("q", "a b").build();
    let body = serde_json::json!({"a": 1});
    let answer = scene
        .send(Request::post("write", url).json(&body))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_slice()),
        (200, &b"ok"[..])
    );
    assert_eq!(scene.port.payments(), [Cost::of("calls", 1)]);
    let date = "2026-11-21T21:00:00Z".parse().expect("a time");
    assert_eq!(scene.port.observations(), [Observation::ProviderTime(date)]);
}

#[tokio::test]
async fn nothing_leaves_unpaid_or_in_plain_text() {
    let scene = Scene::new().await;
    let shut = Arc::new(PaidPort::allowing(0));
    let cx = Context::new(shut.clone());
    tokio::select! {
        biased;
        _ = scene.http.send(&cx, Cost::of("calls", 1), Request::get("read", scene.url())) => {
            panic!("sent without paying")
        }
        () = shut.somebody_waits() => {}
    }
    let plain = Url::parse("http://example.com/users/ada@example.com").expect("a URL");
    let error = scene
        .send(Request::get("read", plain))
        .await
        .expect_err("plain text");
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(!error.message().contains("ada"));
    assert!(
        scene
            .server
            .received_requests()
            .await
            .expect("recorded")
            .is_empty()
    );
}

#[tokio::test]
async fn a_redirect_is_an_error_and_is_not_followed() {
    let there = ResponseTemplate::new(302).insert_header("Location", "/elsewhere");
    for error in Scene::write_and_read(there).await {
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        assert_eq!(error.retry(), Retry::Never);
    }
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_not_read_to_its_end() {
    let bomb = include_bytes!("fixtures/bomb.gz").to_vec();
    let packed = ResponseTemplate::new(200)
        .insert_header("Content-Encoding", "gzip")
        .set_body_bytes(bomb);
    let plain = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 1024 * 1024 + 1]);
    for answer in [packed, plain] {
        let [write, read] = Scene::write_and_read(answer).await;
        assert_eq!(write.kind(), ErrorKind::InvalidResponse);
        assert_eq!(write.retry(), Retry::OutcomeUnknown);
        assert_eq!(read.retry(), SAFE);
    }
}

#[tokio::test]
async fn a_body_up_to_its_limit_is_read() {
    let answer = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 1024 * 1024]);
    let scene = Scene::answering(answer).await;
    let answer = scene.send(Request::get("read", scene.url())).await;
    assert_eq!(answer.expect("an answer").body.len(), 1024 * 1024);
}

#[tokio::test]
async fn a_body_that_does_not_decompress_is_no_answer() {
    let broken = ResponseTemplate::new(200)
        .insert_header("Content-Encoding", "gzip")
        .set_body_bytes(b"no gzip at all".to_vec());
    let [write, read] = Scene::write_and_read(broken).await;
    assert_eq!(write.kind(), ErrorKind::InvalidResponse);
    assert_eq!(write.retry(), Retry::OutcomeUnknown);
    assert_eq!(read.retry(), SAFE);
}

#[tokio::test]
async fn no_answer_in_time_leaves_a_write_unknown() {
    let never = ResponseTemplate::new(200).set_delay(Duration::from_secs(3600));
    let hasty = async || Scene::patient_for(Duration::from_secs(1)).await;
    let one = hasty().await.and_answers(never.clone()).await;
    let other = hasty().await.and_answers(never).await;
    let [write, read] = Scene::both(one, other).await;
    assert_eq!(write.kind(), ErrorKind::Timeout);
    assert_eq!(write.retry(), Retry::OutcomeUnknown);
    assert_eq!((read.kind(), read.retry()), (ErrorKind::Timeout, SAFE));
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let scene = Scene::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let gone = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let url = Url::parse(&gone).expect("a URL");
    let error = scene
        .send(Request::post("write", url))
        .await
        .expect_err("nobody listens");
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, SAFE)
    );
    assert!(!error.is_lane_fault());
}

#[tokio::test]
async fn a_call_that_was_cancelled_before_sends_nothing() {
    let scene = Scene::new().await;
    let cx = Context::new(scene.port.clone());
    cx.cancel.cancel();
    let request = Request::post("write", scene.url());
    let error = scene
        .http
        .send(&cx, Cost::NOTHING, request)
        .await
        .expect_err("cancelled");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Cancelled, SAFE));
    assert!(
        scene
            .server
            .received_requests()
            .await
            .expect("recorded")
            .is_empty()
    );
}

#[tokio::test]
async fn an_answers_failure_waits_as_long_as_the_vendor_asks() {
    let busy = ResponseTemplate::new(429)
        .insert_header("Date", "Sat, 21 Nov 2026 21:00:00 GMT")
        .insert_header("Retry-After", "Sat, 21 Nov 2026 21:01:30 GMT")
        .set_body_string("slow down, ada@example.com");
    let scene = Scene::answering(busy).await;
    let answer = scene
        .send(Request::post("write", scene.url()))
        .await
        .expect("an answer");
    let error = answer.failure().expect("a failure");
    let after = Some(Duration::from_secs(90));
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::RateLimited, Retry::Safe { after })
    );
    assert!(!error.message().contains("ada"));
}

#[test]
fn the_http_table_is_checked_when_it_is_read() {
    let settings = HttpSettings {
        ca_file: Some("no/such/file.pem".into()),
        proxy: Some("not a proxy".to_owned()),
    };
    let error = HttpClient::new(&settings).expect_err("two problems");
    let keys: Vec<_> = error
        .problems()
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(keys, ["http.ca_file", "http.proxy"]);
    assert!(!error.to_string().contains("not a proxy"));
}
