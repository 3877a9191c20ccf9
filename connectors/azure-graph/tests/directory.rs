//! Who somebody is, who is in a group, and what the tenant has recorded.

mod entra;

use entra::scene::{Scene, items, subject, token_answer};
use entra::{Entra, GROUP, GROUP_NAME, error, id, upn};
use rescind_core::context::Observation;
use rescind_core::error::{Error, ErrorKind};
use rescind_core::provider::{Account, MemberPage, PageToken, Proof, Resolution};
use rescind_testkit::canary;
use serde_json::{Value, json};
use wiremock::matchers::{any, header, method, path_regex, query_param};
use wiremock::{Mock, Request, ResponseTemplate};

const FIELDS: &str = "id,userPrincipalName,mail,userType,accountEnabled,externalUserState,\
                      signInSessionsValidFromDateTime,proxyAddresses";

async fn resolve(scene: &Scene, names: &[&str]) -> Vec<Resolution> {
    let subjects: Vec<_> = names.iter().map(|name| subject(name)).collect();
    let answers = scene.directory().resolve(&scene.cx(), &subjects).await;
    answers.expect("an answer for each")
}

async fn resolve_one(scene: &Scene, name: &str) -> Resolution {
    resolve(scene, &[name]).await.pop().expect("one")
}

fn found(resolution: Resolution) -> Account {
    match resolution {
        Resolution::Found(account) => account,
        other => panic!("expected somebody, got {other:?}"),
    }
}

fn failed(resolution: Resolution) -> Error {
    match resolution {
        Resolution::Failed(error) => error,
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// A tenant whose only user is this one.
fn with_user(user: &Value) -> Entra {
    let entra = Entra::with_people(1);
    entra.answer(
        &format!("/users('{}')?$select={FIELDS}", id(0)),
        200,
        json!({}),
        user.clone(),
    );
    entra
}

#[tokio::test]
async fn everybody_is_found_by_every_spelling() {
    let scene = Scene::before(Entra::with_people(5)).await;
    let names = [
        &id(3),
        &upn(3).to_uppercase(),
        "mail3@contoso.com",
        "alias3@contoso.com",
    ];
    for (name, resolution) in names
        .iter()
        .zip(resolve(&scene, &names.map(|n| n as &str)).await)
    {
        let account = found(resolution);
        assert_eq!(account.id, id(3), "{name}");
        assert_eq!(
            account.spellings,
            ["mail3@contoso.com", "alias3@contoso.com"]
        );
        assert_eq!(account.watermark, "2026-11-21T21:00:07Z".parse().ok());
        assert_eq!(account.enabled, Some(true));
        assert!(account.not_covered.is_none());
    }
    assert_eq!(
        found(resolve_one(&scene, &upn(1)).await).enabled,
        Some(false)
    );
}

#[tokio::test]
async fn twenty_look_ups_are_one_batch_of_reads() {
    let scene = Scene::before(Entra::with_people(20)).await;
    let names: Vec<_> = (0..20).map(id).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for (n, resolution) in resolve(&scene, &names).await.into_iter().enumerate() {
        assert_eq!(found(resolution).id, id(n));
    }
    let requests = scene.vendor.api_requests().await;
    assert_eq!(requests.len(), 1);
    for item in items(&requests[0]) {
        assert_eq!(item["method"], "GET");
        assert!(item.get("body").is_none());
    }
    let units: u32 = scene
        .port
        .payments()
        .iter()
        .map(|paid| paid.units_of("units"))
        .sum();
    assert_eq!(units, 20);
}

#[tokio::test]
async fn a_stranger_is_not_found_and_an_id_is_not_searched_by() {
    let scene = Scene::before(Entra::with_people(2)).await;
    let answers = resolve(&scene, &["nobody@contoso.com", &id(77)]).await;
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Resolution::NotFound))
    );
    let by_id = resolve_one(&scene, &id(77)).await;
    assert!(matches!(by_id, Resolution::NotFound));
    let last = scene.vendor.api_requests().await.pop().expect("a request");
    assert_eq!(last.url.path(), format!("/v1.0/users('{}')", id(77)));
}

