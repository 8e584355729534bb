//! Identities (RFC 8621 §6): one for each address of the user, as the flags name them. Read-only
//! so far; clients pick one by its address or take the first.
use serde_json::{Map, Value};

use super::Answer;
use super::changes::Since;
use super::get::{Found, Get};
use crate::jmap::context::{Context, account};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::mail::ObjectChanges;

const PROPERTIES: [&str; 8] = [
    "id",
    "name",
    "email",
    "replyTo",
    "bcc",
    "textSignature",
    "htmlSignature",
    "mayDelete",
];

/// What identities are derived from changes only with the flags.
const STATE: u64 = 1;

/// Identity/get (RFC 8621 §6.1).
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    let get = Get::parse(context, &mut args)?;
    args.finish()?;
    let properties = get.among(&PROPERTIES)?;
    let addresses = context.site.ctx.config.addresses();
    let all = addresses
        .iter()
        .enumerate()
        .map(|(index, email)| (format!("i{}", index + 1), email));
    let mut found = Found::default();
    for (id, email) in all.clone() {
        if get.ids.as_ref().is_none_or(|ids| ids.contains(&id)) {
            found.push(context, object(&id, email, &properties))?;
        }
    }
    for id in get.ids.unwrap_or_default() {
        if !all.clone().any(|(known, _)| known == id) {
            found.missing(id);
        }
    }
    found.answer(STATE)
}

fn object(id: &str, email: &str, properties: &[&str]) -> Map<String, Value> {
    let value = |name: &str| -> Value {
        match name {
            "id" => id.into(),
            "email" => email.into(),
            "name" | "textSignature" | "htmlSignature" => "".into(),
            "mayDelete" => false.into(),
            _ => Value::Null,
        }
    };
    properties
        .iter()
        .map(|name| ((*name).to_owned(), value(name)))
        .collect()
}

/// Identity/changes (RFC 8621 §6.2): there are none.
pub async fn changes(_: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    if args.required("sinceState")? != STATE.to_string() {
        return Err(MethodError::new("cannotCalculateChanges"));
    }
    let since = Since {
        modseq: STATE,
        max: 1,
    };
    super::changes::max_changes(&mut args)?;
    args.finish()?;
    let (created, updated, destroyed) = (Vec::new(), Vec::new(), Vec::new());
    let none = ObjectChanges {
        modseq: STATE,
        more: false,
        created,
        updated,
        destroyed,
    };
    let map = since.answer::<u8>(&none, |_| ACCOUNT.into());
    Ok(map)
}
