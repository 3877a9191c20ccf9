//! Reading a provider's answer the way a lane would.

use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::report::{Outcome, Report};

use crate::verdict::{Verdict, ensure};

/// What one call of `revoke` gave.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) Result<Report, Error>);

impl Answer {
    /// Whether a job would be confirmed by it.
    pub(crate) fn is_success(&self) -> bool {
        matches!(
            self.outcome(),
            Some(Outcome::Revoked { .. } | Outcome::Accepted { .. } | Outcome::NothingToRevoke)
        )
    }

    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.0.as_ref().ok().map(|report| &report.outcome)
    }

    /// The error of the call, or those of the parts that failed.
    pub(crate) fn errors(&self) -> Vec<&Error> {
        match &self.0 {
            Err(error) => vec![error],
            Ok(report) => match &report.outcome {
                Outcome::Partial { failed, .. } => failed.iter().map(|part| &part.error).collect(),
                _ => Vec::new(),
            },
        }
    }

    /// Whether every part that failed may be repeated, and at least one perhaps was carried out.
    pub(crate) fn may_have_been_carried_out(&self) -> bool {
        let errors = self.errors();
        let unknown = |error: &&Error| error.retry() == Retry::OutcomeUnknown;
        let never = |error: &&Error| error.retry() == Retry::Never;
        errors.iter().any(unknown) && !errors.iter().any(never)
    }

    pub(crate) fn must_succeed(&self, when: &str) -> Verdict {
        ensure!(
            self.is_success(),
            "{when}: expected a success, got {}",
            self.told()
        );
        Ok(())
    }

    pub(crate) fn must_not_succeed(&self, when: &str) -> Verdict {
        ensure!(
            !self.is_success(),
            "{when}: this must not be a success, got {}",
            self.told()
        );
        Ok(())
    }

    /// Each error has one of the kinds and passes `retry`.
    pub(crate) fn must_fail(
        &self,
        when: &str,
        kinds: &[ErrorKind],
        retry: &str,
        passes: impl Fn(Retry) -> bool,
    ) -> Verdict {
        let errors = self.errors();
        let right = |error: &&Error| kinds.contains(&error.kind()) && passes(error.retry());
        ensure!(
            !errors.is_empty() && errors.iter().all(right),
            "{when}: expected an error of kind {kinds:?} with retry {retry}, got {}",
            self.told()
        );
        Ok(())
    }

    pub(crate) fn told(&self) -> String {
        match &self.0 {
            Err(error) => format!("{error:?}"),
            Ok(report) => format!("{:?}", report.outcome),
        }
    }
}

pub(crate) fn is_safe(retry: Retry) -> bool {
    matches!(retry, Retry::Safe { .. })
}

pub(crate) fn is_never(retry: Retry) -> bool {
    retry == Retry::Never
}

pub(crate) fn is_unknown(retry: Retry) -> bool {
    retry == Retry::OutcomeUnknown
}
