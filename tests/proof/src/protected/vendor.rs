//! A provider as one process meets it: it answers from its directory as that is now, and its ledger hears of each call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rescind_core::budget::Cost;
use rescind_core::connector::Roles;
use rescind_core::context::{Context, Priority};
use rescind_core::engine::fleet::ConfiguredProvider;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::id::{ConnectorKind, ProviderName};
use rescind_core::provider::{
    Capabilities, Descriptor, Directory, MemberPage, PageToken, ProbeReport, Resolution,
    RevocationProvider, RevokeRequest, ScopeCapability, ScopeKind,
};
use rescind_core::report::{Ended, Outcome, Report, Step};
use rescind_core::subject::{IdentifierKind, Subject};
use tokio::time::sleep;

use super::Flaw;
use super::judge::Process;
use super::scene::Nature;
use super::tenant::{Answer, Tenant};
use super::world::World;

/// One provider before one process.
#[derive(Debug)]
pub(super) struct Vendor {
    world: Arc<World>,
    process: Arc<Process>,
    index: usize,
    descriptor: Descriptor,
}

/// The name a provider has in the configuration.
pub(super) fn name_of(index: usize) -> ProviderName {
    ProviderName::parse(&format!("p{index}")).expect("a provider name")
}

/// Every provider, as this process has it configured.
pub(super) fn all(world: &Arc<World>, process: &Arc<Process>) -> Vec<ConfiguredProvider> {
    (0..world.scene.tenants.len())
        .map(|index| Vendor::configured(world, process, index))
        .collect()
}

impl Vendor {
    fn configured(world: &Arc<World>, process: &Arc<Process>, index: usize) -> ConfiguredProvider {
        let kind = ConnectorKind::parse("simulated").expect("a kind");
        let mut descriptor = Descriptor::new(name_of(index), kind.clone(), "tenant");
        let nature = &world.scene.natures[index];
        descriptor.subjects_per_read = nature.subjects_per_read;
        let vendor = Arc::new(Self {
            world: Arc::clone(world),
            process: Arc::clone(process),
            index,
            descriptor,
        });
        let mut roles = Roles::new().with_revocation(Arc::clone(&vendor) as _);
        if nature.directory {
            roles = roles.with_directory(vendor);
        }
        ConfiguredProvider::new(name_of(index), kind, roles).with_domains(nature.domains.clone())
    }

    fn tenant(&self) -> &Tenant {
        &self.world.scene.tenants[self.index]
    }

    fn nature(&self) -> &Nature {
        &self.world.scene.natures[self.index]
    }

    /// A request travels, and may not come through.
    async fn travel(&self, cx: &Context) -> Result<(), Error> {
        cx.pay(&Cost::NOTHING).await?;
        let (ms, fails) = {
            let chance = &mut self.world.state().chance;
            let one_in = self.nature().fails_one_in;
            (chance.between(1, 40), one_in > 0 && chance.one_in(one_in))
        };
        sleep(Duration::from_millis(ms as u64)).await;
        if fails {
            return Err(unwell(None));
        }
        Ok(())
    }

    /// `reading`: which reading of the protected list it belongs to, if to any.
    fn resolution(&self, subject: &Subject, reading: Option<u64>) -> Resolution {
        let now = self.world.now();
        if reading.is_some() && self.world.flaw == Flaw::ComparesSpellingsOnly {
            return Resolution::NotFound;
        }
        let answer = self.tenant().answer(subject.given(), now);
        if let Some(number) = reading {
            let person = match answer {
                Answer::Found(person) => Some(person),
                Answer::Nobody | Answer::Several(_) => None,
            };
            let entry = subject.given();
            self.process.is_told(self.index, number, entry, person);
        }
        match answer {
            Answer::Nobody => Resolution::NotFound,
            Answer::Several(count) => Resolution::Ambiguous { count },
            Answer::Found(person) => Resolution::Found(self.tenant().account(person, now, true)),
        }
    }
}

fn unwell(after: Option<Duration>) -> Error {
    let kind = match after {
        Some(_) => ErrorKind::RateLimited,
        None => ErrorKind::Unavailable,
    };
    Error::new(kind, Retry::Safe { after }, "request", "not now")
}

#[async_trait]
impl RevocationProvider for Vendor {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn capabilities(&self) -> Capabilities {
        let scopes = vec![ScopeCapability::new(ScopeKind::Everything, true)];
        let identifiers = vec![
            IdentifierKind::Email,
            IdentifierKind::UserPrincipalName,
            IdentifierKind::ObjectId,
        ];
        Capabilities::new(scopes, identifiers)
    }

    async fn probe(&self, _: &Context) -> Result<ProbeReport, Error> {
        Ok(ProbeReport::default())
    }

    async fn revoke(&self, cx: &Context, request: &RevokeRequest) -> Result<Report, Error> {
        let paid = cx.pay(&Cost::NOTHING).await?;
        if !cx.may_leave(paid) {
            cx.pay_again(&Cost::NOTHING).await?;
        }
        let now = self.world.now();
        let answer = {
            let state = &mut *self.world.state();
            let judge = &mut state.judge;
            judge.arrives(&self.world.scene, &self.process, self.index, request, now);
            // The first calls of a slow provider make the whole lane wait for minutes.
            state.pauses[self.index].pop()
        };
        if let Some(ms) = answer {
            return Err(unwell(Some(Duration::from_millis(ms))));
        }
        self.travel(cx).await?;
        Ok(Report::new(Outcome::Revoked {
            ended: Ended::by(Step::new("sessions", 1)),
        }))
    }
}

#[async_trait]
impl Directory for Vendor {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        // No order of this instrument is urgent: what is, is the protected list.
        let is_list = cx.priority == Priority::Urgent;
        let reading = is_list.then(|| self.process.asks(self.index, subjects));
        self.travel(cx).await?;
        let fails = self.nature().fails_one_in;
        let each = subjects.iter().map(|subject| {
            if fails > 0 && self.world.state().chance.one_in(fails * 4) {
                return Resolution::Failed(unwell(None));
            }
            self.resolution(subject, reading)
        });
        Ok(each.collect())
    }

    async fn expand(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        self.travel(cx).await?;
        let number = group.strip_prefix("group").and_then(|n| n.parse().ok());
        let number = number.filter(|n| *n < self.tenant().groups.len());
        let Some(number) = number else {
            let message = "no group is called so";
            return Err(Error::new(
                ErrorKind::Unexpected,
                Retry::Never,
                "expand",
                message,
            ));
        };
        let now = self.world.now();
        let members = self.tenant().members(number);
        let at: usize = page.and_then(|page| page.0.parse().ok()).unwrap_or(0);
        let until = members.len().min(at + self.nature().page);
        let mut answer = MemberPage::default();
        let account = |person: &usize| {
            self.tenant()
                .account(*person, now, self.nature().groups_tell_spellings)
        };
        answer.members = members[at..until].iter().map(account).collect();
        answer.group = Some((group.to_owned(), format!("id-of-{group}")));
        answer.next = (until < members.len()).then(|| PageToken(until.to_string()));
        Ok(answer)
    }

    async fn everybody(&self, _: &Context, _: Option<&PageToken>) -> Result<MemberPage, Error> {
        Ok(MemberPage::default())
    }
}
