//! A small Entra tenant on a mock server: people, a group, `$batch`, and the vendor's own words for errors.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test binary uses a part of it"
)]

pub(crate) mod scene;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wiremock::{Request, Respond, ResponseTemplate};

pub(crate) const TENANT: &str = "7c3f0000-0000-4000-8000-000000000001";
pub(crate) const CLIENT: &str = "11111111-2222-4333-8444-555555555555";
pub(crate) const GROUP: &str = "99999999-0000-4000-8000-000000000001";
pub(crate) const GROUP_NAME: &str = "Leavers 'north'";

/// The id of the `n`-th person.
pub(crate) fn id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// The sign-in name of the `n`-th person.
pub(crate) fn upn(n: usize) -> String {
    format!("person{n}@contoso.com")
}

/// The access token's roles, as JSON text that is no signed token: nobody verifies it here.
pub(crate) fn token(roles: &[&str]) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = json!({"tid": TENANT, "roles": roles}).to_string();
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload))
}

/// Status, headers and body.
pub(crate) type Told = (u16, Value, Value);

/// Answers as a tenant with `people` people would.
#[derive(Clone)]
pub(crate) struct Entra {
    pub(crate) people: usize,
    /// Answers of single items instead of what would be right: path → (status, headers, body).
    pub(crate) odd: Arc<Mutex<BTreeMap<String, Told>>>,
    /// How many people were revoked, by key.
    pub(crate) revoked: Arc<Mutex<Vec<String>>>,
    /// Where pages of the group link to; the server itself when `None`.
    pub(crate) next_root: Option<String>,
    pub(crate) page: usize,
}

impl Entra {
    pub(crate) fn with_people(people: usize) -> Self {
        Self {
            people,
            odd: Arc::default(),
            revoked: Arc::default(),
            next_root: None,
            page: 2,
        }
    }

    /// Lets the call to this path (relative, as on the wire) answer oddly.
    pub(crate) fn answer(&self, path: &str, status: u16, headers: Value, body: Value) {
        let mut odd = self.odd.lock().expect("not poisoned");
        odd.insert(path.to_owned(), (status, headers, body));
    }

    pub(crate) fn user(n: usize) -> Value {
        json!({
            "id": id(n), "userPrincipalName": upn(n), "mail": format!("mail{n}@contoso.com"),
            "userType": "Member", "accountEnabled": n != 1, "externalUserState": null,
            "signInSessionsValidFromDateTime": "2026-11-21T21:00:07Z",
            "proxyAddresses": [format!("SMTP:mail{n}@contoso.com"), format!("smtp:alias{n}@contoso.com"), "x500:/o=x"],
        })
    }

    fn find(&self, key: &str) -> Option<Value> {
        (0..self.people)
            .find(|&n| key.eq_ignore_ascii_case(&id(n)) || key.eq_ignore_ascii_case(&upn(n)))
            .map(Self::user)
    }

