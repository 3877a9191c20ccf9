//! Answers of Microsoft Graph: the revocation, alone and in a batch, a person, a page of a group.
//!
//! <https://learn.microsoft.com/graph/api/user-revokesigninsessions>, <https://learn.microsoft.com/graph/json-batching>

use rescind_azure_graph::reading;
use rescind_core::error::{Error, Retry};
use rescind_core::provider::{PageToken, Resolution};
use rescind_core::report::{Ended, Outcome, Step};
use rescind_http::StatusCode;

use super::oracle::{Json, head, is_presentable};

/// A status on the first line, a body after it.
pub(super) fn answer(bytes: &[u8]) -> (StatusCode, &[u8]) {
    let (line, body) = head(bytes);
    let status = line.trim().parse().ok();
    (
        status
            .and_then(|code: u16| StatusCode::from_u16(code).ok())
            .unwrap_or(StatusCode::OK),
        body,
    )
}

/// The one documented form of success, and the older one.
fn is_success(status: u16, body: Option<&Json>) -> bool {
    match (status, body) {
        (200, Some(body)) => {
            body.one("value").is_some_and(Json::is_true)
                && body.all("error").iter().all(|error| error.is_null())
        }
        _ => false,
    }
}

#[track_caller]
fn is_classified(status: StatusCode, error: &Error) {
    is_presentable(&error.to_string());
    assert!(!error.to_string().contains('@'), "an address: {error}");
    if status.is_success() {
        assert_eq!(error.retry(), Retry::OutcomeUnknown, "{status}: {error}");
    }
}

/// An answer to the revocation of one person.
pub(super) fn revocation(bytes: &[u8]) {
    judge(bytes, &reading::revoked);
}

/// A reader to whom every 2xx is a success.
pub(super) fn any_2xx(bytes: &[u8]) {
    judge(bytes, &|status, body| {
        if status.is_success() {
            Ok(done())
        } else {
            reading::revoked(status, body)
        }
    });
}

fn done() -> Outcome {
    Outcome::Accepted {
        ended: Ended::by(Step::new("sign-in-sessions", 1)),
    }
}

type Read<'a> = &'a dyn Fn(StatusCode, &[u8]) -> Result<Outcome, Error>;

fn judge(bytes: &[u8], read: Read<'_>) {
    let (status, body) = answer(bytes);
    let json = Json::read(body);
    let success = (status == 204 && body.is_empty()) || is_success(status.as_u16(), json.as_ref());
    match read(status, body) {
        Ok(Outcome::Accepted { .. }) => assert!(success, "confirmed by {status} {body:?}"),
        Ok(Outcome::SubjectNotFound) => {
            assert_eq!(status, StatusCode::NOT_FOUND);
            let said = json
                .as_ref()
                .is_some_and(|json| !json.all("error").is_empty());
            assert!(said, "gone by a 404 that says nothing");
        }
        Ok(other) => panic!("no answer means {other:?}"),
        Err(error) => {
            // To refuse what not every reader takes for JSON is right, too.
            let disputed = json.is_some() && !Json::is_undisputed(body);
            assert!(!success || disputed, "a success was refused: {error}");
            is_classified(status, &error);
        }
    }
}

/// How many people the batch of this target is about.
const PEOPLE: usize = 3;

type Together<'a> = &'a dyn Fn(&[u8]) -> (Vec<Result<Outcome, Error>>, Option<f64>);

/// The body of a batch's answer.
pub(super) fn batch(bytes: &[u8]) {
    judge_batch(bytes, &|body| reading::revoked_together(body, PEOPLE));
}

/// A reader that takes the last answer of an id for its answer.
pub(super) fn last_wins(bytes: &[u8]) {
    judge_batch(bytes, &|body| {
        let (mut outcomes, load) = reading::revoked_together(body, PEOPLE);
        let json = Json::read(body);
        for item in json.iter().flat_map(items) {
            if let Some(place) = claimed(item).filter(|_| says_done(item)) {
                outcomes[place] = Ok(done());
            }
        }
        (outcomes, load)
    });
}

fn items(answer: &Json) -> Vec<&Json> {
    let responses = answer.one("responses").and_then(Json::array);
    responses.unwrap_or_default().iter().collect()
}

