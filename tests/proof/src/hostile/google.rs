//! Answers and errors of the Directory API, and its lists.
//!
//! <https://developers.google.com/workspace/admin/directory/reference/rest/v1>

use rescind_core::error::{Error, Retry};
use rescind_core::provider::PageToken;
use rescind_google_admin::reading::{self, METHODS, Meaning};
use rescind_http::StatusCode;

use super::oracle::{Json, head, is_presentable};

/// Method and status on the first line, a body after it.
pub(super) fn answer(bytes: &[u8]) {
    judge(bytes, &reading::meaning);
}

/// A reader to whom every 2xx is a success.
pub(super) fn any_2xx(bytes: &[u8]) {
    judge(bytes, &|method, status, body| {
        if status.is_success() {
            Meaning::Done
        } else {
            reading::meaning(method, status, body)
        }
    });
}

type Read<'a> = &'a dyn Fn(&str, StatusCode, &[u8]) -> Meaning;

fn judge(bytes: &[u8], read: Read<'_>) {
    let (line, body) = head(bytes);
    let mut words = line.split_whitespace();
    let named = words.next().unwrap_or_default();
    let method = METHODS.iter().find(|method| **method == named);
    let method = *method.unwrap_or(&METHODS[line.len() % METHODS.len()]);
    let status = words.next().and_then(|word| word.parse().ok());
    let status = status
        .and_then(|code: u16| StatusCode::from_u16(code).ok())
        .unwrap_or(StatusCode::OK);
    let writes = reading::writes(method);
    // What JSON calls blank; a form feed is something.
    let is_blank = |byte: &u8| b" \t\r\n".contains(byte);
    let nothing = body.iter().all(is_blank) || Json::read(body) == Some(Json::Object(Vec::new()));
    let success = if writes {
        status.is_success() && nothing
    } else {
        status == StatusCode::OK
    };
    let code = status.as_u16();
    match read(method, status, body) {
        Meaning::Done => assert!(success, "{method} is done by {code} {body:?}"),
        Meaning::UserMissing(error) => {
            assert_eq!(code, 404);
            is_told(&error);
        }
        Meaning::DomainMissing(error) => {
            assert!(matches!(code, 403 | 404), "{code}");
            is_told(&error);
        }
        Meaning::ItemMissing(error) => {
            assert!(matches!(code, 400 | 404), "{code}");
            assert!(method.ends_with(".delete"), "{method}");
            is_told(&error);
        }
        Meaning::Failed(error) => {
            assert!(!success, "a success was refused: {error}");
            is_told(&error);
            let lost = status.is_success() || code == 408 || (code >= 500 && code != 503);
            if writes && lost && code < 600 {
                assert_eq!(error.retry(), Retry::OutcomeUnknown, "{code}: {error}");
            }
            if !writes {
                assert_ne!(
                    error.retry(),
                    Retry::OutcomeUnknown,
                    "a read changes nothing"
                );
            }
        }
    }
}

#[track_caller]
fn is_told(error: &Error) {
    is_presentable(&error.to_string());
    assert!(!error.to_string().contains('@'), "an address: {error}");
    let code = error.vendor_code().unwrap_or_default();
    assert!(
        code.bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_'),
        "{code:?}"
    );
}

/// A person's key on the first line, the answer to a look-up after it.
pub(super) fn person(bytes: &[u8]) {
    let (key, body) = head(bytes);
    let by_id = !key.contains('@');
    match reading::person(body, &key, by_id) {
        Ok(account) => {
            assert!(!by_id || account.id == key, "somebody else was found");
            assert!(account.enabled.is_some());
        }
        Err(error) => is_told(&error),
    }
}

/// Where a walk stands on the first line (empty: its beginning), a page after it.
pub(super) fn group(bytes: &[u8]) {
    let (token, body) = head(bytes);
    let token = (!token.is_empty()).then_some(PageToken(token));
    let page = match reading::members(body, token.as_ref()) {
        Ok(page) => page,
        Err(error) => return is_told(&error),
    };
    let Some(json) = Json::of_accepted(body) else {
        return;
    };
    let kind = json.one("kind").and_then(Json::text);
    assert_eq!(kind, Some("admin#directory#members"), "a page that is none");
    let members = json
        .one("members")
        .and_then(Json::array)
        .unwrap_or_default();
    let skipped: u64 = page.skipped.iter().map(|(_, count)| count).sum();
    assert_eq!(page.members.len() as u64 + skipped, members.len() as u64);
    assert!(page.members.iter().all(|member| !member.id.is_empty()));
    if let Some(next) = &page.next {
        assert_ne!(Some(next), token.as_ref(), "a circle");
        assert!(!members.is_empty(), "an empty page in the middle");
    }
}

/// Where a walk stands on the first line (empty: its beginning), a page of everybody after it.
pub(super) fn everybody(bytes: &[u8]) {
    let (token, body) = head(bytes);
    let token = (!token.is_empty()).then_some(PageToken(token));
    let page = match reading::everybody(body, token.as_ref()) {
        Ok(page) => page,
        Err(error) => return is_told(&error),
    };
    let Some(json) = Json::of_accepted(body) else {
        return;
    };
    let kind = json.one("kind").and_then(Json::text);
    assert_eq!(kind, Some("admin#directory#users"), "a page that is none");
    let users = json.one("users").and_then(Json::array).unwrap_or_default();
    assert!(!users.is_empty() && page.members.len() == users.len());
    let next = json.one("nextPageToken").and_then(Json::text);
    let next = next.filter(|next| !next.is_empty());
    assert_eq!(
        page.next.is_some(),
        next.is_some(),
        "the walk ends elsewhere"
    );
    assert!(page.next.is_none() || page.next != token, "a circle");
}

/// A list of grants or of app passwords: empty only where it says that it is a list.
pub(super) fn items(bytes: &[u8]) {
    let read = [
        (reading::grants(bytes), "admin#directory#tokenList"),
        (reading::app_passwords(bytes), "admin#directory#aspList"),
    ];
    for (list, kind) in read {
        match list {
            Ok(count) => {
                let Some(json) = Json::of_accepted(bytes) else {
                    continue;
                };
                assert_eq!(json.one("kind").and_then(Json::text), Some(kind));
                let items = json.one("items").and_then(Json::array).unwrap_or_default();
                assert_eq!(count, items.len());
            }
            Err(error) => is_told(&error),
        }
    }
}
