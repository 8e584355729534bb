//! Commands of RFC 5321 §4.1, with STARTTLS (RFC 3207), AUTH (RFC 4954), BDAT (RFC 3030), BURL (RFC 4468) and the
//! SMTPUTF8 forms of VRFY and EXPN (RFC 6531 §3.7.4.2).
//!
//! One line without its CRLF goes in. Three liberties with the grammar, since real devices need
//! them and none can be misread: spaces after the colon of `MAIL FROM:`, a path without its angle
//! brackets, and whatever a client calls itself in EHLO.
use super::params::{self, MailParams, RcptParams};
use crate::limits;
use crate::mail::address::{Address, AddressError, is_domain};

/// A command as the client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `EHLO name`
    Ehlo(String),
    /// `HELO name`
    Helo(String),
    /// `MAIL FROM:<path> [parameters]`; `None` is the null reverse-path.
    Mail(Option<Address>, MailParams),
    /// `RCPT TO:<path> [parameters]`
    Rcpt(Recipient, RcptParams),
    /// `DATA`
    Data,
    /// `BDAT octets [LAST]`
    Bdat {
        /// Octets of the chunk that follows the line.
        size: u64,
        /// Whether the chunk ends the message.
        last: bool,
    },
    /// `BURL url [LAST]`
    Burl {
        /// The URL as written.
        url: String,
        /// Whether what it names ends the message.
        last: bool,
    },
    /// `RSET`
    Rset,
    /// `NOOP [anything]`
    Noop,
    /// `VRFY string`
    Vrfy(String),
    /// `EXPN string`
    Expn(String),
    /// `HELP [anything]`
    Help,
    /// `QUIT`
    Quit,
    /// `STARTTLS`
    StartTls,
    /// `AUTH mechanism [initial-response]`
    Auth {
        /// The SASL mechanism in upper case.
        mechanism: String,
        /// The initial response, still in base64; empty for `=`.
        initial: Option<String>,
    },
}

/// A forward-path. `<postmaster>` needs no domain (RFC 5321 §4.1.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// `<Postmaster>`, in any case of letters.
    Postmaster,
    /// A mailbox.
    Mailbox(Address),
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// No such command.
    Unknown,
    /// NUL, bare CR, bare LF or another control character, or no UTF-8.
    Octets,
    /// The argument is missing, or there is one where none may be.
    Argument,
    /// The reverse-path is no address.
    Sender(AddressError),
    /// The forward-path is no address.
    Recipient(AddressError),
    /// A known parameter with a value that cannot be, or given twice.
    Parameter,
    /// A parameter of no extension that was announced (RFC 5321 §4.1.1.11).
    UnknownParameter,
}

/// Parses a line without its CRLF.
pub fn parse(line: &[u8]) -> Result<Command, Syntax> {
    let text = std::str::from_utf8(line).map_err(|_| Syntax::Octets)?;
    if text.bytes().any(|b| b < b' ' && b != b'\t' || b == 0x7f) {
        return Err(Syntax::Octets);
    }
    // RFC 5321 §4.1.1: trailing white space is tolerated.
    let text = text.trim_end_matches([' ', '\t']);
    let (verb, argument) = match text.split_once([' ', '\t']) {
        Some((verb, argument)) => (verb, argument.trim_start_matches([' ', '\t'])),
        None => (text, ""),
    };
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => host(argument).map(Command::Ehlo),
        "HELO" => host(argument).map(Command::Helo),
        "MAIL" => mail(argument),
        "RCPT" => rcpt(argument),
        "DATA" => bare(argument, Command::Data),
        "BDAT" => bdat(argument),
        "BURL" => burl(argument),
        "RSET" => bare(argument, Command::Rset),
        "NOOP" => Ok(Command::Noop),
        "VRFY" => string(argument).map(Command::Vrfy),
        "EXPN" => string(argument).map(Command::Expn),
        "HELP" => Ok(Command::Help),
        "QUIT" => bare(argument, Command::Quit),
        "STARTTLS" => bare(argument, Command::StartTls),
        "AUTH" => auth(argument),
        _ => Err(Syntax::Unknown),
    }
}

fn bare(argument: &str, command: Command) -> Result<Command, Syntax> {
    if argument.is_empty() {
        Ok(command)
    } else {
        Err(Syntax::Argument)
    }
}

/// What a client calls itself. RFC 5321 §4.1.4 forbids refusing mail because the name is wrong,
/// and printers send `EHLO My_Printer`: any printable word up to a domain's length is taken.
fn host(argument: &str) -> Result<String, Syntax> {
    let name = argument.split([' ', '\t']).next().unwrap_or("");
    let printable = name.chars().all(|c| c.is_ascii_graphic() || !c.is_ascii());
    if name.is_empty() || name.len() > limits::DOMAIN || !printable {
        return Err(Syntax::Argument);
    }
    Ok(name.to_owned())
}

fn string(argument: &str) -> Result<String, Syntax> {
    if argument.is_empty() {
        Err(Syntax::Argument)
    } else {
        Ok(argument.to_owned())
    }
}

