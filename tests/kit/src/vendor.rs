//! The vendor's servers, on loopback: an API, a token endpoint, and a stranger that nobody should ever call.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use wiremock::matchers::any;
use wiremock::{Match, Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::canary;

/// A vendor made of three real servers and a folder for secrets; it ends with its value.
#[derive(Debug)]
pub struct FakeVendor {
    api: MockServer,
    login: MockServer,
    elsewhere: MockServer,
    api_url: Option<String>,
    login_url: Option<String>,
    folder: TempDir,
    secrets: Mutex<Vec<String>>,
}

impl FakeVendor {
    /// Starts the servers. The API and the token endpoint answer 404 until something is mounted.
    ///
    /// # Panics
    /// When loopback or the temporary folder refuse.
    pub async fn start() -> Self {
        let elsewhere = bare().await;
        Mock::given(any())
            .respond_with(ResponseTemplate::new(200).set_body_raw("{}", "application/json"))
            .mount(&elsewhere)
            .await;
        Self {
            api: bare().await,
            login: bare().await,
            elsewhere,
            api_url: None,
            login_url: None,
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            secrets: Mutex::new(vec![canary::SECRET.to_owned(), canary::TOKEN.to_owned()]),
        }
    }

    /// The same vendor, but the API is said to be at `url`.
    #[must_use]
    pub fn with_api_at(mut self, url: impl Into<String>) -> Self {
        self.api_url = Some(url.into());
        self
    }

    /// The same vendor, but the token endpoint is said to be at `url`.
    #[must_use]
    pub fn with_login_at(mut self, url: impl Into<String>) -> Self {
        self.login_url = Some(url.into());
        self
    }

    /// Where settings say the API is, without a slash at the end.
    pub fn api_url(&self) -> String {
        self.api_url.clone().unwrap_or_else(|| self.api.uri())
    }

    /// Where settings say the token endpoint's server is, without a slash at the end.
    pub fn login_url(&self) -> String {
        self.login_url.clone().unwrap_or_else(|| self.login.uri())
    }

    /// A server of somebody else, which answers everything with 200.
    pub fn elsewhere_url(&self) -> String {
        self.elsewhere.uri()
    }

    /// The API, to mount mocks on.
    pub fn api(&self) -> &MockServer {
        &self.api
    }

    /// The token endpoint's server, to mount mocks on.
    pub fn login(&self) -> &MockServer {
        &self.login
    }

    /// Writes a secret to a file that only its owner can read, and remembers what must never leak: the text itself,
    /// and each of its lines of 16 characters or more.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn secret_file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the temporary folder takes a file");
        only_for_owner(&path);
        self.remember_secret(text);
        path
    }

    /// Remembers a text that must never leak, such as the private key inside a key file.
    pub fn remember_secret(&self, text: &str) {
        let lines = text.lines().map(str::trim).filter(|line| line.len() >= 16);
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.extend(lines.map(str::to_owned));
    }

    /// Everything that must never leak.
    pub fn secrets(&self) -> Vec<String> {
        self.secrets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What the API received so far, in order.
    pub async fn api_requests(&self) -> Vec<Request> {
        received(&self.api).await
    }

    /// How many requests the token endpoint received so far.
    pub async fn login_requests(&self) -> usize {
        received(&self.login).await.len()
    }

    /// How many requests went to the stranger so far.
    pub async fn strayed_requests(&self) -> usize {
        received(&self.elsewhere).await.len()
    }

    /// Answers every request to the API that `which` matches, before anything else that is mounted.
    pub async fn answer(&self, which: impl Match + 'static, answer: impl Respond + 'static) {
        first(which, answer).mount(&self.api).await;
    }

    /// As [`answer`](Self::answer), `times` times; after that the API is as it was.
    pub async fn answer_times(
        &self,
        times: u64,
        which: impl Match + 'static,
        answer: impl Respond + 'static,
    ) {
        first(which, answer)
            .up_to_n_times(times)
            .mount(&self.api)
            .await;
    }

    /// Answers every request to the token endpoint.
    pub async fn answer_login(&self, answer: impl Respond + 'static) {
        first(any(), answer).mount(&self.login).await;
    }

    /// Leaves every request to the API that `which` matches without an answer.
    pub async fn hang(&self, which: impl Match + 'static) -> Hung {
        let seen = Arc::new(watch::Sender::new(0));
        let hung = Hung(seen.clone());
        let never = ResponseTemplate::new(200).set_delay(Duration::from_secs(3600));
        self.answer(which, move |_: &Request| {
            seen.send_modify(|n| *n += 1);
            never.clone()
        })
        .await;
        hung
    }
}

/// Requests that were received and get no answer.
#[derive(Debug)]
pub struct Hung(Arc<watch::Sender<usize>>);

impl Hung {
    /// How many were received.
    pub fn received(&self) -> usize {
        *self.0.borrow()
    }

    /// Returns once one was received. Cancel-safe.
    pub async fn one_received(&self) {
        let _ = self.0.subscribe().wait_for(|n| *n > 0).await;
    }
}

fn first(which: impl Match + 'static, answer: impl Respond + 'static) -> Mock {
    Mock::given(which).respond_with(answer).with_priority(1)
}

/// A server of its own for each test: one from a pool could still hold an earlier test's requests.
async fn bare() -> MockServer {
    MockServer::builder().start().await
}

async fn received(server: &MockServer) -> Vec<Request> {
    server
        .received_requests()
        .await
        .expect("recording is on for every server")
}

#[cfg(unix)]
fn only_for_owner(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .expect("the owner may change the mode");
}

#[cfg(not(unix))]
fn only_for_owner(_path: &std::path::Path) {}
