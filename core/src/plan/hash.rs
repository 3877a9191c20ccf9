//! The plan hash: what a person says yes to is what runs.

use sha2::{Digest, Sha256};

use crate::order::Binding;
use crate::provider::Scope;
use crate::store::StagedJob;

/// SHA-256 over the providers and the staged jobs, in input order, each field with its length before it.
#[derive(Debug, Clone)]
pub(super) struct PlanHash(Sha256);

impl PlanHash {
    pub(super) fn new(bindings: &[Binding]) -> Self {
        let mut hash = Self(Sha256::new_with_prefix(b"rescind plan v1\0"));
        hash.number(bindings.len() as u64);
        for binding in bindings {
            hash.text(binding.provider.as_str());
            hash.text(&binding.kind);
            hash.text(&binding.vendor_tenant);
        }
        hash
    }

    /// Adds a job. The account that a look-up found is no part of it: it is looked up again before a call.
    pub(super) fn add(&mut self, job: &StagedJob) {
        self.0.update(job.binding.to_be_bytes());
        self.text(&job.subject);
        self.optional(job.alias.as_deref());
        match &job.scope {
            Scope::Everything => self.number(0),
            Scope::Items(items) => {
                self.number(items.len() as u64);
                for item in items {
                    self.text(&item.0);
                }
            }
        }
        self.0.update([u8::from(job.refused.is_some())]);
    }

    /// The hash, hexadecimal.
    pub(super) fn finish(self) -> String {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in self.0.finalize() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    fn number(&mut self, n: u64) {
        self.0.update(n.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    fn optional(&mut self, text: Option<&str>) {
        self.0.update([u8::from(text.is_some())]);
        self.text(text.unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::ItemId;

    fn hash(jobs: &[StagedJob]) -> String {
        let mut hash = PlanHash::new(&[]);
        for job in jobs {
            hash.add(job);
        }
        hash.finish()
    }

    #[test]
    fn every_part_of_a_plan_moves_its_hash() {
        let ada = StagedJob::new("ada@contoso.com", 0);
        let bob = StagedJob::new("bob@contoso.com", 0);
        let mut aliased = ada.clone();
        aliased.alias = Some(String::new());
        let mut item = ada.clone();
        item.scope = Scope::Items(vec![ItemId("x".into())]);
        let mut refused = ada.clone();
        refused.refused = Some(crate::report::Detail::default());
        let elsewhere = StagedJob::new("ada@contoso.com", 1);
        let plans = [
            vec![ada.clone(), bob.clone()],
            vec![bob, ada.clone()],
            vec![ada],
            vec![aliased],
            vec![item],
            vec![refused],
            vec![elsewhere],
            vec![],
        ];
        let hashes: std::collections::BTreeSet<String> =
            plans.iter().map(|jobs| hash(jobs)).collect();
        assert_eq!(hashes.len(), plans.len());
    }
}
