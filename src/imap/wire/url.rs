//! IMAP URLs of messages and their parts (RFC 5092 §6, §11), as CATENATE and URLAUTH take them
//! (RFC 4469 §3, RFC 4467 §9, RFC 5550 §5.7.1, RFC 5524 §5), and the commands that carry them.
//!
//! Only URLs of one message are read here; those of servers, mailboxes and searches are errors.

use super::cursor::Cursor;
use super::mailbox;
use super::section::{self, Partial, Section, Text};
use crate::mime;

/// A message or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// User and server; `None` in `/mailbox/...`, which is on this server.
    pub server: Option<Server>,
    /// The mailbox, decoded.
    pub mailbox: String,
    /// What its UIDVALIDITY has to be.
    pub uidvalidity: Option<u32>,
    /// The message.
    pub uid: u32,
    /// What of it.
    pub section: Section,
    /// Which octets of that.
    pub partial: Option<Partial>,
    /// The last moment at which it is valid, seconds since 1970.
    pub expire: Option<i64>,
    /// Who may use it.
    pub auth: Option<Auth>,
}

/// `[user[;AUTH=type]@]host[:port]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The user, decoded.
    pub user: Option<String>,
    /// Host and port as written.
    pub host: String,
}

/// `;URLAUTH=access[:mechanism:token]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// Who may use it.
    pub access: Access,
    /// Octets of the URL before the `:` of the mechanism: all that the token speaks for.
    pub rump: usize,
    /// The mechanism in upper case, and the token.
    pub token: Option<(String, String)>,
}

/// Who may use an authorized URL (RFC 4467 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// `submit+user`: a submission server on behalf of this user.
    Submit(String),
    /// `user+user`: this user.
    User(String),
    /// `authuser`: whoever is logged in.
    AuthUser,
    /// `anonymous`: anybody.
    Anonymous,
}

impl Url {
    /// Reads a URL. Letter case does not matter but in names.
    pub fn parse(text: &str) -> Option<Url> {
        let (server, path) = match strip(text, "imap://") {
            Some(rest) => {
                let (authority, path) = rest.split_once('/')?;
                (Some(Server::parse(authority)?), path)
            }
            // RFC 5092 §7.2: relative references that begin with no slash are not to be accepted.
            None => (None, text.strip_prefix('/')?),
        };
        let mut p = Path { rest: path };
        let at = p.rest.find(';')?;
        let (name, rest) = p.rest.split_at(at);
        p.rest = rest;
        let (validity, name) = match p.key(";UIDVALIDITY=") {
            Some(value) => {
                p.rest = p.rest.strip_prefix('/')?;
                (Some(number(value)?), name)
            }
            None => (None, name.strip_suffix('/')?),
        };
        let mailbox = decoded(name).filter(|name| !name.is_empty() && !name.starts_with('/'))?;
        let uid = number(p.key(";UID=")?)?;
        let section = match p.key("/;SECTION=") {
            Some(value) => part(&decoded(value)?)?,
            None => part("")?,
        };
        let partial = match p.key("/;PARTIAL=") {
            Some(value) => Some(range(value)?),
            None => None,
        };
        let expire = match p.key(";EXPIRE=") {
            Some(value) => Some(mime::date::parse_rfc3339(value)?.secs),
            None => None,
        };
        let auth = match strip(p.rest, ";URLAUTH=") {
            Some(value) => Some(Auth::parse(value, text.len() - value.len())?),
            None if p.rest.is_empty() && expire.is_none() => None,
            None => return None,
        };
        Some(Url {
            server,
            mailbox: mailbox::canonical(mailbox),
            uidvalidity: validity,
            uid,
            section,
            partial,
            expire,
            auth,
        })
    }
}

impl Server {
    fn parse(text: &str) -> Option<Server> {
        let (user, host) = match text.rsplit_once('@') {
            Some((info, host)) => {
                let user = info.split_once(';').map_or(info, |(user, _)| user);
                (Some(decoded(user)?).filter(|user| !user.is_empty()), host)
            }
            None => (None, text),
        };
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~:[]%".contains(&b);
        (!host.is_empty() && host.bytes().all(fits)).then(|| Server {
            user,
            host: host.to_owned(),
        })
    }
}

impl Auth {
    /// `at`: octets of the URL before `text`.
    fn parse(text: &str, at: usize) -> Option<Auth> {
        let (access, token) = match text.split_once(':') {
            Some((access, rest)) => {
                let (mechanism, token) = rest.split_once(':')?;
                let hex = token.bytes().all(|b| b.is_ascii_hexdigit());
                let known = !mechanism.is_empty() && hex && token.len() >= 32;
                known.then_some(())?;
                let mechanism = mechanism.to_ascii_uppercase();
                (access, Some((mechanism, token.to_owned())))
            }
            None => (text, None),
        };
        let rump = at + access.len();
        let access = match strip(access, "submit+") {
            Some(user) => Access::Submit(name(user)?),
            None => match strip(access, "user+") {
                Some(user) => Access::User(name(user)?),
                None if access.eq_ignore_ascii_case("authuser") => Access::AuthUser,
                None if access.eq_ignore_ascii_case("anonymous") => Access::Anonymous,
                None => return None,
            },
        };
        Some(Auth {
            access,
            rump,
            token,
        })
    }
}

