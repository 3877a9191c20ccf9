//! Who is in a group, and who is in the tenant: pages that are whole, or an error.
//!
//! After <https://learn.microsoft.com/graph/api/group-list-transitivemembers> and
//! <https://learn.microsoft.com/graph/aad-advanced-queries>.

use rescind_core::budget::Cost;
use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind, Retry};
use rescind_core::provider::{MemberPage, PageToken};
use rescind_http::{Request, Url, push_encoded};

use crate::address::{self, USER_FIELDS, doubled, is_object_id};
use crate::answer::{GraphAnswer, Verdict};
use crate::directory::{account, lost_route};
use crate::graph::{Graph, eventual};
use crate::limits;
use crate::wire::{Group, Page, User};

const RIGHT: &str = "GroupMember.Read.All";
/// How a look-up of a group is called.
const FIND: &str = "groups.get";
/// The largest page Graph gives.
const PAGE: u64 = 999;

/// One page of a group's people, nested groups included.
pub(crate) async fn expand(
    graph: &Graph,
    cx: &Context,
    group: &str,
    page: Option<&PageToken>,
) -> Result<MemberPage, Error> {
    const OPERATION: &str = "groups.transitiveMembers";
    if let Some(token) = page {
        let place = Place::read(OPERATION, token)?;
        let url = graph.follow(OPERATION, &place.link)?;
        return members(graph, cx, OPERATION, limits::members(), url, Some(&place)).await;
    }
    let found = find(graph, cx, group).await?;
    let path = address::group(
        &found.id,
        &format!(
            "/transitiveMembers/microsoft.graph.user?$select={USER_FIELDS}&$count=true&$top={PAGE}"
        ),
    )?;
    let url = graph.url(&path);
    let mut page = members(graph, cx, OPERATION, limits::members(), url, None).await?;
    let name = found.display_name.unwrap_or_else(|| found.id.clone());
    page.group = Some((name, found.id));
    Ok(page)
}

/// The people of a page that answers a walk's request at `page`.
pub(crate) fn members_of(
    answer: GraphAnswer,
    page: Option<&PageToken>,
) -> Result<MemberPage, Error> {
    let operation = answer.operation;
    let place = page
        .map(|token| Place::read(operation, token))
        .transpose()?;
    read_page(operation, answer, place.as_ref()).map(|(page, _)| page)
}

/// The id of the one group that an answer to a search by name is about.
pub(crate) fn group_of(answer: GraphAnswer) -> Result<String, Error> {
    found_by_name(answer).map(|group| group.id)
}

/// One page of everybody in the tenant.
pub(crate) async fn everybody(
    graph: &Graph,
    cx: &Context,
    page: Option<&PageToken>,
) -> Result<MemberPage, Error> {
    const OPERATION: &str = "users.list";
    let place = page
        .map(|token| Place::read(OPERATION, token))
        .transpose()?;
    let url = match &place {
        Some(place) => graph.follow(OPERATION, &place.link)?,
        None => graph.url(&format!(
            "/users?$select={USER_FIELDS}&$count=true&$top={PAGE}"
        )),
    };
    members(graph, cx, OPERATION, limits::read(), url, place.as_ref()).await
}

fn unknown(message: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Unexpected, Retry::Never, FIND, message).with_hint(hint)
}

/// A group by its id, or by a name that only one group has.
async fn find(graph: &Graph, cx: &Context, group: &str) -> Result<Group, Error> {
    let group = group.trim();
    if is_object_id(group) {
        let path = address::group(group, "?$select=id,displayName")?;
        let request = Request::get(FIND, graph.url(&path));
        let answer = graph.send(cx, limits::read(), request).await?;
        let Verdict::Answered(answer) = answer.verdict(RIGHT)? else {
            return Err(unknown(
                "there is no group with this id",
                "check the object id of the group",
            ));
        };
        return answer.json();
    }
    let mut path = String::from("/groups?$select=id,displayName&$filter=");
    push_encoded(&mut path, &format!("displayName eq '{}'", doubled(group)));
    let request = Request::get(FIND, graph.url(&path));
    found_by_name(graph.send(cx, limits::read(), request).await?)
}

