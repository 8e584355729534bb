//! One command line, parsed (RFC 1939 §3, RFC 2449 §3).
//!
//! A line comes without its CRLF and is at most [`crate::limits::POP3_LINE`] octets long; what is
//! borrowed from it lives as long as it does. Nothing here panics, whatever the octets.
use std::fmt;

/// A secret on its way to the verifier: it never shows in a log line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<'a>(pub &'a str);

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

/// What a client may ask. Message numbers start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// RFC 1939 §7: log in by a digest over the greeting's time stamp.
    Apop {
        /// The user's name or address.
        name: &'a str,
        /// The digest: 32 hexadecimal digits.
        digest: &'a str,
    },
    /// RFC 5034 §4; without a mechanism: list the mechanisms.
    Auth {
        /// The SASL mechanism, in whatever case the client wrote it.
        mechanism: Option<&'a str>,
        /// The initial response, still base64; `=` stands for an empty one.
        initial: Option<Secret<'a>>,
    },
    /// RFC 2449 §5.
    Capa,
    /// RFC 1939 §5: mark for removal at QUIT.
    Dele(u32),
    /// RFC 6856 §3; without a range: list the languages.
    Lang(Option<&'a str>),
    /// RFC 1939 §5: sizes of all messages or of one.
    List(Option<u32>),
    /// RFC 1939 §5.
    Noop,
    /// RFC 1939 §7.
    Pass(Secret<'a>),
    /// RFC 1939 §4 and §6.
    Quit,
    /// RFC 1939 §5: a whole message.
    Retr(u32),
    /// RFC 1939 §5: take all marks back.
    Rset,
    /// RFC 1939 §5.
    Stat,
    /// RFC 2595 §4.
    Stls,
    /// RFC 1939 §7: the header and the first lines of the body.
    Top {
        /// Which message.
        message: u32,
        /// Lines of the body; 0 gives the header alone.
        lines: u32,
    },
    /// RFC 1939 §7: unique-ids of all messages or of one.
    Uidl(Option<u32>),
    /// RFC 1939 §7.
    User(&'a str),
    /// RFC 6856 §2.
    Utf8,
}

/// Why a line is no command. RFC 1939 §3: each is answered with `-ERR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No command of that name.
    Unknown,
    /// The command is known, its arguments are wrong; the text says how it is written.
    Usage(&'static str),
    /// A name or a password that is not UTF-8 (RFC 6856 §2.2).
    NotUtf8,
}

/// When a command may be given (RFC 1939 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before log-in: the AUTHORIZATION state.
    Before,
    /// After it: the TRANSACTION state.
    After,
    /// In both.
    Always,
}

impl<'a> Command<'a> {
    /// The states in which the command is good.
    pub fn when(&self) -> When {
        match self {
            Command::Apop { .. }
            | Command::Auth { .. }
            | Command::Pass(_)
            | Command::Stls
            | Command::User(_)
            | Command::Utf8 => When::Before,
            Command::Dele(_)
            | Command::List(_)
            | Command::Noop
            | Command::Retr(_)
            | Command::Rset
            | Command::Stat
            | Command::Top { .. }
            | Command::Uidl(_) => When::After,
            Command::Capa | Command::Lang(_) | Command::Quit => When::Always,
        }
    }

    /// Parses one line, which has no CRLF any more. Keywords are case-insensitive (RFC 1939 §3).
    ///
    /// # Errors
    /// The line is not a command: see [`Trouble`].
    pub fn parse(line: &'a [u8]) -> Result<Self, Trouble> {
        let (keyword, rest) = split(line);
        let mut upper = [0u8; 4];
        let Some(name) = upper.get_mut(..keyword.len()) else {
            return Err(Trouble::Unknown);
        };
        name.copy_from_slice(keyword);
        name.make_ascii_uppercase();
        match &*name {
            b"APOP" => apop(rest),
            b"AUTH" => auth(rest),
            b"CAPA" => bare(rest, Command::Capa, "CAPA"),
            b"DELE" => one(rest, "DELE message").map(Command::Dele),
            b"LANG" => lang(rest),
            b"LIST" => optional(rest, "LIST [message]").map(Command::List),
            b"NOOP" => bare(rest, Command::Noop, "NOOP"),
            b"PASS" => pass(rest),
            b"QUIT" => bare(rest, Command::Quit, "QUIT"),
            b"RETR" => one(rest, "RETR message").map(Command::Retr),
            b"RSET" => bare(rest, Command::Rset, "RSET"),
            b"STAT" => bare(rest, Command::Stat, "STAT"),
            b"STLS" => bare(rest, Command::Stls, "STLS"),
            b"TOP" => top(rest),
            b"UIDL" => optional(rest, "UIDL [message]").map(Command::Uidl),
            b"USER" => user(rest),
            b"UTF8" => bare(rest, Command::Utf8, "UTF8"),
            _ => Err(Trouble::Unknown),
        }
    }
}

/// The octets before the first space and, if there is one, those behind it.
fn split(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut halves = line.splitn(2, |&b| b == b' ');
    (halves.next().unwrap_or_default(), halves.next())
}

/// Without spaces at both ends: clients that pad their lines mean nothing by it.
fn trimmed(rest: Option<&[u8]>) -> &[u8] {
    rest.unwrap_or_default().trim_ascii()
}

fn words(rest: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    trimmed(rest)
        .split(|&b| b == b' ')
        .filter(|word| !word.is_empty())
}

fn bare<'a>(
    rest: Option<&[u8]>,
    command: Command<'a>,
    usage: &'static str,
) -> Result<Command<'a>, Trouble> {
    if trimmed(rest).is_empty() {
        Ok(command)
    } else {
        Err(Trouble::Usage(usage))
    }
}

