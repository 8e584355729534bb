//! APPEND and REPLACE (RFC 9051 §6.3.12, RFC 3502 §6.3.11, RFC 4469 §5, RFC 6855 §4, RFC 8508 §5).
//! Messages never pass through here: the framer stops at each literal, and this parses what stands
//! before, between and behind them.

use super::Numbers;
use super::cursor::{Cursor, Error, Parsed};
use super::flag::{self, Flag};
use super::set::Set;
use super::{date, mailbox};

/// What APPEND or REPLACE begins with, up to the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The mailbox.
    pub name: String,
    /// REPLACE: the message that goes.
    pub replaces: Option<(Set, Numbers)>,
    /// The text behind the mailbox, up to the first message or the end, for [`Reader::read`].
    pub rest: Vec<u8>,
    /// Octets before `rest`.
    pub at: usize,
}

/// The flags and the date of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The message's flags.
    pub flags: Vec<Flag>,
    /// INTERNALDATE, seconds since 1970.
    pub date: Option<i64>,
    /// Its text is put together from several parts.
    pub catenate: bool,
}

/// What the text asks for, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A message begins.
    Begin(Head),
    /// The octets that a URL names belong to it.
    Url(String),
    /// The octets of the literal behind this text belong to it.
    Literal,
    /// The message is whole.
    End,
}

/// True if `text`, which a literal's head follows, is an APPEND or REPLACE that has its mailbox
/// already, and the literal is (part of) a message. `more`: the text stands behind a message.
pub fn wants_message(text: &[u8], more: bool) -> bool {
    let mut c = Cursor::new(text, false);
    let mut begin = || -> Parsed<bool> {
        c.take_while(|b| b != b' ');
        c.space()?;
        c.eat_word("UID ");
        let append = c.eat_word("APPEND ");
        if !append {
            if !c.eat_word("REPLACE ") {
                return Ok(false);
            }
            c.take_while(|b| b != b' ');
            c.space()?;
        }
        c.astring()?;
        c.space()?;
        Ok(true)
    };
    if !more && !begin().unwrap_or(false) {
        return false;
    }
    let rest = if more { text } else { c.rest() };
    // The name of a URL is the one thing here that may come as a literal and is no message.
    !rest
        .len()
        .checked_sub(5)
        .and_then(|from| rest.get(from..))
        .is_some_and(|end| {
            matches!(end.first(), Some(b' ' | b'(')) && end[1..].eq_ignore_ascii_case(b"URL ")
        })
}

/// `SP mailbox ...` of APPEND.
pub fn append(c: &mut Cursor<'_>) -> Parsed<Append> {
    target(c, None)
}

/// `SP seq-number SP mailbox ...` of REPLACE.
pub fn replace(c: &mut Cursor<'_>, numbers: Numbers) -> Parsed<Append> {
    c.space()?;
    let at = c.position();
    let set = Set::parse(c)?;
    match &set {
        Set::Ranges(ranges) if matches!(ranges[..], [(a, b)] if a == b) => {}
        _ => {
            return Err(Error {
                at,
                wanted: &"one message number",
            });
        }
    }
    target(c, Some((set, numbers)))
}

