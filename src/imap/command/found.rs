//! What a search has found, and how it is told: SEARCH, SORT, and the items of an ESEARCH response
//! (RFC 9051 §7.3.4, RFC 4731, RFC 5267 §3 and §4.4, RFC 6203 §4).

use crate::imap::answer::Stop;
use crate::imap::session::Session;
use crate::imap::view::Selected;
use crate::imap::wire::search::Options;
use crate::imap::wire::{encode, mailbox};
use crate::mail::{Modseq, UidSet};
use std::ops::Range;

/// Numbers written between two looks at how much has come together.
const PIECE: usize = 1024;

/// Messages, in the order that was asked for.
#[derive(Clone, Debug)]
pub enum Found {
    /// In mailbox order.
    Set(UidSet),
    /// In an order of their own.
    List(Vec<u32>),
}

impl Found {
    /// How many.
    pub fn len(&self) -> u32 {
        match self {
            Found::Set(set) => set.len(),
            Found::List(list) => u32::try_from(list.len()).unwrap_or(u32::MAX),
        }
    }

    /// The first: MIN (RFC 5267 §3.1 for SORT).
    pub fn first(&self) -> Option<u32> {
        match self {
            Found::Set(set) => set.first(),
            Found::List(list) => list.first().copied(),
        }
    }

    /// The last: MAX.
    pub fn last(&self) -> Option<u32> {
        match self {
            Found::Set(set) => set.last(),
            Found::List(list) => list.last().copied(),
        }
    }

    /// Some of them, by their places.
    pub fn page(&self, places: Range<u32>) -> Found {
        match self {
            Found::Set(set) => {
                let ends = places
                    .end
                    .checked_sub(1)
                    .filter(|last| *last >= places.start);
                let ends = ends.and_then(|last| set.nth(places.start).zip(set.nth(last)));
                Found::Set(ends.map_or_else(UidSet::new, |(first, last)| {
                    set.and(&UidSet::range(first, last))
                }))
            }
            Found::List(list) => {
                let (from, to) = (places.start as usize, places.end as usize);
                Found::List(list.get(from..to).unwrap_or_default().to_vec())
            }
        }
    }

    /// All of them, in no order.
    pub fn set(&self) -> UidSet {
        match self {
            Found::Set(set) => set.clone(),
            Found::List(list) => {
                let mut list = list.clone();
                list.sort_unstable();
                list.into_iter().collect()
            }
        }
    }

    /// Their sequence numbers; messages that the client does not know are left out.
    pub fn numbers(self, selected: &Selected) -> Found {
        match self {
            Found::Set(set) => Found::Set(selected.numbers(&set)),
            Found::List(mut list) => {
                list.retain_mut(|uid| {
                    let number = selected.number(*uid);
                    *uid = number.unwrap_or(0);
                    number.is_some()
                });
                Found::List(list)
            }
        }
    }

    /// Those that the options leave to be returned (RFC 7162 §3.1.5, RFC 9394 §3.2): MIN, MAX and the
    /// page, unless ALL or COUNT speaks of all of them.
    pub fn returned(&self, options: Options) -> UidSet {
        let some = options.min || options.max || options.partial.is_some();
        if options.all || options.count || !some {
            return self.set();
        }
        let mut told = UidSet::new();
        let ends = [
            self.first().filter(|_| options.min),
            self.last().filter(|_| options.max),
        ];
        ends.into_iter().flatten().for_each(|uid| told.insert(uid));
        match options.partial {
            Some(partial) => told.or(&self.page(partial.of(self.len())).set()),
            None => told,
        }
    }

    fn runs(&self) -> Box<dyn Iterator<Item = (u32, u32)> + '_> {
        match self {
            Found::Set(set) => Box::new(set.runs()),
            Found::List(list) => {
                // RFC 5267 §3.2: ranges rise.
                let runs = list.chunk_by(|a, b| a.checked_add(1) == Some(*b));
                Box::new(runs.filter_map(|run| run.first().copied().zip(run.last().copied())))
            }
        }
    }
}

/// What an ESEARCH response begins with.
pub struct Head<'a> {
    /// The command's tag.
    pub tag: &'a str,
    /// Name and UIDVALIDITY (RFC 7377 §2.1).
    pub mailbox: Option<(&'a str, u32)>,
    /// Its numbers are UIDs.
    pub uid: bool,
}

