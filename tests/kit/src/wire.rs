//! Whether an identifier stayed one identifier on its way into a request.

use wiremock::Request;

/// Where a harmless identifier stood in a request: what came before, between and after it.
#[derive(Debug)]
pub(crate) struct Mould {
    method: String,
    url: Vec<String>,
    body: Vec<String>,
}

impl Mould {
    /// The mould of a request that was made for `harmless`; `None` when the identifier is not in it.
    pub(crate) fn of(request: &Request, harmless: &str) -> Option<Self> {
        let split = |text: &str| text.split(harmless).map(str::to_owned).collect::<Vec<_>>();
        let mould = Self {
            method: request.method.to_string(),
            url: split(&in_plain_spelling(&url_of(request))),
            body: split(&in_plain_spelling(&body_of(request))),
        };
        (mould.url.len() > 1 || mould.body.len() > 1).then_some(mould)
    }

    /// Whether this request is the same one, made for `hostile` instead.
    pub(crate) fn fits(&self, request: &Request, hostile: &str) -> bool {
        self.method == request.method.as_str()
            && fits(&self.url, &url_of(request), hostile)
            && fits(&self.body, &body_of(request), hostile)
    }
}

/// Path and query as they were on the wire.
fn url_of(request: &Request) -> String {
    match request.url.query() {
        Some(query) => format!("{}?{query}", request.url.path()),
        None => request.url.path().to_owned(),
    }
}

fn body_of(request: &Request) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

/// `@` is the one character of a harmless identifier that some encode and some do not.
fn in_plain_spelling(text: &str) -> String {
    text.replace("%40", "@")
}

fn fits(parts: &[String], text: &str, hostile: &str) -> bool {
    let plain = in_plain_spelling(text);
    let Some(mut rest) = plain.strip_prefix(parts[0].as_str()) else {
        return false;
    };
    for (n, part) in parts.iter().enumerate().skip(1) {
        let last = n == parts.len() - 1;
        let end = if last {
            rest.len().checked_sub(part.len())
        } else {
            rest.find(part.as_str())
        };
        let Some(end) = end.filter(|end| rest.is_char_boundary(*end)) else {
            return false;
        };
        let (value, after) = rest.split_at(end);
        let whole_json_string = parts[n - 1].ends_with('"') && part.starts_with('"');
        let whole_segment =
            parts[n - 1].ends_with('/') && (part.is_empty() || part.starts_with(['/', '?', '"']));
        let is_dots = whole_segment && matches!(value, "." | "..");
        let kept = if whole_json_string {
            is_json_of(value, hostile)
        } else {
            !is_dots && is_encoded(value, hostile)
        };
        if !kept || !after.starts_with(part.as_str()) {
            return false;
        }
        rest = &after[part.len()..];
    }
    rest.is_empty()
}

fn is_json_of(value: &str, hostile: &str) -> bool {
    serde_json::from_str::<String>(&format!("\"{value}\"")).is_ok_and(|text| text == hostile)
}

/// Whether `value` holds nothing but unreserved characters and percent-encoding (RFC 3986 §2) and means `hostile`.
/// A quote may be doubled, as key literals of OData ask for.
fn is_encoded(value: &str, hostile: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~%@+".contains(c);
    if !value.chars().all(plain) || value.is_empty() {
        return false;
    }
    let means = |text: &str| text == hostile || text == hostile.replace('\'', "''");
    means(&decoded(value)) || means(&decoded(&value.replace('+', " ")))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(url: &str) -> Request {
        Request {
            url: format!("http://localhost{url}").parse().expect("a URL"),
            method: "GET".parse().expect("a method"),
            headers: wiremock::http::HeaderMap::default(),
            body: Vec::new(),
        }
    }

    #[test]
    fn an_encoded_identifier_fits() {
        let mould = Mould::of(&get("/users/ada/sessions"), "ada").expect("found");
        assert!(mould.fits(&get("/users/%2E%2E%2Fx/sessions"), "../x"));
        assert!(mould.fits(&get("/users/a%23b/sessions"), "a#b"));
        assert!(mould.fits(&get("/users/a%252fb/sessions"), "a%2fb"));
        assert!(mould.fits(&get("/users/o%27%27b/sessions"), "o'b"));
    }

    #[test]
    fn a_raw_identifier_does_not() {
        let mould = Mould::of(&get("/users/ada/sessions"), "ada").expect("found");
        assert!(!mould.fits(&get("/users/../x/sessions"), "../x"));
        assert!(!mould.fits(&get("/users/a#b/sessions"), "a#b"));
        assert!(!mould.fits(&get("/users/a?b/sessions"), "a?b"));
        assert!(!mould.fits(&get("/users/a%2fb/sessions"), "a%2fb"));
        assert!(!mould.fits(&get("/users//sessions"), ""));
        assert!(!mould.fits(&get("/users/../sessions"), ".."));
        let keyed = Mould::of(&get("/users('ada')/sessions"), "ada").expect("found");
        assert!(keyed.fits(&get("/users('..')/sessions"), ".."));
    }

    #[test]
    fn json_data_is_escaped_as_json() {
        let post = |body: &str| {
            let mut request = get("/revoke");
            request.body = body.as_bytes().to_vec();
            request
        };
        let mould = Mould::of(&post(r#"{"user":"ada"}"#), "ada").expect("found");
        assert!(mould.fits(&post(r#"{"user":"a\"b"}"#), "a\"b"));
        assert!(!mould.fits(&post(r#"{"user":"a","admin":"b"}"#), "a\",\"admin\":\"b"));
        let batch = Mould::of(&post(r#"{"url":"/users/ada/x"}"#), "ada").expect("found");
        assert!(!batch.fits(&post(r#"{"url":"/users/../x"}"#), ".."));
    }
}
