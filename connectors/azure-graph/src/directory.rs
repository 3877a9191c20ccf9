//! Tells who a subject is.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::join_all;
use rescind_core::context::{Context, Observation};
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::{Account, Directory, MemberPage, PageToken, Resolution};
use rescind_core::subject::{Identifier, Subject, fold};
use rescind_http::Effect;

use crate::address::{self, USER_FIELDS};
use crate::answer::{GraphAnswer, Verdict};
use crate::batch::Batcher;
use crate::graph::Graph;
use crate::group;
use crate::limits;
use crate::revoke::{guest, is_guest_name};
use crate::wire::{Page, User};

/// The application permission that suffices to read people.
pub(crate) const RIGHT: &str = "User.Read.All";

/// Reads people and groups of one tenant.
#[derive(Debug)]
pub(crate) struct EntraDirectory {
    graph: Graph,
    reads: Arc<Batcher>,
    met: Mutex<Met>,
}

/// Whom we have met in this tenant: people who are found prove how large it is, without a request for it.
#[derive(Debug, Default)]
struct Met {
    ids: HashSet<Box<str>>,
    enough: bool,
}

impl Met {
    /// Adds the people found. Answers how many were met, the first time they prove a larger quota.
    fn add(&mut self, resolutions: &[Resolution]) -> Option<u64> {
        if self.enough {
            return None;
        }
        for resolution in resolutions {
            if let Resolution::Found(account) = resolution {
                self.ids.insert(account.id.as_str().into());
            }
        }
        let met = self.ids.len() as u64;
        if met <= limits::LARGE_TENANT {
            return None;
        }
        *self = Self {
            ids: HashSet::new(),
            enough: true,
        };
        Some(met)
    }
}

impl EntraDirectory {
    pub(crate) fn new(graph: Graph) -> Self {
        Self {
            reads: Arc::new(Batcher::new(graph.clone(), Effect::Read, limits::read())),
            graph,
            met: Mutex::default(),
        }
    }

    /// The batch that reads join, evidence included.
    pub(crate) fn reads(&self) -> Arc<Batcher> {
        Arc::clone(&self.reads)
    }

    async fn resolve_one(&self, cx: &Context, subject: &Subject) -> Result<Resolution, Error> {
        for identifier in subject.identifiers() {
            let resolution = match identifier {
                Identifier::ObjectId { id } => self.by_key(cx, id).await?,
                Identifier::UserPrincipalName { upn } => self.by_key(cx, upn).await?,
                // Boxed: few are known by nothing but their mail, and every look-up would carry the room for it.
                Identifier::Email { email } => Box::pin(self.by_address(cx, email)).await?,
                _ => Resolution::NotFound,
            };
            if !matches!(resolution, Resolution::NotFound) {
                return Ok(resolution);
            }
        }
        Ok(Resolution::NotFound)
    }

    async fn by_key(&self, cx: &Context, key: &str) -> Result<Resolution, Error> {
        let path = address::user(key, &format!("?$select={USER_FIELDS}"))?;
        let answer = self.reads.call(cx, "users.get", path).await?;
        found_by_key(answer, key)
    }

    async fn by_address(&self, cx: &Context, mail: &str) -> Result<Resolution, Error> {
        let found = self.search(cx, address::users_by_mail(mail), mail).await?;
        match found {
            Resolution::NotFound => self.search(cx, address::users_by_alias(mail), mail).await,
            found => Ok(found),
        }
    }

    async fn search(&self, cx: &Context, path: String, mail: &str) -> Result<Resolution, Error> {
        found_by_search(self.reads.call(cx, "users.list", path).await?, mail)
    }
}

/// Whom an answer to a search for this address is about.
pub(crate) fn found_by_search(answer: GraphAnswer, mail: &str) -> Result<Resolution, Error> {
    let Verdict::Answered(answer) = answer.verdict(RIGHT)? else {
        return Err(lost_route("users.list"));
    };
    let page: Page<User> = answer.json()?;
    let mut users = page.value.into_iter();
    Ok(match (users.next(), users.len()) {
        (None, _) if page.next_link.is_none() => Resolution::NotFound,
        (Some(user), 0) if page.next_link.is_none() => {
            if !answers_to(&user, mail) {
                return Err(answer.unrecognised("the answer is about somebody else"));
            }
            Resolution::Found(account(user, "users.list")?)
        }
        (first, more) => Resolution::Ambiguous {
            count: usize::from(first.is_some()) + more,
        },
    })
}