/// Decimal digits only: no sign, no overflow.
fn number(word: &[u8]) -> Option<u32> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0u32, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u32::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

fn one(rest: Option<&[u8]>, usage: &'static str) -> Result<u32, Trouble> {
    number(trimmed(rest)).ok_or(Trouble::Usage(usage))
}

fn optional(rest: Option<&[u8]>, usage: &'static str) -> Result<Option<u32>, Trouble> {
    match trimmed(rest) {
        [] => Ok(None),
        word => number(word).map(Some).ok_or(Trouble::Usage(usage)),
    }
}

fn top(rest: Option<&[u8]>) -> Result<Command<'_>, Trouble> {
    const USAGE: Trouble = Trouble::Usage("TOP message lines");
    let mut words = words(rest);
    let (Some(message), Some(lines), None) = (words.next(), words.next(), words.next()) else {
        return Err(USAGE);
    };
    // More lines than a number holds are all lines (RFC 1939 §7): "send the entire message".
    let all = || lines.iter().all(u8::is_ascii_digit).then_some(u32::MAX);
    Ok(Command::Top {
        message: number(message).ok_or(USAGE)?,
        lines: number(lines).or_else(all).ok_or(USAGE)?,
    })
}

fn text(octets: &[u8]) -> Result<&str, Trouble> {
    std::str::from_utf8(octets).map_err(|_| Trouble::NotUtf8)
}

fn user(rest: Option<&[u8]>) -> Result<Command<'_>, Trouble> {
    match trimmed(rest) {
        [] => Err(Trouble::Usage("USER name")),
        name => text(name).map(Command::User),
    }
}

/// RFC 1939 §7: spaces in the argument of PASS are part of the password, so nothing is trimmed.
fn pass(rest: Option<&[u8]>) -> Result<Command<'_>, Trouble> {
    match rest {
        None | Some([]) => Err(Trouble::Usage("PASS password")),
        Some(password) => text(password).map(|it| Command::Pass(Secret(it))),
    }
}

fn apop(rest: Option<&[u8]>) -> Result<Command<'_>, Trouble> {
    const USAGE: Trouble = Trouble::Usage("APOP name digest");
    let mut words = words(rest);
    let (Some(name), Some(hex), None) = (words.next(), words.next(), words.next()) else {
        return Err(USAGE);
    };
    if hex.len() != 32 || !hex.iter().all(u8::is_ascii_hexdigit) {
        return Err(USAGE);
    }
    Ok(Command::Apop {
        name: text(name)?,
        digest: text(hex)?,
    })
}

fn auth(rest: Option<&[u8]>) -> Result<Command<'_>, Trouble> {
    const USAGE: Trouble = Trouble::Usage("AUTH mechanism [initial-response]");
    let mut words = words(rest);
    let mechanism = words.next().map(text).transpose().map_err(|_| USAGE)?;
    let initial = words
        .next()
        .map(text)
        .transpose()
        .map_err(|_| USAGE)?
        .map(Secret);
    if words.next().is_some() {
        return Err(USAGE);
    }
    Ok(Command::Auth { mechanism, initial })
}

