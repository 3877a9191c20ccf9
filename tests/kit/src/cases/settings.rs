//! How a connector describes itself and reads its settings.

use serde_json::Value;

use crate::stage::{Kit, provider_name};
use crate::verdict::{Stop, Verdict, ensure};

pub(crate) async fn describes_itself(kit: Kit) -> Verdict {
    let connector = kit.fixture.connector();
    let info = connector.describe();
    ensure!(
        info.kind == connector.kind(),
        "kind() and describe() disagree"
    );
    for (what, text) in [
        ("title", info.title),
        ("summary", info.summary),
        ("docs", info.docs),
    ] {
        ensure!(!text.trim().is_empty(), "{what} is empty");
    }
    ensure!(
        info.settings.get("type").and_then(Value::as_str) == Some("object"),
        "the settings' schema does not describe an object"
    );
    for (key, schema) in properties(&info.settings) {
        let described = schema
            .get("description")
            .is_some_and(|text| !text.as_str().unwrap_or_default().is_empty());
        ensure!(described, "the setting {key} has no description");
    }
    for permission in &info.permissions {
        ensure!(
            !permission.name.is_empty() && !permission.needed_for.is_empty(),
            "a permission has no name or no purpose"
        );
    }

    let stage = kit.stage().await?;
    let descriptor = stage.revocation.descriptor();
    ensure!(
        descriptor.kind == info.kind,
        "the descriptor has another kind"
    );
    ensure!(
        descriptor.name == provider_name(),
        "the descriptor has another name than the configuration"
    );
    let refuses = stage.revocation.capabilities().refuses.is_some();
    ensure!(
        refuses || !info.permissions.is_empty(),
        "no permission is named: what must an administrator grant?"
    );
    ensure!(
        refuses || !descriptor.residual.is_empty(),
        "the descriptor does not say what a success leaves alive"
    );
    Ok(())
}

pub(crate) async fn building_does_no_io(kit: Kit) -> Verdict {
    let vendor = kit.vendor().await;
    let settings = kit.fixture.settings(&vendor);
    let builder = kit.clone();
    // A thread without a runtime: whoever opens a socket or starts a task there panics.
    let built = std::thread::spawn(move || builder.build(&settings).map(drop)).join();
    match built {
        Err(_) => return Err(Stop::broken("build() panics outside a runtime")),
        Ok(Err(error)) => {
            return Err(Stop::broken(format!(
                "the fixture's settings are refused: {error}"
            )));
        }
        Ok(Ok(())) => {}
    }
    let sent = vendor.api_requests().await.len() + vendor.login_requests().await;
    ensure!(sent == 0, "build() sent {sent} requests");
    Ok(())
}

pub(crate) async fn unknown_setting_is_named(kit: Kit) -> Verdict {
    let vendor = kit.vendor().await;
    let settings = format!("surprise_key = 1\n{}", kit.fixture.settings(&vendor));
    match kit.build(&settings) {
        Ok(_) => Err(Stop::broken("a setting nobody knows is accepted")),
        Err(error) => {
            let named = error
                .problems()
                .iter()
                .any(|problem| format!("{problem}").contains("surprise_key"));
            ensure!(named, "no problem names the unknown key: {error}");
            Ok(())
        }
    }
}

#[expect(clippy::unused_async, reason = "the shape of a case")]
pub(crate) async fn all_missing_settings_are_named(kit: Kit) -> Verdict {
    let info = kit.fixture.connector().describe();
    let required = required(&info.settings);
    if required.is_empty() {
        return Err(Stop::does_not_apply("no setting is required"));
    }
    let Err(error) = kit.build("") else {
        return Err(Stop::broken(format!(
            "empty settings are accepted, but {required:?} are required"
        )));
    };
    for key in required {
        let named = error
            .problems()
            .iter()
            .any(|problem| format!("{problem}").contains(key));
        ensure!(
            named,
            "the missing setting {key} is not among the problems: {error}"
        );
    }
    Ok(())
}

#[expect(clippy::unused_async, reason = "the shape of a case")]
pub(crate) async fn settings_errors_show_no_value(kit: Kit) -> Verdict {
    const VALUE: &str = "canary-value-31c5";
    let info = kit.fixture.connector().describe();
    for (key, _) in properties(&info.settings) {
        for wrong in [format!("\"{VALUE}\""), format!("[\"{VALUE}\"]")] {
            if let Err(error) = kit.build(&format!("{key} = {wrong}\n")) {
                ensure!(
                    !error.to_string().contains(VALUE) && !format!("{error:?}").contains(VALUE),
                    "an error about {key} shows the value"
                );
            }
        }
    }
    Ok(())
}

pub(crate) async fn vendor_tenant_outlives_a_move(kit: Kit) -> Verdict {
    let here = kit.stage().await?;
    let there = kit.stage().await?;
    let (here, there) = (
        here.revocation.descriptor().vendor_tenant.clone(),
        there.revocation.descriptor().vendor_tenant.clone(),
    );
    ensure!(!here.trim().is_empty(), "vendor_tenant is empty");
    ensure!(
        here == there,
        "vendor_tenant changes with the server's address: {here} and {there}"
    );
    Ok(())
}

pub(crate) async fn roles_match_scopes(kit: Kit) -> Verdict {
    use rescind_core::provider::ScopeKind;
    let stage = kit.stage().await?;
    let capabilities = stage.revocation.capabilities();
    let items = capabilities.scope(ScopeKind::Items).is_some();
    ensure!(
        items == stage.roles.inventory.is_some(),
        "the scope `items` and the inventory role go together, one of them is missing"
    );
    if let Some(refusal) = &capabilities.refuses {
        ensure!(
            capabilities.scopes.is_empty(),
            "a connector that refuses everything declares a scope"
        );
        ensure!(
            !refusal.reason.is_empty() && !refusal.remedy.is_empty(),
            "a refusal without a reason or a remedy"
        );
        return Ok(());
    }
    ensure!(
        capabilities.scope(ScopeKind::Everything).is_some(),
        "the scope `everything` is not declared"
    );
    ensure!(
        !capabilities.identifiers.is_empty(),
        "no identifier is declared"
    );
    Ok(())
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn required(schema: &Value) -> Vec<&str> {
    schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