#[async_trait]
impl Directory for EntraDirectory {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        // Each subject goes its own way; what they ask at the same time travels in one batch.
        let each = subjects.iter().map(async |subject| {
            self.resolve_one(cx, subject).await.unwrap_or_else(|error| {
                tell_throttled(cx, &error);
                Resolution::Failed(error)
            })
        });
        let resolutions = join_all(each).await;
        let met = self
            .met
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(&resolutions);
        if let Some(users) = met {
            limits::observe_users(cx, users);
        }
        Ok(resolutions)
    }

    async fn expand(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        group::expand(&self.graph, cx, group, page).await
    }

    async fn everybody(&self, cx: &Context, page: Option<&PageToken>) -> Result<MemberPage, Error> {
        group::everybody(&self.graph, cx, page).await
    }
}

/// Whom an answer to a read by id or sign-in name is about.
pub(crate) fn found_by_key(answer: GraphAnswer, key: &str) -> Result<Resolution, Error> {
    let Verdict::Answered(answer) = answer.verdict(RIGHT)? else {
        return Ok(Resolution::NotFound);
    };
    let user: User = answer.json()?;
    // Two answers of a batch that changed places must not end a stranger's sessions.
    let is_asked_for = fold(&user.id) == fold(key)
        || user.user_principal_name.as_deref().map(fold) == Some(fold(key));
    if !is_asked_for {
        return Err(answer.unrecognised("the answer is about somebody else"));
    }
    account(user, answer.operation).map(Resolution::Found)
}

/// Tells the lane of a throttled item in a call that goes on.
pub(crate) fn tell_throttled(cx: &Context, error: &Error) {
    if let (ErrorKind::RateLimited, Retry::Safe { after }) = (error.kind(), error.retry()) {
        cx.observe(Observation::Throttled { after });
    }
}

/// A listing that is said not to exist.
pub(crate) fn lost_route(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::Unexpected,
        Retry::Never,
        operation,
        "Microsoft Graph does not know this listing: check graph_url",
    )
}

/// What we keep of a user.
///
/// # Errors
/// A lane fault when properties are withheld: without them a guest looks like everybody else.
pub(crate) fn account(user: User, operation: &'static str) -> Result<Account, Error> {
    let (Some(name), Some(enabled)) = (user.user_principal_name, user.account_enabled) else {
        return Err(Error::new(
            ErrorKind::PermissionDenied,
            Retry::Never,
            operation,
            "Microsoft Graph withholds who is a guest and whose account is enabled",
        )
        .with_hint(format!(
            "grant the application permission {RIGHT} on the app registration, with admin consent"
        ))
        .as_lane_fault());
    };
    let is_guest = user
        .user_type
        .is_some_and(|kind| kind.eq_ignore_ascii_case("guest"))
        || user.external_user_state.is_some()
        || is_guest_name(&name);
    let mut account = Account::new(user.id, name);
    account.spellings = spellings(&account.name, user.mail, user.proxy_addresses);
    account.not_covered = is_guest.then(guest);
    account.enabled = Some(enabled);
    account.watermark = user.sign_in_sessions_valid_from_date_time;
    Ok(account)
}

/// Mail and aliases, each once, without the main name.
fn spellings(name: &str, mail: Option<String>, proxies: Option<Vec<String>>) -> Vec<String> {
    let aliases = proxies.into_iter().flatten().filter_map(|proxy| {
        let (kind, address) = proxy.split_once(':')?;
        kind.eq_ignore_ascii_case("smtp")
            .then(|| address.to_owned())
    });
    let mut seen = vec![fold(name)];
    mail.into_iter()
        .chain(aliases)
        .filter(|spelling| {
            let folded = fold(spelling);
            let is_new = !seen.contains(&folded);
            if is_new {
                seen.push(folded);
            }
            is_new
        })
        .collect()
}

/// Whether a search's only hit has the address it was searched by.
fn answers_to(user: &User, mail: &str) -> bool {
    let wanted = fold(mail);
    let is_wanted = |text: &str| fold(text) == wanted;
    user.mail.as_deref().is_some_and(is_wanted)
        || user.user_principal_name.as_deref().is_some_and(is_wanted)
        || user.proxy_addresses.as_ref().is_none_or(|proxies| {
            proxies.iter().any(|proxy| {
                proxy
                    .split_once(':')
                    .is_some_and(|(_, address)| is_wanted(address))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_who_are_found_prove_a_large_tenant_once() {
        let mut met = Met::default();
        let found = |n: u64| Resolution::Found(Account::new(n.to_string(), "somebody"));
        assert_eq!(met.add(&(0..400).map(found).collect::<Vec<_>>()), None);
        assert_eq!(
            met.add(&(0..400).map(found).collect::<Vec<_>>()),
            None,
            "the same people again"
        );
        assert_eq!(
            met.add(&(300..501).map(found).collect::<Vec<_>>()),
            Some(501)
        );
        assert_eq!(
            met.add(&(600..2000).map(found).collect::<Vec<_>>()),
            None,
            "said once"
        );
    }
}
