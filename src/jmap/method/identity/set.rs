//! Identity/set (RFC 8621 §6.3).
use std::sync::Arc;

use serde_json::{Map, Value};

use super::{OWN, PROPERTIES, all, default, value};
use crate::config::Config;
use crate::jmap::context::Context;
use crate::jmap::method::Answer;
use crate::jmap::method::records::{self, Data, Kind};
use crate::jmap::method::set::Set;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::id;
use crate::limits;
use crate::mail::DataType;

/// Identity/set: everything in one commit.
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    all(context).await?;
    let mut set = Set::parse(context, &mut args, DataType::Identity)?;
    args.finish()?;
    let kind = Identities(Arc::clone(&context.site.ctx.config));
    let mail = Arc::clone(&context.mail);
    records::set(context, &mail, &mut set, Arc::new(kind)).await?;
    set.done.answer()
}

struct Identities(Arc<Config>);

impl Kind for Identities {
    fn of(&self) -> DataType {
        DataType::Identity
    }

    fn most(&self) -> usize {
        limits::IDENTITIES
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn to_id(&self, text: &str) -> Option<u64> {
        id::to_identity(text)
    }

    fn value(&self, id: u64, data: &Data, name: &str) -> Value {
        value(id, data, name)
    }

    fn is_seen(&self, _: &Data) -> bool {
        true
    }

    fn create(&self, given: Data) -> Result<Data, SetError> {
        create(&self.0, given)
    }

    fn set(&self, data: &mut Data, name: &str, value: Value) -> Result<(), SetError> {
        check(name, &value)?;
        match value {
            Value::Null => data.remove(name),
            value => data.insert(name.to_owned(), value),
        };
        Ok(())
    }

    fn may_go(&self, data: &Data) -> Result<(), SetError> {
        match data.contains_key(OWN) {
            true => Err(SetError::new("forbidden").because("each own address has an identity")),
            false => Ok(()),
        }
    }
}

/// The data of a new identity.
fn create(config: &Config, given: Data) -> Result<Data, SetError> {
    let Some(email) = given.get("email").and_then(Value::as_str) else {
        return Err(SetError::property("email", "an identity needs an email"));
    };
    // RFC 8621 §6: a "*" stands for every address of a domain.
    let any = email.strip_prefix("*@");
    let mine = match any {
        Some(domain) => config.catch_all && config.is_own_domain(domain),
        None => config.owns(email),
    };
    if !mine {
        return Err(SetError::new("forbiddenFrom").because("this address is not yours"));
    }
    let mut data = Map::new();
    for (name, value) in &given {
        if name != "email" {
            check(name, value)?;
        }
        if !value.is_null() {
            data.insert(name.clone(), value.clone());
        }
    }
    Ok(data)
}

/// Whether a client may set a property to a value; null is its default.
fn check(name: &str, value: &Value) -> Result<(), SetError> {
    let wrong = |why: &str| Err(SetError::property(name, &format!("{name} {why}")));
    match name {
        _ if value.is_null() && default(name).is_null() && is_addresses(name) => Ok(()),
        "name" | "textSignature" | "htmlSignature" => match value {
            Value::Null => Ok(()),
            Value::String(text) if text.len() <= limits::SIGNATURE => Ok(()),
            Value::String(_) => wrong("is too long"),
            _ => wrong("must be a string"),
        },
        "replyTo" | "bcc" if addresses(value) => Ok(()),
        "replyTo" | "bcc" => wrong("must be a list of EmailAddress objects or null"),
        "email" => wrong("cannot be changed"),
        _ => wrong("is set by the server, or unknown"),
    }
}

fn is_addresses(name: &str) -> bool {
    matches!(name, "replyTo" | "bcc")
}

/// EmailAddress[] (RFC 8621 §4.1.2.3).
fn addresses(value: &Value) -> bool {
    let text = |value: Option<&Value>, or_null: bool| match value {
        Some(Value::String(text)) => text.len() <= 1000,
        None | Some(Value::Null) => or_null,
        _ => false,
    };
    let one = |value: &Value| {
        value.as_object().is_some_and(|map| {
            map.keys().all(|key| key == "name" || key == "email")
                && text(map.get("name"), true)
                && text(map.get("email"), false)
        })
    };
    value
        .as_array()
        .is_some_and(|list| list.len() <= 100 && list.iter().all(one))
}
