//! A stub resolver: asks the resolvers that the system (or a flag) names, and remembers.
//!
//! UDP from a fresh port with a fresh id and random letter case, TCP when an answer is truncated or
//! its letter case was not kept; several servers, each for a bounded time; a bounded cache that
//! holds "no" and, shortly, "do not know" too (RFC 2308). DNSSEC is the resolver's business: its AD bit
//! is passed on, and is worth what the way to the resolver is worth (RFC 4035 §4.9.3).
//!
//! * [`wire`]: messages. Pure. `cache`: what is remembered. Pure but for the clock it is given.
mod cache;
mod system;
pub mod wire;

use async_io::Async;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::time::Instant;
pub use wire::{Answer, Data, Found, Kind, Question, Tlsa, ascii};
use wire::{Bad, Response};

use crate::limits;
use crate::sys::task::{Task, together, within};
use crate::sys::{lock, random};
use cache::Cache;
use system::System;

/// Asks and remembers. One for the process; shared by its threads.
pub struct Resolver {
    /// As flagged; the system's otherwise.
    servers: Vec<SocketAddr>,
    /// Whether their word that DNSSEC proves an answer is believed.
    trusted: bool,
    system: Mutex<System>,
    cache: Mutex<Cache>,
}

/// The addresses of a host.
pub struct Addresses {
    /// IPv6 first.
    pub found: Vec<IpAddr>,
    /// Both questions were answered.
    pub known: bool,
    /// DNSSEC proves them.
    pub secure: bool,
}

impl Resolver {
    /// With these servers, or those of `/etc/resolv.conf` if there are none.
    pub fn new(servers: Vec<SocketAddr>) -> Resolver {
        Resolver {
            servers,
            trusted: false,
            system: Mutex::default(),
            cache: Mutex::default(),
        }
    }

    /// Believes the AD bit: the resolvers check DNSSEC and nobody sits between them and us
    /// (RFC 7672 §2.1.1). Without this no answer is secure.
    pub fn trusting(self, trusted: bool) -> Resolver {
        Resolver { trusted, ..self }
    }

    /// The answer to a question, from memory or from a server, within [`limits::DNS_TIME`].
    pub async fn ask(&self, question: &Question) -> Answer {
        if let Some(known) = lock(&self.cache).get(question) {
            return known;
        }
        let response = self.ask_servers(question).await;
        let Some(mut response) = response else {
            log::debug!("dns: no answer for {} {:?}", question.name, question.kind);
            lock(&self.cache).put(question, &Answer::FAILED, limits::DNS_FAILED_TTL);
            return Answer::FAILED;
        };
        response.answer.secure &= self.trusted;
        lock(&self.cache).put(question, &response.answer, response.ttl);
        response.answer
    }

    /// The answers to questions of which none hangs on another, in their order:
    /// [`limits::DNS_AT_ONCE`] of them are asked at once.
    pub async fn ask_all(&self, questions: &[Question]) -> Vec<Answer> {
        let mut answers = vec![Answer::FAILED; questions.len()];
        let places = answers.chunks_mut(limits::DNS_AT_ONCE);
        for (some, places) in questions.chunks(limits::DNS_AT_ONCE).zip(places) {
            let mut asking: Vec<Task<'_>> = Vec::new();
            for (question, place) in some.iter().zip(places) {
                asking.push(Box::pin(async { *place = self.ask(question).await }));
            }
            together(asking).await;
        }
        answers
    }

    /// The addresses of a host, IPv6 first.
    pub async fn addresses(&self, host: &str) -> Addresses {
        let found = self.all_addresses(&[host.to_owned()]).await.pop();
        found.unwrap_or_else(|| Addresses::of(&Answer::FAILED, &Answer::FAILED))
    }

    /// Those of several hosts, in their order.
    pub async fn all_addresses(&self, hosts: &[String]) -> Vec<Addresses> {
        let both = |host| [Kind::Aaaa, Kind::A].map(|kind| Question::new(host, kind));
        let questions: Vec<Question> = hosts.iter().flat_map(|host| both(host)).collect();
        let answers = self.ask_all(&questions).await;
        let pairs = answers.chunks_exact(2);
        pairs
            .filter_map(|pair| Some(Addresses::of(pair.first()?, pair.last()?)))
            .collect()
    }

