//! Providers that repeat what they were sent: the secret, the assertion, the token. None of it is shown or stored.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rescind_integration::program::{Desk, Ran};
use serde_json::Value;

const CANARY: &str = "canary-2d7b61f4";
/// What the token endpoint issues, where it issues anything.
const TOKEN: &str = "canary-token-c09a5e";

/// The password of a proxy, and how it is sent.
const PASSWORD: &str = "canary-proxy-81";
const BASIC: &str = "cmVzY2luZDpjYW5hcnktcHJveHktODE=";

/// Every secret that a connector's settings name, and that a test here sends.
const TRIED: [(&str, &str); 4] = [
    ("azure-graph", "client_secret"),
    ("azure-graph", "federated_token"),
    ("azure-graph", "private_key"),
    ("google-admin", "service_account_key"),
];

/// A server that answers everything with the request it got, in the vendor's form of an error.
struct Echo {
    url: String,
    /// The bodies and authorization headers that came in.
    heard: Arc<Mutex<String>>,
}

impl Echo {
    /// `token`: what the token endpoint answers with, `api`: the rest. 200 issues a token, or gives the echo for data.
    fn start(token: u16, api: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let heard = Arc::new(Mutex::new(String::new()));
        let hears = Arc::clone(&heard);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hears = Arc::clone(&hears);
                std::thread::spawn(move || serve(stream, token, api, &hears));
            }
        });
        Self { url, heard }
    }
}

fn serve(stream: TcpStream, token: u16, api: u16, hears: &Mutex<String>) -> Option<()> {
    let mut input = BufReader::new(stream.try_clone().ok()?);
    let mut output = stream;
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if input.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body).ok()?;
        let sent = format!("{head}\n{}", String::from_utf8_lossy(&body));
        hears.lock().ok()?.push_str(&sent);
        let for_token = head.lines().next()?.contains("token") && head.starts_with("POST");
        let status = if for_token { token } else { api };
        let answer = if for_token && status == 200 {
            serde_json::json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN })
        } else {
            serde_json::json!({
                "error": if for_token { Value::from("invalid_client") } else {
                    serde_json::json!({ "code": "Authorization_RequestDenied", "message": sent, "status": sent,
                        "errors": [{ "reason": sent, "message": sent }], "innerError": { "request-id": sent } })
                },
                "error_description": sent,
                "value": sent,
            })
        };
        let answer = answer.to_string();
        write!(
            output,
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nlocation: /{CANARY}\r\n\
             content-length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .ok()?;
    }
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = folder.join("../../connectors/azure-graph/tests/fixtures");
    std::fs::read_to_string(path.join(name)).expect("a fixture")
}

/// A configuration with one secret in it, and the texts of it that nobody may see.
fn desk(kind: &str, field: &str, url: &str) -> (Desk, Vec<String>) {
    let desk = Desk::empty();
    let key = fixture("app.key");
    let mut secrets: Vec<String> = vec![TOKEN.to_owned()];
    let of_key = || {
        let lines = key.lines().filter(|line| line.len() > 40);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let settings = match field {
        "client_secret" => {
            desk.write("private.secret", CANARY);
            secrets.push(CANARY.to_owned());
            "client_secret = { file = \"private.secret\" }".to_owned()
        }
        "federated_token" => {
            let token = format!("eyJhbGciOiJub25lIn0.{CANARY}.c2ln");
            desk.write("private.secret", &token);
            secrets.push(token);
            "federated_token = { file = \"private.secret\" }".to_owned()
        }
        "private_key" => {
            desk.write("private.secret", &key);
            desk.write("app.pem", &fixture("app.pem"));
            secrets.extend(of_key());
            "certificate = \"app.pem\"\nprivate_key = { file = \"private.secret\" }".to_owned()
        }
        _ => {
            let json = serde_json::json!({ "type": "service_account", "private_key_id": CANARY, "private_key": key,
                "client_email": "sa@contoso.example.com", "client_id": "1", "token_uri": format!("{url}/token") });
            desk.write("private.secret", &json.to_string());
            secrets.extend(of_key());
            format!(
                "service_account_key = {{ file = \"private.secret\" }}\nimpersonate = \"admin@example.com\"\n\
                 api_url = \"{url}\"\ntoken_url = \"{url}/token\""
            )
        }
    };
    desk.private("private.secret");
    let mut toml = format!(
        "protected = []\n[providers.idp]\nkind = \"{kind}\"\n[providers.idp.settings]\n{settings}\n"
    );
    if kind == "azure-graph" {
        let _infallible = writeln!(
            toml,
            "tenant = \"contoso.onmicrosoft.com\"\nclient_id = \"11111111-2222-3333-4444-555555555555\"\n\
             graph_url = \"{url}\"\nlogin_url = \"{url}\""
        );
    }
    desk.write("rescind.toml", &toml);
    (desk, secrets)
}

/// What the program said, and every file it left, but for the secret's own.
fn everything(desk: &Desk, runs: &[Ran]) -> Vec<(String, Vec<u8>)> {
    let mut places = Vec::new();
    for (n, ran) in runs.iter().enumerate() {
        places.push((format!("stdout {n}"), ran.stdout.clone().into_bytes()));
        places.push((format!("stderr {n}"), ran.stderr.clone().into_bytes()));
    }
    let mut folders = vec![desk.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("private.secret") {
                let text = std::fs::read(&path).expect("a file");
                places.push((path.display().to_string(), text));
            }
        }
    }
    places
}

