//! One token for everybody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use rescind_core::budget::Cost;
use rescind_core::config::HttpSettings;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_http::{
    Authorized, BaseUrl, FreshToken, HttpClient, Request, TokenCache, TokenSource, exchange,
};
use rescind_testkit::{FreePort, PaidPort};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use wiremock::matchers::header;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A token with this life, or a refusal.
type Answer = Result<Option<Duration>, ErrorKind>;

/// Hands out what the script says, each after a second; then tokens that are numbered and live an hour.
#[derive(Debug, Clone, Default)]
struct Scripted {
    asked: Arc<AtomicUsize>,
    script: Arc<Mutex<VecDeque<Answer>>>,
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        let scripted = Self::default();
        scripted.script.lock().expect("not poisoned").extend(script);
        scripted
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl TokenSource for Scripted {
    async fn fetch(&self, _http: &HttpClient, _cx: &Context) -> Result<FreshToken, Error> {
        let n = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let next = self.script.lock().expect("not poisoned").pop_front();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let hour = Some(Duration::from_secs(3600));
        match next.unwrap_or(Ok(hour)) {
            Ok(expires_in) => Ok(FreshToken {
                secret: SecretString::from(format!("token-{n}")),
                expires_in,
            }),
            Err(kind) => Err(Error::new(kind, Retry::Never, "token", "refused")),
        }
    }
}

struct Scene {
    source: Scripted,
    cache: TokenCache,
    http: HttpClient,
}

impl Scene {
    fn new(source: Scripted) -> Self {
        Self {
            cache: TokenCache::new(source.clone()),
            http: HttpClient::new(&HttpSettings::default()).expect("a client"),
            source,
        }
    }

