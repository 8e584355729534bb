//! How the server is, for Prometheus, at `--metrics`.
use std::sync::Arc;

use hyper::StatusCode;

use super::site::Site;
use crate::http::{Exchange, Problem, Response, problem};
use crate::limits;
use crate::server::status;
use crate::sys::aside;

/// Answers anybody who reaches the listener.
pub async fn get(exchange: Exchange<Site>) -> Response {
    let ctx = &exchange.site.ctx;
    let (config, mail) = (Arc::clone(&ctx.config), Arc::clone(&ctx.mail));
    match aside(move || status::lines(&config, &mail, limits::SLACK_SCRAPED)).await {
        Ok(lines) => {
            let mut text = lines.join("\n");
            text.push('\n');
            problem::bytes(StatusCode::OK, status::MEDIA, text.into_bytes())
        }
        Err(why) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, why).into(),
    }
}
