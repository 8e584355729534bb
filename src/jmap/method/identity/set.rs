//! Identity/set (RFC 8621 §6.3).
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Answer, Identity, PROPERTIES, all, default};
use crate::config::Config;
use crate::jmap::context::{Context, method_error};
use crate::jmap::method::set::Set;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::id;
use crate::jmap::wire::patch::{self, Change};
use crate::limits;
use crate::mail::{DataType, Edit, Record};

/// What a record of the call came to, in the order of the calls.
type Outcome = Result<(), SetError>;

/// Identity/set: everything in one commit.
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    all(context).await?;
    let mut set = Set::parse(context, &mut args, DataType::Identity)?;
    args.finish()?;
    let config = context.site.ctx.config.clone();
    let (mut names, mut made) = (Vec::new(), Vec::new());
    for (name, object) in std::mem::take(&mut set.create) {
        match create(&config, object) {
            Ok(data) => {
                names.push(name);
                made.push(data);
            }
            Err(error) => set.done.not_created(&name, error),
        }
    }
    set.settle(context);
    let updates = std::mem::take(&mut set.update);
    let destroy = std::mem::take(&mut set.destroy);
    let (update_ids, destroy_ids) = (ids(&updates), destroy.clone());
    let shown = made.clone();
    let plan = move |records: &[Record]| Ok(plan(records, made, updates, &destroy));
    let edited = context
        .mail
        .edit_records(DataType::Identity, set.done.next(), plan);
    let ((outcomes, ids), own) = edited.await.map_err(method_error)?;
    set.done.own(&own);
    for ((name, data), (outcome, id)) in names.iter().zip(&shown).zip(created(outcomes.0, ids)) {
        match outcome {
            Ok(()) => set.done.created(context, name, told(data, id)),
            Err(error) => set.done.not_created(name, error),
        }
    }
    for (id, outcome) in update_ids.iter().zip(outcomes.1) {
        match outcome {
            Ok(()) => set.done.updated(id),
            Err(error) => set.done.not_updated(id, error),
        }
    }
    for (id, outcome) in destroy_ids.iter().zip(outcomes.2) {
        match outcome {
            Ok(()) => set.done.destroyed(id),
            Err(error) => set.done.not_destroyed(id, error),
        }
    }
    set.done.answer()
}

fn ids(updates: &[(String, Value)]) -> Vec<String> {
    updates.iter().map(|(id, _)| id.clone()).collect()
}

/// Each outcome of a creation with the id that it led to.
fn created(outcomes: Vec<Outcome>, ids: Vec<u64>) -> Vec<(Outcome, u64)> {
    let mut ids = ids.into_iter();
    let id = |outcome: Outcome| {
        let id = outcome.is_ok().then(|| ids.next()).flatten();
        (outcome, id.unwrap_or_default())
    };
    outcomes.into_iter().map(id).collect()
}

/// What the client does not know of a new identity: the id and what it left to its default.
fn told(data: &Map<String, Value>, id: u64) -> Map<String, Value> {
    let identity = Identity {
        id,
        data: data.clone(),
    };
    let missing: Vec<&str> = PROPERTIES
        .into_iter()
        .filter(|name| !data.contains_key(*name))
        .collect();
    identity.object(&missing)
}

type Outcomes = (Vec<Outcome>, Vec<Outcome>, Vec<Outcome>);

/// Runs in the writer.
fn plan(
    records: &[Record],
    made: Vec<Map<String, Value>>,
    updates: Vec<(String, Value)>,
    destroy: &[String],
) -> (Vec<Edit>, Outcomes) {
    let mut edits = Vec::new();
    let mut outcomes = Outcomes::default();
    let find = |text: &str| {
        let wanted = id::to_identity(text);
        let record = records.iter().find(|record| Some(record.id) == wanted);
        record.and_then(Identity::of)
    };
    for (number, data) in made.into_iter().enumerate() {
        if records.len() + number >= limits::IDENTITIES {
            let full = SetError::new("overQuota").because("there are too many identities");
            outcomes.0.push(Err(full));
            continue;
        }
        edits.push(Edit::Create(Value::Object(data).to_string().into_bytes()));
        outcomes.0.push(Ok(()));
    }
    for (text, patch) in updates {
        let updated = match find(&text) {
            None => Err(SetError::new("notFound")),
            Some(identity) => update(identity, patch),
        };
        outcomes.1.push(updated.map(|edit| edits.extend(edit)));
    }
    for text in destroy {
        outcomes.2.push(match find(text) {
            None => Err(SetError::new("notFound")),
            Some(identity) if identity.is_own() => {
                Err(SetError::new("forbidden").because("each own address has an identity"))
            }
            Some(identity) => {
                edits.push(Edit::Destroy(identity.id));
                Ok(())
            }
        });
    }
    (edits, outcomes)
}

/// The data of a new identity.
fn create(config: &Config, object: Value) -> Result<Map<String, Value>, SetError> {
    let Value::Object(given) = object else {
        return Err(SetError::new("invalidProperties").because("an Identity is an object"));
    };
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
    let wrong = |why: &str| Err(SetError::property(name, format!("{name} {why}")));
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

fn update(mut identity: Identity, patch: Value) -> Result<Option<Edit>, SetError> {
    let Value::Object(patch) = patch else {
        return Err(SetError::new("invalidPatch").because("a patch is an object"));
    };
    let changes: BTreeMap<String, Change> = patch::parse(patch)?;
    let before = identity.data.clone();
    for (name, change) in changes {
        let Change::Whole(value) = change else {
            return Err(SetError::new("invalidPatch").because(format!("{name} has no members")));
        };
        // RFC 8620 §5.3: what cannot change may be sent as it is.
        if identity.value(&name) == value {
            continue;
        }
        check(&name, &value)?;
        match value {
            Value::Null => identity.data.remove(&name),
            value => identity.data.insert(name, value),
        };
    }
    if identity.data == before {
        return Ok(None);
    }
    let data = Value::Object(identity.data).to_string().into_bytes();
    Ok(Some(Edit::Update(identity.id, data)))
}