    async fn ask_servers(&self, question: &Question) -> Option<Response> {
        let servers = match self.servers.as_slice() {
            [] => lock(&self.system).servers(),
            some => some.to_vec(),
        };
        let until = Instant::now() + limits::DNS_TIME;
        for patience in limits::DNS_PATIENCE {
            for server in &servers {
                let now = Instant::now();
                if now >= until {
                    return None;
                }
                match ask_server(*server, question, until.min(now + patience)).await {
                    Ok(response) => return Some(response),
                    Err(e) => log::debug!("dns: {server}: {e}"),
                }
            }
        }
        None
    }
}

impl Addresses {
    fn of(v6: &Answer, v4: &Answer) -> Addresses {
        let known = v6.found != Found::Failed && v4.found != Found::Failed;
        let address = |data: &Data| match data {
            Data::A(ip) => Some(IpAddr::V4(*ip)),
            Data::Aaaa(ip) => Some(IpAddr::V6(*ip)),
            _ => None,
        };
        let both = v6.records().iter().chain(v4.records());
        let proved = |answer: &Answer| answer.secure && !answer.records().is_empty();
        Addresses {
            found: both.filter_map(address).collect(),
            known,
            secure: proved(v6) || proved(v4),
        }
    }
}

/// One question to one server.
async fn ask_server(
    server: SocketAddr,
    question: &Question,
    until: Instant,
) -> io::Result<Response> {
    let seed: [u8; 10] = random::octets().map_err(|_| io::Error::other("no random numbers"))?;
    let [a, b, case @ ..] = seed;
    let query = wire::query(
        u16::from_be_bytes([a, b]),
        question,
        u64::from_be_bytes(case),
    )
    .ok_or(io::ErrorKind::InvalidInput)?;
    let mut response = None;
    let asking = async {
        response = udp(server, question, &query).await?;
        if response.is_none() {
            response = Some(tcp(server, question, &query).await?);
        }
        Ok(())
    };
    within(until, Box::pin(asking)).await?;
    response.ok_or_else(unknown)
}

fn unknown() -> io::Error {
    io::Error::other("it does not know")
}

/// `None`: over TCP it may tell.
async fn udp(
    server: SocketAddr,
    question: &Question,
    query: &[u8],
) -> io::Result<Option<Response>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = Async::<UdpSocket>::bind(any)?;
    // Connected: the kernel drops what others send.
    socket.get_ref().connect(server)?;
    socket.send(query).await?;
    let mut datagram = vec![0; usize::from(limits::DNS_DATAGRAM)];
    for _ in 0..limits::DNS_STRAY {
        let got = socket.recv(&mut datagram).await?;
        match wire::parse(query, question, datagram.get(..got).unwrap_or_default()) {
            Ok(response) => return Ok(Some(response).filter(|it| !it.truncated)),
            Err(Bad::Alien) => {}
            Err(Bad::Case) => return Ok(None),
            Err(Bad::Broken) => break,
        }
    }
    Err(unknown())
}

/// RFC 7766 §8: two octets of length, then the message.
async fn tcp(server: SocketAddr, question: &Question, query: &[u8]) -> io::Result<Response> {
    let mut stream = Async::<TcpStream>::connect(server).await?;
    let length = u16::try_from(query.len()).unwrap_or_default();
    stream
        .write_all(&[&length.to_be_bytes(), query].concat())
        .await?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).await?;
    // Over TCP nobody can guess: servers that do not keep the letter case are believed.
    let lower = query_in_lower_case(query);
    let echoed = lower_question(&mut message, query.len());
    let parsed = if echoed {
        wire::parse(&lower, question, &message)
    } else {
        Err(Bad::Broken)
    };
    match parsed {
        Ok(response) if !response.truncated => Ok(response),
        _ => Err(unknown()),
    }
}

fn query_in_lower_case(query: &[u8]) -> Vec<u8> {
    let mut lower = query.to_vec();
    lower_question(&mut lower, query.len());
    lower
}

/// Brings the question's name, behind the header, into lower case; false if the message is shorter.
fn lower_question(message: &mut [u8], query: usize) -> bool {
    // Behind the name: type and class, then the OPT record.
    let end = query.saturating_sub(15);
    message
        .get_mut(12..end)
        .map(<[u8]>::make_ascii_lowercase)
        .is_some()
}
