//! SELECT and EXAMINE (RFC 9051 §6.3.2, RFC 7162 §3.1.8, §3.2.5).

use super::cursor::{Cursor, Error, Parsed};
use super::mailbox;
use super::set::{End, Set};

/// The arguments of SELECT and EXAMINE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The mailbox.
    pub name: String,
    /// The same as the client spells it.
    pub given: String,
    /// `(CONDSTORE)`
    pub condstore: bool,
    /// `(QRESYNC (...))`
    pub qresync: Option<Qresync>,
}

/// What a client knows of the mailbox (RFC 7162 §3.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qresync {
    /// UIDVALIDITY.
    pub uidvalidity: u32,
    /// HIGHESTMODSEQ.
    pub modseq: u64,
    /// The UIDs that it wants to hear of, as ranges in any order; `None` for all.
    pub known: Option<Vec<(u32, u32)>>,
    /// Sequence numbers with the UIDs that the client has for them; empty where it did not say.
    pub matches: Vec<Match>,
}

/// A run of sequence numbers, and the run of UIDs that they stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The first number.
    pub number: u32,
    /// Its UID.
    pub uid: u32,
    /// How many there are, at least one.
    pub count: u32,
}

/// `SP mailbox [SP "(" parameters ")"]`
pub fn select(c: &mut Cursor<'_>) -> Parsed<Select> {
    c.space()?;
    let given = mailbox::given(c)?;
    let mut select = Select {
        name: mailbox::canonical(given.clone()),
        given,
        condstore: false,
        qresync: None,
    };
    if c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        c.list(false, |c| parameter(c, &mut select))?;
    }
    Ok(select)
}

fn parameter(c: &mut Cursor<'_>, select: &mut Select) -> Parsed<()> {
    let start = c.clone();
    match c.word()?.as_str() {
        "CONDSTORE" => select.condstore = true,
        "QRESYNC" if select.qresync.is_none() => {
            c.space()?;
            select.qresync = Some(qresync(c)?);
        }
        _ => return start.fail(&"CONDSTORE or QRESYNC"),
    }
    Ok(())
}

/// `"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`
fn qresync(c: &mut Cursor<'_>) -> Parsed<Qresync> {
    c.open()?;
    let uidvalidity = c.nz_number()?;
    c.space()?;
    let at = c.position();
    let modseq = c.number64()?;
    if modseq == 0 {
        let wanted = &"a modification sequence above 0";
        return Err(Error { at, wanted });
    }
    let mut known = None;
    let mut matches = Vec::new();
    if c.eat(b' ') {
        let set_first = c.peek() != Some(b'(');
        if set_first {
            known = Some(numbers(c)?);
        }
        if !set_first || c.eat(b' ') {
            matches = match_data(c)?;
        }
    }
    c.close()?;
    Ok(Qresync {
        uidvalidity,
        modseq,
        known,
        matches,
    })
}

/// `"(" known-sequence-set SP known-uid-set ")"`: both rising, as many in one as in the other.
fn match_data(c: &mut Cursor<'_>) -> Parsed<Vec<Match>> {
    c.open()?;
    let sequence = rising(c)?;
    c.space()?;
    let at = c.position();
    let uids = rising(c)?;
    c.close()?;
    pairs(&sequence, &uids).ok_or(Error {
        at,
        wanted: &"as many UIDs as sequence numbers",
    })
}

fn pairs(sequence: &[(u32, u32)], uids: &[(u32, u32)]) -> Option<Vec<Match>> {
    let mut matches = Vec::new();
    let (mut a, mut b) = (sequence.iter().copied(), uids.iter().copied());
    let (mut left, mut right) = (a.next(), b.next());
    while let (Some((number, last)), Some((uid, high))) = (left, right) {
        let more = (last - number).min(high - uid);
        matches.push(Match {
            number,
            uid,
            count: more.saturating_add(1),
        });
        left = if last - number > more {
            Some((number + more + 1, last))
        } else {
            a.next()
        };
        right = if high - uid > more {
            Some((uid + more + 1, high))
        } else {
            b.next()
        };
    }
    (left.is_none() && right.is_none()).then_some(matches)
}

/// A set without `*` or `$`, each range with its lower end first.
fn numbers(c: &mut Cursor<'_>) -> Parsed<Vec<(u32, u32)>> {
    let start = c.clone();
    let mut out = Vec::new();
    if let Set::Ranges(ranges) = Set::parse(c)? {
        for range in ranges {
            match range {
                (End::Number(a), End::Number(b)) => out.push((a.min(b), a.max(b))),
                _ => return start.fail(&"numbers without '*'"),
            }
        }
        return Ok(out);
    }
    start.fail(&"numbers")
}

fn rising(c: &mut Cursor<'_>) -> Parsed<Vec<(u32, u32)>> {
    let start = c.clone();
    let ranges = numbers(c)?;
    let mut before = 0;
    for (first, last) in &ranges {
        if *first <= before {
            return start.fail(&"numbers in ascending order");
        }
        before = *last;
    }
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Select> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = select(&mut c)?;
        c.end()?;
        Ok(found)
    }

    #[test]
    fn forms() {
        let found = parse(" inbox (condstore)").unwrap();
        assert_eq!((found.name.as_str(), found.condstore), ("INBOX", true));
        let found = parse(" \"a b\"").unwrap();
        assert_eq!((found.name.as_str(), found.condstore), ("a b", false));
        assert!(parse(" a (FOO)").is_err() && parse("").is_err() && parse(" a ()").is_err());
    }

    #[test]
    fn what_the_client_knows() {
        let found = parse(" INBOX (QRESYNC (67890007 90060115194045000 41,43:211,214:541))");
        let found = found.unwrap().qresync.unwrap();
        assert_eq!(
            (found.uidvalidity, found.modseq),
            (67890007, 90060115194045000)
        );
        assert_eq!(found.known.unwrap(), [(41, 41), (43, 211), (214, 541)]);
        // RFC 7162 §3.2.5.2.
        let text = " INBOX (QRESYNC (67890007 90060115194045000 1:29997 \
                    (5000,7500,9000,9990:9992 15000,22500,27000,29970,29973,29976)) CONDSTORE)";
        let found = parse(text).unwrap();
        assert!(found.condstore);
        let matches = found.qresync.unwrap().matches;
        assert_eq!(matches.len(), 6);
        let last = Match {
            number: 9992,
            uid: 29976,
            count: 1,
        };
        assert_eq!(matches[5], last);
        let found = parse(" a (QRESYNC (1 2 (1:4,9 3:7)))")
            .unwrap()
            .qresync
            .unwrap();
        assert_eq!(found.known, None);
        let first = Match {
            number: 1,
            uid: 3,
            count: 4,
        };
        assert_eq!(
            found.matches,
            [
                first,
                Match {
                    number: 9,
                    uid: 7,
                    count: 1
                }
            ]
        );
        for bad in [
            "(QRESYNC)",
            "(QRESYNC (1))",
            "(QRESYNC (0 1))",
            "(QRESYNC (1 0))",
            "(QRESYNC (1 2 3:*))",
            "(QRESYNC (1 2 $))",
            "(QRESYNC (1 2 1:5 (1,2 5)))",
            "(QRESYNC (1 2 1:5 (2,1 5,6)))",
            "(QRESYNC (1 2 1:5 (1,2 6,5)))",
            "(QRESYNC (1 2 ))",
            "(QRESYNC (1 2) QRESYNC (1 2))",
        ] {
            assert!(parse(&format!(" a {bad}")).is_err(), "{bad}");
        }
    }
}
