//! One request over HTTPS or HTTP, as small as it can be: HTTP/1.0, no redirects, a bounded answer.
//!
//! HTTP/1.0, so that the answer ends with the connection and comes in one piece (RFC 9112 §6.1: no
//! transfer coding for who did not say 1.1).
use super::{Conn, Error, TlsConnector, client};
use crate::config::Out;
use crate::limits;
use std::net::SocketAddr;
use std::time::Instant;

/// The body at `https://HOST/PATH`, if it is plain text and the status 200.
///
/// # Errors
/// A sentence.
pub async fn text(
    out: &Out,
    address: SocketAddr,
    host: &str,
    path: &str,
    tls: &TlsConnector,
) -> Result<Vec<u8>, String> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: pillarbox\r\n\r\n");
    let answer = exchange(out, address, host, Some(tls), request.as_bytes(), false).await;
    let answer = answer.map_err(|error| error.to_string())?;
    body(&answer).map(<[u8]>::to_vec)
}

/// Sends a request to whoever is `host` there, and reads the answer until the connection ends, or its
/// head alone.
///
/// # Errors
/// The connection's.
pub async fn exchange(
    out: &Out,
    address: SocketAddr,
    host: &str,
    tls: Option<&TlsConnector>,
    request: &[u8],
    head: bool,
) -> Result<Vec<u8>, Error> {
    let deadline = Instant::now() + limits::FETCH_TIME;
    let mut conn: Conn = client::connect_to(out, address).await?;
    conn.set_idle(None);
    conn.set_deadline(Some(deadline));
    let name = host.trim_start_matches('[').trim_end_matches(']');
    if let Some(tls) = tls {
        conn.start_tls_client(tls, name).await?;
    }
    conn.write(request).await?;
    conn.flush().await?;
    // Octets that are known to have no end of a head in them.
    let mut seen = 0;
    while conn.buffer().len() <= limits::FETCH_SIZE {
        if head
            && memchr::memmem::find(conn.buffer().get(seen..).unwrap_or_default(), END).is_some()
        {
            break;
        }
        seen = conn.buffer().len().saturating_sub(END.len() - 1);
        match conn.fill().await {
            Ok(_) => {}
            Err(Error::Closed) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(conn.buffer().to_vec())
}

/// What ends a head.
const END: &[u8] = b"\r\n\r\n";

/// The body of an answer that is whole.
fn body(answer: &[u8]) -> Result<&[u8], String> {
    if answer.len() > limits::FETCH_SIZE {
        return Err("the answer is too long".into());
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = end
        .and_then(|end| answer.split_at_checked(end))
        .ok_or("the answer is no HTTP")?;
    let body = body.get(4..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.") || status.split(' ').nth(1) != Some("200") {
        return Err(format!("the answer is {status}"));
    }
    let mut plain = false;
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-type") {
            let kind = value.split(';').next().unwrap_or_default().trim();
            plain = kind.eq_ignore_ascii_case("text/plain");
        } else if name.eq_ignore_ascii_case("content-length") && value.parse() != Ok(body.len()) {
            return Err("the answer ends early".into());
        }
    }
    match plain {
        true => Ok(body),
        false => Err("the answer is not text/plain".into()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn answers() {
        let ok = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(super::body(ok).unwrap(), b"abc");
        for bad in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nabc",
            b"HTTP/1.1 301 Moved\r\nContent-Type: text/plain\r\nLocation: x\r\n\r\nabc",
            b"SSH-2.0\r\n\r\n",
        ] {
            assert!(super::body(bad).is_err());
        }
    }
}
