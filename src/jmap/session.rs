//! The Session resource (RFC 8620 §2).
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::capability::{self, Capability};
use super::site::Site;
use super::wire::id::ACCOUNT;
use crate::http::{Exchange, Response, problem};
use crate::jmap::wire::json::put;

/// Answers a GET of the session.
pub async fn get(exchange: Exchange<Site>) -> Response {
    let mut session = object(&exchange.site, &exchange.base);
    let state = state(&session);
    put(&mut session, "state", state);
    problem::json(StatusCode::OK, &Value::Object(session))
}

/// The session but for its state. Every URL is absolute: clients use them as they are.
pub fn object(site: &Site, base: &str) -> Map<String, Value> {
    let config = &site.ctx.config;
    let largest = site.mail.message_size();
    // An app password that is for some mailboxes only makes none at the top.
    let top_level = site.mail.principal().is_none_or(|who| who.everywhere);
    let mut capabilities = capability::session(largest, base);
    if let Some(vapid) = site.ctx.jmap.vapid() {
        // RFC 9749 §3.
        let key = json!({ "applicationServerKey": vapid.public });
        put(&mut capabilities, "urn:ietf:params:jmap:webpush-vapid", key);
    }
    let session = json!({
        "capabilities": capabilities,
        "accounts": {
            ACCOUNT: {
                "name": config.address(),
                "isPersonal": true,
                "isReadOnly": false,
                "accountCapabilities": capability::account(largest, top_level),
            },
        },
        "primaryAccounts": {
            Capability::Mail.uri(): ACCOUNT,
            Capability::Submission.uri(): ACCOUNT,
            Capability::Vacation.uri(): ACCOUNT,
            Capability::Blob.uri(): ACCOUNT,
            Capability::Quota.uri(): ACCOUNT,
            Capability::Mdn.uri(): ACCOUNT,
        },
        "username": config.user,
        "apiUrl": format!("{base}/jmap/api"),
        "downloadUrl":
            format!("{base}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}"),
        "uploadUrl": format!("{base}/jmap/upload/{{accountId}}"),
        "eventSourceUrl": format!(
            "{base}/jmap/events?types={{types}}&closeafter={{closeafter}}&ping={{ping}}"
        ),
    });
    match session {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A digest of everything in the session (FNV-1a): it changes when anything does.
pub fn state(session: &Map<String, Value>) -> String {
    let text = serde_json::to_string(session).unwrap_or_default();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
