//! Stores that are wrong on purpose, so that the judge can be seen to notice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rescind_core::id::{JobKey, Token};
use rescind_core::store::{Claim, Claimed, Settlement, Store as _, StoreError};

use super::Breakage;
use super::world::{Life, World};

/// How long the commits that are answered early really take, at most.
const LATE_MS: u64 = 400;

/// What a wrong store remembers.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// The real tokens of claims that were answered before they were committed.
    tokens: Arc<Mutex<HashMap<JobKey, Token>>>,
}

impl Broken {
    fn tokens(&self) -> MutexGuard<'_, HashMap<JobKey, Token>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn claim(
        &self,
        world: &Arc<World>,
        life: &Arc<Life>,
        claims: Vec<Claim>,
    ) -> Result<Vec<Claimed>, StoreError> {
        if world.breakage != Breakage::ClaimsBeforeCommit {
            return world.model.claim(claims).await;
        }
        let started_at = world.clock.now();
        let answers = claims.iter().map(|_| Claimed::Running {
            token: Token(u64::MAX),
            attempt: 1,
            started_at,
        });
        let answers = answers.collect();
        let (world, life, tokens) = (
            Arc::clone(world),
            Arc::clone(life),
            Arc::clone(&self.tokens),
        );
        let ms = world.state().dice.between(1, LATE_MS);
        tokio::spawn(async move {
            world.sleep(ms).await;
            life.goes_on().await;
            let keys: Vec<JobKey> = claims.iter().map(|claim| claim.job).collect();
            let Ok(claimed) = world.model.claim(claims).await else {
                return;
            };
            let mut tokens = tokens.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, claimed) in keys.into_iter().zip(claimed) {
                if let Claimed::Running { token, .. } = claimed {
                    tokens.insert(key, token);
                }
            }
        });
        Ok(answers)
    }

    pub(super) async fn settle(
        &self,
        world: &Arc<World>,
        life: &Arc<Life>,
        mut settlements: Vec<Settlement>,
    ) -> Result<Vec<bool>, StoreError> {
        let told = vec![true; settlements.len()];
        match world.breakage {
            Breakage::ClaimsBeforeCommit => {
                world.sleep(LATE_MS + 1).await;
                for settlement in &mut settlements {
                    if let Some(token) = self.tokens().get(&settlement.job) {
                        settlement.token = *token;
                    }
                }
                world.model.settle(settlements).await
            }
            Breakage::SettlesBeforeCommit => {
                let (world, life) = (Arc::clone(world), Arc::clone(life));
                let ms = world.state().dice.between(1, LATE_MS);
                tokio::spawn(async move {
                    world.sleep(ms).await;
                    life.goes_on().await;
                    let _ = world.model.settle(settlements).await;
                });
                Ok(told)
            }
            Breakage::LosesACommit if world.state().dice.percent(5) => Ok(told),
            _ => world.model.settle(settlements).await,
        }
    }
}
