//! HTTP/1.1 as far as this server needs it, on hyper (RFC 9110, RFC 9112).
//!
//! It knows no protocol: whoever listens hands it one table of [`Route`]s and a context. Here live
//! what every route shares: log-in (Basic, RFC 7617; Bearer, RFC 6750), CORS, custom response
//! headers, problem details (RFC 7807), byte ranges, bounded request bodies, time limits.
//!
//! Limits: `HTTP_HEAD`, `HTTP_HEADERS`, `HTTP_IDLE`, `HTTP_STALL` in [`crate::limits`].
mod body;
mod exchange;
mod forwarded;
mod gzip;
mod login;
mod pace;
mod policy;
pub mod problem;
mod range;
mod route;
mod server;
mod upgrade;
pub mod url;

pub use body::{Body, ReadError, Stream, Upload};
pub use exchange::Exchange;
pub use login::Credentials;
pub use pace::Paced;
pub use policy::{Policy, PolicyError};
pub use problem::Problem;
pub use range::{Range, parse as parse_range};
pub use route::{Answer, Route};
pub use server::{Origin, Refused, Site, serve};
pub use upgrade::{Duplex, Takeover, websocket};

/// A response on its way out.
pub type Response = hyper::Response<Body>;
