//! A connector that panics while its secret is at hand, and with the secret in its message: the program says where, and
//! never what. The program is this very test, started anew with a connector of its own.

use std::fmt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rescind_core::config::{ConfigError, SecretSource};
use rescind_core::connector::{BuildContext, Connector, ConnectorInfo, Roles};
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::id::ConnectorKind;
use rescind_core::provider::{
    Account, Capabilities, Descriptor, Directory, Evidence, MemberPage, PageToken, ProbeReport,
    Proof, Resolution, RevocationProvider, RevokeRequest, ScopeCapability, ScopeKind,
};
use rescind_core::report::{Ended, Outcome, Report, Step};
use rescind_core::subject::{IdentifierKind, Subject};
use rescind_integration::leaks::{holds, nothing_leaked};
use rescind_integration::program::{Desk, Ran};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

const SECRET: &str = "canary-41d8e0b7c2";
/// Holds the command line of the program, where this test is to be it; its parts are separated by line breaks.
const PROGRAM: &str = "PANICS_PROGRAM";

struct Careless;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    key: SecretSource,
    /// Where it panics, the first time.
    place: String,
    /// How it does.
    way: String,
}

struct Vendor {
    descriptor: Descriptor,
    key: SecretString,
    place: String,
    way: String,
    over: AtomicBool,
}

impl Vendor {
    fn at(&self, place: &str) {
        if self.place == place && !self.over.swap(true, Ordering::Relaxed) {
            blurt(self.key.expose_secret(), &self.way);
        }
    }
}

fn blurt(key: &str, way: &str) {
    match way {
        "message" => panic!("the key {key} is refused"),
        "error" => refused(key).expect("the key is good"),
        "payload" => std::panic::panic_any(key.to_owned()),
        "literal" => panic!("a literal \u{1b}[31mof the source"),
        other => unreachable!("{other}"),
    }
}

fn refused(key: &str) -> Result<(), String> {
    Err(format!("{key} is refused"))
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vendor")
    }
}

impl Connector for Careless {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::parse("careless").expect("a name")
    }

    fn describe(&self) -> ConnectorInfo {
        let schema = schemars::schema_for!(Settings).to_value();
        ConnectorInfo::new(self.kind(), "Careless", "Panics.", "", schema, Vec::new())
    }

    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError> {
        let settings = cx.settings.read::<Settings>()?;
        let vendor = Arc::new(Vendor {
            descriptor: Descriptor::new(cx.name.clone(), self.kind(), "careless"),
            key: settings.key.read().expect("a key"),
            place: settings.place,
            way: settings.way,
            over: AtomicBool::new(false),
        });
        vendor.at("build");
        Ok(Roles::new()
            .with_revocation(Arc::clone(&vendor) as _)
            .with_directory(Arc::clone(&vendor) as _)
            .with_evidence(vendor))
    }
}

#[async_trait]
impl RevocationProvider for Vendor {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(
            vec![ScopeCapability::new(ScopeKind::Everything, true)],
            vec![IdentifierKind::UserPrincipalName, IdentifierKind::Email],
        )
    }

    async fn probe(&self, _: &Context) -> Result<ProbeReport, Error> {
        self.at("probe");
        Ok(ProbeReport::new(Vec::new()))
    }

    async fn revoke(&self, _: &Context, _: &RevokeRequest) -> Result<Report, Error> {
        self.at("revoke");
        let ended = Ended::by(Step::new("sessions", 1));
        Ok(Report::new(Outcome::Revoked { ended }))
    }
}

#[async_trait]
impl Directory for Vendor {
    async fn resolve(&self, _: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        self.at("resolve");
        let account = |subject: &Subject| Account::new(subject.given(), subject.given());
        Ok((subjects.iter().map(account).map(Resolution::Found)).collect())
    }

    async fn expand(
        &self,
        _: &Context,
        _: &str,
        _: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        Ok(MemberPage::default())
    }

    async fn everybody(&self, _: &Context, _: Option<&PageToken>) -> Result<MemberPage, Error> {
        Ok(MemberPage::default())
    }
}

#[async_trait]
impl Evidence for Vendor {
    async fn read(&self, _: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        self.at("evidence");
        let proof = |_: &String| Proof::Remaining { items: 0 };
        Ok(account_ids.iter().map(proof).collect())
    }
}

#[test]
#[ignore = "this is the program of the other tests"]
#[expect(clippy::disallowed_methods, reason = "who starts it says what it is")]
fn the_program_itself() {
    let Ok(words) = std::env::var(PROGRAM) else {
        return;
    };
    if let Some(way) = words.strip_prefix("blurt ") {
        return blurt(SECRET, way);
    }
    let registry = rescind::connectors::registry().with(Careless);
    let code = rescind::run(registry, words.lines().map(Into::into));
    println!("ended with {code:?}");
}

fn program(desk: &Desk, words: &str) -> Ran {
    let mut command = Command::new(std::env::current_exe().expect("a test has a path"));
    command
        .args(["--exact", "the_program_itself", "--ignored", "--nocapture"])
        .current_dir(desk.path())
        .env(PROGRAM, words)
        .env("RUST_BACKTRACE", "full");
    Ran::of(&command.output().expect("it starts"))
}

fn desk(place: &str, way: &str) -> Desk {
    let desk = Desk::empty();
    desk.write("key", SECRET);
    desk.private("key");
    desk.write(
        "rescind.toml",
        &format!(
            "protected = []\n[providers.careless]\nkind = \"careless\"\n[providers.careless.settings]\n\
             key = {{ file = \"key\" }}\nplace = \"{place}\"\nway = \"{way}\"\n"
        ),
    );
    desk
}

#[test]
fn a_connector_that_panics_gives_no_secret_away() {
    const REVOKE: &str = "rescind\nrevoke\nada@contoso.com\n--note\npanic\n--yes\n-vvv";
    for place in ["build", "probe", "resolve", "revoke", "evidence"] {
        for way in ["message", "error", "payload"] {
            let desk = desk("nowhere", way);
            let before = program(&desk, REVOKE);
            assert!(before.stdout.contains("confirmed"), "{before:?}");
            let broken = std::fs::read_to_string(desk.path().join("rescind.toml"));
            let broken = broken.expect("ours").replace("nowhere", place);
            desk.write("rescind.toml", &broken);
            let ran = match place {
                "probe" => program(&desk, "rescind\nproviders\ncheck\n-vvv"),
                _ => program(&desk, REVOKE),
            };
            let said = ran
                .stderr
                .contains("a bug: broke at tests/integration/tests/panics.rs:");
            assert!(said, "{place}, {way}: where?\n{}", ran.stderr);
            nothing_leaked(&desk, &["key"], &[&before, &ran], &[SECRET]);
        }
    }
}

#[test]
fn what_stands_in_the_source_is_said_and_moves_no_cursor() {
    let ran = program(&desk("build", "literal"), "rescind\nproviders\ncheck");
    let said = r": a literal \u{1b}[31mof the source";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(
        ran.stdout
            .contains("ended with ExitCode(unix_exit_status(1))"),
        "{ran:?}"
    );
}

#[test]
fn without_the_program_s_care_the_secret_would_be_told() {
    for way in ["message", "error"] {
        let ran = program(&Desk::empty(), &format!("blurt {way}"));
        assert!(holds(ran.stderr.as_bytes(), SECRET.as_bytes()), "{ran:?}");
    }
}
