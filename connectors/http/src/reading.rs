//! What a token endpoint's bytes are read as, for tests that feed hostile ones in. No part of the crate's interface.

use std::future::ready;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, StatusCode};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use rescind_core::error::Error;
use url::Url;

use crate::answer::Answer;
use crate::oauth::{self, ClientCredentials, ClientProof};
use crate::request::Effect;
use crate::token::{FreshToken, Token};
use crate::token_endpoint::{self, OPERATION, TokenHint};

/// The token in an answer to a form of our own.
pub fn exchanged(status: StatusCode, body: &[u8], hint: TokenHint) -> Result<FreshToken, Error> {
    token_endpoint::token(&answer(status, body), hint).and_then(usable)
}

/// The token in an answer to a form that the client library has sent.
///
/// # Panics
/// Never: the answer is there before it is asked for.
pub fn granted(status: StatusCode, body: &[u8], hint: TokenHint) -> Result<FreshToken, Error> {
    let url = Url::parse("https://login.example.com/token").expect("a URL");
    let proof = ClientProof::Secret("secret".to_owned().into());
    let client = ClientCredentials::new(url, "client", "scope", proof, hint);
    let vendor = Canned {
        answer: Mutex::new(Some(answer(status, body))),
        hint,
    };
    let asked = pin!(client.ask(&vendor));
    match asked.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(token) => token.and_then(usable),
        Poll::Pending => unreachable!("nothing is waited for"),
    }
}

/// Whether requests could carry it.
fn usable(fresh: FreshToken) -> Result<FreshToken, Error> {
    let copy = FreshToken {
        secret: fresh.secret.clone(),
        expires_in: fresh.expires_in,
    };
    Token::new(copy).map(|_| fresh)
}

fn answer(status: StatusCode, body: &[u8]) -> Answer {
    Answer {
        status,
        headers: HeaderMap::new(),
        body: body.to_vec(),
        date: None,
        operation: OPERATION,
        effect: Effect::Read,
    }
}

/// A vendor who has answered already.
struct Canned {
    answer: Mutex<Option<Answer>>,
    hint: TokenHint,
}

impl<'c> AsyncHttpClient<'c> for Canned {
    type Error = Error;
    type Future = std::future::Ready<Result<HttpResponse, Error>>;

    fn call(&'c self, _: HttpRequest) -> Self::Future {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answer.take().expect("it is asked once");
        ready(oauth::response(answer, self.hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_json_object_is_a_token() {
        let token = br#"{"access_token":"t","token_type":"bearer"}"#;
        for read in [granted, exchanged] {
            assert!(read(StatusCode::OK, token, |_| None).is_ok());
            for wrong in [
                &br#"["t"]"#[..],
                br#"["t","bearer",3600]"#,
                br#"{"access_token":"t","token_type":"bearer"}}"#,
                br#"{"access_token":"t","token_type":"bearer"} <html>"#,
                b"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"x\":\"\xff\"}",
            ] {
                assert!(read(StatusCode::OK, wrong, |_| None).is_err());
            }
        }
    }
}