impl Head<'_> {
    /// `* ESEARCH (TAG "a" ...) UID`
    pub fn write(&self, out: &mut Vec<u8>, utf8: bool) {
        out.extend_from_slice(b"* ESEARCH (TAG ");
        encode::string(out, self.tag.as_bytes(), false);
        if let Some((name, validity)) = self.mailbox {
            out.extend_from_slice(b" MAILBOX ");
            mailbox::write(out, name, utf8);
            encode::formatted(out, format_args!(" UIDVALIDITY {validity}"));
        }
        out.push(b')');
        if self.uid {
            out.extend_from_slice(b" UID");
        }
    }
}

/// An ESEARCH response. `scores` are those of what `relevancy` asks for, in order.
pub async fn esearch(
    session: &mut Session,
    head: &Head<'_>,
    found: &Found,
    options: Options,
    modseq: Option<Modseq>,
    scores: &[u8],
) -> Result<(), Stop> {
    let utf8 = session.enabled.utf8;
    let out = session.conn.out();
    head.write(out, utf8);
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        if options.min {
            encode::formatted(out, format_args!(" MIN {first}"));
        }
        if options.max {
            encode::formatted(out, format_args!(" MAX {last}"));
        }
        if options.all {
            out.extend_from_slice(b" ALL ");
            set(session, found).await?;
        }
    }
    if let Some(partial) = options.partial {
        let out = session.conn.out();
        out.extend_from_slice(b" PARTIAL (");
        partial.write(out);
        out.push(b' ');
        let page = found.page(partial.of(found.len()));
        match page.len() {
            0 => out.extend_from_slice(b"NIL"),
            _ => set(session, &page).await?,
        }
        session.conn.out().push(b')');
    }
    if options.relevancy {
        let scores = match options.partial {
            Some(partial) => {
                let places = partial.of(found.len());
                scores.get(places.start as usize..places.end as usize)
            }
            None => Some(scores),
        };
        relevancy(session, scores.unwrap_or_default()).await?;
    }
    let out = session.conn.out();
    if options.count {
        encode::formatted(out, format_args!(" COUNT {}", found.len()));
    }
    if let Some(modseq) = modseq {
        encode::formatted(out, format_args!(" MODSEQ {modseq}"));
    }
    out.extend_from_slice(b"\r\n");
    Ok(session.conn.spill().await?)
}

async fn relevancy(session: &mut Session, scores: &[u8]) -> Result<(), Stop> {
    session.conn.out().extend_from_slice(b" RELEVANCY (");
    for (piece, scores) in scores.chunks(PIECE).enumerate() {
        let out = session.conn.out();
        for (i, score) in scores.iter().enumerate() {
            if piece + i > 0 {
                out.push(b' ');
            }
            encode::number(out, *score);
        }
        session.conn.spill().await?;
    }
    session.conn.out().push(b')');
    Ok(())
}

/// A sequence set, in the order of what was found.
pub async fn set(session: &mut Session, found: &Found) -> Result<(), Stop> {
    for (i, (first, last)) in found.runs().enumerate() {
        let out = session.conn.out();
        if i > 0 {
            out.push(b',');
        }
        encode::number(out, first);
        if last > first {
            out.push(b':');
            encode::number(out, last);
        }
        if i % PIECE == PIECE - 1 {
            session.conn.spill().await?;
        }
    }
    Ok(())
}

/// `* SEARCH 2 3 6 (MODSEQ 7)`, `* SORT 6 2 3`.
pub async fn plain(
    session: &mut Session,
    name: &str,
    found: &Found,
    modseq: Option<Modseq>,
) -> Result<(), Stop> {
    encode::formatted(session.conn.out(), format_args!("* {name}"));
    let numbers: Box<dyn Iterator<Item = u32>> = match found {
        Found::Set(set) => Box::new(set.iter()),
        Found::List(list) => Box::new(list.iter().copied()),
    };
    for (i, number) in numbers.enumerate() {
        encode::formatted(session.conn.out(), format_args!(" {number}"));
        if i % PIECE == PIECE - 1 {
            session.conn.spill().await?;
        }
    }
    if let Some(modseq) = modseq {
        encode::formatted(session.conn.out(), format_args!(" (MODSEQ {modseq})"));
    }
    session.line("");
    Ok(session.conn.spill().await?)
}
