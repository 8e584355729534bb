//! The Request object (RFC 8620 §3.3) and the errors that refuse it as a whole (§3.6.1).
use serde_json::{Map, Value};

use super::args::is_id;
use super::json::{self, JsonError};

/// One method call or response (RFC 8620 §3.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// The method's or response's name.
    pub name: String,
    /// Its arguments.
    pub args: Map<String, Value>,
    /// The client's name for the call.
    pub id: String,
}

/// A request that fits its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The capabilities that the client opted into.
    pub using: Vec<String>,
    /// What to do, in order.
    pub calls: Vec<Invocation>,
    /// Creation ids of earlier requests, when the client wants to know the map afterwards.
    pub created: Option<Map<String, Value>>,
}

/// Why a request is refused before any call is made.
#[derive(Debug, PartialEq, Eq)]
pub enum RequestError {
    /// No I-JSON.
    NotJson(String),
    /// JSON, but no Request object.
    NotRequest(String),
    /// A capability in `using` that nobody registered.
    UnknownCapability(String),
    /// Beyond an announced limit, by its name.
    Limit(&'static str),
}

impl From<JsonError> for RequestError {
    fn from(error: JsonError) -> RequestError {
        match error {
            JsonError::TooMany => RequestError::Limit("maxSizeRequest"),
            JsonError::Syntax(detail) => RequestError::NotJson(detail),
        }
    }
}

/// Bounds on a request.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// JSON values in all.
    pub values: usize,
    /// `maxCallsInRequest`.
    pub calls: usize,
}

impl Request {
    /// Parses a request; `known` says which capabilities may be used.
    pub fn parse(
        text: &[u8],
        bounds: Bounds,
        known: impl Fn(&str) -> bool,
    ) -> Result<Request, RequestError> {
        Request::of(json::parse(text, bounds.values)?, bounds.calls, known)
    }

    /// The same of JSON that is read already; `calls` is maxCallsInRequest.
    pub fn of(
        value: Value,
        calls_at_most: usize,
        known: impl Fn(&str) -> bool,
    ) -> Result<Request, RequestError> {
        let Value::Object(mut map) = value else {
            return Err(not_request("a request is an object"));
        };
        let using = texts(map.remove("using"))
            .ok_or_else(|| not_request("using must be an array of capability names"))?;
        let Some(Value::Array(calls)) = map.remove("methodCalls") else {
            return Err(not_request("methodCalls must be an array"));
        };
        let created = match map.remove("createdIds") {
            None | Some(Value::Null) => None,
            Some(Value::Object(ids)) if ids.iter().all(is_created_id) => Some(ids),
            Some(_) => return Err(not_request("createdIds must map ids to ids")),
        };
        if calls.len() > calls_at_most {
            return Err(RequestError::Limit("maxCallsInRequest"));
        }
        let calls = calls
            .into_iter()
            .map(invocation)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| not_request("a method call is [name, arguments, call id]"))?;
        if let Some(name) = using.iter().find(|name| !known(name)) {
            return Err(RequestError::UnknownCapability(name.clone()));
        }
        Ok(Request {
            using,
            calls,
            created,
        })
    }
}

fn is_created_id((name, id): (&String, &Value)) -> bool {
    is_id(name) && id.as_str().is_some_and(is_id)
}

fn not_request(detail: &str) -> RequestError {
    RequestError::NotRequest(detail.to_owned())
}

fn texts(value: Option<Value>) -> Option<Vec<String>> {
    let Some(Value::Array(items)) = value else {
        return None;
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        })
        .collect()
}

fn invocation(value: Value) -> Option<Invocation> {
    let Value::Array(items) = value else {
        return None;
    };
    match <[Value; 3]>::try_from(items) {
        Ok([Value::String(name), Value::Object(args), Value::String(id)]) => {
            Some(Invocation { name, args, id })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        values: 100,
        calls: 3,
    };

    fn parse(text: &str) -> Result<Request, RequestError> {
        Request::parse(text.as_bytes(), BOUNDS, |name| {
            name.starts_with("urn:ietf:params:jmap:")
        })
    }

    /// RFC 8620 §3.3.1.
    #[test]
    fn example() {
        let request = parse(
            r#"{"using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"],
            "methodCalls": [["method1", {"arg1": "arg1data", "arg2": "arg2data"}, "c1"],
            ["method2", {"arg1": "arg1data"}, "c2"], ["method3", {}, "c3"]], "more": 1}"#,
        )
        .unwrap();
        assert_eq!(request.calls.len(), 3);
        assert_eq!(request.calls[1].id, "c2");
        assert_eq!(request.created, None);
    }

    #[test]
    fn refusals() {
        let not_request = |text| matches!(parse(text), Err(RequestError::NotRequest(_)));
        assert!(matches!(parse("{"), Err(RequestError::NotJson(_))));
        assert!(not_request("[]"));
        assert!(not_request(r#"{"using": [1], "methodCalls": []}"#));
        assert!(not_request(r#"{"using": [], "methodCalls": [["a", {}]]}"#));
        assert!(not_request(
            r#"{"using": [], "methodCalls": [["a", {}, 1]]}"#
        ));
        assert!(not_request(
            r#"{"using": [], "methodCalls": [], "createdIds": {"a b": "x"}}"#
        ));
        assert_eq!(
            parse(r#"{"using": ["https://example.com/foo"], "methodCalls": []}"#),
            Err(RequestError::UnknownCapability(
                "https://example.com/foo".into()
            ))
        );
        let call = r#"["a", {}, "0"],"#;
        let many = format!(
            r#"{{"using": [], "methodCalls": [{}["a", {{}}, "0"]]}}"#,
            call.repeat(3)
        );
        assert_eq!(parse(&many), Err(RequestError::Limit("maxCallsInRequest")));
    }
}
