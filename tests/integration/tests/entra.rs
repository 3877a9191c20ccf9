//! The connector for Entra against the simulated tenant; the ledger judges.

use std::sync::Arc;
use std::time::Duration;

use rescind_azure_graph::AzureGraph;
use rescind_core::clock::SystemClock;
use rescind_core::config::{HttpSettings, Settings};
use rescind_core::connector::{BuildContext, Connector, Roles};
use rescind_core::context::Context;
use rescind_core::error::{Error, Retry};
use rescind_core::id::ProviderName;
use rescind_core::provider::{Account, FindingLevel, Proof, Resolution, RevokeRequest};
use rescind_core::report::{Outcome, Report};
use rescind_core::subject::Subject;
use rescind_sandbox::{
    MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, MICROSOFT_TENANT_ID, Operation, Person, Quota,
    Sandbox, SandboxOptions,
};
use rescind_testkit::FreePort;
use tokio::task::JoinSet;

const PEOPLE: u32 = 600;

struct Scene {
    sandbox: Sandbox,
    roles: Roles,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn with(faults: &str) -> Self {
        let options = SandboxOptions {
            people: PEOPLE,
            quota: Quota::Unlimited,
            faults: faults.parse().expect("a list of faults"),
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).await.expect("a free port");
        let folder = tempfile::tempdir().expect("a folder");
        sandbox.write_files(folder.path()).expect("files");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, MICROSOFT_CLIENT_SECRET).expect("written");
        only_for_owner(&secret);
        let base = sandbox.base_url();
        let settings = format!(
            "tenant = '{MICROSOFT_TENANT_ID}'\nclient_id = '{MICROSOFT_CLIENT_ID}'\n\
             client_secret = {{ file = '{}' }}\ngraph_url = '{base}'\nlogin_url = '{base}'\n",
            secret.display()
        );
        let name = ProviderName::parse("entra").expect("a name");
        let roles = AzureGraph
            .build(&BuildContext::new(
                &name,
                &Settings::from_toml(&settings),
                &HttpSettings::default(),
                Arc::new(SystemClock),
            ))
            .expect("settings as documented");
        Self {
            sandbox,
            roles,
            _folder: folder,
        }
    }

    async fn everybody(&self) -> Vec<Account> {
        let directory = self.roles.directory.clone().expect("a role");
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = directory
                .everybody(&cx(), next.as_ref())
                .await
                .expect("a page");
            found.extend(page.members);
            next = page.next;
            if next.is_none() {
                return found;
            }
        }
    }

    async fn resolve(&self, names: &[String]) -> Vec<Resolution> {
        let subjects: Vec<_> = names
            .iter()
            .map(|name| Subject::parse(name).expect("readable"))
            .collect();
        let directory = self.roles.directory.clone().expect("a role");
        directory.resolve(&cx(), &subjects).await.expect("answers")
    }

    /// Everybody at once.
    async fn revoke(&self, accounts: Vec<Account>) -> Vec<(String, Result<Report, Error>)> {
        let mut calls = JoinSet::new();
        for account in accounts {
            let revocation = self.roles.revocation.clone().expect("a role");
            calls.spawn(async move {
                let id = account.id.clone();
                let subject = Subject::from_id(&id).expect("an id");
                let request = RevokeRequest::new(subject).for_account(account);
                (id, revocation.revoke(&cx(), &request).await)
            });
        }
        calls.join_all().await
    }

    fn effect_on(&self, effects: &[u32], id: &str) -> u32 {
        let people = self.sandbox.people();
        let place = people
            .everybody()
            .position(|person| people.object_id(person).eq_ignore_ascii_case(id));
        effects[place.expect("somebody of the tenant")]
    }
}

fn cx() -> Context {
    Context::new(Arc::new(FreePort))
}

#[cfg(unix)]
fn only_for_owner(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("own file");
}

#[cfg(not(unix))]
fn only_for_owner(_path: &std::path::Path) {}

