//! Looks whether a tenant can be served, and changes nothing there.

use rescind_core::context::Context;
use rescind_core::error::{Error, ErrorKind};
use rescind_core::provider::{Finding, FindingLevel, ProbeReport};
use rescind_http::{Request, StatusCode};

use crate::address::is_object_id;
use crate::answer::Verdict;
use crate::directory;
use crate::graph::{Graph, eventual};
use crate::limits;
use crate::revoke;
use crate::token::{Claims, claims};
use crate::wire::{Organization, Page, User};

/// A right, what also grants it, and what is impossible without.
struct Right {
    least: &'static str,
    also: &'static [&'static str],
    level: FindingLevel,
    without: &'static str,
}

const RIGHTS: [Right; 3] = [
    Right {
        least: revoke::RIGHT,
        also: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
        level: FindingLevel::Fault,
        without: "no session can be ended",
    },
    Right {
        least: directory::RIGHT,
        also: &[
            "User.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        level: FindingLevel::Fault,
        without: "people cannot be resolved, guests cannot be told, nothing can be read back",
    },
    Right {
        least: "GroupMember.Read.All",
        also: &[
            "GroupMember.ReadWrite.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
        level: FindingLevel::Warning,
        without: "groups cannot be expanded",
    },
];

pub(crate) async fn probe(graph: &Graph, tenant: &str, cx: &Context) -> Result<ProbeReport, Error> {
    let mut findings = Vec::new();
    let token = match graph.token(cx).await {
        Ok(token) => token,
        Err(error) if says_nothing(&error) => return Err(error),
        Err(error) => {
            findings.push(fault("token", &error));
            return Ok(ProbeReport::new(findings));
        }
    };
    findings.push(good("token", "the token endpoint accepts the credentials"));
    let claims = claims(token.secret());
    if let Some(found) = claims
        .as_ref()
        .and_then(|claims| other_tenant(claims, tenant))
    {
        findings.push(found);
    }
    let roles = claims.map(|claims| claims.roles).unwrap_or_default();
    if roles.is_empty() {
        findings.extend(try_reading(graph, cx).await?);
    } else {
        findings.extend(RIGHTS.iter().map(|right| judge(right, &roles)));
    }
    findings.push(organization(graph, cx).await?);
    findings.push(size(graph, cx).await?);
    Ok(ProbeReport::new(findings))
}

fn judge(right: &Right, roles: &[String]) -> Finding {
    let what = format!("right {}", right.least);
    let holds = |name: &&str| roles.iter().any(|role| role == name);
    let mut all = std::iter::once(&right.least).chain(right.also);
    match all.find(|name| holds(name)) {
        Some(name) => Finding::new(FindingLevel::Good, what, format!("the token has {name}")),
        None => Finding::new(right.level, what, format!("missing: {}", right.without)).with_hint(
            format!(
                "grant the application permission {} on the app registration, with admin consent",
                right.least
            ),
        ),
    }
}

/// A token that names no rights: whether reading works shows, whether revoking works does not.
async fn try_reading(graph: &Graph, cx: &Context) -> Result<Vec<Finding>, Error> {
    let revoking = Finding::new(
        FindingLevel::Warning,
        format!("right {}", revoke::RIGHT),
        "the token names no application permissions, so this cannot be seen without ending a session",
    )
    .with_hint(format!(
        "grant {} and {} as application permissions, with admin consent",
        revoke::RIGHT,
        directory::RIGHT
    ));
    let what = format!("right {}", directory::RIGHT);
    let url = graph.url("/users?$top=1&$select=id,accountEnabled");
    let read = match read(graph, cx, Request::get("users.list", url)).await? {
        Err(error) => fault(&what, &error),
        Ok(answer) => match answer.json::<Page<User>>() {
            Err(error) => fault(&what, &error),
            Ok(page) if page.value.iter().any(|user| user.account_enabled.is_none()) => {
                Finding::new(
                    FindingLevel::Fault,
                    what,
                    "properties of people are withheld",
                )
                .with_hint(format!("grant {}, with admin consent", directory::RIGHT))
            }
            Ok(_) => good(&what, "people can be read"),
        },
    };
    Ok(vec![revoking, read])
}

/// A token for another tenant than the one configured by id.
fn other_tenant(claims: &Claims, tenant: &str) -> Option<Finding> {
    let issued_for = claims.tid.as_deref()?;
    let differs = is_object_id(tenant) && !issued_for.eq_ignore_ascii_case(tenant);
    differs.then(|| {
        Finding::new(
            FindingLevel::Fault,
            "tenant",
            "the token is for another tenant than the one configured",
        )
    })
}

async fn organization(graph: &Graph, cx: &Context) -> Result<Finding, Error> {
    let url = graph.url("/organization?$select=id,displayName");
    Ok(
        match read(graph, cx, Request::get("organization", url)).await? {
            // Nothing else needs this right.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::new(
                FindingLevel::Warning,
                "tenant",
                "its name may not be read; everything else can work without",
            ),
            Err(error) => fault("tenant", &error),
            Ok(answer) => match answer.json::<Page<Organization>>() {
                Err(error) => fault("tenant", &error),
                Ok(page) => match page.value.first() {
                    None => Finding::new(FindingLevel::Warning, "tenant", "it has no name"),
                    Some(found) => good(
                        "tenant",
                        &format!(
                            "{} ({})",
                            found.display_name.as_deref().unwrap_or("without a name"),
                            found.id
                        ),
                    ),
                },
            },
        },
    )
}

/// How many people there are decides the quota of resource units.
async fn size(graph: &Graph, cx: &Context) -> Result<Finding, Error> {
    let request = eventual(Request::get("users.count", graph.url("/users/$count")));
    let counted = read(graph, cx, request).await?.ok().and_then(|answer| {
        // The number comes as plain text, some say with a byte order mark.
        let text = std::str::from_utf8(&answer.body).ok()?;
        text.trim()
            .trim_start_matches('\u{feff}')
            .parse::<u64>()
            .ok()
    });
    Ok(match counted {
        Some(users) => {
            limits::observe_users(cx, users);
            good("quota", &format!("{users} users decide the quota of reads"))
        }
        None => Finding::new(
            FindingLevel::Warning,
            "quota",
            "the number of users may not be read: the quota of the smallest tenants is kept",
        ),
    })
}

/// A read; the inner error is a finding, the outer one means that nothing can be said.
async fn read(
    graph: &Graph,
    cx: &Context,
    request: Request,
) -> Result<Result<crate::answer::GraphAnswer, Error>, Error> {
    let answer = graph.send(cx, limits::read(), request).await;
    let verdict = answer.and_then(|answer| answer.verdict(directory::RIGHT));
    match verdict {
        Ok(Verdict::Answered(answer)) if answer.status == StatusCode::OK => Ok(Ok(answer)),
        Ok(Verdict::Answered(answer)) => {
            Ok(Err(answer.unrecognised("a status that is not documented")))
        }
        Ok(Verdict::Missing) => Ok(Err(directory::lost_route("probe"))),
        Err(error) if says_nothing(&error) => Err(error),
        Err(error) => Ok(Err(error)),
    }
}

/// Whether an error is about the moment rather than the configuration.
fn says_nothing(error: &Error) -> bool {
    !error.is_lane_fault()
        && matches!(
            error.kind(),
            ErrorKind::Cancelled
                | ErrorKind::Timeout
                | ErrorKind::Unavailable
                | ErrorKind::RateLimited
        )
}

fn good(what: &str, message: &str) -> Finding {
    Finding::new(FindingLevel::Good, what, message)
}

fn fault(what: &str, error: &Error) -> Finding {
    let finding = Finding::new(FindingLevel::Fault, what, error.message());
    match error.hint() {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}
