//! What a person gave away and what ends it: grants, application passwords, backup codes, sign-out.

use serde_json::{Value, json};

use super::catalogue;
use super::directory::Write;
use super::error;
use crate::ledger::Operation;
use crate::population::Person;
use crate::reply::Reply;
use crate::world::Exchange;

const PASSWORDS: u8 = 3;
const PASSWORD_NAMES: [&str; 3] = ["Thunderbird", "Old phone", "Scanner"];

/// The grant or application password a call means, if there is such a one.
pub(super) fn item(write: &Write) -> Option<u8> {
    match write.operation {
        Operation::DeleteGrant => catalogue::grant_of_client(&write.item),
        Operation::DeleteAppPassword => write
            .item
            .parse::<u8>()
            .ok()
            .and_then(|code| code.checked_sub(1))
            .filter(|password| *password < PASSWORDS),
        _ => None,
    }
}

/// Why a call cannot be carried out for this person.
pub(super) fn refusal(ex: &Exchange<'_>, person: Person, write: &Write) -> Option<Reply> {
    let suspended = ex.people().is_disabled(person);
    (suspended && write.operation == Operation::InvalidateBackupCodes).then(|| {
        error::reason(
            400,
            "failedPrecondition",
            "Backup codes of a suspended user cannot be changed.",
        )
    })
}

/// Carries the call out; an error when there is nothing by that name.
pub(super) fn carry_out(
    ex: &Exchange<'_>,
    person: Person,
    write: &Write,
    item: Option<u8>,
    now_ms: i64,
) -> Result<(), Reply> {
    let state = &ex.world.state;
    match write.operation {
        Operation::SignOut => state.sign_out(person, now_ms),
        Operation::InvalidateBackupCodes => {
            state.invalidate_backup_codes(person);
        }
        Operation::DeleteGrant => {
            if !item.is_some_and(|grant| state.delete_grant(person, grant)) {
                return Err(error::reason(
                    404,
                    "notFound",
                    "Resource Not Found: clientId",
                ));
            }
        }
        Operation::DeleteAppPassword => match item {
            None => {
                return Err(error::reason(404, "notFound", "Resource Not Found: codeId"));
            }
            Some(password) => {
                if !state.delete_app_password(person, password) {
                    let message = format!("Invalid codeId: {}", write.item);
                    return Err(error::reason(400, "invalid", &message));
                }
            }
        },
        Operation::Revoke | Operation::Read => {}
    }
    Ok(())
}

pub(super) fn grants(ex: &Exchange<'_>, person: Person) -> Reply {
    let held = ex.world.state.grants(person);
    let items: Vec<Value> = (0..12)
        .filter(|grant| held & 1 << grant != 0)
        .map(|grant| describe(ex, person, grant))
        .collect();
    collection("admin#directory#tokenList", items)
}

pub(super) fn grant(ex: &Exchange<'_>, person: Person, client: &str) -> Reply {
    let held = ex.world.state.grants(person);
    match catalogue::grant_of_client(client).filter(|grant| held & 1 << grant != 0) {
        None => error::reason(404, "notFound", "Resource Not Found: clientId"),
        Some(grant) => Reply::json(200, describe(ex, person, grant).to_string().into_bytes()),
    }
}

pub(super) fn app_passwords(ex: &Exchange<'_>, person: Person) -> Reply {
    let held = ex.world.state.app_passwords(person);
    let key = ex.people().google_id(person);
    let items: Vec<Value> = (0..PASSWORDS)
        .filter(|password| held & 1 << password != 0)
        .map(|password| {
            json!({
                "kind": "admin#directory#asp",
                "codeId": password + 1,
                "name": PASSWORD_NAMES[usize::from(password)],
                "creationTime": "1700000000000",
                "lastTimeUsed": "0",
                "userKey": key,
            })
        })
        .collect();
    collection("admin#directory#aspList", items)
}

pub(super) fn backup_codes(ex: &Exchange<'_>, person: Person) -> Reply {
    let key = ex.people().google_id(person);
    let many = if ex.world.state.has_backup_codes(person) {
        10
    } else {
        0
    };
    let items: Vec<Value> = (0..many)
        .map(|n| {
            json!({
                "kind": "admin#directory#verificationCode",
                "userId": key,
                "verificationCode": format!("{:08}", 10_000_019 * (n + 1) % 100_000_000),
            })
        })
        .collect();
    collection("admin#directory#verificationCodesList", items)
}

fn describe(ex: &Exchange<'_>, person: Person, grant: u8) -> Value {
    json!({
        "kind": "admin#directory#token",
        "clientId": catalogue::client_id(grant),
        "displayText": catalogue::display_name(grant),
        "anonymous": grant == catalogue::ANONYMOUS,
        "nativeApp": grant.is_multiple_of(4),
        "userKey": ex.people().google_id(person),
        "scopes": ["https://www.googleapis.com/auth/drive", "openid"],
    })
}

/// `items` is absent when there are none.
fn collection(kind: &str, items: Vec<Value>) -> Reply {
    let mut body = json!({"kind": kind, "etag": "\"sandbox\""});
    if !items.is_empty() {
        body["items"] = Value::Array(items);
    }
    Reply::json(200, body.to_string().into_bytes())
}
