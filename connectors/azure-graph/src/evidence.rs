//! Reads the watermark back: `signInSessionsValidFromDateTime`.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use rescind_core::context::Context;
use rescind_core::error::Error;
use rescind_core::provider::{Evidence, Proof};
use rescind_core::subject::fold;

use crate::address;
use crate::answer::{GraphAnswer, Verdict};
use crate::batch::Batcher;
use crate::directory::{RIGHT, tell_throttled};
use crate::wire::User;

const FIELDS: &str = "?$select=id,signInSessionsValidFromDateTime";

/// Reads what the tenant itself has recorded.
#[derive(Debug)]
pub(crate) struct EntraEvidence {
    reads: Arc<Batcher>,
}

impl EntraEvidence {
    pub(crate) fn new(reads: Arc<Batcher>) -> Self {
        Self { reads }
    }

    async fn read_one(&self, cx: &Context, id: &str) -> Result<Proof, Error> {
        let path = address::user(id, FIELDS)?;
        proof_of(self.reads.call(cx, "users.get", path).await?, id)
    }
}

/// What an answer to a read of the account with this id proves.
pub(crate) fn proof_of(answer: GraphAnswer, id: &str) -> Result<Proof, Error> {
    let Verdict::Answered(answer) = answer.verdict(RIGHT)? else {
        return Ok(Proof::SubjectMissing);
    };
    let user: User = answer.json()?;
    if fold(&user.id) != fold(id) {
        return Err(answer.unrecognised("the answer is about somebody else"));
    }
    Ok(Proof::Watermark {
        at: user.sign_in_sessions_valid_from_date_time,
    })
}

#[async_trait]
impl Evidence for EntraEvidence {
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        let each = account_ids.iter().map(async |id| {
            self.read_one(cx, id).await.unwrap_or_else(|error| {
                tell_throttled(cx, &error);
                Proof::Failed(error)
            })
        });
        Ok(join_all(each).await)
    }
}
