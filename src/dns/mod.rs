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

use async_io::{Async, Timer};
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;
pub use wire::{Answer, Data, Found, Kind, Question, Tlsa, ascii};
use wire::{Bad, Response};

use crate::limits;
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

/// One attempt that gave nothing.
enum Miss {
    /// Over UDP: ask again over TCP.
    Tcp,
    /// This server does not know, or does not answer.
    Server,
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
        let late = async {
            Timer::after(limits::DNS_TIME).await;
            None
        };
        let response = self.ask_servers(question).or(late).await;
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
        let mut answers = Vec::with_capacity(questions.len());
        for some in questions.chunks(limits::DNS_AT_ONCE) {
            let asking = some.iter().map(|it| (Box::pin(self.ask(it)), None));
            let mut asking: Vec<_> = asking.collect();
            poll_fn(|cx| {
                let mut wait = false;
                for (future, answer) in asking.iter_mut().filter(|it| it.1.is_none()) {
                    match future.as_mut().poll(cx) {
                        Poll::Ready(it) => *answer = Some(it),
                        Poll::Pending => wait = true,
                    }
                }
                match wait {
                    true => Poll::Pending,
                    false => Poll::Ready(()),
                }
            })
            .await;
            let done = asking.into_iter();
            answers.extend(done.map(|(_, answer)| answer.unwrap_or(Answer::FAILED)));
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
        for patience in limits::DNS_PATIENCE {
            for server in &servers {
                match ask_server(*server, question, patience).await {
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
    patience: Duration,
) -> io::Result<Response> {
    let no_random = |_| io::Error::other("no random numbers");
    let seed: [u8; 10] = random::octets().map_err(no_random)?;
    let [a, b, case @ ..] = seed;
    let query = wire::query(
        u16::from_be_bytes([a, b]),
        question,
        u64::from_be_bytes(case),
    )
    .ok_or(io::ErrorKind::InvalidInput)?;
    let late = async {
        Timer::after(patience).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let asking = async {
        match udp(server, question, &query).await? {
            Ok(response) => Ok(response),
            Err(Miss::Tcp) => tcp(server, question, &query).await,
            Err(Miss::Server) => Err(io::Error::other("it does not know")),
        }
    };
    asking.or(late).await
}

async fn udp(
    server: SocketAddr,
    question: &Question,
    query: &[u8],
) -> io::Result<Result<Response, Miss>> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    let socket = Async::<UdpSocket>::bind(any)?;
    // Connected: the kernel drops what others send.
    socket.get_ref().connect(server)?;
    socket.send(query).await?;
    let mut datagram = vec![0; usize::from(limits::DNS_DATAGRAM)];
    let mut case_lost = false;
    for _ in 0..limits::DNS_STRAY {
        let got = socket.recv(&mut datagram).await?;
        match wire::parse(query, question, datagram.get(..got).unwrap_or_default()) {
            Ok(response) if response.truncated => return Ok(Err(Miss::Tcp)),
            Ok(response) => return Ok(Ok(response)),
            Err(Bad::Alien) => {}
            Err(Bad::Case) => {
                case_lost = true;
                break;
            }
            Err(Bad::Broken) => return Ok(Err(Miss::Server)),
        }
    }
    Ok(Err(if case_lost { Miss::Tcp } else { Miss::Server }))
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
        _ => Err(io::Error::other("it does not know")),
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
