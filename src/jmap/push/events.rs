//! The event source (RFC 8620 §7.3).
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use smol::future::FutureExt;

use super::Watch;
use crate::http::{Body, Exchange, Problem, Response, problem};
use crate::jmap::site::Site;
use crate::limits;
use crate::mail::Mail;

/// A comment. No blank line follows it: jmap-client 0.4 would take that for the end of an event.
const COMMENT: &str = ":\n";

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
    if exchange.method == hyper::Method::HEAD {
        return response;
    }
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
    /// Thrown when what this was logged in with is revoked.
    revoked: crate::net::Shutdown,
    watch: Watch,
    once: bool,
    ping: Option<Duration>,
    /// When the last event went out.
    spoke: Instant,
    greeted: bool,
    done: bool,
}

impl Feed {
    fn of(exchange: &Exchange<Site>) -> Option<Feed> {
        let types = exchange.query("types").unwrap_or_else(|| "*".into());
        let wants = |name: &str| types == "*" || types.split(',').any(|t| t == name);
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
        let now = site.mail.meta().modseq;
        // A client that lost its connection says what it was told last.
        let told = exchange
            .field("last-event-id")
            .and_then(|id| id.parse().ok())
            .filter(|told| *told <= now);
        Some(Feed {
            mail: Arc::clone(&site.mail),
            stop: site.ctx.shutdown.clone(),
            revoked: site.gone.clone(),
            watch: Watch::new(&site.mail, wants, told.unwrap_or(now)),
            once,
            ping,
            spoke: Instant::now(),
            greeted: false,
            done: false,
        })
    }

    /// The next octets for the client; `None` ends the stream.
    async fn next(&mut self) -> Option<String> {
        if !self.greeted {
            self.greeted = true;
            // The head goes out with the first octets; a comment says that the line is open.
            return Some(COMMENT.into());
        }
        loop {
            let expired = self.mail.principal().is_some_and(|who| !who.is_alive());
            if self.done || self.stop.is_thrown() || self.revoked.is_thrown() || expired {
                return None;
            }
            let listener = self.mail.hub().listen();
            if let Some(change) = self.watch.changed(&self.mail.meta()) {
                self.done = self.once;
                self.spoke = Instant::now();
                let id = self.watch.told;
                return Some(format!("event: state\nid: {id}\ndata: {change}\n\n"));
            }
            // RFC 8620 §7.3: so long after the last event of any kind.
            let every = self.ping;
            let silence = every.unwrap_or(Duration::from_secs(limits::JMAP_SILENCE));
            let ping = async {
                smol::Timer::at(self.spoke + silence).await;
                true
            };
            let woken = async {
                listener.await;
                false
            };
            let stopped = async {
                self.stop.wait().or(self.revoked.wait()).await;
                false
            };
            if ping.or(woken).or(stopped).await {
                self.spoke = Instant::now();
                // A client that asked for no pings and is gone is found out by a comment.
                let Some(every) = every else {
                    return Some(COMMENT.into());
                };
                let seconds = every.as_secs();
                return Some(format!("event: ping\ndata: {{\"interval\":{seconds}}}\n\n"));
            }
        }
    }
}
