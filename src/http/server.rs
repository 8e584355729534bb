//! One connection: requests in, routed answers out, until either side has enough.
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::{HeaderMap, Method, Request, StatusCode};
use smol::future::FutureExt;
use smol::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::body::drain;
use super::route::{self, Route};
use super::{
    Credentials, Exchange, Paced, Policy, Problem, Response, Takeover, forwarded, gzip, login,
    problem,
};
use crate::limits;

/// Why a log-in was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Wrong name, password or token.
    Wrong,
    /// Right, and not for this; why.
    Forbidden(&'static str),
    /// Too many failures from this address: try again after this long.
    Throttled(Duration),
    /// The server could not look.
    Unavailable,
}

/// What a listener serves.
pub trait Site: Sized + 'static {
    /// The one table of routes.
    fn routes(&self) -> &'static [Route<Self>];
    /// What the flags say about HTTP.
    fn policy(&self) -> &Policy;
    /// Checks who is there. Gives the site as it is for whoever that is.
    fn login(
        self: Rc<Self>,
        credentials: Credentials,
        peer: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = Result<Rc<Self>, Refused>>>>;
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The other end.
    pub peer: SocketAddr,
    /// TLS protects it.
    pub secure: bool,
}

/// Serves one connection until it ends or `stop` resolves; then the request at hand is finished.
pub async fn serve<S: Site>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    origin: Origin,
    site: Rc<S>,
    stop: impl Future<Output = ()>,
) -> Result<(), hyper::Error> {
    let takeover: Rc<RefCell<Option<Takeover>>> = Rc::default();
    let slot = Rc::clone(&takeover);
    let service = hyper::service::service_fn(move |request| {
        let (site, slot) = (Rc::clone(&site), Rc::clone(&slot));
        let answer: Running = Box::pin(async move {
            let response = answer(site, origin, request, slot).await;
            Ok::<_, Infallible>(response)
        });
        answer
    });
    let mut connection = http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(Duration::from_secs(limits::HTTP_IDLE))
        .max_headers(limits::HTTP_HEADERS)
        .max_buf_size(limits::HTTP_HEAD)
        .half_close(true)
        .serve_connection(FuturesIo::new(Paced::new(stream)), service);
    let mut stop = pin!(stop);
    let ended = async { Some(poll_fn(|cx| connection.poll_without_shutdown(cx)).await) }
        .or(async {
            stop.as_mut().await;
            None
        })
        .await;
    match ended {
        Some(result) => result?,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await?;
        }
    }
    let parts = connection.into_parts();
    let mut io = parts.io.into_inner();
    match takeover.take() {
        Some(takeover) => takeover(Box::new(io), parts.read_buf).await,
        None => drop(io.close().await),
    }
    Ok(())
}

type Running = Pin<Box<dyn Future<Output = Result<Response, Infallible>>>>;

/// Answers one request, whatever it is.
async fn answer<S: Site>(
    site: Rc<S>,
    origin: Origin,
    request: Request<Incoming>,
    takeover: Rc<RefCell<Option<Takeover>>>,
) -> Response {
    let (mut head, body) = request.into_parts();
    let origin = behind(&site, origin, &mut head.headers);
    let fields = head.headers.clone();
    let mut body = Some(body);
    let mut response = match dispatch(&site, origin, head, &mut body, takeover) {
        Ok((logged_in, run, exchange)) => match logged_in.await {
            Ok(site) => run(Exchange { site, ..exchange }).await,
            Err(refusal) => {
                body = Some(exchange.body);
                refusal
            }
        },
        Err(response) => *response,
    };
    if let Some(body) = body
        .as_mut()
        .filter(|_| !fields.contains_key(header::EXPECT))
    {
        drain(body, limits::HTTP_DRAIN).await;
    }
    gzip::compress(&fields, &mut response);
    // RFC 9112 §6.1: a Content-Length beside it was thrown away before we could see it, and whoever
    // is between us and the client may have believed it. What follows on this connection is not read.
    if fields.contains_key(header::TRANSFER_ENCODING) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    site.policy().dress(&fields, response.headers_mut());
    response
}

type Checked<S> = Pin<Box<dyn Future<Output = Result<Rc<S>, Response>>>>;
type Run<S> = fn(Exchange<S>) -> route::Answer;
/// A request whose route is found: its log-in, what answers it, and itself.
type Prepared<S> = (Checked<S>, Run<S>, Exchange<S>);

/// Who is behind a proxy that may say so; its word replaces the Host field.
fn behind<S: Site>(site: &Rc<S>, mut origin: Origin, head: &mut HeaderMap) -> Origin {
    if !site.policy().is_proxy(origin.peer.ip()) {
        return origin;
    }
    let said = forwarded::read(head);
    if let Some(peer) = said.peer {
        origin.peer.set_ip(peer);
    }
    origin.secure = said.secure.unwrap_or(origin.secure);
    if let Some(host) = said.host.and_then(|host| HeaderValue::from_str(&host).ok()) {
        head.insert(header::HOST, host);
    }
    origin
}

