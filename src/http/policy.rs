//! What the person who runs the server decided about HTTP: base URL, CORS, extra header fields.
use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};

/// The flags that concern every route.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    base: Option<String>,
    origins: Vec<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    proxies: Vec<IpAddr>,
    /// Passwords are accepted over plain HTTP from anywhere, not from this machine alone.
    pub plain_passwords: bool,
}

/// What is wrong with a flag's value: a sentence for the person who wrote it.
#[derive(Debug, PartialEq, Eq)]
pub struct PolicyError(pub String);

impl std::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Policy {
    /// `--http-url`: where clients reach this server (`https://mail.example.org`), for use behind a
    /// proxy; may have a path prefix. Without it each request's Host field decides.
    pub fn set_base(&mut self, url: &str) -> Result<(), PolicyError> {
        let url = url.trim_end_matches('/');
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let authority = rest.map(|r| r.split('/').next().unwrap_or_default());
        match authority {
            Some(host)
                if valid_authority(host) && url.is_ascii() && !url.contains(['?', '#', ' ']) =>
            {
                self.base = Some(url.to_owned());
                Ok(())
            }
            _ => Err(PolicyError(format!(
                "--http-url {url:?}: give the address that clients use, such as https://mail.example.org"
            ))),
        }
    }

    /// `--cors-origin`: a web page's origin (`https://app.example.org`), or `*` for every page.
    pub fn allow_origin(&mut self, origin: &str) -> Result<(), PolicyError> {
        let fits = origin == "*"
            || origin
                .split_once("://")
                .is_some_and(|(scheme, host)| !scheme.is_empty() && valid_authority(host));
        if !fits {
            return Err(PolicyError(format!(
                "--cors-origin {origin:?}: give an origin such as https://app.example.org, or *"
            )));
        }
        self.origins.push(origin.to_ascii_lowercase());
        Ok(())
    }

    /// `--http-header`: `Name: value`, set on every response in place of our own.
    pub fn add_header(&mut self, line: &str) -> Result<(), PolicyError> {
        let parsed = line.split_once(':').and_then(|(name, value)| {
            Some((
                name.trim().parse().ok()?,
                HeaderValue::from_str(value.trim()).ok()?,
            ))
        });
        let (name, value): (HeaderName, HeaderValue) = parsed.ok_or_else(|| {
            PolicyError(format!(
                "--http-header {line:?}: write it as \"Name: value\""
            ))
        })?;
        if FRAMING.contains(&name) {
            return Err(PolicyError(format!(
                "--http-header {name}: this field frames the message and cannot be set"
            )));
        }
        self.headers.push((name, value));
        Ok(())
    }

    /// `--http-proxy`: the address of a reverse proxy, whose word about its clients counts.
    pub fn trust_proxy(&mut self, address: &str) -> Result<(), PolicyError> {
        let address = address.parse::<IpAddr>().map_err(|_| {
            PolicyError(format!(
                "--http-proxy {address:?}: give the proxy's address, such as 127.0.0.1"
            ))
        })?;
        self.proxies.push(address.to_canonical());
        Ok(())
    }

