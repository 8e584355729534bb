//! Who sent this: SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489), ARC (RFC 8617), iprev (RFC 8601 §3).
//!
//! Every check is a function of a message and of [`Answers`], the part of the DNS that is known so
//! far. It gives its result, or the question whose answer it [`Need`]s next; [`resolve`] asks, and
//! starts it again. So the checks are pure, read from top to bottom, and are tested without a network;
//! and how often and how long the DNS is asked is bounded in one place.
//!
//! * [`Scan`] reads the message while it streams in and keeps its header and the hashes of its body.
pub mod arc;
pub mod canon;
pub mod dkim;
pub mod dmarc;
pub mod header;
pub mod iprev;
pub mod key;
pub mod results;
pub mod rsa;
pub mod scan;
pub mod sign;
pub mod spf;
pub mod tags;

use crate::dns::{Answer, Found, Kind, Question, Resolver};
use crate::limits;
use crate::sys::task::together;
pub use scan::{Scan, Scanned};
use std::time::Instant;

/// A question whose answer a check cannot do without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need(pub Question);

/// What is known of the DNS: at most twice [`limits::VERIFY_QUESTIONS`].
#[derive(Clone, Debug, Default)]
pub struct Answers(Vec<(Question, Answer)>);

/// Keeps what it comes to, or says what it needs first.
pub type Check<'a> = dyn FnMut(&Answers) -> Result<(), Need> + 'a;

impl Answers {
    /// The answer, if it is known.
    ///
    /// # Errors
    /// [`Need`].
    pub fn get(&self, name: &str, kind: Kind) -> Result<&Answer, Need> {
        let question = Question::new(name, kind);
        match self.0.iter().find(|known| known.0 == question) {
            Some((_, answer)) => Ok(answer),
            None => Err(Need(question)),
        }
    }

    /// Learns one.
    pub fn put(&mut self, question: Question, answer: Answer) {
        self.0.retain(|known| known.0 != question);
        self.0.push((question, answer));
    }

    /// The TXT records of a name, as lossy text; `Err` in the inner result when the DNS does not answer.
    fn texts(&self, name: &str) -> Result<Result<Vec<String>, Unknown>, Need> {
        let answer = self.get(name, Kind::Txt)?;
        if answer.found == Found::Failed {
            return Ok(Err(Unknown));
        }
        let text = |data: &crate::dns::Data| match data {
            crate::dns::Data::Txt(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        Ok(Ok(answer.records().iter().filter_map(text).collect()))
    }
}

/// The DNS does not answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unknown;

/// All that is known of a message's origin.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The peer's name.
    pub iprev: iprev::Outcome,
    /// The sender's domain, by address.
    pub spf: spf::Checked,
    /// The signatures.
    pub dkim: Vec<dkim::Checked>,
    /// The forwarders.
    pub arc: arc::Checked,
    /// The author's domain.
    pub dmarc: dmarc::Checked,
}

/// Checks a message in every way; the sender's `now` is 0 when the clock is not set; `dice` is
/// random. Takes at most about [`limits::VERIFY_TIME`].
pub async fn judge(
    dns: &Resolver,
    sender: &spf::Sender<'_>,
    message: &Scanned,
    dice: u8,
) -> Option<Verdict> {
    let until = Instant::now() + limits::VERIFY_TIME;
    let ip = sender.ip.to_canonical();
    let (mut iprev, mut spf, mut dkim, mut arc, mut dmarc) = (None, None, None, None, None);
    let mut by_name = |answers: &Answers| keep(&mut iprev, iprev::check(ip, answers));
    let mut by_address = |answers: &Answers| keep(&mut spf, spf::check(sender, answers));
    let mut by_signature =
        |answers: &Answers| keep(&mut dkim, dkim::check(message, sender.now, answers));
    let mut by_chain = |answers: &Answers| keep(&mut arc, arc::check(message, answers));
    // The keys of all signatures, the addresses of all names: asked for at once.
    let wide = limits::DNS_AT_ONCE;
    together(vec![
        Box::pin(resolve(dns, until, wide, &mut by_name)),
        Box::pin(resolve(dns, until, 1, &mut by_address)),
        Box::pin(resolve(dns, until, wide, &mut by_signature)),
        Box::pin(resolve(dns, until, wide, &mut by_chain)),
    ])
    .await;
    let (iprev, spf, dkim, arc) = (iprev?, spf?, dkim?, arc?);
    let mut by_author = |answers: &Answers| {
        let found = dmarc::check(message, &dkim, &spf, dice, answers);
        keep(&mut dmarc, found)
    };
    Box::pin(resolve(dns, until, 1, &mut by_author)).await;
    let dmarc = dmarc?;
    Some(Verdict {
        iprev,
        spf,
        dkim,
        arc,
        dmarc,
    })
}

fn keep<T>(place: &mut Option<T>, found: Result<T, Need>) -> Result<(), Need> {
    *place = Some(found?);
    Ok(())
}

/// Runs a check to its end, asking what it needs; where answers do not hang on each other up to `wide`
/// questions at once: what the check would need next if it got no answer is asked along. Behind `until`,
/// and behind [`limits::VERIFY_QUESTIONS`] questions, everything further is "not known" (temperror).
pub async fn resolve(dns: &Resolver, until: Instant, wide: usize, check: &mut Check<'_>) {
    let mut answers = Answers::default();
    let mut asked = 0;
    while asked < 2 * limits::VERIFY_QUESTIONS {
        let mut questions = Vec::new();
        while questions.len() < wide {
            match check(&answers) {
                Ok(()) if questions.is_empty() => return,
                Ok(()) => break,
                Err(Need(question)) => {
                    answers.put(question.clone(), Answer::FAILED);
                    questions.push(question);
                }
            }
        }
        let before = asked;
        asked += questions.len();
        learn(dns, until, &mut answers, questions, before).await;
    }
}

/// Asks, as far as there is time and the number of those asked before allows.
async fn learn(
    dns: &Resolver,
    until: Instant,
    answers: &mut Answers,
    questions: Vec<Question>,
    asked: usize,
) {
    let late = asked >= limits::VERIFY_QUESTIONS || Instant::now() >= until;
    let found = match late {
        true => vec![Answer::FAILED; questions.len()],
        false => dns.ask_all(&questions).await,
    };
    for (question, answer) in questions.into_iter().zip(found) {
        answers.put(question, answer);
    }
}
