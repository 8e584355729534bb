//! Questions and answers.
//!
//! Of an answer only this is looked at: the header, the question (it must be ours), the records of
//! the answer section that belong to the name that was asked for, aliases followed, and the SOA record
//! of the authority section for how long "no" holds (RFC 2308 §5).
use super::{name, punycode};
use crate::limits;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The types of records that mail needs (RFC 1035 §3.2.2, RFC 3596, RFC 6698).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// IPv4 address.
    A = 1,
    /// Alias.
    Cname = 5,
    /// Name of an address.
    Ptr = 12,
    /// Mail exchanger.
    Mx = 15,
    /// Text.
    Txt = 16,
    /// IPv6 address.
    Aaaa = 28,
    /// Where a service is.
    Srv = 33,
    /// Certificate association.
    Tlsa = 52,
}

/// What is asked: a name (lower case, A-labels, no final dot) and a type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// Name.
    pub name: String,
    /// Type.
    pub kind: Kind,
}

impl Question {
    /// Brings the name into its one form.
    pub fn new(name: &str, kind: Kind) -> Question {
        let name = name.strip_suffix('.').unwrap_or(name);
        let name = punycode::ascii(name).to_ascii_lowercase();
        Question { name, kind }
    }
}

/// One record's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A.
    A(Ipv4Addr),
    /// AAAA.
    Aaaa(Ipv6Addr),
    /// MX: preference and host; an empty host is the null MX (RFC 7505).
    Mx(u16, String),
    /// TXT: its strings joined, as SPF (RFC 7208 §3.3) and DKIM (RFC 6376 §3.6.2.2) want it.
    Txt(Vec<u8>),
    /// PTR.
    Ptr(String),
    /// CNAME, when it was asked for.
    Cname(String),
    /// SRV: port and host; an empty host is no such service (RFC 2782).
    Srv(u16, String),
    /// TLSA.
    Tlsa(Tlsa),
}

/// A TLSA record (RFC 6698 §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage: 2 is DANE-TA, 3 is DANE-EE.
    pub usage: u8,
    /// 0 whole certificate, 1 public key.
    pub selector: u8,
    /// 0 as it is, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// What is to match.
    pub data: Vec<u8>,
}

/// What the DNS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Records, at least one.
    Records(Vec<Data>),
    /// The name has no such records.
    NoData,
    /// There is no such name.
    NoName,
    /// Nothing could be learnt now: time ran out, SERVFAIL, garbage.
    Failed,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The result.
    pub found: Found,
    /// The resolver says that DNSSEC proves it (the AD bit).
    pub secure: bool,
}

impl Answer {
    /// Nothing learnt.
    pub const FAILED: Answer = Answer {
        found: Found::Failed,
        secure: false,
    };

    /// The records; none unless there are some.
    pub fn records(&self) -> &[Data] {
        match &self.found {
            Found::Records(records) => records,
            _ => &[],
        }
    }
}

/// A parsed response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What it says.
    pub answer: Answer,
    /// How long it holds, in seconds.
    pub ttl: u32,
    /// It did not fit: ask again over TCP. The answer is nothing then.
    pub truncated: bool,
}

/// Why a datagram is no answer to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Another id, another question, no response at all: somebody else's, wait for ours.
    Alien,
    /// The question came back in other letter case: ours, or forged by who could not see it.
    Case,
    /// Ours, and damaged or refused.
    Broken,
}

/// A query (RFC 1035 §4.1) with EDNS (RFC 6891 §6.1.2) that wants recursion and to be told whether
/// DNSSEC proves the answer (RFC 6840 §5.7). `None` if the name is none.
pub fn query(id: u16, question: &Question, case: u64) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&id.to_be_bytes());
    // RD and AD; one question, one additional record.
    out.extend_from_slice(&[0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1]);
    if !name::write(&question.name, case, &mut out) {
        return None;
    }
    out.extend_from_slice(&(question.kind as u16).to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    let size = limits::DNS_DATAGRAM.to_be_bytes();
    out.extend_from_slice(&[0, 0, 41, size[0], size[1], 0, 0, 0, 0, 0, 0]);
    Some(out)
}

/// The response to `query`, which is what [`query`] made.
///
/// # Errors
/// [`Bad`].
pub fn parse(query: &[u8], question: &Question, message: &[u8]) -> Result<Response, Bad> {
    let head = message.get(..12).ok_or(Bad::Alien)?;
    let [id0, id1, flags, codes, ..] = *head else {
        return Err(Bad::Alien);
    };
    // A response (QR) to a standard query, with our id.
    if query.get(..2) != Some(&[id0, id1]) || flags & 0xf8 != 0x80 || word(message, 4) != Some(1) {
        return Err(Bad::Alien);
    }
    // The question is the query's between its header and its OPT record.
    let asked = query
        .get(12..query.len().saturating_sub(11))
        .unwrap_or_default();
    let echoed = message.get(12..12 + asked.len()).ok_or(Bad::Alien)?;
    if !echoed.eq_ignore_ascii_case(asked) {
        return Err(Bad::Alien);
    }
    if echoed != asked {
        return Err(Bad::Case);
    }
    let truncated = flags & 2 != 0;
    let secure = codes & 0x20 != 0;
    let answer = |found| Answer { found, secure };
    if truncated {
        return Ok(Response {
            answer: answer(Found::Failed),
            ttl: 0,
            truncated,
        });
    }
    let code = codes & 15;
    if code != 0 && code != 3 {
        return Err(Bad::Broken);
    }
    let read = Sections::read(message, 12 + asked.len(), question.kind).ok_or(Bad::Broken)?;
    let (records, ttl) = read.chase(question);
    let found = match (records.is_empty(), code) {
        (false, _) => Found::Records(records),
        (true, 3) => Found::NoName,
        (true, _) => Found::NoData,
    };
    let ttl = match found {
        Found::Records(_) => ttl,
        _ => ttl.min(read.negative_ttl.unwrap_or(limits::DNS_NO_TTL)),
    };
    Ok(Response {
        answer: answer(found),
        ttl,
        truncated,
    })
}