    /// Whether a peer is such a proxy.
    pub fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.contains(&peer.to_canonical())
    }

    /// A request's path without the prefix that `--http-url` has; a proxy may leave it on.
    pub fn strip<'a>(&self, path: &'a str) -> &'a str {
        let rest = self.base.as_deref().and_then(|base| base.split_once("://"));
        let prefix = rest.and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        let inner = prefix.and_then(|prefix| path.strip_prefix(prefix));
        inner.filter(|rest| rest.starts_with('/')).unwrap_or(path)
    }

    /// The URL in front of every path: from the flag, or else from the request. `None` when the
    /// Host field is missing or is no host.
    pub fn base(&self, secure: bool, host: Option<&str>) -> Option<String> {
        if let Some(base) = &self.base {
            return Some(base.clone());
        }
        let host = host.filter(|h| valid_authority(h))?;
        Some(format!(
            "{}://{host}",
            if secure { "https" } else { "http" }
        ))
    }

    /// Finishes a response's head: CORS (Fetch standard §3.2) and the custom fields.
    pub fn dress(&self, request: &HeaderMap, response: &mut HeaderMap) {
        if !self.origins.is_empty() {
            response.append(header::VARY, HeaderValue::from_static("Origin"));
            if let Some(origin) = request.get(header::ORIGIN).filter(|o| self.allows(o)) {
                let any = self.origins.iter().any(|o| o == "*");
                let allowed = if any {
                    HeaderValue::from_static("*")
                } else {
                    origin.clone()
                };
                response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
                // Never Allow-Credentials: a page must bring the password or token itself.
                response.insert(
                    header::ACCESS_CONTROL_EXPOSE_HEADERS,
                    HeaderValue::from_static("*, Content-Range, ETag, WWW-Authenticate"),
                );
            }
        }
        for (name, value) in &self.headers {
            response.insert(name.clone(), value.clone());
        }
    }

    /// The fields of a preflight answer; nothing for an origin that is not allowed.
    pub fn preflight(&self, request: &HeaderMap, allow: &str, response: &mut HeaderMap) {
        if request.get(header::ORIGIN).is_none_or(|o| !self.allows(o)) {
            return;
        }
        if let Ok(methods) = HeaderValue::from_str(allow) {
            response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        // "*" does not cover Authorization (Fetch standard §4.10).
        response.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type, Range, If-None-Match, *"),
        );
        response.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("7200"),
        );
    }

    /// Whether a request may act for a page: it comes of none, of one of ours, or of an origin that
    /// a flag allows.
    pub fn lets_in(&self, origin: Option<&HeaderValue>, base: &str) -> bool {
        let own = |origin: &HeaderValue| {
            let (scheme, rest) = base.split_once("://").unwrap_or(base.split_at(0));
            let host = rest.split('/').next().unwrap_or_default();
            origin.as_bytes() == format!("{scheme}://{host}").as_bytes()
        };
        origin.is_none_or(|origin| own(origin) || self.allows(origin))
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| {
            let origin = origin.to_ascii_lowercase();
            self.origins.iter().any(|o| o == "*" || *o == origin)
        })
    }
}

/// Fields that hyper sets and a person must not.
const FRAMING: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::DATE,
    header::TRAILER,
];

/// `host[:port]`, the host a name or an address; anything else could smuggle text into URLs.
fn valid_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|t| t.split_once(']')) {
        Some((v6, "")) => return v6.parse::<std::net::Ipv6Addr>().is_ok(),
        Some((v6, rest)) => {
            if v6.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("v6", rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("0")),
        },
    };
    let name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(name)
        && port.is_some_and(|p| {
            p.len() <= 5 && p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for good in [
            "mail.example.org",
            "localhost:8080",
            "127.0.0.1:1",
            "[::1]:8080",
            "[::1]",
        ] {
            assert!(valid_authority(good), "{good}");
        }
        for bad in [
            "", ":80", "a b", "a/b", "a@b", "[::1", "[x]:1", "a:99999", "a:", "a\"b",
        ] {
            assert!(!valid_authority(bad), "{bad}");
        }
    }

    #[test]
    fn flags_are_checked() {
        let mut policy = Policy::default();
        assert!(policy.set_base("https://mail.example.org/jmap/").is_ok());
        assert_eq!(
            policy.base(false, Some("x")).as_deref(),
            Some("https://mail.example.org/jmap")
        );
        assert!(policy.set_base("mail.example.org").is_err());
        assert!(policy.allow_origin("https://app.example.org").is_ok());
        assert!(policy.allow_origin("app").is_err());
        assert!(policy.add_header("X-Frame-Options: DENY").is_ok());
        assert!(policy.add_header("Content-Length: 5").is_err());
        assert!(policy.add_header("no colon").is_err());
    }
}
