//! Keywords and mailbox sets: objects whose values are all true (RFC 8621 §4.1.1).
use serde_json::{Map, Value};

use crate::jmap::context::Context;
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::id;
use crate::jmap::wire::patch::Change;
use crate::mail::{EmailUpdate, Flags, Keywords, MailboxId};

/// The four system flags that have another first letter in JMAP.
const SYSTEM: [(&str, Flags); 4] = [
    ("$answered", Flags::ANSWERED),
    ("$draft", Flags::DRAFT),
    ("$flagged", Flags::FLAGGED),
    ("$seen", Flags::SEEN),
];

/// The `keywords` of an email, in lower case.
pub fn show(flags: Flags, names: &Keywords) -> Map<String, Value> {
    let system = SYSTEM
        .iter()
        .filter(|(_, flag)| flags.has(*flag))
        .map(|(name, _)| *name);
    let mut map: Map<String, Value> = system
        .map(|name| (name.to_owned(), Value::Bool(true)))
        .collect();
    map.extend(
        names
            .names(flags)
            .map(|name| (name.to_ascii_lowercase(), Value::Bool(true))),
    );
    map
}

/// The flag of a keyword that some email has or had; `None` if none ever did.
pub fn flag(name: &str, names: &Keywords) -> Option<Flags> {
    let system = SYSTEM
        .iter()
        .find(|(system, _)| system.eq_ignore_ascii_case(name));
    system.map(|(_, flag)| *flag).or_else(|| names.flag(name))
}

/// Whether a text may be a keyword (RFC 8621 §4.1.1).
pub fn is_keyword(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|b| (0x21..=0x7e).contains(&b) && !b"(){]%*\"\\".contains(&b))
}

/// Sorts keywords into system flags and others.
pub fn split<'a>(names: impl IntoIterator<Item = &'a str>) -> (Flags, Vec<String>) {
    let mut flags = Flags::default();
    let mut others = Vec::new();
    for name in names {
        match SYSTEM
            .iter()
            .find(|(system, _)| system.eq_ignore_ascii_case(name))
        {
            Some((_, flag)) => flags = flags.with(*flag),
            None => others.push(name.to_ascii_lowercase()),
        }
    }
    (flags, others)
}

/// Reads a whole `keywords` value; null is none.
pub fn parse(value: &Value) -> Result<(Flags, Vec<String>), SetError> {
    let map = match value {
        Value::Null => return Ok((Flags::default(), Vec::new())),
        Value::Object(map) => map,
        _ => return Err(SetError::property("keywords", "keywords must be an object")),
    };
    if let Some((bad, _)) = map
        .iter()
        .find(|(name, on)| **on != Value::Bool(true) || !is_keyword(name))
    {
        return Err(SetError::property(
            "keywords",
            &format!("{bad:?} is no keyword set to true"),
        ));
    }
    Ok(split(map.keys().map(String::as_str)))
}

/// Puts a change of `keywords` into an update. False removes as null does: clients send it.
pub fn change(change: Change, update: &mut EmailUpdate) -> Result<(), SetError> {
    let members = match change {
        Change::Whole(value) => {
            update.add = parse(&value)?;
            update.replace_keywords = true;
            return Ok(());
        }
        Change::Members(members) => members,
    };
    let mut add = Vec::new();
    let mut remove = Vec::new();
    for (name, value) in &members {
        let list = match value {
            Value::Bool(true) => &mut add,
            Value::Bool(false) | Value::Null => &mut remove,
            _ => return Err(SetError::property("keywords", "a keyword is true or null")),
        };
        if !is_keyword(name) {
            return Err(SetError::property(
                "keywords",
                &format!("{name:?} is no keyword"),
            ));
        }
        list.push(name.as_str());
    }
    update.add = split(add);
    update.remove = split(remove);
    Ok(())
}

/// Reads a whole `mailboxIds` value: at least one, all of them known.
pub fn mailboxes(context: &Context, value: &Value) -> Result<Vec<MailboxId>, SetError> {
    let map = value.as_object().filter(|map| !map.is_empty());
    let map = map.ok_or_else(|| bad("an email is in one mailbox at least"))?;
    map.iter()
        .map(|(text, on)| match on {
            Value::Bool(true) => mailbox(context, text),
            _ => Err(bad("the values of mailboxIds are true")),
        })
        .collect()
}

fn mailbox(context: &Context, text: &str) -> Result<MailboxId, SetError> {
    id::to_mailbox(context.resolve(text))
        .filter(|id| context.mail.meta().mailbox(*id).is_some())
        .ok_or_else(|| bad(&format!("there is no mailbox {text:?}")))
}

fn bad(why: &str) -> SetError {
    SetError::property("mailboxIds", why)
}

/// Puts a change of `mailboxIds` into an update.
pub fn change_mailboxes(
    context: &Context,
    change: Change,
    update: &mut EmailUpdate,
) -> Result<(), SetError> {
    let members = match change {
        Change::Whole(value) => {
            update.mailboxes = Some(mailboxes(context, &value)?);
            return Ok(());
        }
        Change::Members(members) => members,
    };
    for (text, value) in members {
        match value {
            Value::Bool(true) => update.add_to.push(mailbox(context, &text)?),
            // RFC 8620 §5.3: removing what is not there is a no-op.
            Value::Bool(false) | Value::Null => {
                update
                    .remove_from
                    .extend(id::to_mailbox(context.resolve(&text)));
            }
            _ => return Err(bad("a mailbox is true or null")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms() {
        let (flags, names) = parse(&json!({"$seen": true, "$Forwarded": true})).unwrap();
        assert_eq!((flags, names), (Flags::SEEN, vec!["$forwarded".to_owned()]));
        assert!(parse(&json!({"$seen": false})).is_err());
        assert!(parse(&json!({"a b": true})).is_err());
        assert!(parse(&json!(["$seen"])).is_err());
        assert!(!is_keyword("") && !is_keyword("a*") && is_keyword("a[}"));
    }

    #[test]
    fn patches() {
        let mut update = EmailUpdate::default();
        let members = [
            ("$seen", json!(true)),
            ("$flagged", Value::Null),
            ("x", json!(false)),
        ];
        let members = members
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect();
        change(Change::Members(members), &mut update).unwrap();
        assert_eq!(update.add.0, Flags::SEEN);
        assert_eq!(update.remove, (Flags::FLAGGED, vec!["x".to_owned()]));
        assert!(!update.replace_keywords);
    }
}