/// What is left of a URL's path.
struct Path<'a> {
    rest: &'a str,
}

impl<'a> Path<'a> {
    /// The value behind `key`, if that comes next. A slash that stands before the next key stays.
    fn key(&mut self, key: &str) -> Option<&'a str> {
        let rest = strip(self.rest, key)?;
        let mut end = rest.find(';').unwrap_or(rest.len());
        if end < rest.len() && rest.get(..end).is_some_and(|value| value.ends_with('/')) {
            end -= 1;
        }
        let (value, rest) = rest.split_at_checked(end)?;
        self.rest = rest;
        Some(value)
    }
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn name(text: &str) -> Option<String> {
    decoded(text).filter(|name| !name.is_empty())
}

fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n > 0)
}

/// Percent-encoded UTF-8; `None` where a character stands that has to be encoded (RFC 5092 §11 `bchar`).
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'%' => {
                let hex = |b: u8| {
                    char::from(b)
                        .to_digit(16)
                        .and_then(|n| u8::try_from(n).ok())
                };
                let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
                out.push(high << 4 | low);
            }
            _ if b.is_ascii_alphanumeric() || b"-._~!$'()*+,&=:@/".contains(&b) => out.push(b),
            _ => return None,
        }
    }
    String::from_utf8(out).ok().filter(|s| !s.contains('\0'))
}

/// `section-spec`; empty for the whole message.
fn part(text: &str) -> Option<Section> {
    if text.is_empty() {
        return Some(Section {
            path: Vec::new(),
            text: Text::All,
        });
    }
    let text = format!("[{text}]");
    let mut c = Cursor::new(text.as_bytes(), true);
    let found = section::section(&mut c).ok()?;
    c.is_end().then_some(found)
}

/// `number ["." nz-number]`
fn range(text: &str) -> Option<Partial> {
    let (offset, length) = match text.split_once('.') {
        Some((offset, length)) => (offset, u64::from(number(length)?)),
        None => (text, u64::MAX),
    };
    let offset = match offset {
        "0" => 0,
        offset => u64::from(number(offset)?),
    };
    Some(Partial { offset, length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_of_the_rfcs() {
        let url = Url::parse("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME").unwrap();
        assert_eq!(
            (url.mailbox.as_str(), url.uidvalidity, url.uid),
            ("Drafts", Some(385_759_045), 20)
        );
        assert_eq!((url.section.path, url.section.text), (vec![1], Text::Mime));
        let url = Url::parse("/Drafts/;UID=3002").unwrap();
        assert_eq!(url.uidvalidity, None);
        let url = Url::parse(
            "imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024",
        )
        .unwrap();
        assert_eq!(
            url.partial,
            Some(Partial {
                offset: 0,
                length: 1024
            })
        );
        let text = "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:\
                    91354a473744909de610943775f92038";
        let url = Url::parse(text).unwrap();
        let auth = url.auth.unwrap();
        assert_eq!(auth.access, Access::Submit("fred".into()));
        assert!(text[..auth.rump].ends_with("urlauth=submit+fred"));
        assert_eq!(auth.token.unwrap().0, "INTERNAL");
        assert_eq!(url.server.unwrap().user.as_deref(), Some("joe"));
        let url =
            Url::parse("imap://;AUTH=*@h/a/;uid=1;EXPIRE=2002-05-05T11:12:13Z;URLAUTH=authuser");
        let url = url.unwrap();
        assert_eq!(url.expire, Some(1_020_597_133));
        assert_eq!(url.server.unwrap().user, None);
        let url = Url::parse("/%E6%97%A5%E6%9C%AC/x%20y/;UID=4/;SECTION=HEADER.FIELDS%20(DATE)");
        let url = url.unwrap();
        assert_eq!(url.mailbox, "\u{65e5}\u{672c}/x y");
        assert!(matches!(url.section.text, Text::Fields { .. }));
    }

    #[test]
    fn not_one_message() {
        for text in [
            "",
            "/",
            ";UID=20",
            "imap://joe@example.com",
            "imap://joe@example.com/",
            "imap://joe@example.com/INBOX",
            "imap://joe@example.com/INBOX?SUBJECT%20x",
            "http://joe@example.com/INBOX/;UID=1",
            "//joe@example.com/INBOX/;UID=1",
            "/INBOX/;UID=0",
            "/INBOX/;UID=1/;SECTION=FOO",
            "/INBOX/;UID=1/;PARTIAL=1.0",
            "/INBOX/;UID=1;PARTIAL=0.1",
            "/INBOX;UID=1",
            "/IN BOX/;UID=1",
            "/INBOX/;UID=1/..",
            "/INBOX/;UID=1;EXPIRE=2002-05-05T11:12:13Z",
            "/INBOX/;UID=1;URLAUTH=nobody",
            "/INBOX/;UID=1;URLAUTH=user+",
            "/INBOX/;UID=1;URLAUTH=anonymous:internal:91354a47",
            "/%ff/;UID=1",
            "/%4/;UID=1",
        ] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(imap://|/)?[a-z@%;/:.=+]{0,40}(;UID=1)?(/;PARTIAL=)?.{0,20}") {
            let _ = Url::parse(&text);
        }
    }
}