    /// One call: method, path below `/v1.0` with its query, both as on the wire.
    fn call(&self, method: &str, path: &str, root: &str) -> Told {
        if let Some(odd) = self.odd.lock().expect("not poisoned").get(path) {
            return odd.clone();
        }
        let url = url::Url::parse(&format!("http://x{path}")).expect("a path");
        let query: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let path = percent_decoded(url.path());
        let ok = |body: Value| (200, json!({}), body);
        if let Some((key, rest)) = keyed(&path, "/users('") {
            let Some(user) = self.find(&key) else {
                return missing();
            };
            return match (method, rest.as_str()) {
                ("GET", "") => ok(user),
                ("POST", "/revokeSignInSessions") => {
                    self.revoked.lock().expect("not poisoned").push(key);
                    ok(json!({"@odata.context": "x#Edm.Boolean", "value": true}))
                }
                _ => no_route(),
            };
        }
        if let Some(rest) = path.strip_prefix("/groups/") {
            let (key, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if key != GROUP {
                return missing();
            }
            if rest.is_empty() {
                return ok(json!({"id": GROUP, "displayName": GROUP_NAME}));
            }
            let from: usize = query
                .get("$skiptoken")
                .map_or(0, |text| text.parse().expect("a number"));
            let to = (from + self.page).min(self.people);
            let mut page = json!({"value": (from..to).map(Self::user).collect::<Vec<_>>()});
            if from == 0 {
                page["@odata.count"] = json!(self.people);
            }
            if to < self.people {
                let root = self.next_root.as_deref().unwrap_or(root);
                page["@odata.nextLink"] =
                    json!(format!("{root}/v1.0{}?$skiptoken={to}", url.path()));
            }
            return ok(page);
        }
        let filter = query.get("$filter").map(String::as_str).unwrap_or_default();
        match path.as_str() {
            "/users" if filter.is_empty() => ok(json!({"value": [Self::user(0)]})),
            "/users" => {
                let hits: Vec<_> = (0..self.people)
                    .filter(|n| {
                        [
                            format!("'mail{n}@contoso.com'"),
                            format!("'smtp:alias{n}@contoso.com'"),
                        ]
                        .iter()
                        .any(|wanted| filter.contains(wanted.as_str()))
                    })
                    .map(Self::user)
                    .collect();
                ok(json!({"value": hits}))
            }
            "/groups" => {
                let wanted = format!("displayName eq '{}'", GROUP_NAME.replace('\'', "''"));
                let hits = if filter == wanted {
                    vec![json!({"id": GROUP, "displayName": GROUP_NAME})]
                } else {
                    Vec::new()
                };
                ok(json!({"value": hits}))
            }
            "/organization" => ok(json!({"value": [{"id": TENANT, "displayName": "Contoso"}]})),
            "/users/$count" => ok(json!(self.people)),
            _ => no_route(),
        }
    }
}

impl Respond for Entra {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let root = format!("http://{}", request.headers["host"].to_str().expect("text"));
        let full = match request.url.query() {
            Some(query) => format!("{}?{query}", request.url.path()),
            None => request.url.path().to_owned(),
        };
        let Some(path) = full.strip_prefix("/v1.0") else {
            return template(&no_route());
        };
        if path != "/$batch" {
            return template(&self.call(request.method.as_str(), path, &root));
        }
        let asked: Value = serde_json::from_slice(&request.body).expect("a batch");
        let responses: Vec<Value> = asked["requests"]
            .as_array()
            .expect("requests")
            .iter()
            .rev()
            .map(|item| {
                let method = item["method"].as_str().expect("a method");
                let is_whole = item["body"] == json!({}) && item["headers"]["Content-Type"] == "application/json";
                let (status, headers, body) = if method == "POST" && !is_whole {
                    (400, json!({}), json!({"error": {"code": "BadRequest", "message": "Write request without body"}}))
                } else {
                    self.call(method, item["url"].as_str().expect("a url"), &root)
                };
                json!({"id": item["id"], "status": status, "headers": headers, "body": body})
            })
            .collect();
        template(&(200, json!({}), json!({"responses": responses})))
    }
}

pub(crate) fn template((status, headers, body): &Told) -> ResponseTemplate {
    let mut template =
        ResponseTemplate::new(*status).insert_header("request-id", "vendor-request-1");
    for (name, value) in headers.as_object().into_iter().flatten() {
        template = template.insert_header(name.as_str(), value.as_str().expect("text"));
    }
    if body.is_null() {
        return template;
    }
    template.set_body_json(body)
}

pub(crate) fn error(status: u16, code: &str) -> Told {
    let body = json!({"error": {"code": code, "message": "told", "innerError": {"request-id": "inner-1"}}});
    (status, json!({}), body)
}

fn missing() -> Told {
    error(404, "Request_ResourceNotFound")
}

fn no_route() -> Told {
    (
        404,
        json!({}),
        json!({"error": {"code": "", "message": "No HTTP resource was found"}}),
    )
}

/// The key and what follows it, of `/users('…')/…`.
fn keyed(path: &str, before: &str) -> Option<(String, String)> {
    let (key, rest) = path.strip_prefix(before)?.rsplit_once("')")?;
    Some((key.replace("''", "'"), rest.to_owned()))
}

fn percent_decoded(text: &str) -> String {
    let fake = format!("k={}", text.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(fake.as_bytes());
    let (_, decoded) = pairs.next().expect("a pair");
    decoded.into_owned()
}
