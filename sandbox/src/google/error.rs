//! Both dialects in which the Directory API says no, and the plain text that stands before it.

use serde_json::json;

use crate::reply::{Reply, TEXT};

/// The older dialect: `errors[0].reason`.
pub(super) fn reason(status: u16, reason: &str, message: &str) -> Reply {
    let domain = if reason.ends_with("Exceeded") {
        "usageLimits"
    } else {
        "global"
    };
    let body = json!({"error": {
        "code": status,
        "message": message,
        "errors": [{"domain": domain, "reason": reason, "message": message}],
    }});
    Reply::json(status, body.to_string().into_bytes())
}

/// The newer dialect: `status`.
pub(super) fn status(status: u16, name: &str, message: &str) -> Reply {
    let body = json!({"error": {
        "code": status,
        "message": message,
        "status": name,
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": name, "domain": "googleapis.com"}],
    }});
    Reply::json(status, body.to_string().into_bytes())
}

/// Throttled by something in front of the API.
pub(super) fn plain_text(turn: u64) -> Reply {
    match turn % 3 {
        0 => Reply::new(403, TEXT, &b"Request rate higher than configured."[..]),
        1 => Reply::new(429, TEXT, &b"Quota exceeded for quota group."[..]),
        _ => Reply::new(503, TEXT, &b"Quota exceeded. Please try again later."[..]),
    }
}

/// Nobody has this key.
pub(super) fn no_such_user() -> Reply {
    reason(404, "notFound", "Resource Not Found: userKey")
}

/// The caller is no administrator, or one of too little reach.
pub(super) fn not_authorized() -> Reply {
    reason(
        403,
        "forbidden",
        "Not Authorized to access this resource/api",
    )
}

/// A fault on the server's side.
pub(super) fn backend(status: u16) -> Reply {
    match status {
        500 => reason(500, "backendError", "Backend Error"),
        502 => Reply::html(502),
        503 => self::status(503, "UNAVAILABLE", "The service is currently unavailable."),
        _ => self::status(
            504,
            "DEADLINE_EXCEEDED",
            "Deadline expired before operation could complete.",
        ),
    }
}
