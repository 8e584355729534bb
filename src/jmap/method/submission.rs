//! EmailSubmission (RFC 8621 §7): sending, through the one queue.
//!
//! A submission that waits for its time (FUTURERELEASE, RFC 4865) or for its first attempt can be
//! taken back; `deliveryStatus` follows the queue. Reports (DSN, MDN) come as emails;
//! [`crate::mail::receipt`] knows what they are about.
mod envelope;
mod query;
mod set;

use serde_json::{Map, Value, json};

pub use query::{query, query_changes};
pub use set::set;

use super::Answer;
use super::changes::Since;
use super::get::{Found, Get};
use crate::jmap::context::{Context, method_error};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::limits;
use crate::mail::DataType;
use crate::mail::submission::{Delivered, Delivery, Submission, Undo};
use crate::mime::date;

const PROPERTIES: [&str; 10] = [
    "id",
    "identityId",
    "emailId",
    "threadId",
    "envelope",
    "sendAt",
    "undoStatus",
    "deliveryStatus",
    "dsnBlobIds",
    "mdnBlobIds",
];

/// EmailSubmission/get (RFC 8621 §7.1).
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    let get = Get::parse(context, &mut args)?;
    args.finish()?;
    let properties = get.among(&PROPERTIES)?;
    let now = context.mail.meta().states.of(DataType::EmailSubmission);
    let all = context.mail.submissions().map_err(method_error)?;
    let mut found = Found::default();
    let ids = match get.ids {
        Some(ids) => ids,
        None if all.len() > limits::JMAP_GET => {
            return Err(MethodError::new("requestTooLarge").because("name the ids"));
        }
        None => all.iter().map(|(id, _)| id::submission(*id)).collect(),
    };
    for text in ids {
        let wanted = id::to_submission(&text);
        match all.iter().find(|(id, _)| Some(*id) == wanted) {
            Some((id, submission)) => found.push(context, object(*id, submission, &properties))?,
            None => found.missing(text),
        }
    }
    found.answer(now)
}

fn object(id: u64, submission: &Submission, properties: &[&str]) -> Map<String, Value> {
    let pairs = properties.iter();
    pairs
        .map(|name| ((*name).to_owned(), value(id, submission, name)))
        .collect()
}

fn value(id: u64, submission: &Submission, name: &str) -> Value {
    match name {
        "id" => id::submission(id).into(),
        "identityId" => id::identity(submission.identity).into(),
        "emailId" => id::email(submission.email).into(),
        "threadId" => id::thread(submission.thread).into(),
        "envelope" => serde_json::from_str(&submission.envelope).unwrap_or_default(),
        "sendAt" => date::utc_date(submission.send_at.into()).into(),
        "undoStatus" => undo(submission.undo).into(),
        "deliveryStatus" => {
            let each = |delivery: &Delivery| (delivery.address.clone(), status(delivery));
            Value::Object(submission.deliveries.iter().map(each).collect())
        }
        name => {
            let read = name == "mdnBlobIds";
            let reports = submission.reports.iter().filter(|it| it.read == read);
            let ids = reports.map(|it| id::BlobId::whole(it.email).to_string());
            ids.map(Value::from).collect()
        }
    }
}

fn undo(undo: Undo) -> &'static str {
    match undo {
        Undo::Pending => "pending",
        Undo::Final => "final",
        Undo::Canceled => "canceled",
    }
}

fn status(delivery: &Delivery) -> Value {
    let delivered = match delivery.delivered {
        Delivered::Queued => "queued",
        Delivered::Yes => "yes",
        Delivered::No => "no",
        Delivered::Unknown => "unknown",
    };
    let displayed = if delivery.displayed { "yes" } else { "unknown" };
    json!({ "smtpReply": delivery.reply, "delivered": delivered, "displayed": displayed })
}

/// EmailSubmission/changes (RFC 8621 §7.2).
pub async fn changes(context: &mut Context, args: Args) -> Answer {
    let since = Since::parse(context, args)?;
    let changes = context
        .mail
        .record_changes(DataType::EmailSubmission, since.modseq, since.max)
        .map_err(method_error)?;
    Ok(since.answer(&changes, id::submission))
}