/// The records of a message that may matter.
struct Sections {
    /// Owner, TTL, value.
    records: Vec<(String, u32, Data)>,
    negative_ttl: Option<u32>,
}

impl Sections {
    fn read(message: &[u8], mut at: usize, kind: Kind) -> Option<Sections> {
        let (answers, authorities) = (word(message, 6)?, word(message, 8)?);
        let mut read = Sections {
            records: Vec::new(),
            negative_ttl: None,
        };
        for number in 0..u32::from(answers) + u32::from(authorities) {
            let (owner, next) = name::read(message, at)?;
            let (code, class) = (word(message, next)?, word(message, next + 2)?);
            // RFC 2181 §8: a TTL with the top bit set is zero.
            let ttl = u32::from_be_bytes([
                *message.get(next + 4)?,
                *message.get(next + 5)?,
                *message.get(next + 6)?,
                *message.get(next + 7)?,
            ]);
            let ttl = if ttl >> 31 == 1 { 0 } else { ttl };
            let start = next + 10;
            let end = start + usize::from(word(message, next + 8)?);
            let data = message.get(start..end)?;
            at = end;
            if class != 1 {
                continue;
            }
            if number >= u32::from(answers) {
                if code == 6 {
                    read.negative_ttl = soa_minimum(data).map(|least| least.min(ttl));
                }
                continue;
            }
            let wanted = code == kind as u16 || code == Kind::Cname as u16;
            if let Some(owner) =
                owner.filter(|_| wanted && read.records.len() < limits::DNS_RECORDS)
                && let Some(value) = value(message, code, start, end)
            {
                read.records.push((owner, ttl, value));
            }
        }
        Some(read)
    }

    /// The records at the end of the chain of aliases, and the least TTL on the way.
    fn chase(&self, question: &Question) -> (Vec<Data>, u32) {
        let mut name = &question.name;
        let mut least = limits::DNS_TTL;
        for _ in 0..limits::DNS_ALIASES {
            let mut own = Vec::new();
            let mut alias = None;
            for (owner, ttl, data) in &self.records {
                if owner != name {
                    continue;
                }
                least = least.min(*ttl);
                match data {
                    Data::Cname(to) if question.kind != Kind::Cname => alias = Some(to),
                    data => own.push(data.clone()),
                }
            }
            match alias {
                Some(to) if own.is_empty() => name = to,
                _ => return (own, least),
            }
        }
        (Vec::new(), least)
    }
}

/// The value of a record between `start` and `end`; `None` if it is of no use.
fn value(message: &[u8], code: u16, start: usize, end: usize) -> Option<Data> {
    let data = message.get(start..end)?;
    let host = |at: usize| {
        let (host, after) = name::read(message, at)?;
        host.filter(|_| after == end)
    };
    Some(match code {
        1 => Data::A(<[u8; 4]>::try_from(data).ok()?.into()),
        28 => Data::Aaaa(<[u8; 16]>::try_from(data).ok()?.into()),
        5 => Data::Cname(host(start)?),
        12 => Data::Ptr(host(start)?),
        15 => Data::Mx(word(data, 0)?, host(start + 2)?),
        16 => Data::Txt(strings(data)?),
        33 => Data::Srv(word(data, 4)?, host(start + 6)?),
        52 => {
            let (head, data) = data.split_first_chunk::<3>()?;
            let [usage, selector, matching] = *head;
            Data::Tlsa(Tlsa {
                usage,
                selector,
                matching,
                data: data.to_vec(),
            })
        }
        _ => return None,
    })
}

/// Character-strings, joined.
fn strings(mut data: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(data.len());
    while let Some((length, rest)) = data.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(*length))?;
        text.extend_from_slice(string);
        data = rest;
    }
    Some(text)
}

/// MINIMUM, the last number of an SOA record (RFC 1035 §3.3.13).
fn soa_minimum(data: &[u8]) -> Option<u32> {
    data.last_chunk::<4>()
        .map(|least| u32::from_be_bytes(*least))
}

