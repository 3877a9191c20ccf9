//! The way to one tenant: requests as Graph wants them, alone or as items of a batch.

use std::sync::Arc;

use rescind_core::budget::Cost;
use rescind_core::context::{Context, Observation, Paid, Priority};
use rescind_core::error::Error;
use rescind_http::{
    Authorized, BaseUrl, HeaderName, HeaderValue, HttpClient, Request, Token, TokenSource, Url,
};

use crate::answer::GraphAnswer;
use crate::batch_wire::load_of;

const VERSION: &str = "/v1.0";
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const PRIORITY: HeaderName = HeaderName::from_static("x-ms-throttle-priority");
const CONSISTENCY: HeaderName = HeaderName::from_static("consistencylevel");

/// One tenant's Graph with its token.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    base: Arc<BaseUrl>,
    client: Authorized,
}

impl Graph {
    pub(crate) fn new(base: BaseUrl, http: HttpClient, source: impl TokenSource) -> Self {
        Self {
            base: Arc::new(base),
            client: Authorized::new(http, source),
        }
    }

    /// The URL of a path that was encoded already, such as `/users('…')`.
    pub(crate) fn url(&self, path: &str) -> Url {
        self.base.at(VERSION).encoded(path).build()
    }

    /// A next link of the vendor's.
    ///
    /// # Errors
    /// When it leaves the origin.
    pub(crate) fn follow(&self, operation: &'static str, link: &str) -> Result<Url, Error> {
        self.base.follow(operation, link)
    }

    pub(crate) async fn token(&self, cx: &Context) -> Result<Arc<Token>, Error> {
        self.client.token(cx).await
    }

    /// Pays and sends one request.
    pub(crate) async fn send(
        &self,
        cx: &Context,
        cost: Cost,
        request: Request,
    ) -> Result<GraphAnswer, Error> {
        let paid = cx.pay(&cost).await?;
        self.send_paid(cx, paid, cost, request).await
    }

    /// Sends a request that has paid; `cost` is what it pays if it has to leave again.
    pub(crate) async fn send_paid(
        &self,
        cx: &Context,
        paid: Paid,
        cost: Cost,
        request: Request,
    ) -> Result<GraphAnswer, Error> {
        let mut request = request;
        if let Ok(id) = HeaderValue::try_from(cx.correlation.to_string()) {
            request = request.header(CLIENT_REQUEST_ID, id);
        }
        if cx.priority == Priority::Urgent {
            request = request.header(PRIORITY, HeaderValue::from_static("High"));
        }
        let answer = self.client.send_paid(cx, paid, cost, request).await?;
        let load = answer
            .header("x-ms-throttle-limit-percentage")
            .and_then(load_of);
        if let Some(load) = load {
            cx.observe(Observation::Load(load));
        }
        Ok(answer.into())
    }
}

/// A read over an index that may lag a little; casts, counts and some filters need it.
pub(crate) fn eventual(request: Request) -> Request {
    request.header(CONSISTENCY, HeaderValue::from_static("eventual"))
}
