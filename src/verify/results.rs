//! The Authentication-Results field (RFC 8601): written, and recognized when somebody else wrote it in
//! our name.
use super::spf::Sender;
use super::{Verdict, dkim, dmarc, iprev, spf};
use std::fmt::Write;

/// The field with its CRLF. `host` is our authserv-id.
pub fn field(host: &str, sender: &Sender<'_>, verdict: &Verdict) -> String {
    let mut out = format!("Authentication-Results: {host};\r\n\t");
    // Writing to a String cannot fail.
    let _ = write!(out, "iprev={}", verdict.iprev.word());
    if let iprev::Outcome::Pass(name) = &verdict.iprev {
        let _ = write!(out, " ({})", comment(name));
    }
    let _ = write!(
        out,
        " policy.iprev={}",
        value(&sender.ip.to_canonical().to_string())
    );
    spf_part(&mut out, sender, &verdict.spf);
    if verdict.dkim.is_empty() {
        out.push_str(";\r\n\tdkim=none");
    }
    for signature in &verdict.dkim {
        dkim_part(&mut out, signature);
    }
    if verdict.arc.length > 0 || verdict.arc.why.is_some() {
        let _ = write!(out, ";\r\n\tarc={}", verdict.arc.status.word());
        reason(&mut out, verdict.arc.why);
        if let Some(domain) = &verdict.arc.domain {
            let _ = write!(out, " (i={} d={})", verdict.arc.length, comment(domain));
        }
    }
    dmarc_part(&mut out, &verdict.dmarc);
    out.push_str("\r\n");
    out
}

fn spf_part(out: &mut String, sender: &Sender<'_>, checked: &spf::Checked) {
    let _ = write!(out, ";\r\n\tspf={}", checked.outcome.word());
    match sender.from {
        Some((local, domain)) if !checked.by_helo => {
            let _ = write!(out, " smtp.mailfrom={}", address(local, domain));
        }
        _ => {
            let _ = write!(out, " smtp.helo={}", value(sender.helo));
        }
    }
}

fn dkim_part(out: &mut String, checked: &dkim::Checked) {
    let _ = write!(out, ";\r\n\tdkim={}", checked.outcome.word());
    reason(out, checked.why);
    let algorithm = checked.algorithm.map(|a| a.name().to_owned());
    for (name, text) in [
        ("d", &checked.domain),
        ("s", &checked.selector),
        ("a", &algorithm),
        ("b", &checked.mark),
    ] {
        if let Some(text) = text {
            let _ = write!(out, " header.{name}={}", value(text));
        }
    }
}

fn dmarc_part(out: &mut String, checked: &dmarc::Checked) {
    let _ = write!(out, ";\r\n\tdmarc={}", checked.outcome.word());
    if checked.outcome == dmarc::Outcome::Fail {
        let _ = write!(out, " (p={})", checked.policy.word());
    }
    if let Some(from) = &checked.from {
        let _ = write!(out, " header.from={}", value(from));
    }
}

fn reason(out: &mut String, why: Option<&str>) {
    if let Some(why) = why {
        let _ = write!(out, " ({})", comment(why));
    }
}

/// A value as it is if it can stand so, in quotes otherwise.
fn value(text: &str) -> String {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"-._+/".contains(&b) || b >= 0x80;
    if !text.is_empty() && text.bytes().all(token) {
        return text.to_owned();
    }
    quoted(text)
}

fn address(local: &str, domain: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._+=".contains(&b) || b >= 0x80;
    if !local.is_empty() && local.bytes().all(plain) && !domain.starts_with('[') {
        return format!("{local}@{domain}");
    }
    quoted(&format!("{local}@{domain}"))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars().take(320) {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn comment(text: &str) -> String {
    let safe = |c: char| {
        if c.is_control() || "()\\".contains(c) {
            '?'
        } else {
            c
        }
    };
    text.chars().take(200).map(safe).collect()
}

/// Whether the value of an Authentication-Results field speaks in the name of `host` (§5), comments and
/// quotes around the name notwithstanding.
pub fn is_ours(value: &[u8], host: &str) -> bool {
    let text = String::from_utf8_lossy(value);
    let mut name = String::new();
    let (mut depth, mut quote) = (0u32, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quote || depth > 0 => {
                let next = chars.next();
                name.extend(next.filter(|_| depth == 0));
            }
            '"' if depth == 0 => quote = !quote,
            _ if quote => name.push(c),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            // The version may stand behind white space.
            ';' => break,
            c if c.is_whitespace() => {
                if !name.is_empty() {
                    break;
                }
            }
            c => name.push(c),
        }
    }
    name.trim().trim_end_matches('.').eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::arc;

    #[test]
    fn a_field() {
        let sender = Sender {
            ip: "192.0.2.1".parse().unwrap(),
            helo: "mx.x.test",
            from: Some(("a b", "x.test")),
            receiver: "r",
            now: 0,
        };
        let verdict = Verdict {
            iprev: iprev::Outcome::Pass("mx.x.test".into()),
            spf: spf::Checked {
                outcome: spf::Outcome::SoftFail,
                domain: "x.test".into(),
                by_helo: false,
                explanation: None,
            },
            dkim: vec![dkim::Checked {
                outcome: dkim::Outcome::Fail,
                why: Some("body hash did not verify"),
                domain: Some("x.test".into()),
                selector: Some("s".into()),
                identity: None,
                algorithm: None,
                mark: Some("ab+/=".into()),
                whole: true,
            }],
            arc: arc::Checked {
                status: arc::Status::None,
                why: None,
                domain: None,
                length: 0,
            },
            dmarc: dmarc::Checked {
                outcome: dmarc::Outcome::Fail,
                policy: dmarc::Policy::Reject,
                from: Some("x.test".into()),
            },
        };
        assert_eq!(
            field("mail.example.org", &sender, &verdict),
            "Authentication-Results: mail.example.org;\r\n\
             \tiprev=pass (mx.x.test) policy.iprev=192.0.2.1;\r\n\
             \tspf=softfail smtp.mailfrom=\"a b@x.test\";\r\n\
             \tdkim=fail (body hash did not verify) header.d=x.test header.s=s header.b=\"ab+/=\";\r\n\
             \tdmarc=fail (p=reject) header.from=x.test\r\n"
        );
    }

    #[test]
    fn forgeries_are_known() {
        for ours in [
            " mx.test; none",
            "mx.test 1; spf=pass",
            "\r\n\tMX.test.;",
            " (x) \"mx.test\" ; a",
            "(a(b)\\)) mx.test",
            "\"m\\x.test\"",
        ] {
            assert!(is_ours(ours.as_bytes(), "mx.test"), "{ours}");
        }
        for other in [
            "",
            " other.test; mx.test",
            "(mx.test) x",
            "a.mx.test;",
            "mx.test.x",
        ] {
            assert!(!is_ours(other.as_bytes(), "mx.test"), "{other}");
        }
    }
}
