//! Trace information (RFC 5321 §4.4): the Return-Path and Received fields that we put in front.
use std::fmt::Write;
use std::net::IpAddr;

use crate::mail::address::{Address, is_domain, is_literal};

/// What a Received field tells.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// The name from EHLO or HELO.
    pub helo: &'a str,
    /// The peer's address, from the connection.
    pub peer: IpAddr,
    /// Our own name.
    pub by: &'a str,
    /// The WITH keyword, from [`with`].
    pub with: &'static str,
    /// TLS version and cipher, when the session is encrypted.
    pub tls: Option<&'a str>,
    /// Our id for this transaction.
    pub id: &'a str,
    /// The recipient, when there is exactly one (RFC 5321 §7.6: more would tell one of the other).
    pub recipient: Option<&'a Address>,
    /// Its priority, if one was asked for.
    pub priority: Option<i8>,
    /// A date-time of RFC 5322 §3.3.
    pub date: &'a str,
}

/// The WITH keyword (RFC 3848, RFC 6531 §4.3).
pub fn with(esmtp: bool, utf8: bool, tls: bool, auth: bool) -> &'static str {
    match (esmtp, utf8, tls, auth) {
        (false, ..) => "SMTP",
        (true, false, false, false) => "ESMTP",
        (true, false, false, true) => "ESMTPA",
        (true, false, true, false) => "ESMTPS",
        (true, false, true, true) => "ESMTPSA",
        (true, true, false, false) => "UTF8SMTP",
        (true, true, false, true) => "UTF8SMTPA",
        (true, true, true, false) => "UTF8SMTPS",
        (true, true, true, true) => "UTF8SMTPSA",
    }
}

/// An address literal of RFC 5321 §4.1.3. An IPv4 peer of an IPv6 socket is shown as IPv4.
pub fn literal(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

impl Received<'_> {
    /// The whole field with its CRLF, folded.
    pub fn field(&self) -> String {
        let peer = literal(self.peer);
        // Only what RFC 5321 allows as a domain stands as one; anything else becomes a comment.
        let named = is_literal(self.helo) || is_domain(self.helo) && self.helo.is_ascii();
        let from = if named { self.helo } else { &peer };
        let mut field = format!("Received: from {from} ({peer})");
        if !named {
            let _ = write!(field, "\r\n\t(HELO {})", comment(self.helo));
        }
        let _ = write!(
            field,
            "\r\n\tby {} with {} id {}",
            self.by, self.with, self.id
        );
        if let Some(tls) = self.tls {
            let _ = write!(field, "\r\n\t(using {})", comment(tls));
        }
        if let Some(recipient) = self.recipient {
            let _ = write!(field, "\r\n\tfor <{recipient}>");
        }
        if let Some(priority) = self.priority {
            // RFC 6710 §7
            let _ = write!(field, "\r\n\tPRIORITY {priority}");
        }
        let _ = write!(field, ";\r\n\t{}\r\n", self.date);
        field
    }
}

/// The Return-Path field with its CRLF. It goes on top at final delivery. A Return-Path that came
/// with the message stays where it is: RFC 5321 §4.4 only says MAY remove, and message bytes are
/// kept; the topmost is the true one.
pub fn return_path(sender: Option<&Address>) -> String {
    match sender {
        Some(sender) => format!("Return-Path: <{sender}>\r\n"),
        None => "Return-Path: <>\r\n".to_owned(),
    }
}

/// Text that is safe inside a comment (RFC 5322 §3.2.2).
fn comment(text: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_graphic() && !"()\\".contains(c) || c == ' ' {
            c
        } else {
            '?'
        }
    };
    text.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field() {
        let to = Address::parse("me@example.org").unwrap();
        let received = Received {
            helo: "mx.example.com",
            peer: "::ffff:192.0.2.1".parse().unwrap(),
            by: "mail.example.org",
            with: with(true, false, true, false),
            tls: Some("TLSv1.3 TLS13_AES_256_GCM_SHA384"),
            id: "1a2b",
            recipient: Some(&to),
            priority: Some(-3),
            date: "Sat, 21 Nov 2026 11:05:29 +0000",
        };
        assert_eq!(
            received.field(),
            "Received: from mx.example.com ([192.0.2.1])\r\n\tby mail.example.org with ESMTPS id 1a2b\r\n\
             \t(using TLSv1.3 TLS13_AES_256_GCM_SHA384)\r\n\tfor <me@example.org>\r\n\tPRIORITY -3;\r\n\
             \tSat, 21 Nov 2026 11:05:29 +0000\r\n"
        );
    }

    #[test]
    fn a_strange_helo_cannot_forge() {
        let received = Received {
            helo: "a)\\(b_ü",
            peer: "2001:db8::1".parse().unwrap(),
            by: "x",
            with: with(false, false, false, false),
            tls: None,
            id: "1",
            recipient: None,
            priority: None,
            date: "D",
        };
        let want = "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n\t(HELO a???b_?)\r\n\tby x with SMTP id 1;\r\n\tD\r\n";
        assert_eq!(received.field(), want);
    }

    #[test]
    fn return_paths() {
        assert_eq!(return_path(None), "Return-Path: <>\r\n");
        let quoted = Address::parse("\"a b\"@c").ok();
        assert_eq!(return_path(quoted.as_ref()), "Return-Path: <\"a b\"@c>\r\n");
    }
}
