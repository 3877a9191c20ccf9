//! Which providers a person goes to.

use std::collections::BTreeMap;

use super::error::PlanError;
use super::row::Row;
use super::summary::{LeftOut, People};
use crate::engine::fleet::{Fleet, Member};
use crate::id::ProviderName;
use crate::provider::{Capabilities, ScopeKind};
use crate::report::{Detail, OutcomeName, Unsupported};
use crate::subject::IdentifierKind;

/// One provider as the planner sees it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) name: ProviderName,
    domains: Vec<String>,
    capabilities: Capabilities,
}

/// The providers of an order.
#[derive(Debug)]
pub(super) struct Targets {
    all: Vec<Target>,
    /// Those that the order names; `None`: it names none.
    named: Option<Vec<bool>>,
    left_out: BTreeMap<(Option<u16>, Why), People>,
}

/// Where a person is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) target: u16,
    /// The person's own identifier there, where the input has one.
    pub(super) own_id: Option<String>,
    /// Why it is refused already, if so.
    pub(super) refused: Option<Unsupported>,
}

/// Where a person is sent, and where not.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) sent: Vec<Sent>,
    pub(super) left_out: Vec<(Option<u16>, Why)>,
}

/// Why a person is not sent somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    OtherDomain,
    NoAddress,
    NotUnderstood,
    NotOfThisOrder,
    Nowhere,
}

