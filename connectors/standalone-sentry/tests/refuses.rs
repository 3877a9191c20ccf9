//! What Standalone Sentry promises: it refuses everything, says why, and never touches the network or the budget.

use std::sync::Arc;

use async_trait::async_trait;
use rescind_core::budget::Cost;
use rescind_core::clock::SystemClock;
use rescind_core::config::{HttpSettings, Settings};
use rescind_core::connector::{BuildContext, Connector, Roles};
use rescind_core::context::{Context, LanePort, Observation, Priority};
use rescind_core::error::Error;
use rescind_core::id::ProviderName;
use rescind_core::provider::{FindingLevel, RevokeRequest, ScopeKind};
use rescind_core::report::Outcome;
use rescind_core::subject::Subject;
use rescind_standalone_sentry::StandaloneSentry;

/// A lane that nobody may use.
#[derive(Debug)]
struct Untouched;

#[async_trait]
impl LanePort for Untouched {
    async fn pay(&self, cost: &Cost, _priority: Priority) -> Result<(), Error> {
        panic!("nothing leaves, so nothing is paid, yet it was asked for {cost:?}");
    }

    fn observe(&self, observation: Observation) {
        panic!("nothing answers, yet there was {observation:?}");
    }
}

fn roles() -> Roles {
    build("").expect("it builds without credentials")
}

fn build(settings: &str) -> Result<Roles, rescind_core::config::ConfigError> {
    StandaloneSentry.build(&BuildContext::new(
        &ProviderName::parse("edge").expect("a name"),
        &Settings::from_toml(settings),
        &HttpSettings::default(),
        Arc::new(SystemClock),
    ))
}

#[tokio::test]
async fn a_revoke_is_unsupported_with_reason_and_remedy() {
    let provider = roles().revocation.expect("the one role it plays");
    let cx = Context::new(Arc::new(Untouched));
    for person in ["ada@contoso.com", "b.lovelace", "../../etc"] {
        let request = RevokeRequest::new(Subject::parse(person).expect("a subject"));
        let report = provider.revoke(&cx, &request).await.expect("it answers");
        match report.outcome {
            Outcome::Unsupported(why) => {
                assert!(why.reason.contains("no way to revoke"), "{why:?}");
                assert!(why.remedy.contains("without Standalone Sentry"), "{why:?}");
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
        assert!(report.residual.is_empty(), "nothing succeeded");
    }
}

#[test]
fn the_capabilities_refuse_every_scope() {
    let provider = roles().revocation.expect("the one role it plays");
    let capabilities = provider.capabilities();
    assert!(capabilities.scope(ScopeKind::Everything).is_none());
    assert!(capabilities.scope(ScopeKind::Items).is_none());
    assert!(capabilities.refuses.is_some());
}

#[test]
fn it_plays_no_other_role() {
    assert_eq!(roles().names(), ["revocation"]);
}

#[tokio::test]
async fn the_probe_reports_a_fault_with_the_remedy() {
    let provider = roles().revocation.expect("the one role it plays");
    let report = provider
        .probe(&Context::new(Arc::new(Untouched)))
        .await
        .expect("it answers");
    assert!(!report.is_well());
    assert_eq!(report.findings[0].level, FindingLevel::Fault);
    assert!(report.findings[0].hint.is_some());
}

#[test]
fn a_setting_it_does_not_have_is_refused() {
    let error = build("url = \"https://gateway.contoso.com\"").expect_err("it takes no settings");
    assert!(error.to_string().contains("url"), "{error}");
}
