//! Each connector meets its simulated tenant over real HTTP; the tenant's ledger tells what was done.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use std::path::Path;
use std::sync::Arc;

use rescind_azure_graph::AzureGraph;
use rescind_core::clock::SystemClock;
use rescind_core::config::{HttpSettings, Settings};
use rescind_core::connector::{BuildContext, Connector, Roles};
use rescind_core::context::Context;
use rescind_core::id::ProviderName;
use rescind_core::provider::{Account, FindingLevel, Proof, Resolution, RevokeRequest};
use rescind_core::report::Outcome;
use rescind_core::subject::Subject;
use rescind_google_admin::GoogleAdmin;
use rescind_sandbox::{Operation, Person, Population, Sandbox, SandboxOptions};
use rescind_testkit::FreePort;

struct Stage {
    sandbox: Sandbox,
    people: Population,
    roles: Roles,
    _folder: tempfile::TempDir,
}

/// A connector, set up as the sandbox's own configuration says.
async fn stage(connector: &dyn Connector, provider: &str, faults: &str) -> Stage {
    let options = SandboxOptions {
        people: 400,
        faults: faults.parse().unwrap(),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    sandbox.write_files(folder.path()).unwrap();
    let settings = settings(folder.path(), provider);
    let name = ProviderName::parse(provider).unwrap();
    let http = HttpSettings::default();
    let cx = BuildContext::new(&name, &settings, &http, Arc::new(SystemClock));
    let roles = connector.build(&cx).unwrap();
    Stage {
        people: *sandbox.people(),
        sandbox,
        roles,
        _folder: folder,
    }
}

/// The settings table of one provider, cut out of the written configuration.
fn settings(folder: &Path, provider: &str) -> Settings {
    let text = std::fs::read_to_string(folder.join("rescind.toml")).unwrap();
    let header = format!("[providers.{provider}.settings]\n");
    let table = text.split_once(&header).unwrap().1;
    Settings::from_toml(table.split("\n[").next().unwrap())
}

fn context() -> Context {
    Context::new(Arc::new(FreePort))
}

impl Stage {
    async fn resolve(&self, name: &str) -> Resolution {
        let subject = Subject::parse(name).unwrap();
        let directory = self.roles.directory.as_ref().unwrap();
        let mut answers = directory.resolve(&context(), &[subject]).await.unwrap();
        answers.remove(0)
    }

    async fn found(&self, name: &str) -> Account {
        match self.resolve(name).await {
            Resolution::Found(account) => account,
            other => panic!("{name}: {other:?}"),
        }
    }

    async fn revoke(&self, account: &Account) -> Outcome {
        let subject = Subject::from_id(&account.id).unwrap();
        let request = RevokeRequest::new(subject).for_account(account.clone());
        let revocation = self.roles.revocation.as_ref().unwrap();
        revocation
            .revoke(&context(), &request)
            .await
            .unwrap()
            .outcome
    }

    async fn proof(&self, account: &Account) -> Proof {
        let evidence = self.roles.evidence.as_ref().unwrap();
        let ids = [account.id.clone()];
        evidence.read(&context(), &ids).await.unwrap().remove(0)
    }

    async fn everybody_in(&self, group: &str) -> Vec<Account> {
        let directory = self.roles.directory.as_ref().unwrap();
        let mut members = Vec::new();
        let mut next = None;
        loop {
            let page = directory
                .expand(&context(), group, next.as_ref())
                .await
                .unwrap();
            members.extend(page.members);
            next = page.next;
            if next.is_none() {
                return members;
            }
        }
    }

    async fn is_healthy(&self) -> bool {
        let revocation = self.roles.revocation.as_ref().unwrap();
        let report = revocation.probe(&context()).await.unwrap();
        report
            .findings
            .iter()
            .all(|finding| finding.level != FindingLevel::Fault)
    }
}

#[tokio::test]
async fn entra_ends_sessions_and_shows_the_proof() {
    let stage = stage(&AzureGraph, "entra", "none").await;
    assert!(stage.is_healthy().await);
    for person in [
        Person::regular(0),
        Person::APOSTROPHE,
        Person::DOLLAR,
        Person::ALIAS_ONLY,
    ] {
        let name = match person {
            Person::ALIAS_ONLY => stage.people.alias(person).unwrap(),
            _ => stage.people.upn(person),
        };
        let account = stage.found(&name).await;
        assert_eq!(account.id, stage.people.object_id(person));
        let before = stage.proof(&account).await;
        let outcome = stage.revoke(&account).await;
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        let after = stage.proof(&account).await;
        match (before, after) {
            (Proof::Watermark { at: before }, Proof::Watermark { at: after }) => {
                assert!(after > before);
            }
            other => panic!("{other:?}"),
        }
        let effects = stage.sandbox.effects(Operation::Revoke);
        assert_eq!(effects[person.index() as usize], 1);
    }
}

#[tokio::test]
async fn entra_tells_typos_guests_and_doubles_apart() {
    let stage = stage(&AzureGraph, "entra", "none").await;
    let typo = stage.resolve("ada.lovelaec@contoso.com").await;
    assert!(matches!(typo, Resolution::NotFound), "{typo:?}");
    let double = stage.resolve("reception@contoso.com").await;
    assert!(
        matches!(double, Resolution::Ambiguous { count: 2 }),
        "{double:?}"
    );
    for name in [
        stage.people.upn(Person::GUEST),
        "ada@fabrikam.com".to_owned(),
    ] {
        assert!(stage.found(&name).await.not_covered.is_some(), "{name}");
    }
    assert!(stage.sandbox.ledger().is_empty());
}

#[tokio::test]
async fn entra_expands_a_group_of_groups() {
    let stage = stage(&AzureGraph, "entra", "none").await;
    let members = stage.everybody_in("all-staff").await;
    assert!(members.len() > 300, "{}", members.len());
    let directory = stage.roles.directory.as_ref().unwrap();
    for group in ["project-x", "no-such-group"] {
        assert!(
            directory.expand(&context(), group, None).await.is_err(),
            "{group}"
        );
    }
}

#[tokio::test]
async fn a_missing_right_is_found_before_anything_is_sent() {
    let stage = stage(
        &AzureGraph,
        "entra",
        "missing-right=User.RevokeSessions.All",
    )
    .await;
    assert!(!stage.is_healthy().await);
    assert!(stage.sandbox.ledger().is_empty());
}

#[tokio::test]
async fn workspace_ends_everything_a_person_holds() {
    let stage = stage(&GoogleAdmin, "workspace", "none").await;
    assert!(stage.is_healthy().await);
    let burdened = stage
        .people
        .regulars()
        .filter(|person| !stage.people.is_disabled(*person))
        .max_by_key(|person| stage.people.grants(*person).count_ones());
    let person = burdened.unwrap();
    let account = stage
        .found(&stage.people.google_alias(person).unwrap())
        .await;
    assert_eq!(account.id, stage.people.google_id(person));
    let outcome = stage.revoke(&account).await;
    assert!(matches!(outcome, Outcome::Revoked { .. }), "{outcome:?}");
    assert!(!stage.sandbox.holds_anything(person));
    let proof = stage.proof(&account).await;
    assert!(matches!(proof, Proof::Remaining { items: 0 }), "{proof:?}");
    assert_eq!(
        stage.sandbox.effects(Operation::SignOut)[person.index() as usize],
        1
    );
}

#[tokio::test]
async fn workspace_serves_a_suspended_person_as_far_as_google_can() {
    let stage = stage(&GoogleAdmin, "workspace", "none").await;
    let person = stage
        .people
        .regulars()
        .find(|person| stage.people.is_disabled(*person))
        .unwrap();
    let account = stage
        .found(&stage.people.google_email(person).unwrap())
        .await;
    assert_eq!(account.enabled, Some(false));
    let outcome = stage.revoke(&account).await;
    assert!(!matches!(outcome, Outcome::Partial { .. }), "{outcome:?}");
    assert_eq!(
        stage.sandbox.effects(Operation::SignOut)[person.index() as usize],
        1
    );
}

#[tokio::test]
async fn workspace_tells_typos_and_groups_apart() {
    let stage = stage(&GoogleAdmin, "workspace", "none").await;
    for name in ["ada.lovelaec@example.com", "ada@fabrikam.com"] {
        let answer = stage.resolve(name).await;
        assert!(matches!(answer, Resolution::NotFound), "{name}: {answer:?}");
    }
    let members = stage.everybody_in("all-staff@example.com").await;
    assert!(members.len() > 300, "{}", members.len());
}
