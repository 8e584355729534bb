//! One request as a route sees it.
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{HeaderMap, Method};

use super::body::Upload;
use super::{ReadError, Takeover, url};

/// A request that has been routed and logged in.
pub struct Exchange<S> {
    /// What the listener was given to serve.
    pub site: Rc<S>,
    /// Where the client is.
    pub peer: SocketAddr,
    /// Scheme, host and prefix for URLs that the client will use, without a slash at the end.
    pub base: String,
    /// The method; HEAD as the client sent it.
    pub method: Method,
    /// The `*` segments of the route, decoded.
    pub params: Vec<String>,
    /// The header fields.
    pub head: HeaderMap,
    pub(super) query: Option<String>,
    pub(super) allowed: bool,
    pub(super) takeover: Rc<RefCell<Option<Takeover>>>,
    pub(super) body: Incoming,
}

impl<S> Exchange<S> {
    /// Whether a page that may use this server sent it, or no page at all.
    pub fn is_of_allowed_origin(&self) -> bool {
        self.allowed
    }

    /// Hands the connection over once the answer, which must be 101, is out.
    pub fn take_over(&self, takeover: Takeover) {
        *self.takeover.borrow_mut() = Some(takeover);
    }

    /// The value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        url::query(self.query.as_deref(), name)
    }

    /// A header field's value, when it is text.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.get(name)?.to_str().ok()
    }

    /// The media type of the body, in lower case and without parameters.
    pub fn media(&self) -> Option<String> {
        let value = self.field("content-type")?;
        Some(
            value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
        )
    }

    /// Takes the body, of which no more than `max` octets are read.
    pub async fn into_body(self, max: u64) -> Result<Upload, ReadError> {
        // RFC 9110 §10.1.1: whoever asks first has sent nothing yet.
        let asks = self.head.contains_key("expect");
        let announced = hyper::body::Body::size_hint(&self.body).lower();
        if asks && announced > max {
            return Err(ReadError::TooLarge);
        }
        Upload::new(self.body, max).await
    }
}
