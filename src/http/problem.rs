//! Answers in one piece, and errors as problem details (RFC 7807).
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Map, Value};

use super::{Body, Response};

/// An error for the whole HTTP request: `application/problem+json` with a sentence.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    limit: Option<&'static str>,
}

impl Problem {
    /// An error that its status says all about; `detail` tells what to do.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            kind: "about:blank",
            detail: detail.into(),
            limit: None,
        }
    }

    /// Names the problem type by its URI.
    pub fn kind(mut self, kind: &'static str) -> Problem {
        self.kind = kind;
        self
    }

    /// Names the limit that was hit (RFC 8620 §3.6.1).
    pub fn limit(mut self, name: &'static str) -> Problem {
        self.limit = Some(name);
        self
    }
}

impl Problem {
    /// The problem details object.
    pub fn into_map(self) -> Map<String, Value> {
        let problem = self;
        let mut map = Map::new();
        map.insert("type".into(), problem.kind.into());
        map.insert("status".into(), problem.status.as_u16().into());
        if let Some(title) = problem.status.canonical_reason() {
            map.insert("title".into(), title.into());
        }
        map.insert("detail".into(), problem.detail.into());
        if let Some(limit) = problem.limit {
            map.insert("limit".into(), limit.into());
        }
        map
    }
}

impl From<Problem> for Response {
    fn from(problem: Problem) -> Response {
        let status = problem.status;
        let body = Value::Object(problem.into_map()).to_string().into_bytes();
        bytes(status, "application/problem+json", body)
    }
}

/// A JSON answer that no cache may keep.
pub fn json(status: StatusCode, value: &Value) -> Response {
    bytes(status, "application/json", value.to_string().into_bytes())
}

/// An answer of `media` that no cache may keep.
pub fn bytes(status: StatusCode, media: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    head.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, must-revalidate"),
    );
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::Full(None));
    *response.status_mut() = status;
    response
}