#[tokio::test]
async fn an_address_of_two_people_is_nobodys() {
    let two = json!({"value": [Entra::user(0), Entra::user(1)]});
    let listed = json!({"value": [Entra::user(0)], "@odata.nextLink": "https://x.example.com/"});
    for (page, expected) in [(two, 2), (listed, 1)] {
        let scene = Scene::before(Entra::with_people(0)).await;
        let page = ResponseTemplate::new(200).set_body_json(page);
        scene.vendor.answer(query_param_is_filter, page).await;
        match resolve_one(&scene, "shared@contoso.com").await {
            Resolution::Ambiguous { count } => assert_eq!(count, expected),
            other => panic!("expected an ambiguity, got {other:?}"),
        }
    }
}

fn query_param_is_filter(request: &Request) -> bool {
    request
        .url
        .query()
        .is_some_and(|query| query.contains("$filter"))
}

#[tokio::test]
async fn every_kind_of_guest_is_not_covered() {
    for (field, value) in [
        ("userType", json!("Guest")),
        ("externalUserState", json!("Accepted")),
        (
            "userPrincipalName",
            json!("a_fabrikam.com#EXT#@contoso.onmicrosoft.com"),
        ),
    ] {
        let mut user = Entra::user(0);
        user[field] = value;
        let scene = Scene::before(with_user(&user)).await;
        let account = found(resolve_one(&scene, &id(0)).await);
        assert!(account.not_covered.is_some(), "{field}");
    }
}

#[tokio::test]
async fn withheld_properties_are_a_missing_right_not_an_ordinary_person() {
    for field in ["accountEnabled", "userPrincipalName"] {
        let mut user = Entra::user(0);
        user[field] = Value::Null;
        let scene = Scene::before(with_user(&user)).await;
        let error = failed(resolve_one(&scene, &id(0)).await);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.is_lane_fault());
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("User.Read.All"))
        );
    }
}

#[tokio::test]
async fn an_answer_about_somebody_else_is_no_answer() {
    let scene = Scene::before(with_user(&Entra::user(4))).await;
    let error = failed(resolve_one(&scene, &id(0)).await);
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    let page = ResponseTemplate::new(200).set_body_json(json!({"value": [Entra::user(4)]}));
    scene.vendor.answer(query_param_is_filter, page).await;
    let error = failed(resolve_one(&scene, "mail0@example.com").await);
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
}

#[tokio::test]
async fn odd_answers_to_a_search_are_failures_not_nobody() {
    for body in [
        json!({}),
        json!({"value": null}),
        json!({"value": [{}]}),
        json!([]),
    ] {
        let scene = Scene::before(Entra::with_people(0)).await;
        let page = ResponseTemplate::new(200).set_body_json(&body);
        scene.vendor.answer(query_param_is_filter, page).await;
        let error = failed(resolve_one(&scene, "ada@contoso.com").await);
        assert_eq!(error.kind(), ErrorKind::InvalidResponse, "{body}");
    }
}

#[tokio::test]
async fn a_throttled_look_up_is_told_to_the_lane() {
    let entra = Entra::with_people(2);
    let path = format!("/users('{}')?$select={FIELDS}", id(1));
    let (status, _, body) = error(429, "TooManyRequests");
    entra.answer(&path, status, json!({"Retry-After": "11"}), body);
    let scene = Scene::before(entra).await;
    let mut answers = resolve(&scene, &[&id(0), &id(1)]).await;
    assert_eq!(
        failed(answers.pop().expect("two")).kind(),
        ErrorKind::RateLimited
    );
    found(answers.pop().expect("one"));
    let after = Some(std::time::Duration::from_secs(11));
    assert!(
        scene
            .port
            .observations()
            .contains(&Observation::Throttled { after })
    );
}