impl Targets {
    /// # Errors
    /// A provider that is not configured, or one that was named twice.
    pub(super) fn new(fleet: &Fleet, named: &[ProviderName]) -> Result<Self, PlanError> {
        let all: Vec<Target> = fleet.members().iter().map(|m| Target::of(m)).collect();
        if all.is_empty() {
            return Err(PlanError::input("no provider is configured"));
        }
        if let Some(unknown) = named.iter().find(|name| fleet.get(name).is_none()) {
            let there_are: Vec<&str> = all.iter().map(|target| target.name.as_str()).collect();
            let message = format!("no provider is called {unknown}");
            return Err(
                PlanError::input(message).with_hint(format!("there are: {}", there_are.join(", ")))
            );
        }
        let named = (!named.is_empty()).then(|| {
            all.iter()
                .map(|target| named.contains(&target.name))
                .collect()
        });
        Ok(Self {
            all,
            named,
            left_out: BTreeMap::new(),
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.all
            .iter()
            .map(|target| target.name.to_string())
            .collect()
    }

    pub(super) fn index(&self, name: &ProviderName) -> Option<u16> {
        let place = self.all.iter().position(|target| target.name == *name)?;
        u16::try_from(place).ok()
    }

    /// Those that a job of this order may be for.
    pub(super) fn in_question(&self) -> Vec<u16> {
        (0..self.all.len() as u16)
            .filter(|n| self.is_named(*n))
            .collect()
    }

    /// Where a person goes, and where not.
    ///
    /// A row that names a provider, or has the person's own identifier there, is sent there; so is everybody by an
    /// order that names providers. Otherwise the domain of the address decides, and a provider without domains takes
    /// everybody.
    pub(super) fn of(&self, row: &Row) -> Matched {
        let mut matched = Matched::default();
        for target in 0..self.all.len() as u16 {
            match self.decide(target, row) {
                Decision::Send(to) => matched.sent.push(to),
                Decision::LeaveOut(why) => matched.left_out.push((Some(target), why)),
                Decision::NotAsked => {}
            }
        }
        if matched.sent.is_empty() {
            matched.left_out.push((None, Why::Nowhere));
        }
        matched
    }

    /// Takes note of where somebody is not sent.
    pub(super) fn note(&mut self, left_out: Vec<(Option<u16>, Why)>, subject: &str) {
        for place in left_out {
            self.left_out.entry(place).or_default().add(subject);
        }
    }

    /// Why a job of this scope is refused at a target, if it is.
    pub(super) fn refuses(&self, target: u16, scope: ScopeKind) -> Option<Unsupported> {
        let capabilities = &self.all[usize::from(target)].capabilities;
        if let Some(why) = &capabilities.refuses {
            return Some(why.clone());
        }
        capabilities.scope(scope).is_none().then(|| {
            Unsupported::new(
                "this provider cannot end what the order asks for",
                "`rescind providers list` shows what it can end",
            )
        })
    }

    /// Who was not sent where.
    pub(super) fn left_out(&self) -> Vec<LeftOut> {
        let describe = |((place, why), people): (&(Option<u16>, Why), &People)| {
            let target = place.map(|n| &self.all[usize::from(n)]);
            LeftOut {
                provider: target.map(|target| target.name.to_string()),
                why: explain(*why, target),
                people: people.clone(),
            }
        };
        self.left_out.iter().map(describe).collect()
    }

    fn is_named(&self, target: u16) -> bool {
        let named = self.named.as_ref();
        named.is_none_or(|named| named[usize::from(target)])
    }

    fn decide(&self, target: u16, row: &Row) -> Decision {
        let own_id = row.own_ids.iter().find(|(place, _)| *place == target);
        let own_id = own_id.map(|(_, id)| id.clone());
        let asked_for = row.provider == Some(target);
        if row.provider.is_some() && !asked_for {
            return Decision::NotAsked;
        }
        if !self.is_named(target) {
            return if asked_for {
                Decision::LeaveOut(Why::NotOfThisOrder)
            } else {
                Decision::NotAsked
            };
        }
        let explicit = asked_for || own_id.is_some() || self.named.is_some();
        // A row without a subject names the person by an own identifier, which means nothing elsewhere.
        let foreign = own_id.is_none() && row.own_ids.iter().any(|(_, id)| *id == row.subject);
        if foreign && !asked_for {
            return Decision::LeaveOut(Why::NotUnderstood);
        }
        let at = &self.all[usize::from(target)];
        if !explicit && let Some(why) = at.is_foreign(&row.subject) {
            return Decision::LeaveOut(why);
        }
        let understood = at.understands(own_id.as_deref().unwrap_or(&row.subject));
        if !understood && !explicit {
            return Decision::LeaveOut(Why::NotUnderstood);
        }
        let refused = self.refuses(target, ScopeKind::Everything);
        let refused = refused.or_else(|| {
            (!understood).then(|| {
                Unsupported::new(
                    "this provider does not know identifiers of this kind",
                    "name the person by an address, or by the provider's own id",
                )
            })
        });
        Decision::Send(Sent {
            target,
            own_id,
            refused,
        })
    }
}

enum Decision {
    Send(Sent),
    LeaveOut(Why),
    NotAsked,
}

impl Target {
    fn of(member: &Member) -> Self {
        Self {
            name: member.name.clone(),
            domains: member.domains.clone(),
            capabilities: member.capabilities.clone(),
        }
    }

    fn is_foreign(&self, subject: &str) -> Option<Why> {
        if self.domains.is_empty() {
            return None;
        }
        let Some((_, domain)) = subject.rsplit_once('@') else {
            return Some(Why::NoAddress);
        };
        let known = |own: &String| own == domain || *own == domain.to_lowercase();
        (!self.domains.iter().any(known)).then_some(Why::OtherDomain)
    }

    fn understands(&self, text: &str) -> bool {
        let kinds: &[IdentifierKind] = if text.contains('@') {
            &[IdentifierKind::UserPrincipalName, IdentifierKind::Email]
        } else {
            &[IdentifierKind::ObjectId]
        };
        let known = &self.capabilities.identifiers;
        known.is_empty() || kinds.iter().any(|kind| known.contains(kind))
    }
}

/// Why a job is refused, as the store keeps it.
pub(super) fn refusal(why: Unsupported) -> Detail {
    Detail {
        outcome: Some(OutcomeName::Unsupported),
        refusal: Some(why),
        ..Detail::default()
    }
}

fn explain(why: Why, target: Option<&Target>) -> String {
    let domains = target.map(|target| target.domains.join(", "));
    let domains = domains.unwrap_or_default();
    match why {
        Why::OtherDomain => format!("the address is outside its domains ({domains})"),
        Why::NoAddress => format!("no address, so nobody knows whether it is of {domains}"),
        Why::NotUnderstood => "it does not know identifiers of this kind".to_owned(),
        Why::NotOfThisOrder => "the row asks for it, and the order does not".to_owned(),
        Why::Nowhere => "no provider of this order may know them".to_owned(),
    }
}
