//! The values of header fields in JMAP's forms (RFC 8621 §4.1.2).
use serde_json::{Value, json};

use crate::jmap::wire::header::{Form, HeaderProperty};
use crate::limits;
use crate::mime::address::{self, Group, Mailbox};
use crate::mime::nfc::nfc;
use crate::mime::{Address, DateTime, date, header, msgid};

/// The value of a header property, given the header block that has the field.
pub fn header(block: &[u8], property: &HeaderProperty) -> Value {
    let fields = header::fields(block).filter(|field| field.is(&property.name));
    if property.all {
        return fields
            .map(|field| form(field.value, property.form))
            .collect();
    }
    fields
        .last()
        .map_or(Value::Null, |field| form(field.value, property.form))
}

/// The `headers` of a message or part: every field, in order.
pub fn headers(block: &[u8]) -> Value {
    header::fields(block)
        .map(|field| {
            json!({
                "name": String::from_utf8_lossy(field.name),
                "value": header::raw(field.value),
            })
        })
        .collect()
}

fn form(value: &[u8], form: Form) -> Value {
    match form {
        Form::Raw => header::raw(value).into(),
        Form::Text => header::text(value).into(),
        Form::Addresses => addresses(&address::parse(value, limits::MIME_ADDRESSES)),
        Form::GroupedAddresses => {
            let list = address::parse(value, limits::MIME_ADDRESSES);
            address::groups(&list).iter().map(group).collect()
        }
        Form::MessageIds => msgid::list(value).into(),
        Form::Date => date::parse(value).map(DateTime::rfc3339).into(),
        Form::Urls => header::urls(value).into(),
    }
}

/// A list of mailboxes, groups dissolved.
pub fn addresses(list: &[Address]) -> Value {
    address::mailboxes(list).iter().map(mailbox).collect()
}

fn mailbox(mailbox: &Mailbox) -> Value {
    let name = mailbox.name.clone().map(nfc);
    json!({ "name": name, "email": mailbox.email })
}

fn group(group: &Group) -> Value {
    let addresses: Vec<Value> = group.addresses.iter().map(mailbox).collect();
    json!({ "name": group.name.clone().map(nfc), "addresses": addresses })
}