#[tokio::test]
async fn the_watermark_is_read_back_for_each() {
    let entra = Entra::with_people(3);
    let fields = "?$select=id,signInSessionsValidFromDateTime";
    let never = json!({"id": id(1), "signInSessionsValidFromDateTime": null});
    entra.answer(
        &format!("/users('{}'){fields}", id(1)),
        200,
        json!({}),
        never,
    );
    let stranger = json!({"id": id(0), "signInSessionsValidFromDateTime": "2099-01-01T00:00:00Z"});
    entra.answer(
        &format!("/users('{}'){fields}", id(2)),
        200,
        json!({}),
        stranger,
    );
    let scene = Scene::before(entra).await;
    let ids = [id(0), id(1), id(2), id(50)];
    let proofs = scene
        .evidence()
        .read(&scene.cx(), &ids)
        .await
        .expect("a proof for each");
    let at = "2026-11-21T21:00:07Z".parse().ok();
    assert!(matches!(proofs[0], Proof::Watermark { at: seen } if seen == at));
    assert!(matches!(proofs[1], Proof::Watermark { at: None }));
    assert!(
        matches!(&proofs[2], Proof::Failed(error) if error.kind() == ErrorKind::InvalidResponse)
    );
    assert!(matches!(proofs[3], Proof::SubjectMissing));
    assert_eq!(scene.sent().await, ["/v1.0/$batch"]);
}

async fn expand(scene: &Scene, group: &str, page: Option<&PageToken>) -> Result<MemberPage, Error> {
    scene.directory().expand(&scene.cx(), group, page).await
}

#[tokio::test]
async fn a_group_is_read_whole_by_name_or_id() {
    for name in [GROUP_NAME, GROUP] {
        let scene = Scene::before(Entra::with_people(5)).await;
        let first = expand(&scene, name, None).await.expect("a page");
        assert_eq!(first.group, Some((GROUP_NAME.to_owned(), GROUP.to_owned())));
        let mut ids: Vec<_> = first.members.into_iter().map(|member| member.id).collect();
        let mut next = first.next;
        while let Some(page) = next {
            let page = expand(&scene, name, Some(&page)).await.expect("a page");
            ids.extend(page.members.into_iter().map(|member| member.id));
            next = page.next;
        }
        assert_eq!(ids, (0..5).map(id).collect::<Vec<_>>());
    }
}

/// A group whose pages are as given; each is asked for with the headers that the cast needs.
async fn with_pages(pages: Vec<Value>) -> Scene {
    let scene = Scene::before(Entra::with_people(0)).await;
    let api = scene.vendor.api();
    for (n, mut page) in pages.into_iter().enumerate() {
        if page["@odata.nextLink"].is_string() {
            let link = page["@odata.nextLink"]
                .as_str()
                .expect("text")
                .replace("ROOT", &api.uri());
            page["@odata.nextLink"] = json!(link);
        }
        let mock = Mock::given(method("GET"))
            .and(path_regex("/transitiveMembers/microsoft.graph.user$"))
            .and(header("consistencylevel", "eventual"));
        let mock = if n == 0 {
            mock.and(query_param("$count", "true"))
                .and(query_param("$top", "999"))
        } else {
            mock.and(query_param("$skiptoken", n.to_string()))
        };
        let answer = ResponseTemplate::new(200).set_body_json(page);
        mock.respond_with(answer).with_priority(1).mount(api).await;
    }
    scene
}

fn link(n: usize) -> String {
    format!("ROOT/v1.0/groups/{GROUP}/transitiveMembers/microsoft.graph.user?$skiptoken={n}")
}