fn accepted(answer: &Result<Report, Error>) -> bool {
    matches!(answer, Ok(report) if matches!(report.outcome, Outcome::Accepted { .. }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_tenant_is_revoked_once_each_in_batches() {
    let scene = Scene::with("none").await;
    let accounts = scene.everybody().await;
    let people = scene.sandbox.people();
    let members = people
        .everybody()
        .filter(|person| !people.is_guest(*person));
    assert_eq!(accounts.len(), members.count());
    let before = scene.sandbox.summary().requests;
    let answers = scene.revoke(accounts).await;
    assert!(answers.iter().all(|(_, answer)| accepted(answer)));
    let effects = scene.sandbox.effects(Operation::Revoke);
    for person in people.everybody() {
        let expected = u32::from(!people.is_guest(person));
        let id = people.object_id(person);
        assert_eq!(scene.effect_on(&effects, &id), expected);
    }
    let requests = scene.sandbox.summary().requests - before;
    assert!(
        requests <= u64::from(PEOPLE) / 10,
        "{requests} requests for {PEOPLE} people"
    );
    let ids: Vec<_> = answers.iter().map(|(id, _)| id.clone()).collect();
    let evidence = scene.roles.evidence.clone().expect("a role");
    let proofs = evidence.read(&cx(), &ids).await.expect("proofs");
    for (proof, (_, answer)) in proofs.iter().zip(&answers) {
        let Proof::Watermark { at: Some(at) } = proof else {
            panic!("expected a watermark, got {proof:?}");
        };
        let told = answer.as_ref().ok().and_then(|report| report.provider_time);
        assert!(*at + Duration::from_secs(5) >= told.expect("the provider's time"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_called_done_whom_the_tenant_did_not_revoke() {
    let faults = "reset-before=4%,reset-after=4%,cut-after=4%,html-before=4%,html-after=4%,5xx-before=4%,\
                  5xx-after=4%,busy=4%,empty=4%,false=4%,throttle=4%,plain-text=4%";
    let scene = Scene::with("none").await;
    let accounts = scene.everybody().await;
    scene
        .sandbox
        .set_faults(faults.parse().expect("a list of faults"));
    let answers = scene.revoke(accounts).await;
    let effects = scene.sandbox.effects(Operation::Revoke);
    let mut trouble = 0;
    for (id, answer) in &answers {
        let done = scene.effect_on(&effects, id) > 0;
        match answer {
            answer if accepted(answer) => assert!(done, "called done, and was not"),
            Ok(report) => panic!("unexpected: {:?}", report.outcome),
            Err(error) => {
                trouble += 1;
                let unsent = matches!(error.retry(), Retry::Safe { .. } | Retry::Never);
                assert!(!(unsent && done), "called not done, and was: {error:?}");
            }
        }
    }
    assert!(trouble > 0, "no fault was met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_and_groups_are_found_as_the_tenant_has_them() {
    let scene = Scene::with("none").await;
    let people = scene.sandbox.people();
    let person = Person::APOSTROPHE;
    for name in [
        people.object_id(person),
        people.upn(person),
        people.mail(person),
    ] {
        match scene.resolve(&[name]).await.pop() {
            Some(Resolution::Found(account)) => assert_eq!(account.id, people.object_id(person)),
            other => panic!("expected somebody, got {other:?}"),
        }
    }
    let alias = people.alias(Person::ALIAS_ONLY).expect("an alias");
    let found = scene.resolve(&[alias]).await.pop();
    assert!(matches!(found, Some(Resolution::Found(_))), "{found:?}");
    let guest = people
        .everybody()
        .find(|person| people.is_guest(*person))
        .expect("a guest");
    match scene.resolve(&[people.upn(guest)]).await.pop() {
        Some(Resolution::Found(account)) => assert!(account.not_covered.is_some()),
        other => panic!("expected a guest, got {other:?}"),
    }
    let directory = scene.roles.directory.clone().expect("a role");
    let page = directory
        .expand(&cx(), "engineering", None)
        .await
        .expect("a page");
    assert!(!page.members.is_empty());
    assert!(directory.expand(&cx(), "project-x", None).await.is_err());
    assert!(
        directory
            .expand(&cx(), "no-such-group", None)
            .await
            .is_err()
    );
    let empty = directory
        .expand(&cx(), "empty", None)
        .await
        .expect("a page");
    assert!(empty.members.is_empty() && empty.next.is_none());
    let report = scene
        .roles
        .revocation
        .clone()
        .expect("a role")
        .probe(&cx())
        .await;
    let report = report.expect("findings");
    assert!(
        report
            .findings
            .iter()
            .all(|f| f.level == FindingLevel::Good),
        "{report:?}"
    );
}
