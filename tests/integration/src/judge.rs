//! The simulated tenants as judges: what their ledger says was done to whom, against what a report claims.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rescind_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

use crate::program::Desk;

/// How often the deciding operation had an effect, by tenant and immutable id, and what else the ledger tells.
#[derive(Debug, Default)]
pub struct Judge {
    /// Effective `revoke` at Microsoft or `sign_out` at Google, by provider name and id.
    pub ended: BTreeMap<(String, String), u32>,
    /// Names of everybody about whom anything was written, effective or not.
    pub touched: BTreeSet<String>,
    /// Calls that came although the tenant had asked to wait.
    pub early: usize,
    /// Throttled calls.
    pub throttled: usize,
}

impl Judge {
    /// Reads the ledger's lines.
    pub fn of(lines: &str) -> Self {
        let mut judge = Self::default();
        // A kill may cut the last line; the sandbox passes over it, too.
        for entry in lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            judge.early += usize::from(entry["early"] == true);
            judge.throttled += usize::from(entry["status"] == 429);
            if entry["operation"] != "read" {
                judge.touched.insert(text("name"));
            }
            let provider = match (text("tenant").as_str(), text("operation").as_str()) {
                ("microsoft", "revoke") => "entra",
                ("google", "sign_out") => "workspace",
                _ => continue,
            };
            if entry["effect"] == true {
                *judge
                    .ended
                    .entry((provider.to_owned(), text("subject")))
                    .or_default() += 1;
            }
        }
        judge
    }

    /// Reads the ledger's file.
    pub fn of_file(path: &Path) -> Self {
        Self::of(&std::fs::read_to_string(path).expect("a ledger"))
    }

    /// Everybody whom the report calls confirmed was ended, and nobody else was.
    #[track_caller]
    pub fn agrees_with(&self, report: &Value) {
        let jobs = report["jobs"].as_array().expect("jobs");
        let confirmed: BTreeSet<_> = jobs
            .iter()
            .filter(|job| job["state"] == "confirmed")
            .map(|job| {
                let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
                (text("provider"), text("resolved"))
            })
            .collect();
        let ended: BTreeSet<_> = self.ended.keys().cloned().collect();
        let never: Vec<_> = confirmed.difference(&ended).collect();
        assert!(
            never.is_empty(),
            "reported as confirmed and never ended: {never:?}"
        );
        let besides: Vec<_> = ended.difference(&confirmed).collect();
        assert!(
            besides.is_empty(),
            "ended without a confirmed job: {besides:?}"
        );
    }
}

/// Simulated tenants where nothing goes wrong, and a desk configured for them.
pub async fn tenants(faults: &str, people: u32) -> (Sandbox, Desk) {
    let sandbox = Sandbox::start(SandboxOptions {
        people,
        faults: faults.parse().expect("a list of faults"),
        ..SandboxOptions::default()
    })
    .await
    .expect("a free loopback port");
    let desk = Desk::empty();
    sandbox
        .write_files(desk.path())
        .expect("the folder can be written");
    (sandbox, desk)
}

/// What the tenants have seen so far.
pub fn judge(sandbox: &Sandbox) -> Judge {
    Judge::of(&sandbox.ledger_lines())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Judge;

    const DONE: &str = r#"{"tenant":"microsoft","operation":"revoke","subject":"a","name":"a@contoso.com","effect":true}"#;

    #[test]
    #[should_panic(expected = "never ended")]
    fn a_claim_without_an_effect_is_found() {
        let job = json!({"provider": "entra", "resolved": "b", "state": "confirmed"});
        Judge::of("").agrees_with(&json!({ "jobs": [job] }));
    }

    #[test]
    #[should_panic(expected = "without a confirmed job")]
    fn an_effect_without_a_claim_is_found() {
        let job = json!({"provider": "entra", "resolved": "a", "state": "parked"});
        Judge::of(DONE).agrees_with(&json!({ "jobs": [job] }));
    }

    #[test]
    fn a_true_report_agrees() {
        let job = json!({"provider": "entra", "resolved": "a", "state": "confirmed"});
        Judge::of(DONE).agrees_with(&json!({ "jobs": [job] }));
    }
}
