//! What stops a plan before it does harm.

use serde::Serialize;

use super::error::GuardRefusal;
use crate::config::Guards;

/// What a plan needs before it may be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// A yes.
    Yes,
    /// The number of people, typed by a person or stated by a script.
    Size,
}

/// What somebody said to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// A person at a terminal said yes.
    Yes,
    /// A person at a terminal typed the number of people.
    Typed(u64),
    /// A person at a terminal said no.
    No,
    /// Flags: `--yes`, and the size that `--max-subjects` states.
    Flags {
        /// Whether `--yes` was said.
        yes: bool,
        /// What `--max-subjects` says.
        max_subjects: Option<u64>,
    },
}

/// What an order of this size needs.
pub(super) fn needs(guards: &Guards, people: u64, any_group: bool) -> Confirmation {
    if any_group || people > guards.confirm_above {
        Confirmation::Size
    } else {
        Confirmation::Yes
    }
}

/// Whether the order is too large: the configured ceiling first, which no flag lifts.
pub(super) fn check_size(
    guards: &Guards,
    own_ceiling: Option<u64>,
    people: u64,
) -> Result<(), GuardRefusal> {
    if let Some(most) = guards.max_subjects
        && people > most
    {
        return Err(GuardRefusal::HardCeiling { people, most });
    }
    match own_ceiling {
        Some(most) if people > most => Err(GuardRefusal::OwnCeiling { people, most }),
        _ => Ok(()),
    }
}

/// Whether what was said is what was needed.
pub(super) fn check_given(
    needs: Confirmation,
    given: Given,
    people: u64,
) -> Result<(), GuardRefusal> {
    match (needs, given) {
        (_, Given::No) => Err(GuardRefusal::Declined),
        (_, Given::Typed(typed)) if typed == people => Ok(()),
        (_, Given::Typed(_)) => Err(GuardRefusal::WrongCount { people }),
        (_, Given::Flags { yes: false, .. }) => Err(GuardRefusal::Unconfirmed { people }),
        (Confirmation::Yes, Given::Yes | Given::Flags { .. }) => Ok(()),
        (
            Confirmation::Size,
            Given::Flags {
                max_subjects: Some(most),
                ..
            },
        ) if most >= people => Ok(()),
        (
            Confirmation::Size,
            Given::Flags {
                max_subjects: Some(most),
                ..
            },
        ) => Err(GuardRefusal::OwnCeiling { people, most }),
        (Confirmation::Size, Given::Yes | Given::Flags { .. }) => {
            Err(GuardRefusal::SizeNotStated { people })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Given = Given::Flags {
        yes: true,
        max_subjects: None,
    };

    #[test]
    fn a_bulk_order_or_a_group_needs_its_size_said() {
        let guards = Guards::default();
        assert_eq!(needs(&guards, 50, false), Confirmation::Yes);
        assert_eq!(needs(&guards, 51, false), Confirmation::Size);
        assert_eq!(needs(&guards, 1, true), Confirmation::Size);
    }

    #[test]
    fn only_the_right_word_opens_the_gate() {
        let count = Confirmation::Size;
        let stated = |n| Given::Flags {
            yes: true,
            max_subjects: Some(n),
        };
        let unsaid = Given::Flags {
            yes: false,
            max_subjects: Some(400),
        };
        for (needs, given, open) in [
            (Confirmation::Yes, Given::Yes, true),
            (Confirmation::Yes, YES, true),
            (Confirmation::Yes, Given::No, false),
            (Confirmation::Yes, unsaid, false),
            (count, Given::Typed(400), true),
            (count, Given::Typed(40), false),
            (count, Given::Yes, false),
            (count, YES, false),
            (count, stated(400), true),
            (count, stated(1000), true),
            (count, stated(399), false),
            (count, unsaid, false),
            (count, Given::No, false),
        ] {
            let answer = check_given(needs, given, 400);
            assert_eq!(answer.is_ok(), open, "{needs:?} {given:?}: {answer:?}");
        }
    }

    #[test]
    fn no_flag_lifts_the_hard_ceiling() {
        let guards = Guards {
            max_subjects: Some(10),
            ..Guards::default()
        };
        assert!(check_size(&guards, None, 10).is_ok());
        let refused = check_size(&guards, Some(1000), 11);
        assert_eq!(
            refused,
            Err(GuardRefusal::HardCeiling {
                people: 11,
                most: 10
            })
        );
        let refused = check_size(&Guards::default(), Some(5), 6);
        assert_eq!(
            refused,
            Err(GuardRefusal::OwnCeiling { people: 6, most: 5 })
        );
    }
}