/// Cuts `FROM:` or `TO:` off, and the spaces that should not be behind it.
fn after_keyword<'a>(argument: &'a str, keyword: &str) -> Result<&'a str, Syntax> {
    let head = argument.get(..keyword.len()).ok_or(Syntax::Argument)?;
    let rest = argument.get(keyword.len()..).ok_or(Syntax::Argument)?;
    if !head.eq_ignore_ascii_case(keyword) {
        return Err(Syntax::Argument);
    }
    let rest = rest
        .trim_start()
        .strip_prefix(':')
        .ok_or(Syntax::Argument)?
        .trim_start();
    if rest.is_empty() {
        Err(Syntax::Argument)
    } else {
        Ok(rest)
    }
}

fn mail(argument: &str) -> Result<Command, Syntax> {
    let text = after_keyword(argument, "FROM")?;
    if let Some(rest) = text.strip_prefix("<>") {
        return Ok(Command::Mail(None, params::mail(parameters(rest)?)?));
    }
    let (address, rest) = path(text).map_err(Syntax::Sender)?;
    Ok(Command::Mail(
        Some(address),
        params::mail(parameters(rest)?)?,
    ))
}

fn rcpt(argument: &str) -> Result<Command, Syntax> {
    let text = after_keyword(argument, "TO")?;
    let (inner, rest) = match text.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((inner, rest)) => (inner, rest),
        None => text.split_once(' ').unwrap_or((text, "")),
    };
    if inner.eq_ignore_ascii_case("postmaster") {
        return Ok(Command::Rcpt(
            Recipient::Postmaster,
            params::rcpt(parameters(rest)?)?,
        ));
    }
    let (address, rest) = path(text).map_err(Syntax::Recipient)?;
    let params = params::rcpt(parameters(rest)?)?;
    Ok(Command::Rcpt(Recipient::Mailbox(address), params))
}

/// Parameters stand behind a space, or there are none.
fn parameters(rest: &str) -> Result<&str, Syntax> {
    if rest.is_empty() || rest.starts_with([' ', '\t']) {
        Ok(rest)
    } else {
        Err(Syntax::Argument)
    }
}

/// `Path` of RFC 5321 §4.1.2: its source route is accepted and ignored. Angle brackets may be
/// missing on both sides, never on one.
fn path(text: &str) -> Result<(Address, &str), AddressError> {
    let Some(inner) = text.strip_prefix('<') else {
        return Address::parse_prefix(text);
    };
    let (address, rest) = Address::parse_prefix(skip_route(inner)?)?;
    let rest = rest.strip_prefix('>').ok_or(AddressError::Domain)?;
    Ok((address, rest))
}

/// Skips `@one,@two:` (`A-d-l`, RFC 5321 Appendix C).
fn skip_route(text: &str) -> Result<&str, AddressError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    let (route, rest) = text.split_once(':').ok_or(AddressError::Domain)?;
    let valid = route
        .split(',')
        .all(|hop| hop.strip_prefix('@').is_some_and(is_domain));
    if valid {
        Ok(rest)
    } else {
        Err(AddressError::Domain)
    }
}

/// `BDAT chunk-size [LAST]` (RFC 3030 §2).
fn bdat(argument: &str) -> Result<Command, Syntax> {
    let mut words = argument.split_ascii_whitespace();
    let digits = words.next().ok_or(Syntax::Argument)?;
    if digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Syntax::Argument);
    }
    let size = digits.parse().map_err(|_| Syntax::Argument)?;
    let last = end_marker(words)?;
    Ok(Command::Bdat { size, last })
}

/// `BURL absolute-URI [LAST]` (RFC 4468 §3.5).
fn burl(argument: &str) -> Result<Command, Syntax> {
    let mut words = argument.split_ascii_whitespace();
    let url = words.next().ok_or(Syntax::Argument)?.to_owned();
    let last = end_marker(words)?;
    Ok(Command::Burl { url, last })
}

/// `[LAST]`, and nothing behind it.
fn end_marker<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<bool, Syntax> {
    match (words.next(), words.next()) {
        (None, _) => Ok(false),
        (Some(word), None) if word.eq_ignore_ascii_case("LAST") => Ok(true),
        _ => Err(Syntax::Argument),
    }
}

