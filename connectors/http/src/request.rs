//! One request, before it is sent.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rescind_core::error::Retry;
use serde::Serialize;
use url::Url;

/// Whether a request changes anything at the vendor: decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only reads: a lost answer may be asked for again.
    Read,
    /// It changes something: after a lost answer nobody knows whether it has.
    Write,
}

impl Effect {
    /// How the request may be repeated once it has left and no usable answer came back.
    pub fn retry_after_sending(self) -> Retry {
        match self {
            Self::Read => Retry::Safe { after: None },
            Self::Write => Retry::OutcomeUnknown,
        }
    }
}

/// The most bytes an answer may have, after decompression, unless a request says less.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

/// One request: what is asked, and how much answer is accepted. Its `Debug` shows neither URL path, header values nor body.
pub struct Request {
    pub(crate) operation: &'static str,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) effect: Effect,
    pub(crate) body_limit: usize,
}

impl Request {
    /// A request that accepts JSON. `operation` names the call in errors, such as `users.get`.
    ///
    /// `GET` and `HEAD` read, everything else writes unless [`Request::reading`] says otherwise.
    pub fn new(operation: &'static str, method: Method, url: Url) -> Self {
        let effect = if method == Method::GET || method == Method::HEAD {
            Effect::Read
        } else {
            Effect::Write
        };
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Self {
            operation,
            method,
            url,
            headers,
            body: None,
            effect,
            body_limit: BODY_LIMIT,
        }
    }

    /// A `GET`.
    pub fn get(operation: &'static str, url: Url) -> Self {
        Self::new(operation, Method::GET, url)
    }

    /// A `POST` without a body, sent with `Content-Length: 0`.
    pub fn post(operation: &'static str, url: Url) -> Self {
        let mut request = Self::new(operation, Method::POST, url);
        // Written out, because the HTTP stack leaves it out for an empty body, and front ends answer that with 411.
        request
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        request.body = Some(Vec::new());
        request
    }

    /// A `DELETE`.
    pub fn delete(operation: &'static str, url: Url) -> Self {
        Self::new(operation, Method::DELETE, url)
    }

    /// With a header; a later value replaces an earlier one.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// With this body and media type.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.headers.remove(CONTENT_LENGTH);
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = Some(body);
        self
    }

    /// With a JSON body.
    ///
    /// # Panics
    /// When the value has no JSON form (a map with keys that are no strings): a mistake in the wire types.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("wire types have a JSON form");
        self.body("application/json", body)
    }

    /// With form fields, `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.body("application/x-www-form-urlencoded", body.into_bytes())
    }

    /// Changes nothing at the vendor although it is no `GET` (a batch of reads, a token request).
    #[must_use]
    pub fn reading(mut self) -> Self {
        self.effect = Effect::Read;
        self
    }

    /// Accepts at most this many bytes of answer, after decompression.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// With an `Authorization` header that no log of the HTTP stack shows.
    pub(crate) fn authorize(&mut self, mut value: HeaderValue) {
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
    }
}

impl Clone for Request {
    fn clone(&self) -> Self {
        Self {
            operation: self.operation,
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            effect: self.effect,
            body_limit: self.body_limit,
        }
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("url", &crate::redact::RedactedUrl(&self.url))
            .field("effect", &self.effect)
            .finish_non_exhaustive()
    }
}
