//! Who a person is, who is in a group, and everybody.

use rescind_core::error::{ErrorKind, Retry};
use rescind_core::provider::{Account, Resolution};
use rescind_core::subject::Subject;
use serde_json::{Value, json};

use crate::stage::{Stage, cx};
use crate::wire::{error, list, ok, user};

const MEMBERS: &str = "groups/staff%40example.com/members";

async fn resolve(stage: &Stage, given: &str) -> Resolution {
    let subject = Subject::parse(given).expect("a subject");
    let mut answers = stage
        .directory()
        .resolve(&cx(), &[subject])
        .await
        .expect("it can be asked");
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

fn found(resolution: Resolution) -> Account {
    match resolution {
        Resolution::Found(account) => account,
        other => panic!("expected an account, got {other:?}"),
    }
}

fn member(id: &str, kind: &str, status: &str) -> Value {
    json!({"id": id, "email": format!("{id}@example.com"), "type": kind, "status": status, "role": "MEMBER"})
}

fn members(members: Vec<Value>) -> Value {
    list("admin#directory#members", "members", members)
}

#[tokio::test]
async fn an_alias_leads_to_the_account() {
    let stage = Stage::new().await;
    stage
        .on(
            "GET",
            "users/alias.ada%40example.com",
            1,
            ok(user("1098", "ada@example.com")),
        )
        .await;
    let account = found(resolve(&stage, "alias.ada@example.com").await);
    assert_eq!(
        (account.id.as_str(), account.name.as_str()),
        ("1098", "ada@example.com")
    );
    assert_eq!(account.spellings, ["alias.ada@example.com"]);
    assert_eq!(account.enabled, Some(true));
}

#[tokio::test]
async fn a_suspended_or_archived_account_is_not_enabled() {
    for state in ["suspended", "archived"] {
        let stage = Stage::new().await;
        let mut user = user("1098", "ada@example.com");
        user[state] = true.into();
        stage.on("GET", "users/1098", 1, ok(user)).await;
        assert_eq!(
            found(resolve(&stage, "1098").await).enabled,
            Some(false),
            "{state}"
        );
    }
}

#[tokio::test]
async fn a_word_that_google_takes_for_the_caller_is_nobodys_id() {
    let stage = Stage::new().await;
    stage
        .on("GET", "users/me", 1, ok(user("1", "admin@example.com")))
        .await;
    match resolve(&stage, "me").await {
        Resolution::Failed(error) => assert_eq!(error.retry(), Retry::Never),
        other => panic!("the administrator would be signed out: {other:?}"),
    }
}

#[tokio::test]
async fn a_groups_address_is_no_person() {
    let stage = Stage::new().await;
    let answer = error(400, "badRequest", "Type not supported: userKey");
    stage
        .on("GET", "users/staff%40example.com", 1, answer)
        .await;
    match resolve(&stage, "staff@example.com").await {
        Resolution::Failed(error) => {
            assert!(error.message().contains("group"), "{error}");
            assert_eq!(error.retry(), Retry::Never);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_foreign_domain_says_nobody_of_an_address_and_nothing_of_an_id() {
    let stage = Stage::new().await;
    let foreign = || error(404, "notFound", "Domain not found.");
    stage
        .on("GET", "users/ada%40elsewhere.example", 1, foreign())
        .await;
    stage.on("GET", "users/1098", 1, foreign()).await;
    assert!(matches!(
        resolve(&stage, "ada@elsewhere.example").await,
        Resolution::NotFound
    ));
    assert!(matches!(
        resolve(&stage, "1098").await,
        Resolution::Failed(_)
    ));
}

#[tokio::test]
async fn a_throttle_leaves_the_rest_unasked() {
    let stage = Stage::new().await;
    stage
        .on("GET", "users/1", 1, ok(user("1", "ada@example.com")))
        .await;
    stage
        .on("GET", "users/2", 1, error(429, "rateLimitExceeded", ""))
        .await;
    let subjects = ["1", "2", "3"].map(|id| Subject::from_id(id).expect("an id"));
    let answers = stage
        .directory()
        .resolve(&cx(), &subjects)
        .await
        .expect("one was answered");
    assert!(matches!(
        answers.as_slice(),
        [
            Resolution::Found(_),
            Resolution::Failed(_),
            Resolution::Failed(_)
        ]
    ));
    assert_eq!(stage.seen().await.len(), 2);
}

#[tokio::test]
async fn only_people_of_the_account_are_members() {
    let stage = Stage::new().await;
    let page = members(vec![
        member("1", "USER", "ACTIVE"),
        member("2", "USER", "SUSPENDED"),
        member("3", "EXTERNAL", "ACTIVE"),
        member("4", "EXTERNAL", "ACTIVE"),
        json!({"id": "C0", "type": "CUSTOMER", "role": "MEMBER"}),
        member("6", "GROUP", "ACTIVE"),
        json!({"email": "g@example.com", "type": "USER"}),
    ]);
    stage.on("GET", MEMBERS, 1, ok(page)).await;
    let page = stage
        .directory()
        .expand(&cx(), "staff@example.com", None)
        .await
        .expect("a page");
    let people: Vec<_> = page
        .members
        .iter()
        .map(|account| (account.id.as_str(), account.enabled))
        .collect();
    assert_eq!(people, [("1", Some(true)), ("2", Some(false))]);
    let count = |word: &str| {
        let mut counts = page.skipped.iter().filter(|(why, _)| why.contains(word));
        counts.next().map(|(_, count)| *count)
    };
    assert_eq!(count("external"), Some(2));
    assert_eq!(count("everyone"), Some(1));
    assert_eq!(count("nested"), Some(1));
    assert_eq!(count("without an id"), Some(1));
    assert!(page.next.is_none());
    assert_eq!(
        stage.seen().await,
        [format!(
            "GET {MEMBERS}?includeDerivedMembership=true&maxResults=200"
        )]
    );
}

#[tokio::test]
async fn a_group_is_read_to_its_last_page() {
    let stage = Stage::new().await;
    let mut first = members(vec![member("1", "USER", "ACTIVE")]);
    first["nextPageToken"] = "to/ken==".into();
    stage.once("GET", MEMBERS, ok(first)).await;
    stage
        .on(
            "GET",
            MEMBERS,
            1,
            ok(members(vec![member("2", "USER", "ACTIVE")])),
        )
        .await;
    let directory = stage.directory();
    let group = "staff@example.com";
    let page = directory.expand(&cx(), group, None).await.expect("a page");
    let next = page.next.expect("there is another");
    let page = directory
        .expand(&cx(), group, Some(&next))
        .await
        .expect("a page");
    assert_eq!(page.members[0].id, "2");
    assert!(page.next.is_none());
    assert!(stage.seen().await[1].ends_with("&pageToken=to%2Fken%3D%3D"));
}

#[tokio::test]
async fn a_listing_that_leads_back_is_an_error() {
    let stage = Stage::new().await;
    let mut page = members(vec![member("1", "USER", "ACTIVE")]);
    page["nextPageToken"] = "again".into();
    stage.on("GET", MEMBERS, 2, ok(page)).await;
    let directory = stage.directory();
    let group = "staff@example.com";
    let page = directory.expand(&cx(), group, None).await.expect("a page");
    let error = directory
        .expand(&cx(), group, page.next.as_ref())
        .await
        .expect_err("a circle");
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn a_page_without_the_promised_members_is_not_nobody() {
    let mut promises_more = members(Vec::new());
    promises_more["nextPageToken"] = "more".into();
    for page in [json!({}), json!({"members": []}), promises_more] {
        let stage = Stage::new().await;
        stage.on("GET", MEMBERS, 1, ok(page)).await;
        let answer = stage
            .directory()
            .expand(&cx(), "staff@example.com", None)
            .await;
        let error = answer.expect_err("never nobody");
        assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    }
}

#[tokio::test]
async fn a_group_without_members_is_empty_only_if_google_says_so() {
    let stage = Stage::new().await;
    stage.on("GET", MEMBERS, 1, ok(members(Vec::new()))).await;
    let page = stage
        .directory()
        .expand(&cx(), "staff@example.com", None)
        .await;
    assert!(page.expect("an empty group").members.is_empty());
}

#[tokio::test]
async fn an_unknown_group_is_an_error() {
    let stage = Stage::new().await;
    stage
        .on(
            "GET",
            MEMBERS,
            1,
            error(404, "notFound", "Resource Not Found: groupKey"),
        )
        .await;
    let answer = stage
        .directory()
        .expand(&cx(), "staff@example.com", None)
        .await;
    let error = answer.expect_err("no such group");
    assert!(error.message().contains("no such group"), "{error}");
    assert_eq!(error.retry(), Retry::Never);
}

#[tokio::test]
async fn everybody_comes_in_pages_of_500() {
    let stage = Stage::with("customer = \"C01234567\"").await;
    let mut first = list(
        "admin#directory#users",
        "users",
        vec![user("1", "ada@example.com")],
    );
    first["nextPageToken"] = "two".into();
    stage.once("GET", "users", ok(first)).await;
    let second = list(
        "admin#directory#users",
        "users",
        vec![user("2", "grace@example.com")],
    );
    stage.on("GET", "users", 1, ok(second)).await;
    let directory = stage.directory();
    let page = directory.everybody(&cx(), None).await.expect("a page");
    assert_eq!(page.members[0].id, "1");
    let page = directory
        .everybody(&cx(), page.next.as_ref())
        .await
        .expect("a page");
    assert_eq!(page.members[0].id, "2");
    assert!(page.next.is_none());
    let seen = stage.seen().await;
    assert!(
        seen[0].starts_with("GET users?customer=C01234567&maxResults=500&"),
        "{}",
        seen[0]
    );
    assert!(seen[1].ends_with("&pageToken=two"), "{}", seen[1]);
}

#[tokio::test]
async fn an_account_without_anybody_is_no_answer() {
    let stage = Stage::new().await;
    stage
        .on(
            "GET",
            "users",
            1,
            ok(list("admin#directory#users", "users", Vec::new())),
        )
        .await;
    assert!(stage.directory().everybody(&cx(), None).await.is_err());
}
