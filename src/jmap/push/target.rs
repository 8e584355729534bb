//! A subscription as its record has it, and the parts of its URL.
use serde_json::{Value, json};

use super::seal::Keys;
use crate::jmap::method::records;
use crate::jmap::wire::id;
use crate::mail::{Modseq, Record};

/// Where messages go.
#[derive(Clone)]
pub struct Target {
    /// A name, an address, or an IPv6 address in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads an `https:` URL; None for anything else, and for what has a user or control characters.
    pub fn parse(url: &str) -> Option<Target> {
        let rest = url.strip_prefix("https://")?;
        let plain = rest.bytes().all(|b| b.is_ascii_graphic());
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let colon = authority
            .rfind(':')
            .filter(|at| !authority.get(*at..).is_some_and(|s| s.contains(']')));
        let (host, port) = match colon {
            Some(at) => (authority.get(..at)?, authority.get(at + 1..)?.parse().ok()?),
            None => (authority, 443),
        };
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if !plain || host.is_empty() || !host.bytes().all(good) || port == 0 {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(Target {
            host: host.to_ascii_lowercase(),
            port,
            path: format!("{slash}{path}"),
        })
    }

    /// As Host has it.
    pub fn authority(&self) -> String {
        match self.port {
            443 => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// As a VAPID token has it (RFC 8292 §2).
    pub fn origin(&self) -> String {
        format!("https://{}", self.authority())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let of = |url: &str| Target::parse(url).map(|it| (it.origin(), it.path));
        let is = |url: &str, origin: &str, path: &str| {
            assert_eq!(of(url), Some((origin.into(), path.into())), "{url}");
        };
        is(
            "https://Push.Example/x?y=1#z",
            "https://push.example",
            "/x?y=1",
        );
        is(
            "https://push.example:8443",
            "https://push.example:8443",
            "/",
        );
        is("https://[::1]:9?a", "https://[::1]:9", "/?a");
        is("https://[fe80::1]/", "https://[fe80::1]", "/");
        for bad in [
            "http://push.example/",
            "https://",
            "https:///x",
            "https://a@b/",
            "https://a:b@c/",
            "https://a:0/",
            "https://a:99999/",
            "https://a/ b",
            "https://a/\r\nX: y",
            "https://ä/",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
