//! What a case finds.

use std::fmt;

/// The finding of a case: the rule is kept, or a [`Stop`].
pub type Verdict = Result<(), Stop>;

/// Why a case ended before its last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The connector declares nothing this case is about.
    DoesNotApply(String),
    /// The rule is broken.
    Broken(String),
}

impl Stop {
    /// A broken rule.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }

    /// A case that is not about this connector.
    pub fn does_not_apply(why: impl Into<String>) -> Self {
        Self::DoesNotApply(why.into())
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoesNotApply(why) => write!(f, "does not apply: {why}"),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

/// Ends the case with [`Stop::Broken`] unless the claim holds.
macro_rules! ensure {
    ($claim:expr, $($what:tt)+) => {
        if !$claim {
            return Err($crate::verdict::Stop::broken(format!($($what)+)));
        }
    };
}
pub(crate) use ensure;