fn target(c: &mut Cursor<'_>, replaces: Option<(Set, Numbers)>) -> Parsed<Append> {
    let name = mailbox::only(c)?;
    let at = c.position();
    let rest = c.take_while(|_| true).to_vec();
    Ok(Append {
        name,
        replaces,
        rest,
        at,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first message.
    First,
    /// Between two messages, or behind the last.
    Between,
    /// Behind a literal that is a whole message.
    Whole,
    /// In the parentheses of CATENATE; a part has gone before.
    Parts(bool),
    /// Behind the literal of `UTF8 (`; inside CATENATE or not.
    Utf8(bool),
}

/// Reads the command's text as it comes in pieces.
#[derive(Debug)]
pub struct Reader {
    place: Place,
    several: bool,
}

impl Reader {
    /// At the text behind the mailbox. `several`: any number of messages may follow (RFC 3502), not
    /// one only (RFC 8508 §4.7).
    pub fn new(several: bool) -> Reader {
        Reader {
            place: Place::First,
            several,
        }
    }

    /// Reads the text up to a literal that belongs to a message, or up to the command's end.
    pub fn read(&mut self, text: &[u8], literal: bool, utf8: bool) -> Parsed<Vec<Step>> {
        let mut c = Cursor::new(text, utf8);
        let mut steps = Vec::new();
        loop {
            match self.place {
                Place::Whole => {
                    steps.push(Step::End);
                    self.place = Place::Between;
                }
                Place::First | Place::Between => {
                    if self.place == Place::Between && ends(&c, literal) {
                        return Ok(steps);
                    }
                    if self.place == Place::Between && !self.several {
                        return c.fail(&"the end of the command behind the message");
                    }
                    if self.message(&mut c, literal, &mut steps)? {
                        return Ok(steps);
                    }
                }
                Place::Utf8(inside) => {
                    c.close()?;
                    self.place = if inside {
                        Place::Parts(true)
                    } else {
                        Place::Whole
                    };
                }
                Place::Parts(some) => {
                    if some && c.eat(b')') {
                        self.place = Place::Whole;
                    } else if self.part(&mut c, literal, some, &mut steps)? {
                        return Ok(steps);
                    }
                }
            }
        }
    }

    /// `[SP flag-list] [SP date-time] SP append-data`; true at the literal.
    fn message(
        &mut self,
        c: &mut Cursor<'_>,
        literal: bool,
        steps: &mut Vec<Step>,
    ) -> Parsed<bool> {
        let mut head = Head::default();
        c.space()?;
        if c.peek() == Some(b'(') {
            head.flags = flag::list(c)?;
            c.space()?;
        }
        if c.peek() == Some(b'"') {
            head.date = Some(date::date_time(c)?);
            c.space()?;
        }
        head.catenate = c.eat_word("CATENATE (");
        self.place = match () {
            () if head.catenate => Place::Parts(false),
            () if c.eat_word("UTF8 (") => Place::Utf8(false),
            () => Place::Whole,
        };
        let catenate = head.catenate;
        steps.push(Step::Begin(head));
        if catenate {
            return Ok(false);
        }
        at_literal(c, literal)?;
        steps.push(Step::Literal);
        Ok(true)
    }

    /// `cat-part`; true at the literal.
    fn part(
        &mut self,
        c: &mut Cursor<'_>,
        literal: bool,
        some: bool,
        steps: &mut Vec<Step>,
    ) -> Parsed<bool> {
        if some {
            c.space()?;
        }
        if c.eat_word("URL ") {
            steps.push(Step::Url(c.astring_text()?));
            self.place = Place::Parts(true);
            return Ok(false);
        }
        self.place = if c.eat_word("TEXT ") {
            Place::Parts(true)
        } else if c.eat_word("UTF8 (") {
            Place::Utf8(true)
        } else {
            return c.fail(&"TEXT, URL or UTF8");
        };
        at_literal(c, literal)?;
        steps.push(Step::Literal);
        Ok(true)
    }
}

fn at_literal(c: &Cursor<'_>, literal: bool) -> Parsed<()> {
    if literal && c.is_end() {
        Ok(())
    } else {
        c.fail(&"the message as a literal")
    }
}

/// The command's end, spaces before it forgiven.
fn ends(c: &Cursor<'_>, literal: bool) -> bool {
    !literal && c.clone().end().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn where_messages_begin() {
        for text in [
            "a APPEND box ",
            "a append {3}\r\nbox (\\Seen) \"17-Jul-1996 02:44:25 -0700\" ",
            "a APPEND URL ",
            "a APPEND box CATENATE (TEXT ",
            "a APPEND box CATENATE (URL x TEXT ",
            "a REPLACE 4 box ",
            "a uid replace 4 box (\\Seen) ",
        ] {
            assert!(wants_message(text.as_bytes(), false), "{text}");
        }
        for text in [
            "a APPEND ",
            "a LOGIN x ",
            "",
            "a REPLACE 4 ",
            "a APPEND box CATENATE (URL ",
            "a APPEND box CATENATE (url x URL ",
        ] {
            assert!(!wants_message(text.as_bytes(), false), "{text}");
        }
        assert!(wants_message(b" (\\Seen) ", true) && !wants_message(b" URL ", true));
    }

    fn read(texts: &[&str]) -> Parsed<Vec<Step>> {
        let mut reader = Reader::new(true);
        let mut steps = Vec::new();
        for (i, text) in texts.iter().enumerate() {
            let literal = i + 1 < texts.len();
            steps.extend(reader.read(text.as_bytes(), literal, false)?);
        }
        Ok(steps)
    }

    fn begin(flags: usize) -> Step {
        let flags = vec![Flag::Seen; flags];
        Step::Begin(Head {
            flags,
            ..Head::default()
        })
    }

    #[test]
    fn forms() {
        use Step::{End, Literal, Url};
        assert_eq!(read(&[" ", ""]), Ok(vec![begin(0), Literal, End]));
        assert_eq!(
            read(&[" (\\Seen) UTF8 (", ") "]),
            Ok(vec![begin(1), Literal, End])
        );
        assert_eq!(
            read(&[" ", " (\\Seen) ", " ", ""]),
            Ok(vec![
                begin(0),
                Literal,
                End,
                begin(1),
                Literal,
                End,
                begin(0),
                Literal,
                End
            ])
        );
        let catenate = Step::Begin(Head {
            catenate: true,
            ..Head::default()
        });
        assert_eq!(
            read(&[" CATENATE (URL a TEXT ", " UTF8 (", ") URL \"b\")"]),
            Ok(vec![
                catenate.clone(),
                Url("a".into()),
                Literal,
                Literal,
                Url("b".into()),
                End
            ])
        );
        assert_eq!(
            read(&[" catenate (URL a) ", ""]),
            Ok(vec![catenate, Url("a".into()), End, begin(0), Literal, End])
        );
        for bad in [
            &[""][..],
            &[" "],
            &[" x", ""],
            &[" (\\Foo) ", ""],
            &[" ", "x"],
            &[" UTF8 (", ""],
            &[" CATENATE ()"],
            &[" CATENATE (FOO x)"],
            &[" CATENATE (TEXT x)"],
            &[" CATENATE (URL a"],
            &[" CATENATE (URL a URL b)x"],
            &[" CATENATE (URL a ", ")"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let mut one = Reader::new(false);
        assert!(one.read(b" ", true, false).is_ok() && one.read(b" ", true, false).is_err());
        let replace = |t: &str| replace(&mut Cursor::new(t.as_bytes(), false), Numbers::Uid);
        assert!(replace(" * box ").is_ok() && replace(" 1:2 box ").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(texts in proptest::collection::vec(
            "[ ()a\"]{0,6}|( CATENATE \\(|TEXT |URL a| UTF8 \\(|\\)| \\(\\\\Seen\\) ){0,4}", 1..6)) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let _ = read(&texts);
        }

        #[test]
        fn any_text(text in proptest::collection::vec(any::<u8>(), 0..60), more: bool) {
            let _ = wants_message(&text, more);
        }
    }
}
