//! Delivery status notifications: multipart/report (RFC 6522) with message/delivery-status
//! (RFC 3464), in its international form where an address wants it (RFC 6533). Pure.
//!
//! A report is octets up to the returned message, the message (or its header) as the caller streams
//! it, and an end.
use std::fmt::Write;

use crate::mail::address::Address;
use crate::mail::outbound::{Envelope, Recipient};
use crate::smtp::wire::reply::Enhanced;

/// What happened to a recipient (RFC 3464 §2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It will not be tried again.
    Failed,
    /// It is late and will be tried again.
    Delayed,
    /// It went to a host that sends no reports.
    Relayed,
    /// It is in the mailbox.
    Delivered,
}

/// One recipient's part of a report.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Who.
    pub recipient: &'a Recipient,
    /// What.
    pub action: Action,
    /// RFC 3463 status.
    pub status: Enhanced,
    /// What the other side said.
    pub diagnostic: &'a str,
}

/// A report to be written.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Our own name.
    pub hostname: &'a str,
    /// Whom it goes to.
    pub sender: &'a Address,
    /// What the message was handed in with.
    pub envelope: &'a Envelope,
    /// The recipients.
    pub entries: &'a [Entry<'a>],
    /// The host that was asked, if one was.
    pub remote: Option<&'a str>,
    /// The whole message is returned, not its header alone.
    pub full: bool,
    /// Random; for the boundary and the Message-ID.
    pub id: &'a str,
    /// Now, as a date-time of RFC 5322.
    pub date: &'a str,
    /// When the message was handed in.
    pub arrived: &'a str,
}

impl Report<'_> {
    /// Everything before the returned message.
    pub fn head(&self) -> String {
        let mut out = String::new();
        let worst = self.worst();
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "Return-Path: <>\r\nFrom: Mail Delivery System <MAILER-DAEMON@{host}>\r\nTo: <{to}>\r\n\
             Subject: {subject}\r\nDate: {date}\r\nMessage-ID: <{id}@{host}>\r\nMIME-Version: 1.0\r\n\
             Auto-Submitted: auto-replied\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{id}\"\r\n\r\n",
            host = self.hostname,
            to = self.sender,
            subject = subject(worst),
            date = self.date,
            id = self.id,
        );
        self.words(&mut out, worst);
        self.status(&mut out);
        let kind = match (self.full, self.is_international()) {
            (true, false) => "message/rfc822",
            (true, true) => "message/global",
            (false, false) => "text/rfc822-headers",
            (false, true) => "message/global-headers",
        };
        let _ = write!(
            out,
            "--{}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            self.id
        );
        out
    }

    /// Everything behind it.
    pub fn tail(&self) -> String {
        format!("\r\n--{}--\r\n", self.id)
    }

    fn worst(&self) -> Action {
        let order = [Action::Failed, Action::Delayed, Action::Relayed];
        let any = |action| self.entries.iter().any(|entry| entry.action == action);
        order
            .into_iter()
            .find(|action| any(*action))
            .unwrap_or(Action::Delivered)
    }

    fn is_international(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| !entry.recipient.address.is_ascii())
    }

    /// The part for people.
    fn words(&self, out: &mut String, worst: Action) {
        let _ = write!(
            out,
            "--{}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            self.id
        );
        let _ = write!(
            out,
            "This is the mail server at {}.\r\n\r\n{}\r\n\r\n",
            self.hostname,
            sentence(worst)
        );
        for entry in self.entries {
            let what = match entry.action {
                Action::Failed => "not delivered",
                Action::Delayed => "still waiting",
                Action::Relayed => "handed on; no further report will come",
                Action::Delivered => "delivered",
            };
            let _ = write!(
                out,
                "<{}>: {what}\r\n    {}\r\n\r\n",
                entry.recipient.address,
                line(entry.diagnostic)
            );
        }
    }

    /// The part for programs (RFC 3464 §2).
    fn status(&self, out: &mut String) {
        let kind = if self.is_international() {
            "global-delivery-status"
        } else {
            "delivery-status"
        };
        let _ = write!(
            out,
            "--{}\r\nContent-Type: message/{kind}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
            self.id
        );
        if let Some(envid) = &self.envelope.envid {
            let _ = write!(out, "Original-Envelope-Id: {}\r\n", line(envid));
        }
        let _ = write!(
            out,
            "Reporting-MTA: dns; {}\r\nArrival-Date: {}\r\n",
            self.hostname, self.arrived
        );
        if !self.envelope.release.is_empty() {
            // RFC 4865 §5.1.2
            let _ = write!(out, "Future-Release-Request: {}\r\n", self.envelope.release);
        }
        for entry in self.entries {
            out.push_str("\r\n");
            if let Some(orcpt) = &entry.recipient.orcpt {
                let _ = write!(out, "Original-Recipient: {}\r\n", line(orcpt));
            }
            let address = &entry.recipient.address;
            // RFC 6533 §3
            let kind = if address.is_ascii() {
                "rfc822"
            } else {
                "utf-8"
            };
            let action = match entry.action {
                Action::Failed => "failed",
                Action::Delayed => "delayed",
                Action::Relayed => "relayed",
                Action::Delivered => "delivered",
            };
            let _ = write!(
                out,
                "Final-Recipient: {kind}; {address}\r\nAction: {action}\r\nStatus: {}\r\n",
                entry.status
            );
            if let Some(remote) = self.remote {
                let _ = write!(out, "Remote-MTA: dns; {remote}\r\n");
            }
            if !entry.diagnostic.is_empty() {
                let _ = write!(out, "Diagnostic-Code: smtp; {}\r\n", line(entry.diagnostic));
            }
            let _ = write!(out, "Last-Attempt-Date: {}\r\n", self.date);
        }
        out.push_str("\r\n");
    }
}

