//! Where requests may go: the configured origin, and paths whose every part was encoded.

use rescind_core::error::{Error, ErrorKind, Retry};
use url::{Host, Url};

use crate::percent::push_encoded;

/// The configured root of an API. Everything a connector sends goes to its origin.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl {
    url: Url,
    /// Scheme, host, port and path, without a trailing slash.
    root: String,
}

impl BaseUrl {
    /// Reads a root such as `https://graph.microsoft.com`: `https`, or `http` to this machine only; no user, query or
    /// fragment.
    ///
    /// # Errors
    /// A fragment for a person, without the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text.trim()).map_err(|error| format!("is not a URL: {error}"))?;
        check_scheme(&url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry a user name or password".to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("must not carry a query or fragment".to_owned());
        }
        let root = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, root })
    }

    /// The root as text, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.root
    }

    /// Starts a URL below this root with a literal path such as `/v1.0/users`.
    pub fn at(&self, path: &'static str) -> UrlBuilder {
        UrlBuilder {
            text: self.root.clone(),
            has_query: false,
        }
        .path(path)
    }

    /// Whether a URL has this root's scheme, host and port.
    pub fn is_origin_of(&self, url: &Url) -> bool {
        self.url.origin() == url.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// Reads a link the vendor gave; relative ones are allowed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidResponse`] when it leaves this origin: credentials go nowhere else.
    pub fn follow(&self, operation: &'static str, link: &str) -> Result<Url, Error> {
        let url = self.url.join(link).ok();
        url.filter(|url| self.is_origin_of(url)).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidResponse,
                Retry::Never,
                operation,
                "the link to the next page leaves the configured origin; it was not followed",
            )
        })
    }
}

impl std::fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.root)
    }
}

/// `https`, or `http` to the machine itself.
pub(crate) fn check_scheme(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err(
            "plain http:// is allowed to this machine only (127.0.0.1, [::1], localhost); use https://"
                .to_owned(),
        ),
        _ => Err("must begin with https://".to_owned()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// A URL below a root, part by part. Values are percent-encoded, literals stand in the source.
#[derive(Clone)]
pub struct UrlBuilder {
    text: String,
    has_query: bool,
}

impl UrlBuilder {
    /// A literal piece of the path, such as `/tokens`.
    #[must_use]
    pub fn path(mut self, path: &'static str) -> Self {
        self.text.push_str(path);
        self
    }

    /// A further path segment, encoded.
    ///
    /// # Errors
    /// For an empty segment, `.` and `..`: they address something else than they name.
    pub fn segment(mut self, value: &str) -> Result<Self, Error> {
        if value.is_empty() || value == "." || value == ".." {
            return Err(Error::new(
                ErrorKind::Unexpected,
                Retry::Never,
                "address",
                "the identifier is empty or a path of its own; nothing was sent",
            ));
        }
        self.text.push('/');
        push_encoded(&mut self.text, value);
        Ok(self)
    }

    /// A value inside the current segment, encoded; the caller has checked that it is not empty.
    #[must_use]
    pub fn value(mut self, value: &str) -> Self {
        push_encoded(&mut self.text, value);
        self
    }

    /// A piece that was put together with [`push_encoded`] already.
    #[must_use]
    pub fn encoded(mut self, piece: &str) -> Self {
        self.text.push_str(piece);
        self
    }

    /// A query parameter, name and value encoded (`$` in a name stays: vendors write `$select`).
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &str) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        self.text.push_str(name);
        self.text.push('=');
        push_encoded(&mut self.text, value);
        self
    }

    /// The URL.
    ///
    /// # Panics
    /// Never: the root was parsed and everything after it is encoded.
    pub fn build(self) -> Url {
        Url::parse(&self.text).expect("an encoded path below a parsed root is a URL")
    }
}

impl std::fmt::Debug for UrlBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UrlBuilder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for good in [
            "https://graph.microsoft.com",
            "https://proxy.example.com:8443/graph/",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "http://localhost",
        ] {
            assert!(BaseUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://graph.microsoft.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0",
            "ftp://127.0.0.1",
            "https://u:p@example.com",
            "https://example.com/?a=b",
            "https://example.com/#a",
            "data:text/plain,x",
            "graph.microsoft.com",
            "",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn segments_stay_segments() {
        let base = BaseUrl::parse("https://example.com/api/").expect("parses");
        let url = base
            .at("/users")
            .segment("../a/b?c#d%2f;e@f")
            .expect("a segment")
            .path("/tokens")
            .query("$filter", "mail eq 'a&b=c'")
            .build();
        assert_eq!(
            url.as_str(),
            "https://example.com/api/users/..%2Fa%2Fb%3Fc%23d%252f%3Be%40f/tokens?$filter=mail%20eq%20%27a%26b%3Dc%27"
        );
        for bad in ["", ".", ".."] {
            assert!(base.at("/users").segment(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_next_link_stays_with_its_origin() {
        let base = BaseUrl::parse("https://example.com/v1").expect("parses");
        assert!(
            base.follow("list", "https://example.com/v1/x?$skiptoken=a")
                .is_ok()
        );
        assert!(base.follow("list", "/v1/x").is_ok());
        for bad in [
            "https://example.com.evil.example/v1",
            "https://example.com:444/v1",
            "http://example.com/v1",
            "//evil.example/v1",
            "https://u@example.com/v1",
            "https://[",
        ] {
            let error = base.follow("list", bad).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::InvalidResponse);
        }
    }
}
