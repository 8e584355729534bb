//! The API resource: one request in, its calls made in order, one response out (RFC 8620 §3).
use std::rc::Rc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value};
use smol::future::FutureExt;

use super::capability::{self, Capability};
use super::context::Context;
use super::method::{self, Method};
use super::site::{Site, Turn};
use super::wire::args::Args;
use super::wire::error::MethodError;
use super::wire::json;
use super::wire::reference;
use super::wire::request::{Invocation, Request, RequestError};
use crate::http::{Body, Exchange, Problem, ReadError, Response, problem};
use crate::limits;

/// Answers a POST to the API resource.
pub async fn api(exchange: Exchange<Site>) -> Response {
    match run(exchange).await {
        Ok(response) => response,
        Err(problem) => problem.into(),
    }
}

async fn run(exchange: Exchange<Site>) -> Result<Response, Problem> {
    if exchange.media().as_deref() != Some("application/json") {
        return Err(refusal(RequestError::NotJson(
            "Content-Type must be application/json".into(),
        )));
    }
    let site = Rc::clone(&exchange.site);
    let base = exchange.base.clone();
    let turn = turn(&site.ctx.jmap.requests, "maxConcurrentRequests").await?;
    let body = exchange.into_body(limits::JMAP_REQUEST).await;
    let body = match body {
        Ok(body) => body.all().await,
        Err(error) => Err(error),
    };
    let body = body.map_err(|error| unread(error, "maxSizeRequest"))?;
    let value = json::parse(&body, limits::JMAP_VALUES);
    drop(body);
    let value = value.map_err(|error| refusal(error.into()))?;
    let pieces = calls(site, &base, value).await?;
    Ok(respond(pieces, turn))
}

/// A request that came another way: waits for its turn, and makes its calls.
pub async fn perform(site: Rc<Site>, base: &str, value: Value) -> Result<(Pieces, Turn), Problem> {
    let turn = turn(&site.ctx.jmap.requests, "maxConcurrentRequests").await?;
    Ok((calls(site, base, value).await?, turn))
}

/// Makes the calls of a request in order.
async fn calls(site: Rc<Site>, base: &str, value: Value) -> Result<Pieces, Problem> {
    let request = Request::of(value, limits::JMAP_CALLS, capability::is_registered);
    let request = request.map_err(refusal)?;
    let session_state = site.session_state(base);
    let echo_ids = request.created.is_some();
    let mut context = Context::new(site, request.using, request.created);
    for call in request.calls {
        make(&mut context, call).await;
    }
    let mut tail = Map::new();
    if echo_ids {
        tail.insert("createdIds".into(), Value::Object(context.created));
    }
    tail.insert("sessionState".into(), session_state.into());
    Ok(Pieces {
        responses: context.responses.into_iter(),
        first: true,
        tail: Some(tail),
    })
}

/// The problem for JSON that is no request.
pub fn not_request(why: &str) -> Problem {
    refusal(RequestError::NotRequest(why.to_owned()))
}

/// Waits for a turn among those that a limit lets run at the same time.
pub async fn turn(slots: &super::site::Slots, limit: &'static str) -> Result<Turn, Problem> {
    let late = async {
        smol::Timer::after(Duration::from_secs(limits::JMAP_WAIT)).await;
        None
    };
    async { Some(slots.acquire_arc().await) }
        .or(late)
        .await
        .ok_or_else(|| refusal(RequestError::Limit(limit)))
}

/// The problem for a body that could not be read within `limit`.
pub fn unread(error: ReadError, limit: &'static str) -> Problem {
    match error {
        ReadError::TooLarge => refusal(RequestError::Limit(limit)),
        ReadError::Stalled => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "The rest of the body did not come.",
        ),
        ReadError::Broken => Problem::new(StatusCode::BAD_REQUEST, "The body could not be read."),
    }
}

