//! The Envelope of a submission (RFC 8621 §7): read, or made from the email.
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::jmap::method::identity::Identity;
use crate::jmap::wire::date;
use crate::jmap::wire::error::SetError;
use crate::limits;
use crate::mail::address::Address;
use crate::mail::outbound::{Notify, Recipient};
use crate::mime::{address, header};

/// An envelope, checked.
pub struct Envelope {
    /// None: the null reverse-path.
    pub sender: Option<Address>,
    /// ENVID (RFC 3461 §4.4).
    pub envid: Option<String>,
    /// RET (RFC 3461 §4.3).
    pub full: Option<bool>,
    /// Seconds since 1970 when it is to be released, if not at once (RFC 4865).
    pub release: Option<u32>,
    /// REQUIRETLS was given (RFC 8689 §2).
    pub requiretls: bool,
    /// Who gets it.
    pub recipients: Vec<Recipient>,
    /// The object as the client sees it.
    pub object: Value,
}

/// The envelope that the client gave.
pub fn given(object: Value, now: u32) -> Result<Envelope, SetError> {
    let wrong = |why: &str| SetError::property("envelope", why);
    let from = object.get("mailFrom").and_then(Value::as_object);
    let from = from.ok_or_else(|| wrong("mailFrom must be an Address object"))?;
    let to = object.get("rcptTo").and_then(Value::as_array);
    let to = to.ok_or_else(|| wrong("rcptTo must be an array of Address objects"))?;
    let (email, parameters) = parts(from).ok_or_else(|| wrong("mailFrom is no Address object"))?;
    let sender = match email {
        "" => None,
        email => Some(Address::parse(email).map_err(|_| wrong("mailFrom is no address"))?),
    };
    let mut envelope = Envelope {
        sender,
        envid: None,
        full: None,
        release: None,
        requiretls: false,
        recipients: Vec::new(),
        object: Value::Null,
    };
    for (name, value) in parameters.into_iter().flatten() {
        mail_parameter(&mut envelope, name, value, now)
            .ok_or_else(|| wrong(&format!("the parameter {name:?} cannot be used like this")))?;
    }
    let mut invalid = Vec::new();
    for one in to {
        let parts = one.as_object().and_then(parts);
        let (email, parameters) = parts.ok_or_else(|| wrong("rcptTo has no Address objects"))?;
        let Ok(address) = Address::parse(email) else {
            invalid.push(email.to_owned());
            continue;
        };
        let mut recipient = Recipient {
            address,
            notify: None,
            orcpt: None,
        };
        for (name, value) in parameters.into_iter().flatten() {
            rcpt_parameter(&mut recipient, name, value)
                .ok_or_else(|| wrong(&format!("the parameter {name:?} cannot be used here")))?;
        }
        envelope.recipients.push(recipient);
    }
    envelope.object = object;
    check(envelope, invalid)
}

fn check(mut envelope: Envelope, invalid: Vec<String>) -> Result<Envelope, SetError> {
    if !invalid.is_empty() {
        return Err(invalid_recipients(invalid));
    }
    let mut seen = HashSet::new();
    envelope
        .recipients
        .retain(|recipient| seen.insert(recipient.address.clone()));
    match envelope.recipients.len() {
        0 => Err(SetError::new("noRecipients").because("nobody would get it")),
        n if n > limits::RECIPIENTS => Err(SetError::new("tooManyRecipients")
            .because("more recipients than this server takes at once")
            .with("maxRecipients", limits::RECIPIENTS)),
        _ => Ok(envelope),
    }
}

/// Recipients that mail cannot be sent to.
pub fn invalid_recipients(list: Vec<String>) -> SetError {
    SetError::new("invalidRecipients")
        .because("these are no addresses that mail can be sent to")
        .with("invalidRecipients", list)
}

/// `email` and `parameters` of an Address object.
fn parts(map: &Map<String, Value>) -> Option<(&str, Option<&Map<String, Value>>)> {
    let known = |key: &String| key == "email" || key == "parameters";
    let email = map
        .get("email")?
        .as_str()
        .filter(|_| map.keys().all(known))?;
    match map.get("parameters") {
        None | Some(Value::Null) => Some((email, None)),
        Some(Value::Object(parameters)) => Some((email, Some(parameters))),
        Some(_) => None,
    }
}

