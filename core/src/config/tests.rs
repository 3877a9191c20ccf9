//! What a person sees who got the configuration wrong, and what the program sees when it is right.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::budget::Budget;
use crate::clock::{Clock, SystemClock};
use crate::connector::{BuildContext, Connector, ConnectorInfo, Registry, Roles};
use crate::context::Context;
use crate::engine::fleet::Quota;
use crate::error::Error;
use crate::id::ConnectorKind;
use crate::provider::{Capabilities, Descriptor, ProbeReport, RevocationProvider, RevokeRequest};
use crate::report::{Outcome, Report};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TestSettings {
    tenant: String,
    client_id: String,
    #[expect(dead_code, reason = "only its being readable is of interest")]
    client_secret: SecretSource,
    url: Option<String>,
}

struct TestConnector;

impl Connector for TestConnector {
    fn kind(&self) -> ConnectorKind {
        ConnectorKind::parse("test-cloud").expect("is a name")
    }

    fn describe(&self) -> ConnectorInfo {
        let settings = schemars::schema_for!(TestSettings).to_value();
        ConnectorInfo::new(self.kind(), "Test", "Ends nothing.", "", settings, vec![])
    }

    fn build(&self, cx: &BuildContext<'_>) -> Result<Roles, ConfigError> {
        let settings: TestSettings = cx.settings.read()?;
        if let Some(url) = &settings.url {
            check_url(url).map_err(|message| ConfigError::of("url", message))?;
        }
        let mut descriptor = Descriptor::new(cx.name.clone(), self.kind(), settings.tenant);
        descriptor.application = Some(settings.client_id);
        descriptor.budgets = vec![Budget::bucket(
            "calls",
            10,
            std::time::Duration::from_secs(1),
        )];
        Ok(Roles::new().with_revocation(Arc::new(TestProvider(descriptor))))
    }
}

#[derive(Debug)]
struct TestProvider(Descriptor);

#[async_trait]
impl RevocationProvider for TestProvider {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    async fn probe(&self, _: &Context) -> Result<ProbeReport, Error> {
        Ok(ProbeReport::default())
    }

    async fn revoke(&self, _: &Context, _: &RevokeRequest) -> Result<Report, Error> {
        Ok(Report::new(Outcome::NothingToRevoke))
    }
}

const GOOD: &str = r#"
state_dir = "./here"
protected = ["breakglass@contoso.com"]

[providers.entra-prod]
kind = "test-cloud"
domains = ["Contoso.com"]
[providers.entra-prod.settings]
tenant = "contoso"
client_id = "a"
client_secret = { env = "RESCIND_ENTRA_SECRET" }
[providers.entra-prod.lane]
quota = { units = 10, per_secs = 2 }
"#;

fn registry() -> Registry {
    Registry::new().with(TestConnector)
}

fn load(sources: &ConfigSources) -> Result<Loaded, ConfigError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Config::load_all(sources, &registry(), &clock)
}

