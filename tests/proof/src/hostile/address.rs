//! Identifiers in URLs, and links that a vendor gives.

use rescind_core::subject::Subject;
use rescind_http::BaseUrl;

use super::oracle::is_hidden;

/// A text as an identifier, as a segment of a path, as a query and as a link to the next page.
pub(super) fn url(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(subject) = Subject::parse(&text) {
        assert!(!subject.given().chars().any(is_hidden), "{text:?}");
        assert!(
            !format!("{subject:?}").contains('@'),
            "Debug shows an address"
        );
    }
    let base = BaseUrl::parse("https://api.example.com/v1").expect("a root");
    if let Ok(url) = base.at("/users").segment(&text) {
        let url = url.path("/tokens").query("q", &text).build();
        assert!(base.is_origin_of(&url), "{url}");
        let segments: Vec<_> = url.path_segments().expect("a path").collect();
        assert_eq!(segments.len(), 4, "{url}");
        assert_eq!(
            (segments[0], segments[1], segments[3]),
            ("v1", "users", "tokens"),
            "{url}"
        );
        assert!(url.fragment().is_none(), "{url}");
        let pairs: Vec<_> = url.query_pairs().collect();
        assert!(pairs.len() == 1 && pairs[0].1 == text, "{url}");
    }
    if let Ok(url) = base.follow("list", &text) {
        assert_eq!(url.scheme(), "https");
        assert_eq!(url.host_str(), Some("api.example.com"));
        assert_eq!(url.port_or_known_default(), Some(443));
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "{url}"
        );
    }
}