/// The one group that an answer to a search by name is about.
fn found_by_name(answer: GraphAnswer) -> Result<Group, Error> {
    let Verdict::Answered(answer) = answer.verdict(RIGHT)? else {
        return Err(lost_route(FIND));
    };
    let page: Page<Group> = answer.json()?;
    let mut groups = page.value.into_iter();
    match (groups.next(), groups.next()) {
        (Some(group), None) if page.next_link.is_none() => Ok(group),
        (None, _) => Err(unknown(
            "there is no group of this name",
            "check the spelling, or give the object id of the group",
        )),
        _ => Err(unknown(
            "more than one group has this name",
            "give the object id of the group that is meant",
        )),
    }
}

async fn members(
    graph: &Graph,
    cx: &Context,
    operation: &'static str,
    cost: Cost,
    url: Url,
    place: Option<&Place>,
) -> Result<MemberPage, Error> {
    let request = eventual(Request::get(operation, url));
    let answer = graph.send(cx, cost, request).await?;
    let (page, promised) = read_page(operation, answer, place)?;
    if let Some(count) = promised {
        limits::observe_users(cx, count);
    }
    Ok(page)
}

/// The people of one page, and how many the vendor promised in all.
fn read_page(
    operation: &'static str,
    answer: GraphAnswer,
    place: Option<&Place>,
) -> Result<(MemberPage, Option<u64>), Error> {
    let Verdict::Answered(answer) = answer.verdict(RIGHT)? else {
        return Err(Error::new(
            ErrorKind::Unexpected,
            Retry::Never,
            operation,
            "the group is gone while it was read",
        ));
    };
    let page: Page<User> = answer.json()?;
    let place = Place::after(place, &page);
    place.check(operation)?;
    let mut found = MemberPage::default();
    let (mut guests, mut others) = (0u64, 0u64);
    for user in page.value {
        let is_person = user
            .odata_type
            .as_deref()
            .is_none_or(|kind| kind == "#microsoft.graph.user");
        if !is_person {
            others += 1;
            continue;
        }
        let account = account(user, operation)?;
        if account.not_covered.is_some() {
            guests += 1;
        } else {
            found.members.push(account);
        }
    }
    for (what, n) in [
        ("guests: their home organisation has to act", guests),
        ("members that are no people", others),
    ] {
        if n > 0 {
            found.skipped.push((what.to_owned(), n));
        }
    }
    found.next = (!place.link.is_empty()).then(|| place.token());
    Ok((found, place.promised))
}

/// Where a walk over pages stands: enough to see that nothing is missing at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// How many were read, this page included.
    read: u64,
    /// How many the vendor said there are.
    promised: Option<u64>,
    /// The next page; empty at the end.
    link: String,
    /// Whether the next page is the one just read.
    circles: bool,
}

impl Place {
    fn after(before: Option<&Self>, page: &Page<User>) -> Self {
        let link = page.next_link.clone().unwrap_or_default();
        Self {
            read: before.map_or(0, |place| place.read) + page.value.len() as u64,
            promised: before.and_then(|place| place.promised).or(page.count),
            circles: !link.is_empty() && before.is_some_and(|place| place.link == link),
            link,
        }
    }

    /// An empty or cut list is never "nobody", and one that goes in circles ends.
    fn check(&self, operation: &'static str) -> Result<(), Error> {
        let is_last = self.link.is_empty();
        let broken = match self.promised {
            _ if self.circles => "the list leads back to the page that was just read",
            None if is_last && self.read == 0 => {
                "the list is empty, and nothing says that it should be"
            }
            Some(promised) if is_last && self.read < promised => {
                "the list ends before everybody it promised was in it"
            }
            // People may join while the list is read, but not a whole page of them.
            Some(promised) if self.read > promised + PAGE => "the list is longer than it promised",
            _ => return Ok(()),
        };
        Err(Error::new(
            ErrorKind::InvalidResponse,
            Retry::Safe { after: None },
            operation,
            broken,
        ))
    }

    fn token(&self) -> PageToken {
        let promised = self.promised.map(|n| n.to_string()).unwrap_or_default();
        PageToken(format!("{} {promised} {}", self.read, self.link))
    }

    fn read(operation: &'static str, token: &PageToken) -> Result<Self, Error> {
        let mut parts = token.0.splitn(3, ' ');
        let mut part = || parts.next().unwrap_or_default();
        let (read, promised, link) = (part(), part(), part());
        let Ok(read) = read.parse() else {
            return Err(Error::new(
                ErrorKind::Unexpected,
                Retry::Never,
                operation,
                "the page token is not one of ours",
            ));
        };
        Ok(Self {
            read,
            promised: promised.parse().ok(),
            link: link.to_owned(),
            circles: false,
        })
    }
}