fn complaints(sources: &ConfigSources) -> Vec<String> {
    let error = load(sources).expect_err("is wrong");
    error.problems().iter().map(ToString::to_string).collect()
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_good_file_becomes_providers() {
    let loaded = load(&ConfigSources::from_toml("good.toml", GOOD)).expect("is right");
    assert_eq!(loaded.config.state_dir, std::path::Path::new("./here"));
    assert_eq!(loaded.config.guards, Guards::default());
    let [provider] = &loaded.providers[..] else {
        panic!("one provider");
    };
    assert_eq!(provider.name.as_str(), "entra-prod");
    assert_eq!(provider.domains, ["contoso.com"]);
    let per = std::time::Duration::from_secs(2);
    assert_eq!(provider.quota, Quota::Budget { units: 10, per });
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn all_mistakes_of_a_file_are_told_in_one_run_with_their_lines() {
    let text = r#"
protectet = ["hidden-value"]
state_dir = 7

[providers.entra]
kind = "test-clod"

[providers.upn]
kind = "test-cloud"
[providers.upn.settings]
tenant = "t"
client_id = "c"
client_secret = { env = "X" }

[providers.second]
kind = "test-cloud"
[providers.second.settings]
tennant = "hidden-value"
client_secret = "hidden-value"
url = "http://hidden-value.example.com"
[providers.second.lane]
quota = { units = 0, per_secs = 150 }
max_in_flight = "hidden-value"

[providers.third]
kind = "test-cloud"
[providers.third.settings]
tenant = "t"
client_secret = { file = "/nowhere" }

[guards]
confirm_above = -5
"#;
    let found = complaints(&ConfigSources::from_toml("five.toml", text));
    let expected = [
        "five.toml:1:1: protected: required, and missing",
        "five.toml:2:1: protectet: unknown key (did you mean protected? allowed: state_dir, store, protected, \
         providers, guards, audit, http)",
        "five.toml:3:1: state_dir: expected a path, found a whole number",
        "five.toml:6:1: providers.entra.kind: no such connector (did you mean test-cloud? this build has: test-cloud)",
        "five.toml:8:12: providers.upn: \"upn\" is a reserved column of input files; pick another name",
        "five.toml:17:19: providers.second.settings.tenant: required, and missing",
        "five.toml:17:19: providers.second.settings.client_id: required, and missing",
        "five.toml:18:1: providers.second.settings.tennant: unknown key (did you mean tenant? allowed: tenant, \
         client_id, client_secret, url)",
        "five.toml:19:1: providers.second.settings.client_secret: a secret is never written here; say where it is: { \
         env = \"NAME\" } or { file = \"path\" }",
        "five.toml:22:11: providers.second.lane.quota.units: 1 is the least",
        "five.toml:23:1: providers.second.lane.max_in_flight: expected a whole number, not negative, found text",
        "five.toml:27:18: providers.third.settings.client_id: required, and missing",
        "five.toml:29:1: providers.third.settings.client_secret: the file /nowhere cannot be read: No such file or \
         directory (os error 2)",
        "five.toml:32:1: guards.confirm_above: out of range: expected a whole number, not negative",
    ];
    assert_eq!(found, expected, "{found:#?}");
}

#[test]
fn a_syntax_error_has_its_line() {
    let found = complaints(&ConfigSources::from_toml(
        "bad.toml",
        "protected = []\nstate_dir = hidden-value\n[a\n",
    ));
    assert!(found[0].starts_with("bad.toml:2:13: syntax: "), "{found:?}");
    assert!(
        found.last().is_some_and(|last| last.contains(":3:")),
        "{found:?}"
    );
    assert!(!found.concat().contains("hidden-value"), "{found:?}");
}

#[test]
fn later_layers_win_and_texts_stay_texts() {
    let sources = ConfigSources::from_toml("good.toml", GOOD)
        .with_env(env(&[
            ("RESCIND_CONFIG", "somewhere.toml"),
            ("RESCIND_ENTRA_SECRET", "the secret of the file, no key"),
            ("RESCIND_STATE_DIR", "2024"),
            (
                "RESCIND_PROTECTED",
                "[\"a@contoso.com\", \" b@contoso.com\\t\"]",
            ),
            ("RESCIND_GUARDS__CONFIRM_ABOVE", "7"),
            ("RESCIND_GUARDS__CANARY", "false"),
            (
                "RESCIND_PROVIDERS__ENTRA_PROD__SETTINGS__CLIENT_ID",
                "0012345",
            ),
            ("RESCIND_PROVIDERS__ENTRA_PROD__SETTINGS__TENANT", "true"),
            ("OTHER_VARIABLE", "x"),
        ]))
        .with_flag("state_dir", "--state-dir", "2025");
    let loaded = load(&sources).expect("is right");
    assert_eq!(loaded.config.state_dir, std::path::Path::new("2025"));
    assert_eq!(loaded.config.protected, ["a@contoso.com", "b@contoso.com"]);
    assert_eq!(loaded.config.guards.confirm_above, 7);
    assert!(!loaded.config.guards.canary);
    let role = loaded.providers[0]
        .roles
        .revocation
        .as_ref()
        .expect("has it");
    assert_eq!(role.descriptor().vendor_tenant, "true");
    assert_eq!(role.descriptor().application.as_deref(), Some("0012345"));
    assert_eq!(
        Config::state_dir(&sources).expect("is right"),
        std::path::Path::new("2025")
    );
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let sources = ConfigSources::from_toml("good.toml", GOOD).with_env(env(&[
        ("RESCIND_GUARDS__CONFIRM", "7"),
        ("RESCIND_GUARDS__CANARY", "hidden-value"),
    ]));
    let found = complaints(&sources);
    assert_eq!(
        found,
        [
            "environment variable RESCIND_GUARDS__CANARY: guards.canary: expected true or false, found text",
            "environment variable RESCIND_GUARDS__CONFIRM: guards.confirm: unknown key (allowed: confirm_above, \
             max_subjects, canary, min_note_chars)",
        ]
    );
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let found = complaints(&ConfigSources::new().with_file(Some("/nowhere/rescind.toml".into())));
    assert!(found[0].contains("/nowhere/rescind.toml"), "{found:?}");
    let found = complaints(&ConfigSources::new().with_default_file("/nowhere/rescind.toml"));
    assert!(
        found.concat().contains("there is no configuration file"),
        "{found:?}"
    );
}

#[test]
fn a_database_server_is_refused_clearly() {
    let text = format!("store = \"postgres://u:hidden-value@db/rescind\"\n{GOOD}");
    let found = complaints(&ConfigSources::from_toml("pg.toml", text));
    assert!(
        found[0].starts_with("pg.toml:1:1: store: this build has no PostgreSQL store"),
        "{found:?}"
    );
    assert!(!found.concat().contains("hidden-value"));
}

#[test]
fn an_empty_protected_list_and_a_shared_quota_are_warned_about() {
    let text = GOOD.replace("\"breakglass@contoso.com\"", "");
    let second = GOOD[GOOD.find("[providers").expect("is there")..].replace("entra-prod", "other");
    let loaded = load(&ConfigSources::from_toml("warn.toml", text + &second)).expect("is right");
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(
        warnings[0].starts_with("warn.toml:3:1: protected: the list is empty"),
        "{warnings:?}"
    );
    assert!(
        warnings[1].contains("providers.other: shares its application"),
        "{warnings:?}"
    );
}

#[test]
fn the_schema_knows_the_connectors_settings() {
    let schema = config_schema(&registry());
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["$defs"]["ProviderTable"]["properties"]["kind"]["enum"][0],
        "test-cloud"
    );
    let secret = &schema["$defs"]["settings.test-cloud"]["properties"]["client_secret"]["$ref"];
    let name = secret
        .as_str()
        .and_then(|target| target.strip_prefix("#/$defs/"));
    assert!(
        schema["$defs"][name.expect("is a reference")].is_object(),
        "{schema:#}"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic_and_no_value_is_told(
        keys in proptest::collection::vec(
            "(state_dir|protected|providers\\.a|providers\\.a\\.(kind|settings|lane|domains|lane\\.quota)|guards|guards\\.canary|http\\.proxy|store|[a-z]{1,4})",
            0..6,
        ),
        values in proptest::collection::vec(
            "(7|-1|true|1\\.5|\\[\\]|\\{\\}|\"hidden-value\"|\\[\"hidden-value\", 3\\]|\\{ kind = \"hidden-value\" \\}|\\{ env = 3 \\}|1979-05-27)",
            6,
        ),
        garbage in "\\PC{0,20}",
    ) {
        let lines: Vec<String> = keys.iter().zip(&values).map(|(k, v)| format!("{k} = {v}")).collect();
        for text in [lines.join("\n"), garbage] {
            if let Err(error) = load(&ConfigSources::from_toml("any.toml", text)) {
                proptest::prop_assert!(!error.to_string().contains("hidden-value"), "{}", error);
            }
        }
    }
}
