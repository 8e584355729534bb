//! What a reverse proxy says about the client behind it: `Forwarded` (RFC 7239), or the
//! `X-Forwarded-*` fields that came before it. Believed of named peers alone: anybody else could
//! claim any address.
use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

/// What the nearest proxy said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    /// The client's address.
    pub peer: Option<IpAddr>,
    /// Whether the client speaks https.
    pub secure: Option<bool>,
    /// The host that the client asked for.
    pub host: Option<String>,
}

/// Reads the fields. Of several entries the last one is the nearest proxy's own; those before it are
/// hearsay.
pub fn read(head: &HeaderMap) -> Forwarded {
    let last = |name: &str| {
        let value = head.get_all(name).into_iter().next_back()?;
        Some(value.to_str().ok()?.to_owned())
    };
    if let Some(value) = last("forwarded") {
        return standard(&value);
    }
    let tail = |value: String| {
        let one = value.rsplit(',').next().unwrap_or_default();
        one.trim().to_owned()
    };
    Forwarded {
        peer: last("x-forwarded-for")
            .map(tail)
            .and_then(|text| node(&text)),
        secure: last("x-forwarded-proto")
            .map(tail)
            .and_then(|text| secure(&text)),
        host: last("x-forwarded-host").map(tail),
    }
}

/// RFC 7239 §4.
fn standard(value: &str) -> Forwarded {
    let mut out = Forwarded::default();
    for pair in split(&last_element(value), ';') {
        let Some((name, value)) = pair.split_once('=') else {
            continue;
        };
        let value = unquote(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => out.peer = node(&value),
            "proto" => out.secure = secure(&value),
            "host" => out.host = Some(value),
            _ => {}
        }
    }
    out
}

fn last_element(value: &str) -> String {
    split(value, ',').pop().unwrap_or_default()
}

/// Splits at a character outside of quotes.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in text.chars() {
        if c == at && !quoted {
            parts.push(String::new());
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn unquote(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
    match inner {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => text.to_owned(),
    }
}

/// An address, with or without a port; "unknown" and obfuscated names are none (RFC 7239 §6).
fn node(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    address.or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))
}

fn secure(proto: &str) -> Option<bool> {
    match proto.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn of(fields: &[(&'static str, &str)]) -> Forwarded {
        let mut head = HeaderMap::new();
        for (name, value) in fields {
            let value = HeaderValue::from_str(value).unwrap();
            head.append(HeaderName::from_static(name), value);
        }
        read(&head)
    }

    /// RFC 7239 §4.
    #[test]
    fn examples() {
        let got = of(&[("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43")]);
        assert_eq!(got.peer, Some("192.0.2.60".parse().unwrap()));
        assert_eq!(got.secure, Some(false));
        let got = of(&[("forwarded", "For=\"[2001:db8:cafe::17]:4711\";Proto=https")]);
        assert_eq!(got.peer, Some("2001:db8:cafe::17".parse().unwrap()));
        assert_eq!(got.secure, Some(true));
        assert_eq!(
            of(&[("forwarded", "for=\"_gazonk\"")]),
            Forwarded::default()
        );
        // The nearest proxy speaks last.
        let got = of(&[(
            "forwarded",
            "for=192.0.2.43, for=198.51.100.17;host=\"a;,b\"",
        )]);
        assert_eq!(got.peer, Some("198.51.100.17".parse().unwrap()));
        assert_eq!(got.host.as_deref(), Some("a;,b"));
        let got = of(&[
            ("forwarded", "for=192.0.2.1"),
            ("forwarded", "for=192.0.2.2"),
        ]);
        assert_eq!(got.peer, Some("192.0.2.2".parse().unwrap()));
    }

    #[test]
    fn older_fields() {
        let got = of(&[
            ("x-forwarded-for", "10.0.0.1, 192.0.2.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "mail.example.org"),
        ]);
        assert_eq!(got.peer, Some("192.0.2.9".parse().unwrap()));
        assert_eq!(got.secure, Some(true));
        assert_eq!(got.host.as_deref(), Some("mail.example.org"));
        assert_eq!(of(&[("x-forwarded-for", "evil")]), Forwarded::default());
    }
}
