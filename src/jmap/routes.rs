//! The one table of addresses.
use hyper::Method;

use super::site::Site;
use super::{autoconfig, blob, metrics, push, request, session, sts, websocket};
use crate::http::Route;

/// Every address served.
pub const ROUTES: &[Route<Site>] = &[
    Route {
        methods: &[Method::GET],
        // Answered here with 200: not every client follows a redirect (RFC 8620 §2.2).
        path: "/.well-known/jmap",
        open: false,
        run: |exchange| Box::pin(session::get(exchange)),
    },
    Route {
        methods: &[Method::GET],
        path: "/.well-known/mta-sts.txt",
        open: true,
        run: |exchange| Box::pin(sts::get(exchange)),
    },
    Route {
        methods: &[Method::GET],
        path: "/.well-known/autoconfig/mail/config-v1.1.xml",
        open: true,
        run: |exchange| Box::pin(autoconfig::mozilla(exchange)),
    },
    Route {
        methods: &[Method::GET],
        // At autoconfig.DOMAIN.
        path: "/mail/config-v1.1.xml",
        open: true,
        run: |exchange| Box::pin(autoconfig::mozilla(exchange)),
    },
    Route {
        methods: &[Method::POST],
        path: "/autodiscover/autodiscover.xml",
        open: true,
        run: |exchange| Box::pin(autoconfig::microsoft(exchange)),
    },
    Route {
        methods: &[Method::GET],
        path: "/apple.mobileconfig",
        open: true,
        run: |exchange| Box::pin(autoconfig::apple(exchange)),
    },
    Route {
        methods: &[Method::GET],
        path: "/jmap/session",
        open: false,
        run: |exchange| Box::pin(session::get(exchange)),
    },
    Route {
        methods: &[Method::POST],
        path: "/jmap/api",
        open: false,
        run: |exchange| Box::pin(request::api(exchange)),
    },
    Route {
        methods: &[Method::POST],
        path: "/jmap/upload/*",
        open: false,
        run: |exchange| Box::pin(blob::upload(exchange)),
    },
    Route {
        methods: &[Method::GET],
        path: "/jmap/download/*/*/*",
        open: false,
        run: |exchange| Box::pin(blob::download(exchange)),
    },
    Route {
        methods: &[Method::GET],
        path: "/jmap/events",
        open: false,
        run: |exchange| Box::pin(push::events(exchange)),
    },
    Route {
        methods: &[Method::GET],
        path: "/jmap/ws",
        open: false,
        run: |exchange| Box::pin(websocket::open(exchange)),
    },
];

/// What the listener for numbers serves.
pub const METRICS: &[Route<Site>] = &[Route {
    methods: &[Method::GET],
    path: "/metrics",
    open: true,
    run: |exchange| Box::pin(metrics::get(exchange)),
}];
