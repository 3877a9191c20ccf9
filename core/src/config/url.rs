//! Which URLs may be talked to.

use url::{Host, Url};

/// Reads a URL that requests with credentials will go to: `https`, or `http` to this machine only.
///
/// # Errors
/// A sentence for a person that does not repeat the URL.
pub fn check_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL carries no user name or password".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err("plain http:// is refused except to this machine; use https://".to_owned()),
        _ => Err("not an https:// URL".to_owned()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for good in [
            "https://graph.example.com",
            "http://127.0.0.1:8080/v1.0",
            "http://[::1]:1/",
            "http://localhost:9",
        ] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://graph.example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "https://user:pw@example.com",
            "graph.example.com",
            "",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