#[tokio::test]
async fn a_cut_or_circling_group_is_an_error_not_fewer_people() {
    let user = |n| Entra::user(n);
    for (what, pages) in [
        ("empty without a count", vec![json!({"value": []})]),
        (
            "empty although promised",
            vec![json!({"value": [], "@odata.count": 3})],
        ),
        ("cut", vec![json!({"value": [user(0)], "@odata.count": 3})]),
        ("no list", vec![json!({"@odata.count": 0})]),
        (
            "cut on a later page",
            vec![
                json!({"value": [user(0)], "@odata.count": 3, "@odata.nextLink": link(1)}),
                json!({"value": [user(1)]}),
            ],
        ),
        (
            "in circles",
            vec![
                json!({"value": [user(0)], "@odata.count": 3, "@odata.nextLink": link(1)}),
                json!({"value": [user(1)], "@odata.nextLink": link(1)}),
            ],
        ),
    ] {
        let scene = with_pages(pages).await;
        let mut page = expand(&scene, GROUP, None).await;
        if let Ok(first) = &page
            && let Some(next) = first.next.clone()
        {
            page = expand(&scene, GROUP, Some(&next)).await;
        }
        assert_eq!(
            page.expect_err(what).kind(),
            ErrorKind::InvalidResponse,
            "{what}"
        );
    }
}

#[tokio::test]
async fn an_empty_group_may_be_empty() {
    let scene = with_pages(vec![json!({"value": [], "@odata.count": 0})]).await;
    let page = expand(&scene, GROUP, None).await.expect("a page");
    assert!(page.members.is_empty() && page.next.is_none());
}

#[tokio::test]
async fn guests_and_things_are_counted_and_left_out() {
    let mut guest = Entra::user(1);
    guest["userType"] = json!("Guest");
    let device = json!({"@odata.type": "#microsoft.graph.device", "id": id(2)});
    let pages = vec![json!({"value": [Entra::user(0), guest, device], "@odata.count": 3})];
    let page = expand(&with_pages(pages).await, GROUP, None)
        .await
        .expect("a page");
    assert_eq!(page.members.len(), 1);
    let counts: Vec<_> = page.skipped.iter().map(|(_, n)| *n).collect();
    assert_eq!(counts, [1, 1]);
}

#[tokio::test]
async fn members_without_properties_are_a_missing_right() {
    let bare = json!({"id": id(0), "userPrincipalName": null, "accountEnabled": null});
    let scene = with_pages(vec![json!({"value": [bare], "@odata.count": 1})]).await;
    let error = expand(&scene, GROUP, None).await.expect_err("withheld");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_group_must_be_one_group() {
    let scene = Scene::before(Entra::with_people(3)).await;
    for unknown in ["No such group", &id(5)] {
        assert!(expand(&scene, unknown, None).await.is_err(), "{unknown}");
    }
    let two = json!({"value": [{"id": GROUP}, {"id": id(9)}]});
    scene
        .vendor
        .answer(any(), ResponseTemplate::new(200).set_body_json(two))
        .await;
    let error = expand(&scene, GROUP_NAME, None)
        .await
        .expect_err("two groups");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let mut entra = Entra::with_people(5);
    let stranger = Scene::before(Entra::with_people(5)).await;
    entra.next_root = Some(stranger.vendor.api_url());
    let scene = Scene::before(entra).await;
    let first = expand(&scene, GROUP, None).await.expect("a page");
    let next = first.next.expect("a link");
    let error = expand(&scene, GROUP, Some(&next))
        .await
        .expect_err("elsewhere");
    assert_eq!(error.kind(), ErrorKind::InvalidResponse);
    assert!(stranger.sent().await.is_empty());
}

#[tokio::test]
async fn a_large_listing_shows_the_tenants_quota() {
    for (count, expected) in [(20, None), (120, Some(5_000)), (900, Some(8_000))] {
        let page = json!({"value": [Entra::user(0)], "@odata.count": count, "@odata.nextLink": "/v1.0/users?x"});
        let answer = ResponseTemplate::new(200).set_body_json(page);
        let scene = Scene::answering(answer, token_answer(canary::TOKEN)).await;
        let page = scene
            .directory()
            .everybody(&scene.cx(), None)
            .await
            .expect("a page");
        assert!(page.next.is_some());
        let seen = scene
            .port
            .observations()
            .into_iter()
            .find_map(|seen| match seen {
                Observation::BudgetIs {
                    budget: "units",
                    units,
                } => Some(units),
                _ => None,
            });
        assert_eq!(seen, expected);
    }
}
