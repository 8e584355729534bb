//! JMAP over WebSocket (RFC 8887): requests, and push, over one connection.
//!
//! Requests are answered one after the other; in between, the connection waits for the next one, for
//! a change to push, and for the server's end. No extension is negotiated.
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value};
use smol::Timer;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::push::Watch;
use super::request;
use super::site::{Site, Turn};
use super::wire::frame::{self, Frame, Opcode};
use super::wire::json;
use crate::http::{Duplex, Exchange, Problem, Response, websocket};
use crate::jmap::wire::json::put;
use crate::limits;
use crate::mail::{Modseq, Principal};

/// Answers the handshake; what follows is [`Session::run`].
pub async fn open(exchange: Exchange<Site>) -> Response {
    // RFC 6455 §10.2: a page of another origin is let in by --cors-origin alone.
    if !exchange.is_of_allowed_origin() {
        let detail = "Pages of this origin may not connect; see --cors-origin.";
        return Problem::new(StatusCode::FORBIDDEN, detail).into();
    }
    let response = match websocket(&exchange.method, &exchange.head, "jmap") {
        Ok(response) => response,
        Err(problem) => return problem.into(),
    };
    let (site, base) = (Rc::clone(&exchange.site), exchange.base.clone());
    exchange.take_over(Box::new(move |io, read| {
        let session = Session {
            io,
            site,
            base,
            input: read.to_vec(),
            output: Vec::new(),
            message: None,
            room: None,
            watch: None,
            asked: false,
        };
        Box::pin(session.run())
    }));
    response
}

/// Status codes of the close frame (RFC 6455 §7.4.1).
const NORMAL: u16 = 1000;
const AWAY: u16 = 1001;
const PROTOCOL: u16 = 1002;
const UNSUPPORTED: u16 = 1003;
const REFUSED: u16 = 1008;
const NOT_TEXT: u16 = 1007;
const LATER: u16 = 1013;

struct Session {
    io: Box<dyn Duplex>,
    site: Rc<Site>,
    base: String,
    /// Octets that came and are not understood yet.
    input: Vec<u8>,
    /// Frames to be sent before the next wait.
    output: Vec<u8>,
    /// The message whose frames are coming in.
    message: Option<Vec<u8>>,
    /// The turn of what came, if it is large.
    room: Option<Turn>,
    watch: Option<Watch>,
    /// A ping of ours has not been answered.
    asked: bool,
}

/// Why the connection ends.
enum End {
    /// With a close frame of this status.
    Close(u16),
    /// The peer is gone, or its socket is.
    Gone,
}

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> End {
        End::Gone
    }
}

/// What a connection waits for.
enum Event {
    Octets(usize),
    Changed,
    Silence,
    Stop,
}

impl Session {
    async fn run(mut self) {
        let End::Close(status) = self.serve().await else {
            return;
        };
        self.send(Opcode::Close, &status.to_be_bytes());
        if self.write().await.is_ok() {
            let _ = self.io.close().await;
        }
    }

