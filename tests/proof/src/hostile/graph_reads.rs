//! Answers of Microsoft Graph to reads: a search for a person or a group, and what a read-back proves.
//!
//! <https://learn.microsoft.com/graph/api/user-list>, <https://learn.microsoft.com/graph/api/resources/user>

use rescind_azure_graph::reading;
use rescind_core::error::{Error, Retry};
use rescind_core::provider::{Proof, Resolution};
use rescind_http::StatusCode;

use super::graph::answer;
use super::oracle::{Json, head, is_presentable};

#[track_caller]
fn is_a_reads(error: &Error) {
    is_presentable(&error.to_string());
    assert_ne!(
        error.retry(),
        Retry::OutcomeUnknown,
        "a read changes nothing"
    );
}

fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// The entries, one at most, of a list that says it has no further page.
fn only(body: &[u8]) -> Option<Vec<Json>> {
    let json = Json::of_accepted(body)?;
    let link = json.one("@odata.nextLink").is_none_or(Json::is_null);
    let list = json.one("value").and_then(Json::array);
    assert!(link, "there is more than was read");
    let list = list.expect("a list has values");
    assert!(list.len() <= 1, "{} entries are one", list.len());
    Some(list.to_vec())
}

/// An address on the first line, the answer to a search for it after that.
pub(super) fn search(bytes: &[u8]) {
    let (mail, rest) = head(bytes);
    let (status, body) = answer(rest);
    match reading::searched(status, body, &mail) {
        Ok(Resolution::Found(account)) => {
            assert_eq!(status, StatusCode::OK);
            let Some(found) = only(body) else { return };
            let user = found.first().expect("somebody is found in an empty list");
            let id = user.one("id").and_then(Json::text);
            assert_eq!(id, Some(account.id.as_str()), "somebody else");
            let texts = ["mail", "userPrincipalName"].map(|key| user.one(key).and_then(Json::text));
            let proxies = user.one("proxyAddresses").and_then(Json::array);
            let is_alias = |proxy: &Json| {
                let address = proxy.text().and_then(|text| text.split_once(':'));
                address.is_some_and(|(_, address)| same(address, &mail))
            };
            // Where aliases are withheld, the search itself is believed.
            let is_meant = texts.iter().flatten().any(|text| same(text, &mail))
                || proxies.is_none_or(|proxies| proxies.iter().any(is_alias));
            assert!(is_meant, "somebody who is not called {mail:?}");
            let guest = account.name.to_ascii_uppercase().contains("#EXT#");
            assert!(!guest || account.not_covered.is_some(), "a guest");
        }
        Ok(Resolution::NotFound) => {
            assert_eq!(status, StatusCode::OK, "nobody by an error");
            let found = only(body);
            assert!(found.is_none_or(|found| found.is_empty()), "there was one");
        }
        Ok(Resolution::Ambiguous { .. }) => assert_eq!(status, StatusCode::OK),
        Ok(other) => panic!("no answer to a search means {other:?}"),
        Err(error) => is_a_reads(&error),
    }
}

/// The answer to a search for a group by name.
pub(super) fn group_name(bytes: &[u8]) {
    let (status, body) = answer(bytes);
    match reading::group(status, body) {
        Ok(id) => {
            assert_eq!(status, StatusCode::OK);
            let Some(found) = only(body) else { return };
            let group = found.first().expect("a group is found in an empty list");
            assert_eq!(group.one("id").and_then(Json::text), Some(id.as_str()));
        }
        Err(error) => is_a_reads(&error),
    }
}

/// An account's id on the first line, the answer to a read of it after that.
pub(super) fn evidence(bytes: &[u8]) {
    judge(bytes, &reading::proved);
}

/// A reader that takes any account's watermark for a proof.
pub(super) fn anybody_s(bytes: &[u8]) {
    judge(bytes, &|status, body, id| {
        let json = Json::read(body);
        let text = json
            .as_ref()
            .and_then(|json| json.one("signInSessionsValidFromDateTime")?.text());
        match text.and_then(|text| text.parse().ok()) {
            at @ Some(_) => Ok(Proof::Watermark { at }),
            None => reading::proved(status, body, id),
        }
    });
}

type Read<'a> = &'a dyn Fn(StatusCode, &[u8], &str) -> Result<Proof, Error>;

fn judge(bytes: &[u8], read: Read<'_>) {
    let (id, rest) = head(bytes);
    let (status, body) = answer(rest);
    match read(status, body, &id) {
        Ok(Proof::Watermark { at }) => {
            assert_eq!(status, StatusCode::OK);
            let Some(user) = Json::of_accepted(body) else {
                return;
            };
            let about = user.one("id").and_then(Json::text);
            let about = about.expect("an answer that names its account");
            assert!(same(about, &id), "the proof is of {about:?}");
            let said = user.all("signInSessionsValidFromDateTime");
            let said = said.iter().filter_map(|said| said.text()).count();
            assert_eq!(said, usize::from(at.is_some()), "a watermark nobody wrote");
        }
        Ok(Proof::SubjectMissing) => assert_eq!(status, StatusCode::NOT_FOUND),
        Ok(other) => panic!("no answer proves {other:?}"),
        Err(error) => is_a_reads(&error),
    }
}
