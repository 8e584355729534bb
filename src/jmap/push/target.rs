//! A subscription as its record has it.
use serde_json::{Value, json};

use super::seal::Keys;
use crate::jmap::method::records;
use crate::jmap::wire::id;
use crate::mail::{Modseq, Record};
pub use crate::net::Target;

/// A subscription.
#[derive(Clone)]
pub struct Subscription {
    /// Its record.
    pub id: u64,
    /// Where messages go.
    pub target: Target,
    /// What they are sealed for.
    pub keys: Option<Keys>,
    /// What it is to hear of; None: everything.
    pub types: Option<Vec<String>>,
    /// Seconds since 1970.
    pub expires: u32,
    /// The code came back.
    pub verified: bool,
    /// It is to hear of what happened after this.
    pub since: Modseq,
    /// What it was made with; see [`crate::auth::Auth::credential`].
    pub by: String,
    code: String,
}

impl Subscription {
    /// Reads a record.
    pub fn read(record: &Record) -> Option<Subscription> {
        let data = records::data(record)?;
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| data.get(name).and_then(Value::as_u64).unwrap_or_default();
        let keys = data.get("keys").filter(|keys| !keys.is_null());
        let key =
            |keys: &Value, name: &str| keys.get(name).and_then(Value::as_str).map(str::to_owned);
        let keys = match keys {
            None => None,
            Some(keys) => Some(Keys::parse(&key(keys, "p256dh")?, &key(keys, "auth")?)?),
        };
        let types = data.get("types").and_then(Value::as_array);
        let names = |types: &Vec<Value>| {
            let names = types.iter().filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        };
        Some(Subscription {
            id: record.id,
            target: Target::parse(text("url"))?,
            keys,
            types: types.map(names),
            expires: u32::try_from(number("expires")).unwrap_or(u32::MAX),
            verified: data.contains_key("since"),
            since: number("since"),
            by: text("by").to_owned(),
            code: text("code").to_owned(),
        })
    }

    /// RFC 8620 §7.2.2.
    pub fn verification(&self) -> Value {
        json!({
            "@type": "PushVerification",
            "pushSubscriptionId": id::subscription(self.id),
            "verificationCode": self.code,
        })
    }
}