/// Which person an item claims to be about, however it writes the id.
fn claimed(item: &Json) -> Option<usize> {
    let place = |id: &Json| {
        let text = id.text().map(str::to_owned);
        let text = text.or_else(|| id.number().map(|n| n.to_string()))?;
        (1..=PEOPLE).find(|n| n.to_string() == text.trim())
    };
    item.all("id").into_iter().find_map(place).map(|n| n - 1)
}

fn says_done(item: &Json) -> bool {
    let Some(status) = item.one("status").and_then(Json::number) else {
        return false;
    };
    let no_error = item.all("error").iter().all(|error| error.is_null());
    let bodies = item.all("body");
    let done = match (status, &bodies[..]) {
        (200, [body]) => is_success(200, Some(body)),
        (204, []) => true,
        (204, [body]) => body.is_null(),
        _ => false,
    };
    done && no_error
}

fn judge_batch(bytes: &[u8], read: Together<'_>) {
    let (outcomes, load) = read(bytes);
    assert_eq!(outcomes.len(), PEOPLE);
    assert!(
        load.is_none_or(|load| load.is_finite() && load >= 0.0),
        "a load of {load:?}"
    );
    for (n, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(Outcome::Accepted { .. }) => {
                let Some(json) = Json::of_accepted(bytes) else {
                    continue;
                };
                assert!(json.all("error").iter().all(|error| error.is_null()));
                let items = items(&json);
                let about: Vec<_> = (items.iter())
                    .filter(|item| claimed(item) == Some(n))
                    .collect();
                assert_eq!(about.len(), 1, "one answer confirms item {n}");
                assert!(
                    says_done(about[0]),
                    "item {n} is confirmed by {:?}",
                    about[0]
                );
            }
            Ok(Outcome::SubjectNotFound) => {}
            Ok(other) => panic!("no answer means {other:?}"),
            Err(error) => is_presentable(&error.to_string()),
        }
    }
}

/// A person's key on the first line, the answer to a read of it after that.
pub(super) fn person(bytes: &[u8]) {
    let (key, rest) = head(bytes);
    let (status, body) = answer(rest);
    match reading::resolved(status, body, &key) {
        Ok(Resolution::Found(account)) => {
            assert_eq!(status, StatusCode::OK);
            let same = |text: &str| text.trim().to_lowercase() == key.trim().to_lowercase();
            assert!(
                same(&account.id) || same(&account.name),
                "somebody else was found"
            );
            assert!(account.enabled.is_some());
            let guest = account.name.to_ascii_uppercase().contains("#EXT#");
            assert!(
                !guest || account.not_covered.is_some(),
                "a guest like everybody else"
            );
        }
        Ok(Resolution::NotFound) => assert_eq!(status, StatusCode::NOT_FOUND),
        Ok(other) => panic!("no answer to a key means {other:?}"),
        Err(error) => {
            is_presentable(&error.to_string());
            assert_ne!(
                error.retry(),
                Retry::OutcomeUnknown,
                "a read changes nothing"
            );
        }
    }
}

/// Where a walk stands on the first line (empty: its beginning), a page after it.
pub(super) fn group(bytes: &[u8]) {
    let (token, body) = head(bytes);
    let token = (!token.is_empty()).then_some(PageToken(token));
    let page = match reading::members(body, token.as_ref()) {
        Ok(page) => page,
        Err(error) => return is_presentable(&error.to_string()),
    };
    let Some(json) = Json::of_accepted(body) else {
        return;
    };
    let people = json
        .one("value")
        .and_then(Json::array)
        .expect("a page has people");
    let skipped: u64 = page.skipped.iter().map(|(_, count)| count).sum();
    assert_eq!(
        page.members.len() as u64 + skipped,
        people.len() as u64,
        "somebody is missing from the page"
    );
    let link = json.one("@odata.nextLink").and_then(Json::text);
    let link = link.filter(|link| !link.is_empty());
    assert_eq!(
        page.next.is_some(),
        link.is_some(),
        "the walk ends where the list does"
    );
    if token.is_none() && link.is_none() && people.is_empty() {
        let promised = json.one("@odata.count").and_then(Json::number);
        assert_eq!(promised, Some(0), "an empty list that nobody promised");
    }
    for member in &page.members {
        assert!(
            !member.name.to_ascii_uppercase().contains("#EXT#"),
            "a guest is a member"
        );
        assert!(member.enabled.is_some() && member.not_covered.is_none());
    }
}
