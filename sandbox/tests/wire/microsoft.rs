//! The Entra tenant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind_sandbox::{MICROSOFT_CLIENT_ID, MICROSOFT_TENANT_ID, Operation, Person};
use serde_json::{Value, json};

use crate::client::{Caller, revoke_item, start};

const TOKEN_PATH: &str = "/contoso.onmicrosoft.com/oauth2/v2.0/token";

async fn refused(
    caller: &Caller,
    path: &str,
    name: &'static str,
    value: &str,
) -> (u16, String, i64) {
    let mut form = caller.token_form();
    form.retain(|(known, _)| *known != name);
    form.push((name, value.to_owned()));
    let answer = caller.form(path, &form).await;
    let body = answer.json();
    let number = body["error_codes"][0].as_i64().unwrap();
    assert!(
        body["error_description"]
            .as_str()
            .unwrap()
            .contains(&format!("AADSTS{number}"))
    );
    (
        answer.status,
        body["error"].as_str().unwrap().to_owned(),
        number,
    )
}

#[tokio::test]
async fn a_token_names_the_rights_it_gives() {
    let caller = start("missing-right=Organization.Read.All").await;
    let payload = caller.bearer.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!(
        claims["roles"],
        json!([
            "User.RevokeSessions.All",
            "User.Read.All",
            "GroupMember.Read.All"
        ])
    );
    assert_eq!(claims["tid"], MICROSOFT_TENANT_ID);
}

#[tokio::test]
async fn a_bad_token_request_is_refused_with_its_number() {
    let caller = start("").await;
    assert_eq!(
        refused(&caller, TOKEN_PATH, "client_secret", "wrong").await,
        (401, "invalid_client".to_owned(), 7_000_215)
    );
    assert_eq!(
        refused(
            &caller,
            TOKEN_PATH,
            "client_id",
            "00000000-0000-0000-0000-000000000000"
        )
        .await,
        (400, "unauthorized_client".to_owned(), 700_016)
    );
    assert_eq!(
        refused(&caller, TOKEN_PATH, "scope", "User.Read").await,
        (400, "invalid_scope".to_owned(), 70011)
    );
    assert_eq!(
        refused(&caller, "/fabrikam.com/oauth2/v2.0/token", "x", "").await,
        (400, "invalid_request".to_owned(), 90002)
    );
}

#[tokio::test]
async fn an_assertion_is_read_before_a_token_is_given() {
    let caller = start("").await;
    let endpoint = format!("{}{TOKEN_PATH}", caller.sandbox.base_url());
    let good = |change: &dyn Fn(&mut Value, &mut Value)| {
        let mut head = json!({"alg": "PS256", "typ": "JWT", "x5t#S256": "AAAA"});
        let mut claims = json!({"aud": endpoint, "iss": MICROSOFT_CLIENT_ID, "sub": MICROSOFT_CLIENT_ID, "exp": 4_000_000_000_i64});
        change(&mut head, &mut claims);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&head), part(&claims))
    };
    let cases = [
        (good(&|_, _| {}), None),
        (good(&|head, _| head["alg"] = json!("none")), Some(700_027)),
        (
            good(&|head, _| head["x5t#S256"] = Value::Null),
            Some(700_027),
        ),
        (
            good(&|_, claims| claims["iss"] = json!("other")),
            Some(700_021),
        ),
        (
            good(&|_, claims| claims["aud"] = json!("https://elsewhere")),
            Some(700_023),
        ),
        (
            good(&|_, claims| claims["exp"] = json!(1_000)),
            Some(700_024),
        ),
        ("garbage".to_owned(), Some(700_027)),
        (
            good(&|head, claims| {
                head["x5t#S256"] = Value::Null;
                claims["aud"] = json!("api://AzureADTokenExchange");
                claims["iss"] = json!("https://issuer.example.com");
                claims["sub"] = json!("workload");
            }),
            None,
        ),
    ];
    for (assertion, number) in cases {
        let mut form = caller.token_form();
        form.retain(|(name, _)| *name != "client_secret");
        form.push((
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
        ));
        form.push(("client_assertion", assertion));
        let body = caller.form(TOKEN_PATH, &form).await.json();
        assert_eq!(body["error_codes"][0].as_i64(), number, "{body}");
        assert_eq!(body["access_token"].is_string(), number.is_none());
    }
}