/// One parameter of MAIL FROM; None: it is unknown, or its value is wrong.
fn mail_parameter(envelope: &mut Envelope, name: &str, value: &Value, now: u32) -> Option<()> {
    let text = value.as_str();
    match (name.to_ascii_uppercase().as_str(), text) {
        // RFC 4865 §4: seconds from now, or a date; not both.
        ("HOLDFOR", Some(seconds)) if envelope.release.is_none() => {
            let seconds = seconds.parse::<u32>().ok()?;
            envelope.release = Some(now.saturating_add(seconds));
            (seconds <= limits::SEND_DELAY).then_some(())
        }
        ("HOLDUNTIL", Some(time)) if envelope.release.is_none() => {
            let time = u32::try_from(date::parse(time)?.secs).ok()?;
            envelope.release = Some(time.max(now));
            (time <= now.saturating_add(limits::SEND_DELAY)).then_some(())
        }
        ("ENVID", Some(id)) if id.len() <= 100 && id.is_ascii() => {
            envelope.envid = Some(id.to_owned());
            Some(())
        }
        ("RET", Some(what)) => {
            envelope.full = match what.to_ascii_uppercase().as_str() {
                "FULL" => Some(true),
                "HDRS" => Some(false),
                _ => return None,
            };
            Some(())
        }
        ("REQUIRETLS", None) if value.is_null() => {
            envelope.requiretls = true;
            Some(())
        }
        // We know better: the message is here.
        ("SIZE" | "BODY", Some(_)) | ("SMTPUTF8", None) => Some(()),
        _ => None,
    }
}

fn rcpt_parameter(recipient: &mut Recipient, name: &str, value: &Value) -> Option<()> {
    let text = value.as_str()?;
    match name.to_ascii_uppercase().as_str() {
        "NOTIFY" => {
            let mut notify = Notify::default();
            for word in text.split(',') {
                match word.trim().to_ascii_uppercase().as_str() {
                    "NEVER" if text.len() == 5 => {}
                    "SUCCESS" => notify.success = true,
                    "FAILURE" => notify.failure = true,
                    "DELAY" => notify.delay = true,
                    _ => return None,
                }
            }
            recipient.notify = Some(notify);
            Some(())
        }
        "ORCPT" if text.len() <= 500 && text.contains(';') => {
            recipient.orcpt = Some(text.to_owned());
            Some(())
        }
        _ => None,
    }
}

/// The envelope that follows from the header (RFC 8621 §7).
pub fn made(block: &[u8], identity: &Identity, config: &Config) -> Result<Envelope, SetError> {
    let sender = from(block)?;
    let sender = sender
        .filter(|sender| identity.covers(sender) && config.owns(sender))
        .unwrap_or_else(|| identity.email().to_owned());
    let mut to: Vec<String> = Vec::new();
    for name in ["To", "Cc", "Bcc"] {
        for field in header::fields(block).filter(|field| field.is(name)) {
            let list = address::parse(field.value, limits::MIME_ADDRESSES);
            to.extend(address::mailboxes(&list).into_iter().map(|it| it.email));
        }
    }
    let mut seen = HashSet::new();
    to.retain(|email| seen.insert(email.clone()));
    let address = |email: &str| json!({ "email": email, "parameters": null });
    let rcpt: Vec<Value> = to.iter().map(|email| address(email)).collect();
    given(json!({ "mailFrom": address(&sender), "rcptTo": rcpt }), 0)
}

/// The address in the Sender, else in the From field; several are refused.
fn from(block: &[u8]) -> Result<Option<String>, SetError> {
    for (name, property) in [("Sender", "sender"), ("From", "from")] {
        let fields: Vec<_> = header::fields(block).filter(|f| f.is(name)).collect();
        let Some(field) = fields.last() else { continue };
        let list = address::parse(field.value, limits::MIME_ADDRESSES);
        let mut list = address::mailboxes(&list);
        if fields.len() > 1 || list.len() > 1 {
            return Err(SetError::new("invalidEmail")
                .because(&format!("more than one {name} address: give an envelope"))
                .with("properties", vec![property.to_owned()]));
        }
        if let Some(one) = list.pop() {
            return Ok(Some(one.email));
        }
    }
    Ok(None)
}