    async fn get(&self) -> Result<String, Error> {
        let cx = Context::new(Arc::new(FreePort));
        let token = self.cache.get(&self.http, &cx).await?;
        Ok(token.secret().expose_secret().to_owned())
    }
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

#[tokio::test(start_paused = true)]
async fn many_calls_wait_for_one_request() {
    let scene = Scene::new(Scripted::default());
    let tokens = join_all((0..640).map(|_| scene.get())).await;
    assert!(
        tokens
            .iter()
            .all(|token| token.as_deref().is_ok_and(|t| t == "token-1"))
    );
    assert_eq!(scene.source.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_calls_share_one_refusal() {
    let scene = Scene::new(Scripted::new([Err(ErrorKind::Unauthenticated)]));
    for refused in join_all((0..640).map(|_| scene.get())).await {
        assert_eq!(
            refused.expect_err("refused").kind(),
            ErrorKind::Unauthenticated
        );
    }
    assert_eq!(scene.source.asked(), 1);
    assert_eq!(scene.get().await.expect("asked again"), "token-2");
}

#[tokio::test(start_paused = true)]
async fn is_renewed_five_minutes_early_while_others_go_on() {
    let scene = Scene::new(Scripted::default());
    scene.get().await.expect("a token");
    tokio::time::advance(minutes(54)).await;
    assert_eq!(scene.get().await.expect("a token"), "token-1");
    tokio::time::advance(minutes(1)).await;
    let tokens = join_all((0..3).map(|_| scene.get())).await;
    let tokens: Vec<_> = tokens.into_iter().map(|t| t.expect("a token")).collect();
    assert_eq!(tokens, ["token-2", "token-1", "token-1"]);
    assert_eq!(scene.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_early_renewal_that_fails_harms_nobody() {
    let hour = Ok(Some(minutes(60)));
    let scene = Scene::new(Scripted::new([hour, Err(ErrorKind::Unavailable)]));
    scene.get().await.expect("a token");
    tokio::time::advance(minutes(56)).await;
    for _ in 0..10 {
        assert_eq!(scene.get().await.expect("the old one"), "token-1");
    }
    assert_eq!(scene.source.asked(), 2);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(scene.get().await.expect("a token"), "token-3");
}

#[tokio::test(start_paused = true)]
async fn a_short_or_unstated_life_is_no_reason_to_ask_each_time() {
    for life in [Some(minutes(4)), None] {
        let scene = Scene::new(Scripted::new([Ok(life)]));
        for _ in 0..3 {
            assert_eq!(scene.get().await.expect("a token"), "token-1");
        }
        tokio::time::advance(minutes(11)).await;
        assert_eq!(scene.get().await.expect("a token"), "token-2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_dropped_once_for_everybody() {
    let scene = Scene::new(Scripted::default());
    let cx = Context::new(Arc::new(FreePort));
    let refused = scene.cache.get(&scene.http, &cx).await.expect("a token");
    for _ in 0..3 {
        scene.cache.invalidate(&refused);
        assert_eq!(scene.get().await.expect("a token"), "token-2");
    }
    assert_eq!(scene.source.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_takes_nobody_along() {
    let scene = Arc::new(Scene::new(Scripted::default()));
    let leaver = tokio::spawn({
        let scene = scene.clone();
        async move { scene.get().await }
    });
    tokio::task::yield_now().await;
    assert_eq!(scene.source.asked(), 1);
    let stays = tokio::spawn({
        let scene = scene.clone();
        async move { scene.get().await }
    });
    tokio::task::yield_now().await;
    leaver.abort();
    assert_eq!(stays.await.expect("joins").expect("a token"), "token-2");
}

/// Tokens that are numbered and come at once.
#[derive(Debug, Clone, Default)]
struct Numbered(Arc<AtomicUsize>);

#[async_trait]
impl TokenSource for Numbered {
    async fn fetch(&self, _http: &HttpClient, _cx: &Context) -> Result<FreshToken, Error> {
        let n = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(FreshToken {
            secret: SecretString::from(format!("token-{n}")),
            expires_in: None,
        })
    }
}

#[tokio::test]
async fn a_token_is_taken_only_when_its_request_is_paid() {
    let vendor = MockServer::start().await;
    for (token, status) in [("Bearer token-1", 401), ("Bearer token-2", 200)] {
        Mock::given(header("authorization", token))
            .respond_with(ResponseTemplate::new(status))
            .expect(1)
            .mount(&vendor)
            .await;
    }
    let source = Numbered::default();
    let http = HttpClient::new(&HttpSettings::default()).expect("a client");
    let client = Authorized::new(http, source.clone());
    let port = Arc::new(PaidPort::allowing(0));
    let cx = Context::new(port.clone());
    let url = BaseUrl::parse(&vendor.uri()).expect("a URL");
    let request = Request::get("read", url.at("/").build());
    let one = Cost::of("calls", 1);
    let asked_after = async |payments: usize| {
        port.somebody_waits().await;
        let asked = source.0.load(Ordering::SeqCst);
        port.allow(payments);
        asked
    };
    let (answer, asked) = tokio::join!(client.send(&cx, one, request), async {
        let first = asked_after(1).await;
        while source.0.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        (first, asked_after(2).await)
    });
    assert_eq!(asked, (0, 1));
    assert_eq!(answer.expect("an answer").status, 200);
}

/// What a refusal looks like in every form in which an error is seen.
async fn shown_refusal(status: u16, body: &serde_json::Value) -> String {
    let vendor = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(ResponseTemplate::new(status).set_body_json(body))
        .mount(&vendor)
        .await;
    let http = HttpClient::new(&HttpSettings::default()).expect("a client");
    let cx = Context::new(Arc::new(FreePort));
    let url = format!("{}/token", vendor.uri()).parse().expect("a URL");
    let form = [("client_secret", "hunter-two")];
    let error = exchange(&http, &cx, &url, &form, |_| None)
        .await
        .expect_err("refused");
    format!("{error} {error:?} {:?}", error.to_record())
}

#[tokio::test]
async fn a_refusal_shows_nothing_that_may_repeat_the_secret() {
    let said = "you sent client_secret=hunter-two";
    for body in [
        json!({"error": "invalid_client", "error_description": said}),
        json!({"error": "invalid_client", "error_description": "x", "error_uri": said}),
        json!({"error": said}),
        json!({"error": "hunter-two", "error_description": "x"}),
        json!({"error": {"message": said}}),
        json!({"message": said}),
        json!(said),
    ] {
        for status in [400, 401, 429, 500] {
            let shown = shown_refusal(status, &body).await;
            assert!(!shown.contains("hunter"), "{status} {body}: {shown}");
            assert!(shown.contains(&status.to_string()), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_refusal_shows_its_code() {
    let body = json!({"error": "invalid_client", "error_description": "x"});
    assert!(shown_refusal(401, &body).await.contains("invalid_client"));
}

/// One request a token: the second with the same one is refused, as when somebody ends tokens all the time.
#[derive(Debug, Default)]
struct OnceEach(std::sync::Mutex<std::collections::HashSet<String>>);

impl wiremock::Respond for OnceEach {
    fn respond(&self, request: &wiremock::Request) -> ResponseTemplate {
        let token = request.headers["authorization"]
            .to_str()
            .unwrap_or_default();
        let first = self.0.lock().expect("no panic").insert(token.to_owned());
        if first {
            return ResponseTemplate::new(200);
        }
        // The one that was first has its answer before the others are refused.
        ResponseTemplate::new(401).set_delay(Duration::from_secs(1))
    }
}

#[tokio::test]
async fn a_token_that_worked_and_was_ended_is_renewed_again() {
    let vendor = MockServer::start().await;
    Mock::given(wiremock::matchers::any())
        .respond_with(OnceEach::default())
        .mount(&vendor)
        .await;
    let http = HttpClient::new(&HttpSettings::default()).expect("a client");
    let client = Authorized::new(http, Numbered::default());
    let url = BaseUrl::parse(&vendor.uri())
        .expect("a URL")
        .at("/")
        .build();
    let ask = async || {
        let cx = Context::new(Arc::new(PaidPort::unlimited()));
        let request = Request::get("read", url.clone());
        client.send(&cx, Cost::of("calls", 1), request).await
    };
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    for answer in [first, second, third] {
        assert_eq!(answer.expect("an answer").status, 200);
    }
}