    async fn serve(&mut self) -> End {
        loop {
            match self.turn().await {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    /// Everything that can be done now, then one wait.
    async fn turn(&mut self) -> Result<(), End> {
        let expired = |who: &std::sync::Arc<Principal>| !who.is_alive();
        if self.site.gone.is_thrown() || self.site.mail.principal().is_some_and(expired) {
            return Err(End::Close(REFUSED));
        }
        while let Some(frame) = self.next_frame()? {
            self.take(frame).await?;
        }
        let mail = std::sync::Arc::clone(&self.site.mail);
        let listener = mail.hub().listen();
        if let Some(watch) = &mut self.watch
            && let Some(mut change) = watch.changed(&mail.meta())
        {
            // RFC 8887 §4.3.5.1.
            change["pushState"] = watch.told.to_string().into();
            self.send(Opcode::Text, change.to_string().as_bytes());
        }
        self.write().await?;
        self.io.flush().await?;
        self.make_room().await?;
        match self.wait(listener).await? {
            Event::Octets(0) => Err(End::Gone),
            Event::Octets(_) => {
                self.asked = false;
                Ok(())
            }
            Event::Changed => Ok(()),
            Event::Silence if self.asked => Err(End::Gone),
            Event::Silence => {
                self.asked = true;
                self.send(Opcode::Ping, b"");
                Ok(())
            }
            Event::Stop if self.site.gone.is_thrown() => Err(End::Close(REFUSED)),
            Event::Stop => Err(End::Close(AWAY)),
        }
    }

    /// What is large waits for its turn, as a request by POST does; what is done with goes.
    async fn make_room(&mut self) -> Result<(), End> {
        if self.input.is_empty() {
            self.input.shrink_to(limits::WEBSOCKET_SMALL);
        }
        let held = self.input.len() + self.message.as_ref().map_or(0, Vec::len);
        if held <= limits::WEBSOCKET_SMALL {
            self.room = None;
        } else if self.room.is_none() {
            let turn = request::turn(&self.site.ctx.jmap.messages, "maxConcurrentRequests");
            self.room = Some(turn.await.map_err(|_| End::Close(LATER))?);
        }
        Ok(())
    }

    async fn wait(&mut self, listener: event_listener::EventListener) -> Result<Event, End> {
        let stop = self.site.ctx.shutdown.clone();
        let gone = self.site.gone.clone();
        let pushes = self.watch.is_some();
        let mut chunk = [0; 4096];
        let event = {
            let io = &mut self.io;
            let read = async { Ok(Event::Octets(io.read(&mut chunk).await?)) };
            let changed = async {
                match pushes {
                    true => listener.await,
                    false => std::future::pending().await,
                }
                Ok(Event::Changed)
            };
            let silence = async {
                Timer::after(Duration::from_secs(limits::WEBSOCKET_PING)).await;
                Ok(Event::Silence)
            };
            let stopped = async {
                stop.wait().or(gone.wait()).await;
                Ok::<_, End>(Event::Stop)
            };
            read.or(changed).or(stopped).or(silence).await?
        };
        if let Event::Octets(count) = event {
            self.input
                .extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
        Ok(event)
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, End> {
        let before = self.message.as_ref().map_or(0, Vec::len) as u64;
        let most = limits::JMAP_REQUEST.saturating_sub(before);
        frame::take(&mut self.input, most).map_err(|error| End::Close(error as u16))
    }

    async fn take(&mut self, frame: Frame) -> Result<(), End> {
        match frame.opcode {
            Opcode::Ping => {
                self.send(Opcode::Pong, &frame.payload);
                return Ok(());
            }
            Opcode::Pong => return Ok(()),
            Opcode::Close => return Err(End::Close(NORMAL)),
            // RFC 8887 §4.3.1.
            Opcode::Binary => return Err(End::Close(UNSUPPORTED)),
            Opcode::Text if self.message.is_some() => return Err(End::Close(PROTOCOL)),
            Opcode::Text => self.message = Some(frame.payload),
            Opcode::Continuation => match &mut self.message {
                Some(message) => message.extend_from_slice(&frame.payload),
                None => return Err(End::Close(PROTOCOL)),
            },
        }
        if !frame.last {
            return Ok(());
        }
        let message = self.message.take().unwrap_or_default();
        // RFC 6455 §8.1.
        if std::str::from_utf8(&message).is_err() {
            return Err(End::Close(NOT_TEXT));
        }
        self.answer(message).await
    }

    /// One message of the subprotocol (RFC 8887 §4.3).
    async fn answer(&mut self, message: Vec<u8>) -> Result<(), End> {
        let value = match json::parse(&message, limits::JMAP_VALUES) {
            Ok(value) => value,
            Err(error) => {
                self.refuse(request::refusal(error.into()), None);
                return Ok(());
            }
        };
        drop(message);
        let Value::Object(mut map) = value else {
            self.refuse(request::not_request("a message is an object"), None);
            return Ok(());
        };
        let kind = map.remove("@type");
        match kind.as_ref().and_then(Value::as_str) {
            Some("Request") => return self.request(map).await,
            Some("WebSocketPushEnable") => self.enable(&map),
            Some("WebSocketPushDisable") => self.watch = None,
            _ => {
                let problem = request::not_request("@type must be Request, or about push");
                self.refuse(problem, map.remove("id"));
            }
        }
        Ok(())
    }

    /// A response is a frame for each of its pieces: each is freed when it is sent.
    async fn request(&mut self, mut map: Map<String, Value>) -> Result<(), End> {
        let id = map.remove("id").filter(Value::is_string);
        let site = Rc::clone(&self.site);
        let done = request::perform(site, &self.base, Value::Object(map)).await;
        let (mut pieces, _turn) = match done {
            Ok(done) => done,
            Err(problem) => {
                self.refuse(problem, id);
                return Ok(());
            }
        };
        pieces.tell("@type", "Response".into());
        if let Some(id) = id {
            pieces.tell("requestId", id);
        }
        let mut pieces = pieces.peekable();
        let mut opcode = Opcode::Text;
        while let Some(piece) = pieces.next() {
            let last = pieces.peek().is_none();
            frame::put(&mut self.output, opcode, last, &piece);
            drop(piece);
            self.write().await?;
            opcode = Opcode::Continuation;
        }
        Ok(self.io.flush().await?)
    }

    /// RFC 8887 §4.3.4.
    fn refuse(&mut self, problem: Problem, id: Option<Value>) {
        let mut map = problem.into_map();
        put(&mut map, "@type", "RequestError");
        put(&mut map, "requestId", id.unwrap_or_default());
        self.send(Opcode::Text, Value::Object(map).to_string().as_bytes());
    }

    /// RFC 8887 §4.3.5.2.
    fn enable(&mut self, map: &Map<String, Value>) {
        let types = match map.get("dataTypes") {
            None | Some(Value::Null) => None,
            Some(Value::Array(types)) => Some(types),
            Some(_) => {
                let problem = request::not_request("dataTypes must be an array or null");
                return self.refuse(problem, None);
            }
        };
        let wants = |name: &str| types.is_none_or(|types| types.iter().any(|t| t == name));
        let now = self.site.mail.meta().modseq;
        let told = map.get("pushState").and_then(Value::as_str);
        let told = told.and_then(|told| told.parse::<Modseq>().ok());
        let told = told.filter(|told| *told <= now).unwrap_or(now);
        self.watch = Some(Watch::new(&self.site.mail, wants, told));
    }

    fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        frame::put(&mut self.output, opcode, true, payload);
    }

    /// Writes the frames that wait.
    async fn write(&mut self) -> std::io::Result<()> {
        let output = std::mem::take(&mut self.output);
        self.io.write_all(&output).await
    }
}

/// The URL of the WebSocket, given that of HTTP (RFC 8887 §3).
pub fn url(base: &str) -> String {
    let rest = base.strip_prefix("http").unwrap_or(base);
    format!("ws{rest}/jmap/ws")
}