#[tokio::test]
async fn a_revocation_moves_the_watermark_and_is_written_down() {
    let caller = start("").await;
    let people = *caller.sandbox.people();
    let person = Person::regular(3);
    let id = people.object_id(person);
    let path = format!("/users/{id}?$select=id,signInSessionsValidFromDateTime");
    let before = caller.get(&path).await.json();

    let answer = caller.revoke(&id).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["value"], true);
    let date = answer.header("date").unwrap().to_owned();
    let request_id = answer.header("request-id").unwrap().to_owned();

    let after = caller.get(&path).await.json();
    let at = |value: &Value| {
        value["signInSessionsValidFromDateTime"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(at(&after) > at(&before));
    assert!(
        date.contains(&at(&after)[11..19]),
        "{date} and {}",
        at(&after)
    );

    assert_eq!(
        caller.sandbox.effects(Operation::Revoke)[person.index() as usize],
        1
    );
    let lines = caller.sandbox.ledger_lines();
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(line["subject"], id);
    assert_eq!(line["name"], people.upn(person));
    assert_eq!(line["effect"], true);
    assert_eq!(line["request_id"], request_id);
}

#[tokio::test]
async fn users_are_addressed_by_id_or_name_in_both_forms() {
    let caller = start("").await;
    let people = *caller.sandbox.people();
    let guest = people.upn(Person::GUEST).replace('#', "%23");
    for key in [
        people.object_id(Person::regular(0)),
        people.upn(Person::regular(0)),
        guest.clone(),
    ] {
        assert_eq!(
            caller.get(&format!("/users/{key}")).await.status,
            200,
            "{key}"
        );
    }
    for literal in [
        "miles.o%27%27brien%40contoso.com",
        "%24upport%40contoso.com",
        &guest,
    ] {
        let path = format!("/users('{literal}')?$select=id,userPrincipalName,userType");
        assert_eq!(caller.get(&path).await.status, 200, "{literal}");
    }
    let refused = caller.get("/users/$upport@contoso.com").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "Request_BadRequest")
    );
    for unknown in [
        "hedy.lamarr@contoso.com",
        "ada@fabrikam.com",
        "nobody@contoso.com",
    ] {
        let answer = caller.get(&format!("/users/{unknown}")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "Request_ResourceNotFound")
        );
    }
}

