//! How mail programs find their settings themselves: Mozilla's autoconfig, Microsoft's autodiscover,
//! Apple's profiles. Anybody may ask, and hears what the ports say, too.
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, HeaderValue};

use super::site::Site;
use crate::config::Config;
use crate::http::{Exchange, Problem, Response, problem};
use crate::limits;
use crate::server::clients::{self, Settings};

const XML: &str = "text/xml; charset=utf-8";

fn found(media: &'static str, text: String) -> Response {
    problem::bytes(StatusCode::OK, media, text.into_bytes())
}

fn nothing(why: &str) -> Response {
    Problem::new(StatusCode::NOT_FOUND, why).into()
}

const FOREIGN: &str = "Say ?emailaddress= with an address at a domain of this server.";

/// `config-v1.1.xml`: for an address, or for the domain that the host's name tells.
pub async fn mozilla(exchange: Exchange<Site>) -> Response {
    let config = &exchange.site.ctx.config;
    let domain = match exchange.query("emailaddress") {
        Some(address) => clients::own_domain(config, &address),
        None => Some(of_host(config, &exchange.base)),
    };
    match domain {
        Some(domain) => found(XML, Settings::of(config).autoconfig(&domain)),
        None => nothing(FOREIGN),
    }
}

fn of_host(config: &Config, base: &str) -> String {
    let host = base.split_once("://").map_or("", |(_, rest)| rest);
    let host = host.split([':', '/']).next().unwrap_or_default();
    let domain = host.strip_prefix("autoconfig.").unwrap_or(host);
    match config.is_own_domain(domain) {
        true => domain.to_lowercase(),
        false => config.hostname.clone(),
    }
}

/// `autodiscover.xml`: Outlook sends an address in XML.
pub async fn microsoft(exchange: Exchange<Site>) -> Response {
    let site = exchange.site.clone();
    let body = match exchange.into_body(limits::AUTODISCOVER).await {
        Ok(body) => body.all().await,
        Err(error) => Err(error),
    };
    let Ok(body) = body else {
        let why = "The request is too large or was not sent whole.";
        return Problem::new(StatusCode::BAD_REQUEST, why).into();
    };
    let config = &site.ctx.config;
    let address = clients::asked(&String::from_utf8_lossy(&body));
    let address = address.filter(|address| clients::own_domain(config, address).is_some());
    found(
        XML,
        match address {
            Some(address) => Settings::of(config).autodiscover(&address),
            None => clients::not_here(),
        },
    )
}

/// `apple.mobileconfig`: for an address without a password; or with a new one, for whoever has the link
/// that `client-config` made, once.
pub async fn apple(exchange: Exchange<Site>) -> Response {
    let ctx = &exchange.site.ctx;
    let settings = Settings::of(&ctx.config);
    let profile = match exchange.query("key") {
        // Whoever looks ahead does not use it up.
        Some(_) if exchange.method == hyper::Method::HEAD => return found(PROFILE, String::new()),
        Some(key) => match ctx.auth.redeem(&key) {
            Some(secret) => settings.profile(&ctx.config.address(), Some(&secret)),
            None => return nothing("This link was used, or is too old: make another one."),
        },
        None => match exchange.query("emailaddress") {
            Some(address) if clients::own_domain(&ctx.config, &address).is_some() => {
                settings.profile(&address, None)
            }
            _ => return nothing(FOREIGN),
        },
    };
    let Some(profile) = profile else {
        return nothing("Here is no IMAP or POP3, or no submission.");
    };
    let mut response = found(PROFILE, profile);
    let name = HeaderValue::from_static("attachment; filename=\"mail.mobileconfig\"");
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    response
}

const PROFILE: &str = "application/x-apple-aspen-config";