#[track_caller]
fn nothing_shows(desk: &Desk, runs: &[Ran], secrets: &[String], what: &str) {
    for (name, text) in everything(desk, runs) {
        for secret in secrets {
            let shown = text
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!shown, "{what}: {name} holds {secret}");
        }
    }
}

#[test]
fn every_secret_of_every_connector_is_tried() {
    let shown = Desk::empty()
        .run(&["connectors", "--output", "json"])
        .exits(0);
    let mut secret = BTreeSet::new();
    for connector in shown.json()["items"].as_array().expect("connectors") {
        let settings = &connector["settings"];
        let kind = connector["kind"].as_str().expect("a kind");
        for (field, schema) in settings["properties"].as_object().into_iter().flatten() {
            // A place of a secret is an object with `file` or `env`, whatever it is called.
            let holds_place = |schema: &Value| {
                let text = schema.to_string();
                let named = settings["$defs"].as_object().into_iter().flatten();
                let mut places = named.filter(|(_, def)| {
                    let def = def.to_string();
                    def.contains("\"file\":{") || def.contains("\"env\":{")
                });
                places.any(|(name, _)| text.contains(&format!("\"#/$defs/{name}\"")))
            };
            if holds_place(schema) {
                secret.insert((kind.to_owned(), field.clone()));
            }
        }
    }
    let tried = TRIED.map(|(kind, field)| (kind.to_owned(), field.to_owned()));
    assert_eq!(secret, tried.into(), "a secret nobody looks for");
}

#[test]
fn a_provider_that_repeats_what_it_was_sent_gives_no_secret_away() {
    for (kind, field) in TRIED {
        for (token, api) in [
            (400, 400),
            (401, 400),
            (302, 302),
            (200, 400),
            (200, 403),
            (200, 200),
            (200, 302),
        ] {
            let what = format!("{kind} {field}, token {token}, API {api}");
            let echo = Echo::start(token, api);
            let (desk, mut secrets) = desk(kind, field, &echo.url);
            let runs = [
                desk.run(&["config", "check", "-vvv"]).exits(0),
                desk.run(&["providers", "check", "-vvv"]),
                desk.run(&[
                    "revoke",
                    "ada@contoso.com",
                    "--note",
                    "echo",
                    "--yes",
                    "--no-wait",
                    "-vvv",
                    "--log-json",
                ]),
                desk.run(&["audit", "export"]),
            ];
            let heard = echo.heard.lock().expect("unpoisoned").clone();
            assert!(
                heard.contains("POST"),
                "{what}: nothing was asked: {:?}",
                runs[1]
            );
            // Assertions are secrets for as long as they live.
            let assertions = heard.split("assertion=").skip(1);
            secrets.extend(
                assertions
                    .filter_map(|rest| rest.split(['&', '\n', ' ']).next().map(str::to_owned)),
            );
            nothing_shows(&desk, &runs, &secrets, &what);
        }
    }
}

/// The password of a proxy stands in its URL; a proxy that answers by itself repeats the header with it.
#[test]
fn the_password_of_a_proxy_is_shown_nowhere() {
    for status in [200, 302, 400, 407, 502] {
        let what = format!("a proxy that answers {status}");
        let proxy = Echo::start(status, status);
        let (desk, mut secrets) = desk("azure-graph", "client_secret", "https://graph.invalid");
        let config = std::fs::read_to_string(desk.path().join("rescind.toml")).expect("ours");
        let address = proxy.url.trim_start_matches("http://");
        // It is written there by whoever configures it: the file is no leak of ours.
        desk.write(
            "private.secret.toml",
            &format!("{config}[http]\nproxy = \"http://rescind:{PASSWORD}@{address}\"\n"),
        );
        let config = ["--config", "private.secret.toml"];
        let run = |args: &[&str]| desk.run(&[args, &config].concat());
        let runs = [
            run(&["config", "check", "-vvv"]).exits(0),
            run(&["providers", "check", "-vvv"]),
            run(&[
                "revoke",
                "ada@contoso.com",
                "--note",
                "echo",
                "--yes",
                "--no-wait",
                "-vvv",
                "--log-json",
            ]),
            run(&["audit", "export"]),
        ];
        let heard = proxy.heard.lock().expect("unpoisoned").to_lowercase();
        assert!(
            heard.contains("proxy-authorization: basic"),
            "{what}: {:?}",
            runs[1]
        );
        std::fs::remove_file(desk.path().join("private.secret.toml")).expect("ours");
        secrets.extend([PASSWORD.to_owned(), BASIC.to_owned()]);
        nothing_shows(&desk, &runs, &secrets, &what);
    }
    let wrong = "protected = []\n[http]\nproxy = \"socks://rescind:canary-proxy-81@x y\"\n";
    let desk = Desk::empty();
    desk.write("rescind.toml", wrong);
    let ran = desk.run(&["config", "check", "-vv"]).exits(2);
    std::fs::remove_file(desk.path().join("rescind.toml")).expect("ours");
    nothing_shows(&desk, &[ran], &[PASSWORD.to_owned()], "no proxy");
}

#[test]
fn the_search_finds_what_is_there() {
    let desk = Desk::empty();
    desk.write("log", &format!("secret={CANARY}"));
    let caught = std::panic::catch_unwind(|| {
        nothing_shows(&desk, &[], &[CANARY.to_owned()], "control");
    });
    assert!(caught.is_err());
}