/// RFC 8620 §3.6.1.
pub fn refusal(error: RequestError) -> Problem {
    match error {
        RequestError::NotJson(detail) => {
            bad(format!("The request is no I-JSON: {detail}")).kind(NOT_JSON)
        }
        RequestError::NotRequest(detail) => {
            bad(format!("The JSON is no Request object: {detail}")).kind(NOT_REQUEST)
        }
        RequestError::UnknownCapability(name) => {
            bad(format!("This server does not support {name:?}")).kind(UNKNOWN_CAPABILITY)
        }
        RequestError::Limit(limit) => bad("The request is beyond a limit of this server.")
            .kind(LIMIT)
            .limit(limit),
    }
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

const NOT_JSON: &str = "urn:ietf:params:jmap:error:notJSON";
const NOT_REQUEST: &str = "urn:ietf:params:jmap:error:notRequest";
const UNKNOWN_CAPABILITY: &str = "urn:ietf:params:jmap:error:unknownCapability";
const LIMIT: &str = "urn:ietf:params:jmap:error:limit";

/// Makes one call and adds its responses.
async fn make(context: &mut Context, call: Invocation) {
    let Invocation { name, args, id } = call;
    let result = match method::find(&name).filter(|m| opted_in(m, context)) {
        None => Err(MethodError::new("unknownMethod")),
        Some(method) => apply(context, method, args).await,
    };
    let (name, args) = match result {
        Ok(args) => (name, args),
        Err(error) => ("error".to_owned(), error.into_map()),
    };
    context.responses.push(Invocation {
        name,
        args,
        id: id.clone(),
    });
    for (name, args) in std::mem::take(&mut context.implicit) {
        context.responses.push(Invocation {
            name: name.to_owned(),
            args,
            id: id.clone(),
        });
    }
}

/// RFC 8620 §1.8: only what the client opted into is there.
fn opted_in(method: &Method, context: &Context) -> bool {
    context.uses(method.capability)
        // Identities are read by clients that opted into mail alone.
        || (method.is_identity() && context.uses(Capability::Mail))
}

async fn apply(
    context: &mut Context,
    method: &Method,
    mut args: Map<String, Value>,
) -> Result<Map<String, Value>, MethodError> {
    reference::resolve(&mut args, &context.responses, &mut context.budget)?;
    method.run(context, Args::new(args)).await
}

/// Writes the Response object response by response: each is freed when it is written.
fn respond(mut pieces: Pieces, turn: Turn) -> Response {
    let mut head = Vec::new();
    while head.len() < WHOLE {
        match pieces.next() {
            Some(piece) => head.extend_from_slice(&piece),
            None => return problem::bytes(StatusCode::OK, "application/json", head),
        }
    }
    let mut response = problem::bytes(StatusCode::OK, "application/json", Vec::new());
    response.headers_mut().remove(CONTENT_LENGTH);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let state = (Some(head), pieces, turn);
    let stream = smol::stream::unfold(state, |(head, mut pieces, turn)| async move {
        let piece = head.or_else(|| pieces.next())?;
        Some((Ok(Bytes::from(piece)), (None, pieces, turn)))
    });
    *response.body_mut() = Body::Stream(Box::pin(stream), None);
    response
}

/// Answers up to this many octets are sent in one piece with their length.
const WHOLE: usize = 64 * 1024;

/// A Response object (RFC 8620 §3.4) in the order in which it is written.
pub struct Pieces {
    responses: std::vec::IntoIter<Invocation>,
    first: bool,
    tail: Option<Map<String, Value>>,
}

impl Pieces {
    /// Adds a property to the Response object.
    pub fn tell(&mut self, name: &str, value: Value) {
        if let Some(tail) = &mut self.tail {
            tail.insert(name.to_owned(), value);
        }
    }
}

impl Iterator for Pieces {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let start = match (self.first, self.responses.len()) {
            (true, _) => "{\"methodResponses\":[",
            (false, 0) => "",
            (false, _) => ",",
        };
        self.first = false;
        let mut piece = start.as_bytes().to_vec();
        // Writing to memory fails only when a map has keys that are no strings.
        match self.responses.next() {
            Some(Invocation { name, args, id }) => {
                let value = Value::Array(vec![name.into(), Value::Object(args), id.into()]);
                let _ = serde_json::to_writer(&mut piece, &value);
            }
            None => {
                let tail = Value::Object(self.tail.take()?).to_string();
                piece.extend_from_slice(b"],");
                piece.extend_from_slice(tail.get(1..).unwrap_or("}").as_bytes());
            }
        }
        Some(piece)
    }
}
