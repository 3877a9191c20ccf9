//! The protected list as people spell it, and as people disguise it.
//!
//! A lane knows the list by immutable ids as well, and is what finally stops a call; here a protected person shows
//! before the yes.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::likeness::forms;
use crate::report::{Detail, OutcomeName, Unsupported};

/// The spellings of the protected list.
#[derive(Debug, Clone, Default)]
pub(super) struct ProtectedSpellings {
    forms: HashSet<String>,
}

impl ProtectedSpellings {
    pub(super) fn new(entries: &[String]) -> Self {
        Self {
            forms: entries
                .iter()
                .flat_map(|entry| forms(entry))
                .map(Cow::into_owned)
                .collect(),
        }
    }

    /// Whether a spelling is on the list, or looks as if it were.
    pub(super) fn covers(&self, spelling: &str) -> bool {
        !self.forms.is_empty() && forms(spelling).any(|form| self.forms.contains(form.as_ref()))
    }
}

/// Why a protected person's job is refused.
pub(super) fn refusal() -> Detail {
    Detail {
        outcome: Some(OutcomeName::Protected),
        refusal: Some(Unsupported::new(
            "the account is on the protected list, or its name cannot be told from one that is",
            "if the sessions must end, take it off `protected` in the configuration first",
        )),
        ..Detail::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_person_is_known_in_every_disguise() {
        let list =
            ProtectedSpellings::new(&["BreakGlass@Contoso.com".into(), "Ünal@contoso.com".into()]);
        for spelling in [
            "breakglass@contoso.com",
            "  BREAKGLASS@CONTOSO.COM ",
            "breаkglass@contoso.com",
            "ВREAKGLASS@contoso.com",
            "brеаkglаss@cоntоsо.cоm",
            "ｂｒｅａｋｇｌａｓｓ＠ｃｏｎｔｏｓｏ．ｃｏｍ",
            "𝐛𝐫𝐞𝐚𝐤𝐠𝐥𝐚𝐬𝐬@contoso.com",
            "breakglass@contoso。com",
            "breakglaſſ@contoso.com",
            "ΒRΕΑΚGLΑSS@CΟΝΤΟSΟ.CΟΜ",
            "bre\u{430}kgla\u{455}\u{455}@contoso.com",
            "BREAKGLASS@CONTOSO.COM".to_uppercase().as_str(),
            "u\u{308}nal@contoso.com",
            "ÜNAL@contoso.com",
        ] {
            assert!(list.covers(spelling), "{spelling}");
        }
        for other in [
            "breakglass1@contoso.com",
            "break@contoso.com",
            "unal@contoso.com",
            "",
        ] {
            assert!(!list.covers(other), "{other}");
        }
    }

    #[test]
    fn an_empty_list_protects_nobody() {
        assert!(!ProtectedSpellings::new(&[]).covers("ada@contoso.com"));
        assert!(!ProtectedSpellings::default().covers(""));
    }
}
