//! PushSubscription (RFC 8620 §7.2). It is of no account, and known only to the log-in that made it.
use std::sync::Arc;

use serde_json::Value;

use super::get::Get;
use super::kind::{Objects, Type, done};
use super::records::{self, Data, Kind};
use super::set::{Done, Set};
use super::{Answer, Running};
use crate::jmap::context::Context;
use crate::jmap::push::{Keys, Target, ring};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::date;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id;
use crate::jmap::wire::json::put;
use crate::limits;
use crate::mail::{DataType, Modseq};
use crate::mime::date::utc_date;
use crate::sys::{clock, random};

const KIND: DataType = DataType::PushSubscription;

/// `url` and `keys` are never told (§7.2.1).
const PROPERTIES: [&str; 5] = [
    "id",
    "deviceClientId",
    "verificationCode",
    "expires",
    "types",
];

struct Editor {
    /// Who asks.
    by: String,
    /// What a verified subscription is to hear of happens after this.
    now: Modseq,
}

impl Editor {
    fn of(context: &Context) -> Editor {
        Editor {
            by: context.site.credential.clone(),
            now: context.mail.meta().modseq,
        }
    }
}

fn value(id: u64, data: &Data, name: &str) -> Value {
    match name {
        "id" => id::subscription(id).into(),
        // The client has to have it from the message.
        "verificationCode" if !data.contains_key("since") => Value::Null,
        "verificationCode" => data.get("code").cloned().unwrap_or_default(),
        "expires" => {
            let at = data.get("expires").and_then(Value::as_i64);
            utc_date(at.unwrap_or_default()).into()
        }
        _ => data.get(name).cloned().unwrap_or_default(),
    }
}

impl Kind for Editor {
    fn of(&self) -> DataType {
        KIND
    }

    fn most(&self) -> usize {
        limits::PUSH_SUBSCRIPTIONS
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn to_id(&self, text: &str) -> Option<u64> {
        id::to_subscription(text)
    }

    fn value(&self, id: u64, data: &Data, name: &str) -> Value {
        value(id, data, name)
    }

    fn is_seen(&self, data: &Data) -> bool {
        data.get("by").and_then(Value::as_str) == Some(&self.by)
    }

    fn create(&self, given: Data) -> Result<Data, SetError> {
        let code = random::octets::<16>().map(u128::from_ne_bytes);
        let code = code.map_err(|_| SetError::new("serverUnavailable"))?;
        let mut data = Data::new();
        put(&mut data, "by", self.by.as_str());
        put(&mut data, "code", format!("{code:032x}"));
        put(&mut data, "expires", latest());
        for (name, value) in given {
            let wrong = |why: &str| SetError::property(&name, &format!("{name} {why}"));
            match name.as_str() {
                "deviceClientId" => {
                    let fits = value
                        .as_str()
                        .is_some_and(|t| !t.is_empty() && t.len() <= 255);
                    if !fits {
                        return Err(wrong("must be a string of 1 to 255 octets"));
                    }
                }
                "url" => {
                    let url = value.as_str().filter(|url| url.len() <= limits::PUSH_URL);
                    if url.and_then(Target::parse).is_none() {
                        return Err(wrong("must be an https: URL"));
                    }
                }
                "keys" if value.is_null() => continue,
                "keys" => {
                    let key = |name: &str| value.get(name).and_then(Value::as_str);
                    let keys = key("p256dh").zip(key("auth"));
                    if keys
                        .and_then(|(public, auth)| Keys::parse(public, auth))
                        .is_none()
                    {
                        return Err(wrong("must have a P-256 point and 16 octets in base64url"));
                    }
                }
                "verificationCode" if value.is_null() => continue,
                "verificationCode" => return Err(wrong("is made by the server")),
                _ => {
                    self.set(&mut data, &name, value)?;
                    continue;
                }
            }
            data.insert(name, value);
        }
        match ["deviceClientId", "url"]
            .iter()
            .find(|name| !data.contains_key(**name))
        {
            Some(name) => Err(SetError::property(name, "a subscription needs it")),
            None => Ok(data),
        }
    }

    fn set(&self, data: &mut Data, name: &str, value: Value) -> Result<(), SetError> {
        let wrong = |why: &str| Err(SetError::property(name, &format!("{name} {why}")));
        match name {
            "expires" => {
                let at = match &value {
                    Value::Null => latest(),
                    given => match given.as_str().and_then(date::parse_utc) {
                        Some(at) => at.min(latest()),
                        None => return wrong("must be a UTCDate or null"),
                    },
                };
                put(data, "expires", at.max(0));
            }
            "types" => {
                let name = |name: &Value| name.as_str().is_some_and(|name| name.len() <= 100);
                let fits = value
                    .as_array()
                    .is_some_and(|all| all.len() <= 100 && all.iter().all(name));
                if !fits && !value.is_null() {
                    return wrong("must be a list of names or null");
                }
                put(data, "types", value);
            }
            // §7.2.2: the code, or nothing.
            "verificationCode" if data.get("code") == Some(&value) => {
                put(data, "since", self.now);
            }
            "verificationCode" => return wrong("is another one"),
            "deviceClientId" | "url" | "keys" => return wrong("cannot be changed"),
            _ => return wrong("is set by the server, or unknown"),
        }
        Ok(())
    }

    fn may_go(&self, _: &Data) -> Result<(), SetError> {
        Ok(())
    }
}

/// The furthest that a subscription may reach.
fn latest() -> i64 {
    i64::from(clock::now()) + i64::from(limits::PUSH_LIFE)
}

/// The type.
pub struct Subscriptions;

impl Type for Subscriptions {
    fn data(&self) -> DataType {
        KIND
    }

    fn letter(&self) -> char {
        'p'
    }

    fn is_of_account(&self) -> bool {
        false
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
        let secret = |name: &String| name == "url" || name == "keys";
        if get.properties.iter().flatten().any(secret) {
            let why = "url and keys are never told";
            return done(Err(MethodError::new("forbidden").because(why)));
        }
        // Whoever asks sees its own: the engine would show none to an app password.
        let mail = context.mail.owner();
        let kind = Editor::of(context);
        records::objects(&mail, KIND, &|data| kind.is_seen(data), value)
    }
}

/// PushSubscription/set (RFC 8620 §7.2.2).
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    let mut set = Set::bare(&mut args, Done::new(context, KIND))?;
    args.finish()?;
    let kind = Arc::new(Editor::of(context));
    // As above: a subscription is its log-in's, whatever that may do with mail.
    let mail = context.mail.owner();
    records::set(context, &mail, &mut set, kind).await?;
    ring();
    set.done.answer_bare()
}
