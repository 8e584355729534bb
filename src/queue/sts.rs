//! MTA-STS (RFC 8461): a domain's policy about its mail hosts and their certificates. Pure.
use crate::limits;

/// What follows from a host that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No mail for it.
    Enforce,
    /// Mail all the same; the domain wants to hear of it.
    Testing,
    /// There is no policy any more.
    None,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it is worth.
    pub mode: Mode,
    /// Seconds that it holds.
    pub max_age: u32,
    /// Names in lower case; `*.` in front stands for one label.
    pub mx: Vec<String>,
}

/// The `id` of a policy record (RFC 8461 §3.1): the text that `_mta-sts.DOMAIN` has.
pub fn id(record: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(record).ok()?;
    let mut fields = text.split(';');
    let pair = |field: &'_ str| {
        field
            .split_once('=')
            .map(|(k, v)| (k.trim().to_owned(), v.len()))
    };
    // The version comes first, and as it is written here.
    if fields.next()?.trim_end() != "v=STSv1" {
        return None;
    }
    for field in fields {
        if let Some((name, length)) = pair(field)
            && name == "id"
        {
            let value = field.get(field.len() - length..)?.trim();
            let plain = value.bytes().all(|b| b.is_ascii_alphanumeric());
            return Some(value).filter(|value| plain && (1..=32).contains(&value.len()));
        }
    }
    None
}

impl Policy {
    /// Reads what the policy host serves (RFC 8461 §3.2). `None`: it is none, or lacks something.
    pub fn parse(text: &[u8]) -> Option<Policy> {
        let text = std::str::from_utf8(text).ok()?;
        let (mut version, mut mode, mut max_age) = (false, None, None);
        let mut mx = Vec::new();
        for line in text.lines() {
            let Some((name, value)) = line.split_once(':') else {
                if line.trim().is_empty() {
                    continue;
                }
                return None;
            };
            let value = value.trim();
            match name.trim_end() {
                "version" => version = version || value == "STSv1",
                // Of what is given twice the first counts.
                "mode" if mode.is_none() => {
                    mode = Some(match value {
                        "enforce" => Mode::Enforce,
                        "testing" => Mode::Testing,
                        "none" => Mode::None,
                        _ => return None,
                    });
                }
                "max_age" if max_age.is_none() => {
                    let digits = value.bytes().all(|b| b.is_ascii_digit());
                    let seconds: u32 = value.parse().ok().filter(|_| digits)?;
                    max_age = Some(seconds.min(limits::STS_AGE));
                }
                "mx" if mx.len() < limits::STS_MX => {
                    mx.push(value.trim_end_matches('.').to_ascii_lowercase());
                }
                _ => {}
            }
        }
        let policy = Policy {
            mode: mode?,
            max_age: max_age?,
            mx,
        };
        let whole = version && (policy.mode == Mode::None || !policy.mx.is_empty());
        whole.then_some(policy)
    }

    /// Whether mail may go to this host (RFC 8461 §4.1).
    pub fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx
            .iter()
            .any(|pattern| match pattern.strip_prefix("*.") {
                Some(below) => host
                    .split_once('.')
                    .is_some_and(|(first, rest)| !first.is_empty() && rest == below),
                None => host == *pattern,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records() {
        assert_eq!(id(b"v=STSv1; id=20160831085700Z;"), Some("20160831085700Z"));
        assert_eq!(id(b"v=STSv1;a=b; id = x1 "), Some("x1"));
        for none in [
            &b"v=STSv1"[..],
            b"id=1; v=STSv1",
            b"v=STSv2; id=1",
            b"v=STSv1; id=a-b",
            b"v=STSv1; id=",
            b"v=STSv1; id=000000000000000000000000000000000",
            b"\xff",
        ] {
            assert_eq!(id(none), None, "{none:?}");
        }
    }

    #[test]
    fn policies() {
        let text = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n";
        let policy = Policy::parse(text).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        for (host, yes) in [
            ("mail.example.com", true),
            ("MAIL.example.com.", true),
            ("a.example.net", true),
            ("example.net", false),
            ("a.b.example.net", false),
            (".example.net", false),
            ("mail.example.org", false),
        ] {
            assert_eq!(policy.allows(host), yes, "{host}");
        }
        let first = b"version:STSv1\nmode:none\nmode: enforce\nx-new: y\nmax_age:9999999999";
        assert_eq!(Policy::parse(first), None, "an age beyond all numbers");
        let first = b"version:STSv1\nmode:none\nmode: enforce\nx-new: y\nmax_age:999999999";
        let first = Policy::parse(first).unwrap();
        assert_eq!((first.mode, first.max_age), (Mode::None, limits::STS_AGE));
        for bad in [
            "",
            "version: STSv1\nmode: enforce\nmax_age: 1",
            "version: STSv1\nmode: Enforce\nmx: a\nmax_age: 1",
            "version: STSv2\nmode: enforce\nmx: a\nmax_age: 1",
            "version: STSv1\nmode: enforce\nmx: a\nmax_age: -1",
            "version: STSv1\nmode: enforce\nmx: a\nmax_age: +1",
            "version: STSv1\nmode: enforce\nmx: a",
            "<html>\nversion: STSv1\nmode: enforce\nmx: a\nmax_age: 1",
        ] {
            assert_eq!(Policy::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn octets_do_not_panic(text in proptest::collection::vec(any::<u8>(), 0..200), host in "\\PC{0,20}") {
            let _ = id(&text);
            if let Some(policy) = Policy::parse(&text) {
                let _ = policy.allows(&host);
            }
        }

        #[test]
        fn what_is_written_is_read(mode in 0..3usize, age in 0..limits::STS_AGE, mx in proptest::collection::vec("(\\*\\.)?[a-z]{1,8}\\.[a-z]{2,3}", 1..6)) {
            let (word, mode) = [("enforce", Mode::Enforce), ("testing", Mode::Testing), ("none", Mode::None)][mode];
            let hosts: String = mx.iter().map(|mx| format!("mx: {mx}\r\n")).collect();
            let text = format!("version: STSv1\r\nmode: {word}\r\n{hosts}max_age: {age}\r\n");
            prop_assert_eq!(Policy::parse(text.as_bytes()), Some(Policy { mode, max_age: age, mx }));
        }
    }
}