/// `AUTH mechanism [initial-response]` (RFC 4954 §4).
fn auth(argument: &str) -> Result<Command, Syntax> {
    let mut words = argument.split_ascii_whitespace();
    let mechanism = words.next().ok_or(Syntax::Argument)?.to_ascii_uppercase();
    let initial = words.next().map(|word| {
        if word == "=" {
            String::new()
        } else {
            word.to_owned()
        }
    });
    if words.next().is_some() {
        Err(Syntax::Argument)
    } else {
        Ok(Command::Auth { mechanism, initial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sender(line: &str) -> Result<Option<String>, Syntax> {
        match parse(line.as_bytes())? {
            Command::Mail(from, _) => Ok(from.map(|a| a.to_string())),
            other => panic!("{other:?}"),
        }
    }

    fn recipient(line: &str) -> Result<String, Syntax> {
        match parse(line.as_bytes())? {
            Command::Rcpt(Recipient::Postmaster, _) => Ok("postmaster".into()),
            Command::Rcpt(Recipient::Mailbox(to), _) => Ok(to.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn mail_from() {
        assert_eq!(sender("MAIL FROM:<>"), Ok(None));
        assert_eq!(sender("mail from:<a@b>"), Ok(Some("a@b".into())));
        assert_eq!(sender("MAIL FROM: <a@b> SIZE=1"), Ok(Some("a@b".into())));
        assert_eq!(sender("MAIL FROM:a@b SIZE=1"), Ok(Some("a@b".into())));
        assert_eq!(
            sender("MAIL FROM:<@x.org,@y.org:a@b>"),
            Ok(Some("a@b".into()))
        );
        assert_eq!(
            sender("MAIL FROM:<\"a>b\"@c>"),
            Ok(Some("\"a>b\"@c".into()))
        );
        for bad in [
            "MAIL",
            "MAIL FROM:",
            "MAIL FROM",
            "MAIL TO:<a@b>",
            "MAIL <a@b>",
            "MAIL FROM:<a@b>x",
        ] {
            assert_eq!(sender(bad), Err(Syntax::Argument), "{bad}");
        }
        for bad in [
            "MAIL FROM:<a@b",
            "MAIL FROM:<a>",
            "MAIL FROM:<@x:>",
            "MAIL FROM:<@x_y:a@b>",
            "MAIL FROM:<a@b c>",
        ] {
            assert!(matches!(sender(bad), Err(Syntax::Sender(_))), "{bad}");
        }
        assert_eq!(sender("MAIL FROM:a@b>"), Err(Syntax::Argument));
        assert_eq!(
            sender("MAIL FROM:<a@b> FOO=1"),
            Err(Syntax::UnknownParameter)
        );
    }

    #[test]
    fn rcpt_to() {
        assert_eq!(recipient("RCPT TO:<Postmaster>"), Ok("postmaster".into()));
        assert_eq!(
            recipient("RCPT TO:<postmaster> NOTIFY=NEVER"),
            Ok("postmaster".into())
        );
        assert_eq!(recipient("RCPT TO:<a+b@c.d>"), Ok("a+b@c.d".into()));
        assert_eq!(recipient("RCPT TO:<@relay:a@b>"), Ok("a@b".into()));
        assert!(matches!(recipient("RCPT TO:<>"), Err(Syntax::Recipient(_))));
        assert!(matches!(
            recipient("RCPT TO:<fred>"),
            Err(Syntax::Recipient(_))
        ));
    }

    #[test]
    fn the_rest() {
        assert_eq!(
            parse(b"ehlo [192.0.2.1]"),
            Ok(Command::Ehlo("[192.0.2.1]".into()))
        );
        assert_eq!(
            parse(b"HELO My_Printer 2"),
            Ok(Command::Helo("My_Printer".into()))
        );
        assert_eq!(parse(b"EHLO"), Err(Syntax::Argument));
        assert_eq!(parse(b"DATA "), Ok(Command::Data));
        assert_eq!(parse(b"DATA now"), Err(Syntax::Argument));
        assert_eq!(
            parse(b"BDAT 86 last"),
            Ok(Command::Bdat {
                size: 86,
                last: true
            })
        );
        for bad in [
            "BDAT",
            "BDAT x",
            "BDAT -1",
            "BDAT 1 2",
            "BDAT 1 LAST x",
            "BDAT 99999999999999999999",
        ] {
            assert_eq!(parse(bad.as_bytes()), Err(Syntax::Argument), "{bad}");
        }
        assert_eq!(parse(b"NOOP x y"), Ok(Command::Noop));
        assert_eq!(parse(b"VRFY"), Err(Syntax::Argument));
        assert_eq!(
            parse(b"AUTH plain ="),
            Ok(Command::Auth {
                mechanism: "PLAIN".into(),
                initial: Some(String::new())
            })
        );
        assert_eq!(parse(b"AUTH"), Err(Syntax::Argument));
        for line in [&b""[..], b"GET / HTTP/1.1", b"MAILFROM:<a@b>", b" EHLO x"] {
            assert_eq!(parse(line), Err(Syntax::Unknown), "{line:?}");
        }
        for line in [
            &b"NOOP\0"[..],
            b"NOOP\r",
            b"RSET\nMAIL FROM:<>",
            b"NOOP \xff",
            b"EHLO a\x1bb",
        ] {
            assert_eq!(parse(line), Err(Syntax::Octets), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&line);
        }

        #[test]
        fn never_panics_behind_a_verb(
            verb in "(MAIL FROM:|RCPT TO:|MAIL FROM:<|RCPT TO:<@|BDAT |AUTH |EHLO )",
            rest in "[ -~ü]{0,60}",
        ) {
            let _ = parse(format!("{verb}{rest}").as_bytes());
        }

        #[test]
        fn no_address_carries_a_line_break(rest in "[ -~\r\n]{0,40}") {
            if let Ok(Command::Mail(Some(from), _)) = parse(format!("MAIL FROM:<{rest}>").as_bytes()) {
                prop_assert!(!from.to_string().contains(['\r', '\n']));
            }
        }
    }
}
