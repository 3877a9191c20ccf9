//! What Graph says to one call, alone or inside of a batch.

use std::borrow::Cow;
use std::io::Write;

use super::{MICROSOFT_CLIENT_ID, MICROSOFT_TENANT_ID};
use crate::clock::rfc3339_secs;
use crate::json;
use crate::quota::{Limit, Refused};
use crate::reply::Reply;
use crate::world::Exchange;

/// The body of a successful revocation.
const REVOKED: &str =
    r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean","value":true}"#;
/// A revocation that was not carried out, said with a 200.
const NOT_REVOKED: &str =
    r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean","value":false}"#;

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) units: u32,
    pub(super) body: Cow<'static, [u8]>,
    plain: bool,
    refused: Option<Refused>,
}

impl Answer {
    pub(super) fn ok(units: u32, body: Vec<u8>) -> Self {
        Self::of(200, units, body)
    }

    pub(super) fn plain(units: u32, text: String) -> Self {
        Self {
            plain: true,
            ..Self::of(200, units, text.into_bytes())
        }
    }

    pub(super) fn revoked() -> Self {
        Self::of(200, 1, REVOKED.as_bytes())
    }

    pub(super) fn not_revoked() -> Self {
        Self::of(200, 1, NOT_REVOKED.as_bytes())
    }

    pub(super) fn empty() -> Self {
        Self::of(200, 1, &b""[..])
    }

    pub(super) fn error(ex: &Exchange<'_>, status: u16, code: &str, message: &str) -> Self {
        let date = rfc3339_secs(ex.now_ms());
        let mut body = Vec::with_capacity(256);
        body.extend_from_slice(b"{\"error\":{\"code\":");
        json::string(&mut body, code);
        body.extend_from_slice(b",\"message\":");
        json::string(&mut body, message);
        let written = write!(
            body,
            r#","innerError":{{"date":"{}","request-id":"{}"}}}}}}"#,
            date.trim_end_matches('Z'),
            crate::ledger::request_id(ex.people(), ex.number),
        );
        debug_assert!(written.is_ok(), "memory takes every write");
        Self::of(status, 1, body)
    }

    pub(super) fn denied(ex: &Exchange<'_>) -> Self {
        Self::error(
            ex,
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    pub(super) fn not_found(ex: &Exchange<'_>, name: &str) -> Self {
        Self::error(
            ex,
            404,
            "Request_ResourceNotFound",
            &format!(
                "Resource '{name}' does not exist or one of its queried reference-property objects are not present."
            ),
        )
    }

    pub(super) fn no_route(ex: &Exchange<'_>, segment: &str) -> Self {
        Self::error(
            ex,
            400,
            "BadRequest",
            &format!("Resource not found for the segment '{segment}'."),
        )
    }

    pub(super) fn throttled(ex: &Exchange<'_>, refused: Refused) -> Self {
        Self {
            refused: Some(refused),
            ..Self::error(ex, 429, "TooManyRequests", "Please retry again later.")
        }
    }

    pub(super) fn unavailable(ex: &Exchange<'_>, status: u16) -> Self {
        let code = match status {
            500 => "InternalServerError",
            502 => "BadGateway",
            504 => "GatewayTimeout",
            _ => "serviceNotAvailable",
        };
        Self::error(
            ex,
            status,
            code,
            "The service is not available. Try again later.",
        )
    }

    fn of(status: u16, units: u32, body: impl Into<Cow<'static, [u8]>>) -> Self {
        Self {
            status,
            units,
            body: body.into(),
            plain: false,
            refused: None,
        }
    }

    /// As an answer of its own.
    pub(super) fn into_reply(self, ex: &Exchange<'_>, caller: u32) -> Reply {
        const ODATA: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
        let content_type = if self.plain {
            crate::reply::TEXT
        } else if self.status == 200 {
            ODATA
        } else {
            "application/json"
        };
        let mut reply = Reply::new(self.status, content_type, self.body)
            .with("x-ms-resource-unit", &self.units.to_string())
            .with(
                "x-ms-ags-diagnostic",
                r#"{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1","ScaleUnit":"000","RoleInstance":"SANDBOX"}}"#,
            );
        if let Some(refused) = self.refused {
            reply = reply
                .with("retry-after", &refused.retry_after_secs.to_string())
                .with("x-ms-throttle-scope", &throttle_scope(refused))
                .with("x-ms-throttle-information", throttle_information(refused));
        } else if let Some(used) = ex.quota_warning(caller) {
            reply = reply.with("x-ms-throttle-limit-percentage", &format!("{used:.2}"));
        }
        reply
    }

    /// As one item of a batch's answer.
    pub(super) fn write_item(&self, out: &mut Vec<u8>, id: &str, warning: Option<f64>) {
        out.extend_from_slice(b"{\"id\":");
        json::string(out, id);
        out.extend_from_slice(b",\"status\":");
        json::number(out, u64::from(self.status));
        out.extend_from_slice(
            b",\"headers\":{\"Cache-Control\":\"no-cache\",\"x-ms-resource-unit\":\"",
        );
        json::number(out, u64::from(self.units));
        out.push(b'"');
        let written = if let Some(refused) = self.refused {
            write!(
                out,
                r#","Retry-After":"{}","x-ms-throttle-scope":"{}","x-ms-throttle-information":"{}""#,
                refused.retry_after_secs,
                throttle_scope(refused),
                throttle_information(refused),
            )
        } else if let Some(used) = warning {
            write!(out, r#","x-ms-throttle-limit-percentage":"{used:.2}""#)
        } else {
            Ok(())
        };
        debug_assert!(written.is_ok(), "memory takes every write");
        if self.body.is_empty() {
            out.extend_from_slice(b"}}");
            return;
        }
        if self.plain {
            out.extend_from_slice(b",\"Content-Type\":\"text/plain\"},\"body\":");
            json::string(out, &String::from_utf8_lossy(&self.body));
        } else {
            out.extend_from_slice(b",\"Content-Type\":\"application/json\"},\"body\":");
            out.extend_from_slice(&self.body);
        }
        out.push(b'}');
    }
}

fn throttle_scope(refused: Refused) -> String {
    let kind = match refused.limit {
        Limit::Writes => "Write",
        Limit::Units => "ReadWrite",
    };
    format!("Tenant_Application/{kind}/{MICROSOFT_CLIENT_ID}/{MICROSOFT_TENANT_ID}")
}

fn throttle_information(refused: Refused) -> &'static str {
    match refused.limit {
        Limit::Writes => "WriteLimitExceeded",
        Limit::Units => "ResourceUnitLimitExceeded",
    }
}