fn lang(rest: Option<&[u8]>) -> Result<Command<'_>, Trouble> {
    match trimmed(rest) {
        [] => Ok(Command::Lang(None)),
        range => text(range).map(|it| Command::Lang(Some(it))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(line: &str) -> Result<Command<'_>, Trouble> {
        Command::parse(line.as_bytes())
    }

    #[test]
    fn keywords_in_any_case() {
        assert_eq!(parsed("stat"), Ok(Command::Stat));
        assert_eq!(parsed("Retr 7"), Ok(Command::Retr(7)));
        assert_eq!(
            parsed("top 1 0"),
            Ok(Command::Top {
                message: 1,
                lines: 0
            })
        );
        assert_eq!(parsed("NOOP "), Ok(Command::Noop), "a padded line");
    }

    #[test]
    fn arguments() {
        assert_eq!(parsed("LIST"), Ok(Command::List(None)));
        assert_eq!(parsed("LIST 3"), Ok(Command::List(Some(3))));
        assert_eq!(parsed("UIDL"), Ok(Command::Uidl(None)));
        assert_eq!(
            parsed("USER fred@example.org "),
            Ok(Command::User("fred@example.org"))
        );
        assert_eq!(
            parsed("TOP 1 99999999999"),
            Ok(Command::Top {
                message: 1,
                lines: u32::MAX
            })
        );
        assert_eq!(
            parsed("AUTH PLAIN ="),
            Ok(Command::Auth {
                mechanism: Some("PLAIN"),
                initial: Some(Secret("="))
            })
        );
        assert_eq!(
            parsed("AUTH"),
            Ok(Command::Auth {
                mechanism: None,
                initial: None
            })
        );
        assert_eq!(parsed("LANG *"), Ok(Command::Lang(Some("*"))));
    }

    #[test]
    fn wrong_arguments() {
        for line in [
            "RETR",
            "RETR x",
            "RETR -1",
            "RETR +1",
            "RETR 4294967296",
            "RETR 1 2",
            "DELE ",
            "LIST 1 2",
            "TOP 1",
            "TOP 1 -1",
            "TOP 1 2 3",
            "STAT 1",
            "QUIT now",
            "USER",
            "USER ",
            "PASS",
            "PASS ",
            "APOP fred",
            "APOP fred 00",
            "AUTH PLAIN a b",
            "APOP fred c4c9334bac560ecc979e58001b3e22fx",
        ] {
            assert!(matches!(parsed(line), Err(Trouble::Usage(_))), "{line}");
        }
        for line in ["", " ", "XTND", "RETRIEVE 1", "A", "\u{e9}", "LAST"] {
            assert_eq!(parsed(line), Err(Trouble::Unknown), "{line}");
        }
        assert_eq!(Command::parse(b"PASS \xff"), Err(Trouble::NotUtf8));
    }

    #[test]
    fn password_keeps_its_spaces() {
        assert_eq!(parsed("PASS  a b "), Ok(Command::Pass(Secret(" a b "))));
    }

    #[test]
    fn secrets_do_not_show() {
        for line in ["PASS hunter2", "AUTH PLAIN hunter2"] {
            let shown = format!("{:?}", parsed(line));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn apop_of_the_rfc() {
        let line = "APOP mrose c4c9334bac560ecc979e58001b3e22fb";
        let Ok(Command::Apop { name, digest }) = parsed(line) else {
            panic!("{line}")
        };
        assert_eq!(name, "mrose");
        assert_eq!(digest, "c4c9334bac560ecc979e58001b3e22fb");
    }

    proptest! {
        #[test]
        fn any_octets_are_answered(line in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Command::parse(&line);
        }

        #[test]
        fn numbers_come_back(message: u32, lines: u32) {
            let line = format!("TOP {message} {lines}");
            prop_assert_eq!(parsed(&line), Ok(Command::Top { message, lines }));
        }

        #[test]
        fn passwords_come_back(password in "[^\r\n\0]{1,80}") {
            let line = format!("PASS {password}");
            prop_assert_eq!(parsed(&line), Ok(Command::Pass(Secret(&password))));
        }
    }
}