fn word(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*octets.get(at)?, *octets.get(at + 1)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let mut out = owner.to_vec();
        out.extend(kind.to_be_bytes());
        out.extend([0, 1]);
        out.extend(ttl.to_be_bytes());
        out.extend((data.len() as u16).to_be_bytes());
        out.extend(data);
        out
    }

    fn reply(query: &[u8], codes: u8, answers: &[Vec<u8>], authority: &[Vec<u8>]) -> Vec<u8> {
        let mut out = query[..query.len() - 11].to_vec();
        out[2] = 0x81;
        out[3] = codes;
        out[7] = answers.len() as u8;
        out[9] = authority.len() as u8;
        out[11] = 0;
        out.extend(answers.concat());
        out.extend(authority.concat());
        out
    }

    const OWNER: &[u8] = b"\xc0\x0c";

    #[test]
    fn aliases_are_followed_and_strangers_left_out() {
        let question = Question::new("A.Example.", Kind::A);
        let query = query(7, &question, 5).unwrap();
        let answers = [
            record(OWNER, 5, 60, b"\x01b\xc0\x0e"),
            record(b"\x01b\xc0\x0e", 1, 30, &[192, 0, 2, 1]),
            record(b"\x01c\xc0\x0e", 1, 3, &[192, 0, 2, 66]),
            record(b"\x01b\xc0\x0e", 1, 90, &[192, 0, 2]),
        ];
        let response = parse(&query, &question, &reply(&query, 0x20, &answers, &[])).unwrap();
        assert_eq!(response.ttl, 30);
        assert!(response.answer.secure);
        assert_eq!(response.answer.records(), [Data::A([192, 0, 2, 1].into())]);
        // A loop of aliases ends.
        let answers = [record(OWNER, 5, 60, OWNER)];
        let response = parse(&query, &question, &reply(&query, 0, &answers, &[])).unwrap();
        assert_eq!(response.answer.found, Found::NoData);
    }

    #[test]
    fn values() {
        for (kind, data, value) in [
            (
                Kind::Mx,
                &b"\x00\x0a\x02mx\xc0\x0c"[..],
                Data::Mx(10, "mx.x".into()),
            ),
            (Kind::Mx, b"\x00\x00\x00", Data::Mx(0, String::new())),
            (Kind::Txt, b"\x02v=\x00\x01y", Data::Txt(b"v=y".to_vec())),
            (Kind::Ptr, b"\xc0\x0c", Data::Ptr("x".into())),
            (
                Kind::Srv,
                b"\0\0\0\x01\x03\xe1\xc0\x0c",
                Data::Srv(993, "x".into()),
            ),
            (
                Kind::Tlsa,
                b"\x03\x01\x01\xff",
                Data::Tlsa(Tlsa {
                    usage: 3,
                    selector: 1,
                    matching: 1,
                    data: vec![255],
                }),
            ),
        ] {
            let question = Question::new("x", kind);
            let query = query(1, &question, 0).unwrap();
            let message = reply(&query, 0, &[record(OWNER, kind as u16, 9, data)], &[]);
            let response = parse(&query, &question, &message).unwrap();
            assert_eq!(response.answer.records(), [value]);
        }
    }

    #[test]
    fn no_is_an_answer_for_a_time() {
        let question = Question::new("x.y", Kind::Txt);
        let query = query(1, &question, 0).unwrap();
        let soa = record(
            OWNER,
            6,
            500,
            &[&b"\0\0"[..], &[0; 16], &[0, 0, 0, 77]].concat(),
        );
        let response = parse(&query, &question, &reply(&query, 3, &[], &[soa])).unwrap();
        assert_eq!((response.answer.found, response.ttl), (Found::NoName, 77));
        let response = parse(&query, &question, &reply(&query, 0, &[], &[])).unwrap();
        assert_eq!(response.answer.found, Found::NoData);
    }

    #[test]
    fn others_are_not_believed() {
        let question = Question::new("x.y", Kind::Txt);
        let mine = query(0x1234, &question, 3).unwrap();
        let good = reply(&mine, 0, &[], &[]);
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut message = good.clone();
            change(&mut message);
            parse(&mine, &question, &message)
        };
        assert_eq!(with(&|m| m[0] ^= 1), Err(Bad::Alien));
        assert_eq!(with(&|m| m[2] = 1), Err(Bad::Alien));
        assert_eq!(with(&|m| m[13] ^= 1), Err(Bad::Alien));
        assert_eq!(with(&|m| m[13] ^= 32), Err(Bad::Case));
        assert_eq!(with(&|m| m[3] = 2), Err(Bad::Broken));
        assert_eq!(with(&|m| m[7] = 1), Err(Bad::Broken));
        assert!(with(&|m| m[2] |= 2).unwrap().truncated);
        assert!(query(1, &Question::new("a..b", Kind::A), 0).is_none());
    }

    proptest! {
        #[test]
        fn octets_do_not_panic(tail in proptest::collection::vec(any::<u8>(), 0..120), codes: u8, counts: [u8; 2]) {
            let question = Question::new("x.y", Kind::Mx);
            let query = query(1, &question, 0).unwrap();
            let mut message = reply(&query, codes, &[], &[]);
            message[7] = counts[0];
            message[9] = counts[1];
            message.extend(tail);
            let _ = parse(&query, &question, &message);
        }
    }
}
