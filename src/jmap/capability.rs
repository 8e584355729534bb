//! Capabilities: what we serve, and what else is registered.
use serde_json::{Map, Value, json};

use super::method::blob;
use super::websocket;
use crate::jmap::wire::json::put;
use crate::limits;
use crate::mime::casemap::Collation;

/// A specification whose methods are served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// RFC 8620.
    Core,
    /// RFC 8621 §1.3.1.
    Mail,
    /// RFC 8621 §1.3.2.
    Submission,
    /// RFC 8621 §1.3.3.
    Vacation,
    /// RFC 9404.
    Blob,
    /// RFC 9425.
    Quota,
    /// RFC 9007.
    Mdn,
}

impl Capability {
    /// Its URI.
    pub fn uri(self) -> &'static str {
        match self {
            Capability::Core => "urn:ietf:params:jmap:core",
            Capability::Mail => "urn:ietf:params:jmap:mail",
            Capability::Submission => "urn:ietf:params:jmap:submission",
            Capability::Vacation => "urn:ietf:params:jmap:vacationresponse",
            Capability::Blob => "urn:ietf:params:jmap:blob",
            Capability::Quota => "urn:ietf:params:jmap:quota",
            Capability::Mdn => "urn:ietf:params:jmap:mdn",
        }
    }
}

/// Names of the registered capabilities and of drafts that clients send along with every request.
/// One that we do not serve is accepted in `using`, and its methods are unknownMethod: refusing the
/// whole request shuts such a client out though it asked for mail alone.
const REGISTERED: [&str; 26] = [
    "core",
    "mail",
    "submission",
    "vacationresponse",
    "websocket",
    "mdn",
    "smimeverify",
    "blob",
    "blob2",
    "quota",
    "sieve",
    "webpush-vapid",
    "emailpush",
    "contacts",
    "contacts:parse",
    "calendars",
    "calendars:parse",
    "calendars:preferences",
    "principals",
    "principals:owner",
    "principals:availability",
    "tasks",
    "notes",
    "filenode",
    "metadata",
    "refplus",
];

/// Whether a capability may stand in `using`.
pub fn is_registered(uri: &str) -> bool {
    uri.strip_prefix("urn:ietf:params:jmap:")
        .is_some_and(|name| REGISTERED.contains(&name))
}

/// The `capabilities` of the session (RFC 8620 §2).
pub fn session(max_upload: u64, base: &str) -> Map<String, Value> {
    let mut map = Map::new();
    put(
        &mut map,
        Capability::Core.uri(),
        json!({
            "maxSizeUpload": max_upload,
            "maxConcurrentUpload": limits::JMAP_UPLOADS,
            "maxSizeRequest": limits::JMAP_REQUEST,
            "maxConcurrentRequests": limits::JMAP_REQUESTS,
            "maxCallsInRequest": limits::JMAP_CALLS,
            "maxObjectsInGet": limits::JMAP_GET,
            "maxObjectsInSet": limits::JMAP_SET,
            "collationAlgorithms": Collation::NAMES,
        }),
    );
    put(&mut map, Capability::Mail.uri(), json!({}));
    put(
        &mut map,
        "urn:ietf:params:jmap:websocket",
        json!({ "url": websocket::url(base), "supportsPush": true }),
    );
    for capability in [
        Capability::Submission,
        Capability::Vacation,
        Capability::Blob,
        Capability::Quota,
        Capability::Mdn,
    ] {
        map.insert(capability.uri().into(), json!({}));
    }
    map
}

/// The `accountCapabilities` (RFC 8621 §1.3.1).
pub fn account(max_message: u64, top_level: bool) -> Map<String, Value> {
    let mut map = Map::new();
    put(&mut map, Capability::Core.uri(), json!({}));
    put(
        &mut map,
        Capability::Mail.uri(),
        json!({
            "maxMailboxesPerEmail": null,
            "maxMailboxDepth": MAILBOX_DEPTH,
            "maxSizeMailboxName": MAILBOX_NAME,
            "maxSizeAttachmentsPerEmail": max_message / 10 * 7,
            "emailQuerySortOptions": SORTS,
            "mayCreateTopLevelMailbox": top_level,
        }),
    );
    put(
        &mut map,
        Capability::Blob.uri(),
        json!({
            "maxSizeBlobSet": max_message,
            "maxDataSources": limits::JMAP_SOURCES,
            "supportedTypeNames": blob::TYPES,
            "supportedDigestAlgorithms": blob::DIGESTS.map(|(name, _)| name),
        }),
    );
    put(&mut map, Capability::Vacation.uri(), json!({}));
    put(&mut map, Capability::Quota.uri(), json!({}));
    put(&mut map, Capability::Mdn.uri(), json!({}));
    let delay = limits::SEND_DELAY.to_string();
    put(
        &mut map,
        Capability::Submission.uri(),
        json!({
            "maxDelayedSend": limits::SEND_DELAY,
            "submissionExtensions": {
                "FUTURERELEASE": [delay, "9999-12-31T23:59:59Z"],
                "DSN": [],
                "REQUIRETLS": [],
                "SIZE": [max_message.to_string()],
                "8BITMIME": [],
                "SMTPUTF8": [],
            },
        }),
    );
    map
}

/// Levels of mailboxes.
pub const MAILBOX_DEPTH: usize = 10;
/// Octets of a mailbox's name.
pub const MAILBOX_NAME: usize = 200;
/// What Email/query sorts by.
pub const SORTS: [&str; 9] = [
    "receivedAt",
    "size",
    "from",
    "to",
    "subject",
    "sentAt",
    "hasKeyword",
    "allInThreadHaveKeyword",
    "someInThreadHaveKeyword",
];
