//! Push by EventSource (RFC 8620 §7.3).
//!
//! Level-triggered: a connection remembers the modseq that it has told of, and at every wake-up
//! looks what changed since. Nothing is queued, so nothing can overflow.
use std::ops::Not;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value, json};
use smol::future::FutureExt;

use super::context::state;
use super::site::Site;
use super::wire::id::ACCOUNT;
use crate::http::{Body, Exchange, Problem, Response, problem};
use crate::limits;
use crate::mail::{Mail, Modseq, ObjectChanges};

/// What a client can be told of; EmailDelivery has no methods (RFC 8621 §1.5).
const TYPES: [&str; 4] = ["Email", "EmailDelivery", "Mailbox", "Thread"];

/// Answers a GET of the event source.
pub async fn events(exchange: Exchange<Site>) -> Response {
    let Some(feed) = Feed::of(&exchange) else {
        let detail = "types is * or a list of type names, closeafter state or no, ping a number.";
        return Problem::new(StatusCode::BAD_REQUEST, detail).into();
    };
    let mut response = problem::empty(StatusCode::OK);
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    head.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store"),
    );
    // Proxies such as nginx would hold the events back.
    head.insert("x-accel-buffering", HeaderValue::from_static("no"));
    let stream = smol::stream::unfold(feed, |mut feed| async move {
        let text = feed.next().await?;
        Some((Ok(Bytes::from(text)), feed))
    });
    *response.body_mut() = Body::Stream(Box::pin(stream), None);
    response
}

/// One client's event source.
struct Feed {
    mail: Arc<Mail>,
    stop: crate::net::Shutdown,
    types: Vec<&'static str>,
    once: bool,
    ping: Option<Duration>,
    told: Modseq,
    pinged: Instant,
    greeted: bool,
    done: bool,
}

impl Feed {
    fn of(exchange: &Exchange<Site>) -> Option<Feed> {
        let types = exchange.query("types").unwrap_or_else(|| "*".into());
        let types = TYPES
            .into_iter()
            .filter(|name| types == "*" || types.split(',').any(|t| t == *name))
            .collect();
        let once = match exchange.query("closeafter").as_deref() {
            None | Some("" | "no") => false,
            Some("state") => true,
            Some(_) => return None,
        };
        let ping = match exchange.query("ping").as_deref() {
            None | Some("") => 0,
            Some(text) => text.parse::<u64>().ok()?,
        };
        // RFC 8620 §7.3: the server may bound the interval; 0 means none.
        let ping = (ping > 0)
            .then(|| Duration::from_secs(ping.clamp(limits::JMAP_PING.0, limits::JMAP_PING.1)));
        let site = &exchange.site;
        let now = site.mail.hub().modseq();
        // A client that lost its connection says what it was told last.
        let told = exchange
            .field("last-event-id")
            .and_then(|id| id.parse().ok());
        Some(Feed {
            mail: Arc::clone(&site.mail),
            stop: site.ctx.shutdown.clone(),
            types,
            once,
            ping,
            told: told.filter(|told| *told <= now).unwrap_or(now),
            pinged: Instant::now(),
            greeted: false,
            done: false,
        })
    }

    /// The next octets for the client; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if !self.greeted {
            self.greeted = true;
            // The head goes out with the first octets; a comment says that the line is open.
            return Some(":\n\n".into());
        }
        loop {
            if self.done || self.stop.is_thrown() {
                return None;
            }
            let listener = self.mail.hub().listen();
            if let Some(event) = self.changed() {
                self.done = self.once;
                return Some(event);
            }
            let ping = async {
                match self.ping {
                    Some(every) => smol::Timer::at(self.pinged + every).await,
                    None => std::future::pending().await,
                };
                true
            };
            let woken = async {
                listener.await;
                false
            };
            let stopped = async {
                self.stop.wait().await;
                false
            };
            if ping.or(woken).or(stopped).await {
                self.pinged = Instant::now();
                let seconds = self.ping.map_or(0, |every| every.as_secs());
                return Some(format!("event: ping\ndata: {{\"interval\":{seconds}}}\n\n"));
            }
        }
    }

    /// The event for what changed since the last one, if anything did.
    fn changed(&mut self) -> Option<String> {
        let now = self.mail.hub().modseq();
        if now == self.told {
            return None;
        }
        let since = std::mem::replace(&mut self.told, now);
        let mut types = Map::new();
        for name in &self.types {
            if changed(&self.mail, name, since) {
                types.insert((*name).into(), state(now).into());
            }
        }
        if types.is_empty() {
            return None;
        }
        let change =
            json!({ "@type": "StateChange", "changed": { ACCOUNT: Value::Object(types) } });
        Some(format!("event: state\nid: {now}\ndata: {change}\n\n"))
    }
}

/// Whether objects of a type changed; what is too old to tell did.
fn changed(mail: &Mail, name: &str, since: Modseq) -> bool {
    let emails = || mail.email_changes(since, limits::JMAP_GET);
    match name {
        "Email" => emails().is_ok_and(|c| is_nothing(&c)),
        "EmailDelivery" => emails().is_ok_and(|c| !c.more && c.created.is_empty()),
        "Mailbox" => mail
            .mailbox_changes(since)
            .is_ok_and(|(c, _)| is_nothing(&c)),
        "Thread" => mail
            .thread_changes(since, limits::JMAP_GET)
            .is_ok_and(|c| is_nothing(&c)),
        _ => true,
    }
    .not()
}

fn is_nothing<Id>(changes: &ObjectChanges<Id>) -> bool {
    !changes.more
        && changes.created.is_empty()
        && changes.updated.is_empty()
        && changes.destroyed.is_empty()
}
