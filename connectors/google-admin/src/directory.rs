//! Who a person is, who is in a group, and everybody.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::{Account, Directory, MemberPage, PageToken, Resolution};
use rescind_core::subject::{Identifier, Subject};

use crate::classify::Refusal;
use crate::provider::Workspace;
use crate::revoke::stops;
use crate::wire::{Member, MemberList, User, UserList};

/// `users.list` gives this many at most.
const USERS_A_PAGE: u32 = 500;
/// A listing longer than this is a circle, not a group: two million members.
const MOST_PAGES: u32 = 10_000;

/// What a look-up by address or id shows.
pub(crate) enum Lookup {
    Found(Account),
    Nobody,
}

impl Workspace {
    /// Looks up one person by primary address, alias or id.
    pub(crate) async fn look_up(&self, cx: &Context, subject: &Subject) -> Result<Lookup, Error> {
        let by_id = match &subject.identifiers()[0] {
            Identifier::Email { .. } | Identifier::UserPrincipalName { .. } => false,
            Identifier::ObjectId { .. } => true,
            _ => {
                return Err(Error::new(
                    ErrorKind::Unexpected,
                    Retry::Never,
                    "users.get",
                    "Google knows people by address or id only; nothing was sent",
                ));
            }
        };
        let user = match self.api.user(cx, subject.given()).await {
            Ok(user) => user,
            Err(Refusal::UserMissing(_)) => return Ok(Lookup::Nobody),
            // An address elsewhere is nobody here. An id has no domain: then we ask the wrong account.
            Err(Refusal::DomainMissing(_)) if !by_id => return Ok(Lookup::Nobody),
            Err(refusal) => return Err(refusal.into_error()),
        };
        found(user, subject.given(), by_id).map(Lookup::Found)
    }
}

#[async_trait]
impl Directory for Workspace {
    async fn resolve(&self, cx: &Context, subjects: &[Subject]) -> Result<Vec<Resolution>, Error> {
        let mut resolutions = Vec::with_capacity(subjects.len());
        for subject in subjects {
            match self.look_up(cx, subject).await {
                Ok(Lookup::Found(account)) => resolutions.push(Resolution::Found(account)),
                Ok(Lookup::Nobody) => resolutions.push(Resolution::NotFound),
                Err(error) if stops(&error) => {
                    if resolutions.is_empty() {
                        return Err(error);
                    }
                    resolutions.resize_with(subjects.len(), || {
                        Resolution::Failed(error.for_another_call())
                    });
                    break;
                }
                Err(error) => resolutions.push(Resolution::Failed(error)),
            }
        }
        Ok(resolutions)
    }

    async fn expand(
        &self,
        cx: &Context,
        group: &str,
        page: Option<&PageToken>,
    ) -> Result<MemberPage, Error> {
        let place = Place::read("members.list", page)?;
        let list = self
            .api
            .members(cx, group, place.token())
            .await
            .map_err(Refusal::into_error)?;
        members_of(list, &place)
    }

    async fn everybody(&self, cx: &Context, page: Option<&PageToken>) -> Result<MemberPage, Error> {
        let place = Place::read("users.list", page)?;
        let list = self
            .api
            .users(cx, USERS_A_PAGE, place.token())
            .await
            .map_err(Refusal::into_error)?;
        everybody_of(list, &place)
    }
}

/// The people of one page of everybody.
pub(crate) fn everybody_of(list: UserList, place: &Place<'_>) -> Result<MemberPage, Error> {
    // An account has at least the administrator we act as.
    if list.users.is_empty() {
        return Err(empty_page("users.list"));
    }
    let mut answer = MemberPage::default();
    answer.members = list.users.into_iter().map(account_of).collect();
    answer.next = place.next(list.next_page_token)?;
    Ok(answer)
}

/// The account that an answer to a look-up of `key` names.
pub(crate) fn found(user: User, key: &str, by_id: bool) -> Result<Account, Error> {
    if by_id && user.id != key {
        // Google answers to words such as "me", too.
        return Err(Error::new(
            ErrorKind::InvalidResponse,
            Retry::Never,
            "users.get",
            "Google answered with another account than the id names; nobody was called",
        ));
    }
    Ok(account_of(user))
}

/// The people of one page of a group.
pub(crate) fn members_of(list: MemberList, place: &Place<'_>) -> Result<MemberPage, Error> {
    if list.members.is_empty() && (place.is_later() || list.next_page_token.is_some()) {
        return Err(empty_page("members.list"));
    }
    let mut answer = MemberPage::default();
    let mut skipped = BTreeMap::new();
    for member in list.members {
        match person(member) {
            Ok(account) => answer.members.push(account),
            Err(why) => *skipped.entry(why).or_insert(0) += 1,
        }
    }
    answer.skipped = skipped
        .into_iter()
        .map(|(why, count)| (why.to_owned(), count))
        .collect();
    answer.next = place.next(list.next_page_token)?;
    Ok(answer)
}

fn account_of(user: User) -> Account {
    let mut account = Account::new(user.id, user.primary_email);
    account.spellings = user.aliases;
    account.spellings.extend(user.non_editable_aliases);
    account.enabled = Some(!user.suspended && !user.archived);
    account
}

/// A member as a person of this account, or why it is none.
fn person(member: Member) -> Result<Account, &'static str> {
    match member.kind.as_deref() {
        Some("USER") => {}
        Some("EXTERNAL") => return Err("external members"),
        Some("CUSTOMER") => return Err("the member \"everyone in the account\""),
        Some("GROUP") => return Err("nested groups, whose members are listed one by one"),
        _ => return Err("members of an unknown type"),
    }
    let Some(id) = member.id.filter(|id| !id.is_empty()) else {
        return Err("members without an id");
    };
    let mut account = Account::new(id, member.email.unwrap_or_default());
    account.enabled = match member.status.as_deref() {
        Some("ACTIVE") => Some(true),
        Some("SUSPENDED" | "ARCHIVED") => Some(false),
        _ => None,
    };
    Ok(account)
}

/// Where in a listing we are: the page's number guards against a listing that leads in a circle.
pub(crate) struct Place<'a> {
    operation: &'static str,
    number: u32,
    token: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) fn read(
        operation: &'static str,
        page: Option<&'a PageToken>,
    ) -> Result<Self, Error> {
        let (number, token) = match page {
            None => (0, ""),
            Some(PageToken(text)) => text
                .split_once(':')
                .and_then(|(number, token)| Some((number.parse().ok()?, token)))
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::Unexpected,
                        Retry::Never,
                        operation,
                        "this page token is not one of ours",
                    )
                })?,
        };
        Ok(Self {
            operation,
            number,
            token,
        })
    }

    fn is_later(&self) -> bool {
        self.number > 0
    }

    fn token(&self) -> Option<&str> {
        self.is_later().then_some(self.token)
    }

    fn next(&self, token: Option<String>) -> Result<Option<PageToken>, Error> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let number = self.number + 1;
        if token == self.token || number >= MOST_PAGES {
            return Err(Error::new(
                ErrorKind::InvalidResponse,
                Retry::Never,
                self.operation,
                "the listing leads back to a page that was read already, or never ends",
            ));
        }
        Ok(Some(PageToken(format!("{number}:{token}"))))
    }
}

fn empty_page(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::InvalidResponse,
        Retry::Safe { after: None },
        operation,
        "the page is empty where people were promised",
    )
}
