//! What a listener serves: the engine, the account, the limits that its requests share.
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use smol::lock::{Semaphore, SemaphoreGuardArc};

use super::push::Vapid;
use super::{routes, session};
use crate::auth::{AuthError, Client, Grant, Protocol};
use crate::config::Role;
use crate::http::{self, Credentials, Policy, Refused, Route};
use crate::limits;
use crate::mail::counts::Counts;
use crate::mail::{Mail, MailboxId, Modseq, quota};
use crate::net::Shutdown;
use crate::server::Ctx;

/// A limit on things that go on at the same time.
pub type Slots = Arc<Semaphore>;
/// One of those things.
pub type Turn = SemaphoreGuardArc;

/// Shared by all listeners of the process.
pub struct Gate {
    /// Turns at the API resource (`maxConcurrentRequests`).
    pub requests: Slots,
    /// The same for large messages of WebSockets while they come.
    pub messages: Slots,
    /// Turns at the upload resource (`maxConcurrentUpload`).
    pub uploads: Slots,
    vapid: OnceLock<Vapid>,
}

/// Where our key for push services is kept.
const VAPID: &[u8] = b"jmap/vapid";

impl Gate {
    /// Reads our key for push services, or makes it, and tells the store what limits there are; when
    /// the server starts.
    pub fn open(&self, mail: &Mail) {
        if let Err(error) = smol::block_on(quota::note(mail)) {
            log::warn!("the quota could not be noted: {error}");
        }
        let kept = match mail.get(VAPID) {
            Ok(Some(kept)) => Some(kept),
            Ok(None) => Vapid::generate().filter(|new| {
                let put = mail.put(vec![(VAPID.to_vec(), Some(new.clone()))]);
                smol::block_on(put).is_ok()
            }),
            Err(_) => None,
        };
        match kept.as_deref().and_then(Vapid::read) {
            Some(vapid) => drop(self.vapid.set(vapid)),
            None => log::warn!("push: there is no key; web push goes out without VAPID"),
        }
    }

    /// Our key for push services (RFC 8292).
    pub fn vapid(&self) -> Option<&Vapid> {
        self.vapid.get()
    }
}

impl Default for Gate {
    fn default() -> Gate {
        Gate {
            requests: Arc::new(Semaphore::new(limits::JMAP_REQUESTS)),
            messages: Arc::new(Semaphore::new(limits::JMAP_REQUESTS)),
            uploads: Arc::new(Semaphore::new(limits::JMAP_UPLOADS)),
            vapid: OnceLock::new(),
        }
    }
}

/// Shared by all connections of a listener.
pub struct Site {
    /// The engine.
    pub mail: Arc<Mail>,
    /// What the server was started with.
    pub ctx: Rc<Ctx>,
    /// Counts of mailboxes, each good for the modseq beside it.
    pub counts: RefCell<HashMap<MailboxId, (Modseq, Counts)>>,
    /// What it was logged in with; see [`crate::auth::Auth::credential`].
    pub credential: String,
    /// Whether mail may be sent: an app password may be for reading only.
    pub may_send: bool,
    /// Thrown when that is revoked.
    pub gone: Shutdown,
    routes: &'static [Route<Site>],
    policy: Rc<Policy>,
    session: RefCell<Option<(String, String)>>,
    /// Sites of what was logged in with here, the last one last.
    others: RefCell<Vec<Rc<Site>>>,
}

impl Site {
    /// A site for a listener.
    pub fn new(ctx: Rc<Ctx>, role: Role) -> Site {
        let mut policy = policy(&ctx.config.http).unwrap_or_else(|error| {
            // The command line was checked: a configuration that was not made from one.
            log::error!("{error}");
            Policy::default()
        });
        policy.plain_passwords = ctx.config.allow_plain_auth;
        Site {
            mail: Arc::clone(&ctx.mail),
            counts: RefCell::default(),
            credential: String::new(),
            may_send: true,
            gone: Shutdown::new(),
            routes: match role {
                Role::Metrics => routes::METRICS,
                _ => routes::ROUTES,
            },
            policy: Rc::new(policy),
            session: RefCell::default(),
            others: RefCell::default(),
            ctx,
        }
    }

    /// The site for whoever logged in, with the engine's handle that is theirs.
    fn granted(self: &Rc<Site>, grant: &Grant) -> Rc<Site> {
        let credential = self.ctx.auth.credential(grant);
        let mut sites = self.others.borrow_mut();
        if let Some(site) = sites.iter().find(|site| site.credential == credential) {
            return Rc::clone(site);
        }
        sites.retain(|site| !site.gone.is_thrown());
        if sites.len() >= limits::APPS {
            sites.remove(0);
        }
        let ctx = self.ctx.granted(grant);
        let site = Rc::new(Site {
            mail: Arc::clone(&ctx.mail),
            counts: RefCell::default(),
            credential,
            may_send: grant
                .app
                .as_ref()
                .is_none_or(|app| app.protocols.has(Protocol::Smtp)),
            gone: ctx.auth.end_of(grant),
            routes: self.routes,
            policy: Rc::clone(&self.policy),
            session: RefCell::default(),
            others: RefCell::default(),
            ctx,
        });
        sites.push(Rc::clone(&site));
        site
    }

    /// The `state` of the session for clients that come by `base`.
    pub fn session_state(&self, base: &str) -> String {
        if let Some((of, state)) = self.session.borrow().as_ref()
            && of == base
        {
            return state.clone();
        }
        let state = session::state(&session::object(self, base));
        *self.session.borrow_mut() = Some((base.to_owned(), state.clone()));
        state
    }
}

/// The flags about HTTP, understood. Checked when the server starts.
///
/// # Errors
/// A sentence that names the flag.
pub fn policy(http: &crate::config::Http) -> Result<Policy, http::PolicyError> {
    let mut policy = Policy::default();
    if let Some(url) = &http.url {
        policy.set_base(url)?;
    }
    for origin in &http.cors_origins {
        policy.allow_origin(origin)?;
    }
    for address in &http.proxies {
        policy.trust_proxy(address)?;
    }
    for (name, value) in &http.headers {
        policy.add_header(&format!("{name}: {value}"))?;
    }
    Ok(policy)
}

impl http::Site for Site {
    fn routes(&self) -> &'static [Route<Site>] {
        self.routes
    }

    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn login(
        self: Rc<Self>,
        credentials: Credentials,
        peer: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = Result<Rc<Site>, Refused>>>> {
        Box::pin(async move {
            let auth = &self.ctx.auth;
            let client = Client {
                ip: peer.ip(),
                protocol: Protocol::Jmap,
                binding: None,
            };
            let granted = match &credentials {
                Credentials::Basic(user, password) => {
                    auth.login_plain(user, password, client).await
                }
                Credentials::Bearer(token) => auth.bearer(token, peer.ip()).await,
            };
            let granted = granted.map(|grant| self.granted(&grant));
            granted.map_err(|error| match error {
                AuthError::NotHere(_) => Refused::Forbidden("This app password is not for JMAP."),
                AuthError::Expired => Refused::Forbidden("This app password has expired."),
                AuthError::Throttled(wait) => Refused::Throttled(wait),
                AuthError::Unavailable => Refused::Unavailable,
                AuthError::BadCredentials
                | AuthError::Malformed
                | AuthError::Unsupported
                | AuthError::Cancelled => Refused::Wrong,
            })
        })
    }
}
