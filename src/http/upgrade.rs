//! From HTTP to another protocol on the same connection (RFC 9110 §7.8): WebSocket's handshake
//! (RFC 6455 §4.2).
use std::future::Future;
use std::pin::Pin;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use smol::io::{AsyncRead, AsyncWrite};

use super::{Problem, Response, problem};

/// A connection whose HTTP is over.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

/// What takes the connection over: it is given the connection, and the octets that came behind the
/// request.
pub type Takeover = Box<dyn FnOnce(Box<dyn Duplex>, Bytes) -> Pin<Box<dyn Future<Output = ()>>>>;

/// Checks a WebSocket handshake for a subprotocol, and makes the answer (RFC 6455 §4.2.1, §4.2.2).
pub fn websocket(
    method: &Method,
    head: &HeaderMap,
    protocol: &'static str,
) -> Result<Response, Problem> {
    let wrong = |why: &str| Problem::new(StatusCode::BAD_REQUEST, why.to_owned());
    if !has(head, header::CONNECTION, "upgrade") || !has(head, header::UPGRADE, "websocket") {
        return Err(wrong("This address speaks WebSocket: ask for an upgrade."));
    }
    if *method != Method::GET {
        return Err(wrong("A WebSocket begins with GET."));
    }
    if !has(head, header::SEC_WEBSOCKET_PROTOCOL, protocol) {
        return Err(wrong("Sec-WebSocket-Protocol must list \"jmap\"."));
    }
    let version = head.get(header::SEC_WEBSOCKET_VERSION);
    if version.is_none_or(|version| version != "13") {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "Sec-WebSocket-Version must be 13.",
        ));
    }
    let key = head.get(header::SEC_WEBSOCKET_KEY);
    let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|key| key.len() == 16));
    let key = key.ok_or_else(|| wrong("Sec-WebSocket-Key must be 16 octets in base64."))?;
    let accept = HeaderValue::from_str(&accept(key.as_bytes()))
        .map_err(|_| wrong("Sec-WebSocket-Key cannot be used."))?;
    let mut response = problem::empty(StatusCode::SWITCHING_PROTOCOLS);
    let fields = response.headers_mut();
    fields.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    fields.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(protocol),
    );
    Ok(response)
}

/// RFC 6455 §4.2.2 /key/.
fn accept(key: &[u8]) -> String {
    const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    let mut digest = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(key);
    digest.update(GUID);
    STANDARD.encode(digest.finish().as_ref())
}

/// Whether a comma-separated field lists a word.
fn has(head: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = head.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6455_example() {
        assert_eq!(
            accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