/// Finds the route and prepares its log-in; an error is the answer.
fn dispatch<S: Site>(
    site: &Rc<S>,
    origin: Origin,
    head: hyper::http::request::Parts,
    body: &mut Option<Incoming>,
    takeover: Rc<RefCell<Option<Takeover>>>,
) -> Result<Prepared<S>, Box<Response>> {
    let path = site.policy().strip(head.uri.path());
    let here: Vec<(&Route<S>, Vec<String>)> = site
        .routes()
        .iter()
        .filter_map(|r| Some((r, r.matches(path)?)))
        .collect();
    if here.is_empty() {
        let detail = "There is nothing at this address; JMAP starts at /.well-known/jmap.";
        return Err(Box::new(Problem::new(StatusCode::NOT_FOUND, detail).into()));
    }
    let routes: Vec<&Route<S>> = here.iter().map(|(r, _)| *r).collect();
    let allow = route::allow(&routes);
    if head.method == Method::OPTIONS {
        return Err(Box::new(options(site.policy(), &head.headers, &allow)));
    }
    let Some((route, params)) = here.into_iter().find(|(r, _)| r.answers(&head.method)) else {
        let detail = format!("This address answers {allow}.");
        let mut response: Response = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).into();
        insert(&mut response, header::ALLOW, &allow);
        return Err(Box::new(response));
    };
    // RFC 9112 §3.2: two Host fields are as bad as none.
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none());
    let host = host.and_then(|h| h.to_str().ok());
    let Some(base) = site.policy().base(origin.secure, host) else {
        let detail = "The Host field is missing, there twice, or no host name.";
        return Err(Box::new(
            Problem::new(StatusCode::BAD_REQUEST, detail).into(),
        ));
    };
    let checked: Checked<S> = if route.open {
        Box::pin(std::future::ready(Ok(Rc::clone(site))))
    } else {
        Box::pin(check(Rc::clone(site), origin, head.headers.clone()))
    };
    let run = route.run;
    let page = head.headers.get(header::ORIGIN);
    let allowed = site.policy().lets_in(page, &base);
    let Some(body) = body.take() else {
        return Err(Box::new(problem::empty(StatusCode::INTERNAL_SERVER_ERROR)));
    };
    let exchange = Exchange {
        site: Rc::clone(site),
        peer: origin.peer,
        base,
        method: head.method,
        params,
        query: head.uri.query().map(str::to_owned),
        allowed,
        takeover,
        head: head.headers,
        body,
    };
    Ok((checked, run, exchange))
}

async fn check<S: Site>(site: Rc<S>, origin: Origin, head: HeaderMap) -> Result<Rc<S>, Response> {
    let Some(credentials) = Credentials::from_head(&head) else {
        return Err(unauthorized(
            &head,
            "Log in with Basic or Bearer authentication.",
        ));
    };
    // RFC 8620 §1.7 wants https; a proxy on this machine speaks plain HTTP over loopback.
    let private = origin.secure || origin.peer.ip().to_canonical().is_loopback();
    if !private && !site.policy().plain_passwords {
        let detail = "No password over plain HTTP from another machine: use https.";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail).into());
    }
    match site.login(credentials, origin.peer).await {
        Ok(site) => Ok(site),
        Err(Refused::Forbidden(detail)) => Err(Problem::new(StatusCode::FORBIDDEN, detail).into()),
        Err(Refused::Wrong) => Err(unauthorized(&head, "Wrong user name, password or token.")),
        Err(Refused::Throttled(wait)) => {
            let detail = "Too many failed log-ins from this address; try again later.";
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
            let mut response: Response = problem.into();
            insert(
                &mut response,
                header::RETRY_AFTER,
                &wait.as_secs().max(1).to_string(),
            );
            Err(response)
        }
        Err(Refused::Unavailable) => {
            let detail = "The server cannot check passwords now; try again.";
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into())
        }
    }
}

fn unauthorized(head: &HeaderMap, detail: &str) -> Response {
    let mut response: Response = Problem::new(StatusCode::UNAUTHORIZED, detail).into();
    for challenge in login::challenges(head) {
        response
            .headers_mut()
            .append(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn options(policy: &Policy, head: &HeaderMap, allow: &str) -> Response {
    let mut response = problem::empty(StatusCode::NO_CONTENT);
    insert(&mut response, header::ALLOW, allow);
    if head.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        policy.preflight(head, allow, response.headers_mut());
    }
    response
}

fn insert(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
