//! The MTA-STS policy of our domains (RFC 8461 §3.2), for `https://mta-sts.DOMAIN`.
use hyper::StatusCode;

use super::site::Site;
use crate::http::{Exchange, Problem, Response, problem};
use crate::server::zone;

/// Answers anybody.
pub async fn get(exchange: Exchange<Site>) -> Response {
    let config = &exchange.site.ctx.config;
    match config.mta_sts {
        Some(mode) => {
            let text = zone::policy(&config.hostname, mode);
            problem::bytes(StatusCode::OK, "text/plain", text.into_bytes())
        }
        None => Problem::new(StatusCode::NOT_FOUND, "--mta-sts is off").into(),
    }
}