fn subject(worst: Action) -> &'static str {
    match worst {
        Action::Failed => "Undelivered mail returned to sender",
        Action::Delayed => "Delayed mail (still being tried)",
        Action::Relayed => "Mail relayed",
        Action::Delivered => "Mail delivered",
    }
}

fn sentence(worst: Action) -> &'static str {
    match worst {
        Action::Failed => {
            "Your message could not be delivered to these recipients, and will not be tried again:"
        }
        Action::Delayed => {
            "Your message has not been delivered yet. You need not send it again; it is still tried:"
        }
        Action::Relayed | Action::Delivered => "You asked to be told about your message:",
    }
}

/// Text from elsewhere, as one line of bounded length: nothing in it starts a header field, and
/// nothing looks like our boundary (which it cannot know).
fn line(text: &str) -> String {
    text.chars()
        .take(700)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(to: &str, diagnostic: &str) -> String {
        let sender = Address::parse("anna@example.org").unwrap();
        let envelope = Envelope {
            sender: Some(sender.clone()),
            envid: Some("QQ1".into()),
            full: None,
            binary: false,
            created: 0,
            ..Default::default()
        };
        let recipient = Recipient {
            address: Address::parse(to).unwrap(),
            notify: None,
            orcpt: Some("rfc822;Bob@else.where".into()),
        };
        let entries = [Entry {
            recipient: &recipient,
            action: Action::Failed,
            status: Enhanced(5, 1, 1),
            diagnostic,
        }];
        let report = Report {
            hostname: "mail.example.org",
            sender: &sender,
            envelope: &envelope,
            entries: &entries,
            remote: Some("smart.host"),
            full: false,
            id: "abc",
            date: "D",
            arrived: "A",
        };
        report.head() + "Subject: x\r\n" + &report.tail()
    }

    #[test]
    fn a_bounce_is_a_report() {
        let text = report("bob@else.where", "550 5.1.1 no such user");
        let message = mail_parser::MessageParser::default()
            .parse(text.as_bytes())
            .unwrap();
        assert_eq!(message.parts.len(), 4);
        assert!(text.starts_with("Return-Path: <>\r\n"));
        for want in [
            "Original-Envelope-Id: QQ1\r\n",
            "Final-Recipient: rfc822; bob@else.where\r\nAction: failed\r\nStatus: 5.1.1\r\n",
            "Original-Recipient: rfc822;Bob@else.where\r\n",
            "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
            "Content-Type: text/rfc822-headers\r\n",
        ] {
            assert!(text.contains(want), "{want}\n{text}");
        }
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn a_hostile_diagnostic_stays_on_its_line() {
        let text = report("bob@else.where", "550 x\r\nBcc: evil\r\n\r\n--abc--\r\n");
        assert!(!text.contains("\r\nBcc:") && !text.contains("\r\n--abc--\r\n\r\n"));
    }

    #[test]
    fn international_addresses() {
        let text = report("bøb@else.where", "");
        assert!(text.contains("Content-Type: message/global-delivery-status\r\n"));
        assert!(text.contains("Final-Recipient: utf-8; bøb@else.where\r\n"));
    }
}
