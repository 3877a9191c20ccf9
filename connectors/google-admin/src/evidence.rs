//! The provider's own proof: what can still be listed.

use async_trait::async_trait;
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::provider::{Evidence, Proof};

use crate::classify::Refusal;
use crate::provider::Workspace;
use crate::revoke::stops;
use crate::step::Step;

impl Workspace {
    /// Whether anything that the configured steps end can be listed afterwards. Sessions and backup codes cannot (the
    /// codes could, but the list shows live codes).
    pub(crate) fn leaves_proof(&self) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(step, Step::AppPasswords | Step::Grants))
    }

    async fn remaining(&self, cx: &Context, user: &str) -> Result<u64, Refusal> {
        let mut items = 0;
        if self.steps.contains(&Step::AppPasswords) {
            items += self.api.app_passwords(cx, user).await?.len();
        }
        if self.steps.contains(&Step::Grants) {
            items += self.api.grants(cx, user).await?.len();
        }
        Ok(items as u64)
    }
}

#[async_trait]
impl Evidence for Workspace {
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        let mut proofs = Vec::with_capacity(account_ids.len());
        for user in account_ids {
            match self.remaining(cx, user).await {
                Ok(items) => proofs.push(Proof::Remaining { items }),
                Err(Refusal::UserMissing(_)) => proofs.push(Proof::SubjectMissing),
                Err(refusal) => {
                    let error = refusal.into_error();
                    if !stops(&error) {
                        proofs.push(Proof::Failed(error));
                        continue;
                    }
                    if proofs.is_empty() {
                        return Err(error);
                    }
                    proofs.resize_with(account_ids.len(), || {
                        Proof::Failed(error.for_another_call())
                    });
                    break;
                }
            }
        }
        Ok(proofs)
    }
}
