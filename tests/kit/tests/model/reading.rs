//! The model's directory, evidence and inventory.

use async_trait::async_trait;
use reqwest::Method;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::{
    Account, Directory, Evidence, InventoryItem, ItemId, MemberPage, PageToken, Proof, Resolution,
    SessionInventory,
};
use rescind_core::report::{Ended, Outcome, Report, Step};
use rescind_core::subject::Subject;
use serde_json::Value;

use super::flaw::Flaw;
use super::provider::{ModelProvider, READ, encoded};

#[async_trait]
impl Directory for ModelProvider {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        let mut answers = Vec::new();
        for subject in subjects {
            answers.push(match (self.look_up(cx, subject).await, self.flaw) {
                (Ok(answer), _) => answer,
                (Err(_), Flaw::OutageIsNobody) => Resolution::NotFound,
                (Err(error), _) => Resolution::Failed(error),
            });
        }
        if self.flaw == Flaw::ShufflesResolutions {
            answers.reverse();
        }
        Ok(answers)
    }

    async fn expand(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        match (self.page(cx, group, page).await, self.flaw) {
            (Err(_), Flaw::OutageIsAnEmptyGroup) => Ok(MemberPage::default()),
            (page, _) => page,
        }
    }

    async fn everybody(&self, cx: &Context, page: Option<&PageToken>) -> Result<MemberPage, Error> {
        self.page(cx, "everybody", page).await
    }
}

#[async_trait]
impl Evidence for ModelProvider {
    async fn read(&self, cx: &Context, account_ids: &[String]) -> Result<Vec<Proof>, Error> {
        let mut proofs = Vec::new();
        for id in account_ids {
            proofs.push(match (self.watermark(cx, id).await, self.flaw) {
                (Ok(proof), _) => proof,
                (Err(_), Flaw::OutageIsProof) => Proof::Remaining { items: 0 },
                (Err(error), _) => Proof::Failed(error),
            });
        }
        if self.flaw == Flaw::ShufflesProofs {
            proofs.reverse();
        }
        Ok(proofs)
    }
}

#[async_trait]
impl SessionInventory for ModelProvider {
    async fn list(&self, cx: &Context, account_id: &str) -> Result<Vec<InventoryItem>, Error> {
        let url = format!("{}/grants", self.person_url(account_id)?);
        let told = match (self.get(cx, &url).await, self.flaw) {
            (Err(_), Flaw::OutageIsAnEmptyList) => return Ok(Vec::new()),
            (told, _) => told?,
        };
        let grants = told["grants"].as_array().ok_or_else(garbled)?;
        let item = |grant: &Value| {
            let id = grant.as_str().ok_or_else(garbled)?;
            Ok(InventoryItem::new(ItemId(id.to_owned()), "grant", id))
        };
        grants.iter().map(item).collect()
    }

    async fn end(&self, cx: &Context, account_id: &str, items: &[ItemId]) -> Result<Report, Error> {
        for ItemId(item) in items {
            let item = match self.flaw {
                Flaw::EndsNoItem => continue,
                Flaw::RawItemIds => item.clone(),
                _ => encoded(item),
            };
            let url = format!("{}/grants/{item}", self.person_url(account_id)?);
            let reply = self.wire.call(cx, Method::DELETE, &url, READ).await?;
            if let Some(error) = self.wire.failure(&reply) {
                return Err(error);
            }
        }
        let ended = Ended::by(Step::new("grants", items.len() as u64));
        Ok(Report::new(Outcome::Revoked { ended }))
    }
}

impl ModelProvider {
    async fn look_up(&self, cx: &Context, subject: &Subject) -> Result<Resolution, Error> {
        let address = match self.flaw {
            Flaw::RawAddresses => subject.given().to_owned(),
            _ => encoded(subject.given()),
        };
        let url = format!("{}/people?address={address}", self.wire.api);
        let told = self.get(cx, &url).await?;
        let people = told["people"].as_array().ok_or_else(garbled)?;
        match people.as_slice() {
            [] => Ok(Resolution::NotFound),
            [one] => {
                let id = one["id"].as_str().ok_or_else(garbled)?;
                Ok(Resolution::Found(Account::new(id, subject.given())))
            }
            many => Ok(Resolution::Ambiguous { count: many.len() }),
        }
    }

    async fn watermark(&self, cx: &Context, id: &str) -> Result<Proof, Error> {
        let url = self.person_url(id)?;
        let reply = self.wire.call(cx, Method::GET, &url, READ).await?;
        if reply.is_nobody(self.flaw) {
            return Ok(Proof::SubjectMissing);
        }
        if let Some(error) = self.wire.failure(&reply) {
            return Err(error);
        }
        let told = reply.json()?;
        let at = told["ended_before"].as_str().and_then(|at| at.parse().ok());
        Ok(Proof::Watermark { at })
    }

    async fn page(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        let url = match page {
            None => format!("{}/groups/{}/members", self.wire.api, encoded(group)),
            Some(PageToken(link)) => {
                let at_home = link.starts_with(&format!("{}/", self.wire.api));
                if !at_home && self.flaw != Flaw::FollowsAnyLink {
                    return Err(garbled());
                }
                link.clone()
            }
        };
        let told = self.get(cx, &url).await?;
        let members = told["members"].as_array().ok_or_else(garbled)?;
        let mut page = MemberPage::default();
        for member in members {
            let id = member["id"].as_str().ok_or_else(garbled)?;
            page.members.push(Account::new(id, id));
        }
        page.next = told["next"]
            .as_str()
            .filter(|_| self.flaw != Flaw::FirstPageOnly)
            .map(|link| PageToken(link.to_owned()));
        Ok(page)
    }

    async fn get(&self, cx: &Context, url: &str) -> Result<Value, Error> {
        let reply = self.wire.call(cx, Method::GET, url, READ).await?;
        match self.wire.failure(&reply) {
            Some(error) => Err(error),
            None => reply.json(),
        }
    }
}

fn garbled() -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Retry::Safe { after: None },
        "read",
        "the answer is not as documented",
    )
}
