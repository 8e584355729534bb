//! The table of routes: which path and method goes to which function.
use std::future::Future;
use std::pin::Pin;

use hyper::Method;

use super::{Exchange, Response};

/// The answer of a route, on its way.
pub type Answer = Pin<Box<dyn Future<Output = Response>>>;

/// One line of the table of routes.
pub struct Route<S: 'static> {
    /// The methods it answers; GET implies HEAD.
    pub methods: &'static [Method],
    /// The path: literal segments, and `*` for one segment that the function gets decoded. In an open
    /// route letters may have any case: Outlook writes Autodiscover as it likes.
    pub path: &'static str,
    /// Whether it answers without log-in.
    pub open: bool,
    /// What makes the answer.
    pub run: fn(Exchange<S>) -> Answer,
}

impl<S> Route<S> {
    /// The decoded `*` segments if `path` is this route's.
    pub fn matches(&self, path: &str) -> Option<Vec<String>> {
        let mut params = Vec::new();
        let mut given = path.split('/');
        for want in self.path.split('/') {
            let segment = given.next()?;
            if want == "*" {
                params.push(super::url::decode(segment)?);
            } else if want != segment && !(self.open && want.eq_ignore_ascii_case(segment)) {
                return None;
            }
        }
        given.next().is_none().then_some(params)
    }

    /// Whether it answers `method`.
    pub fn answers(&self, method: &Method) -> bool {
        self.methods.contains(method)
            || (*method == Method::HEAD && self.methods.contains(&Method::GET))
    }
}

/// The methods of all routes on one path, for `Allow`.
pub fn allow<S>(routes: &[&Route<S>]) -> String {
    let mut names: Vec<&str> = routes
        .iter()
        .flat_map(|r| r.methods)
        .map(Method::as_str)
        .collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.dedup();
    names.join(", ")
}