#[tokio::test]
async fn a_filter_finds_mail_and_aliases() {
    let caller = start("").await;
    let find = async |filter: &str| {
        let encoded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let path = format!("/users?$select=id,userPrincipalName&$filter={encoded}");
        let body = caller.get(&path).await.json();
        let found = body["value"].as_array().unwrap().clone();
        found
            .iter()
            .map(|user| user["userPrincipalName"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        find("mail eq 'p0042@contoso.com'").await,
        ["p0042@contoso.com"]
    );
    assert_eq!(
        find("proxyAddresses/any(p:p eq 'smtp:hedy.lamarr@contoso.com')").await,
        ["p0042@contoso.com"]
    );
    assert_eq!(
        find("proxyAddresses/any(p:p eq 'SMTP:p0042@contoso.com')").await,
        ["p0042@contoso.com"]
    );
    assert!(
        find("proxyAddresses/any(p:p eq 'SMTP:hedy.lamarr@contoso.com')")
            .await
            .is_empty()
    );
    assert_eq!(find("mail eq 'reception@contoso.com'").await.len(), 2);
    assert_eq!(
        find("userPrincipalName eq 'miles.o''brien@contoso.com'").await,
        ["miles.o'brien@contoso.com"]
    );
    let refused = caller.get("/users?$filter=startswith(mail,'a')").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (400, "Request_UnsupportedQuery")
    );
    let typo = caller.get("/users?$select=idd").await;
    assert_eq!((typo.status, typo.code().as_str()), (400, "BadRequest"));
}

#[tokio::test]
async fn pages_follow_one_another_until_everybody_was_seen() {
    let caller = start("").await;
    let origin = format!("{}/v1.0", caller.sandbox.base_url());
    let mut path = "/users?$select=id&$top=30".to_owned();
    let mut seen = Vec::new();
    loop {
        let body = caller.get(&path).await.json();
        seen.extend(
            body["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|user| user["id"].to_string()),
        );
        match body["@odata.nextLink"].as_str() {
            Some(next) => path = next.strip_prefix(&origin).unwrap().to_owned(),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 80);
    let count = caller.get("/users/$count").await;
    assert_eq!(&count.body[..], b"80");
}

#[tokio::test]
async fn a_group_holds_the_people_of_its_nested_groups() {
    let caller = start("").await;
    let groups = caller
        .get("/groups?$filter=displayName%20eq%20'all-staff'&$select=id")
        .await
        .json();
    let id = groups["value"][0]["id"].as_str().unwrap().to_owned();
    let mut path = format!(
        "/groups/{id}/transitiveMembers/microsoft.graph.user?$select=id,userPrincipalName,userType&$count=true&$top=50"
    );
    let origin = format!("{}/v1.0", caller.sandbox.base_url());
    let mut members = Vec::new();
    loop {
        let body = caller.get(&path).await.json();
        members.extend(body["value"].as_array().unwrap().clone());
        match body["@odata.nextLink"].as_str() {
            Some(next) => path = next.strip_prefix(&origin).unwrap().to_owned(),
            None => break,
        }
    }
    // Everybody but the second break-glass account and the two receptions.
    assert_eq!(members.len(), 77);
    assert!(members.iter().any(|member| member["userType"] == "Guest"));

    let literal = format!("/groups('{id}')/transitiveMembers/microsoft.graph.user?$top=1");
    assert_eq!(caller.get(&literal).await.status, 200);

    let authorization = format!("Bearer {}", caller.bearer);
    let without = caller
        .send(
            "GET",
            &format!("/v1.0/groups/{id}/transitiveMembers/microsoft.graph.user"),
            &[("authorization", &authorization)],
            "",
        )
        .await
        .unwrap();
    assert_eq!(without.status, 400);
    let twice = caller
        .get("/groups?$filter=displayName%20eq%20'project-x'")
        .await
        .json();
    assert_eq!(twice["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_right_that_was_not_given_is_missed() {
    let caller = start("missing-right=User.RevokeSessions.All").await;
    let id = caller.sandbox.people().object_id(Person::regular(0));
    let answer = caller.revoke(&id).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "Authorization_RequestDenied")
    );
    assert_eq!(caller.get(&format!("/users/{id}")).await.status, 200);
    assert_eq!(caller.sandbox.summary().effects, 0);
}

#[tokio::test]
async fn a_void_token_is_refused_and_a_new_one_works() {
    let mut caller = start("").await;
    assert_eq!(caller.get("/organization").await.status, 200);
    caller.sandbox.void_tokens();
    let answer = caller.get("/organization").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "InvalidAuthenticationToken")
    );
    assert!(answer.header("www-authenticate").is_some());
    caller.bearer = caller.graph_token().await;
    assert_eq!(caller.get("/organization").await.status, 200);
}

#[tokio::test]
async fn every_item_of_a_batch_has_its_own_answer() {
    let caller = start("").await;
    let people = *caller.sandbox.people();
    let guest = people.upn(Person::GUEST);
    let items = json!([
        revoke_item("a", &people.object_id(Person::regular(0))),
        revoke_item("b", "nobody@contoso.com"),
        {"id": "c", "method": "POST", "url": format!("/users/{}/revokeSignInSessions", people.object_id(Person::regular(1)))},
        {"id": "d", "method": "GET", "url": "/users/$count", "headers": {"ConsistencyLevel": "eventual"}},
        revoke_item("e", &guest),
        revoke_item("f", &guest.replace('#', "%23")),
    ]);
    let body = caller.batch(items).await.json();
    let answers = body["responses"].as_array().unwrap();
    let by_id = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(by_id("a")["body"]["value"], true);
    assert_eq!(by_id("b")["status"], 404);
    assert_eq!(by_id("c")["status"], 400);
    assert!(
        by_id("c")["body"]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("Content-Type header or body")
    );
    assert_eq!(by_id("d")["body"], "80");
    assert_eq!(
        by_id("e")["status"],
        405,
        "an open # cuts the address short"
    );
    assert_eq!(by_id("f")["status"], 200);
    // The guest's call is answered with yes and ends nothing.
    assert_eq!(caller.sandbox.summary().effects, 1);
}

#[tokio::test]
async fn a_batch_that_breaks_the_rules_is_refused_whole() {
    let caller = start("").await;
    let id = caller.sandbox.people().object_id(Person::regular(0));
    let many: Vec<Value> = (0..21).map(|n| revoke_item(&n.to_string(), &id)).collect();
    for items in [
        json!(many),
        json!([]),
        json!([revoke_item("x", &id), revoke_item("X", &id)]),
        json!([{"id": "1", "method": "GET"}]),
    ] {
        let answer = caller.batch(items).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "BadRequest"));
    }
    assert!(caller.sandbox.ledger().is_empty());
}

#[tokio::test]
async fn the_callers_own_request_id_comes_back() {
    let caller = start("").await;
    let authorization = format!("Bearer {}", caller.bearer);
    let headers = [
        ("authorization", authorization.as_str()),
        ("client-request-id", "0f0e0d0c-0b0a-4908-8706-050403020100"),
    ];
    let answer = caller
        .send("GET", "/v1.0/organization", &headers, "")
        .await
        .unwrap();
    assert_eq!(
        answer.header("client-request-id"),
        Some("0f0e0d0c-0b0a-4908-8706-050403020100")
    );
    assert!(answer.header("x-ms-resource-unit").is_some());
}

#[tokio::test]
async fn a_revocation_without_a_length_is_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let caller = start("").await;
    let mut stream = tokio::net::TcpStream::connect(caller.sandbox.addr())
        .await
        .unwrap();
    let request = format!(
        "POST /v1.0/users/x/revokeSignInSessions HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        caller.bearer
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
}
