//! EmailSubmission (RFC 8621 §7): sending, through the one queue.
//!
//! A submission that waits for its time (FUTURERELEASE, RFC 4865) or for its first attempt can be
//! taken back; `deliveryStatus` follows the queue. Reports (DSN, MDN) come as emails;
//! [`crate::mail::receipt`] knows what they are about.
mod envelope;
mod query;
mod set;

use serde_json::{Value, json};

pub use set::set;

use super::get::{Get, unnamed};
use super::kind::{Few, Objects, Question, Type, done};
use super::{Answer, Running};
use crate::jmap::context::Context;
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

/// The type.
pub struct Submissions;

impl Type for Submissions {
    fn data(&self) -> DataType {
        DataType::EmailSubmission
    }

    fn letter(&self) -> char {
        's'
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn objects<'a>(
        &'a self,
        context: &'a Context,
        get: &'a mut Get,
        _: &'a mut Args,
    ) -> Running<'a, Box<dyn Objects>> {
        match context.mail.submissions() {
            Ok(all) if get.ids.is_none() && all.len() > limits::JMAP_GET => done(Err(unnamed())),
            Ok(all) => Few::at_hand(all, value),
            Err(error) => done(Err(error.into())),
        }
    }

    fn question(
        &self,
        context: &Context,
        args: &mut Args,
    ) -> Result<Box<dyn Question>, MethodError> {
        query::question(context, args)
    }
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
