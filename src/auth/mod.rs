//! Who may in: one user, a password (as SCRAM keys), app passwords, bearer tokens, and patience for
//! guessers.
//!
//! * [`Auth::login_plain`]: name and password (IMAP LOGIN, POP3 USER/PASS, HTTP Basic).
//! * [`Auth::sasl`]: PLAIN, LOGIN, SCRAM-SHA-256 and -PLUS as line exchanges.
//! * [`Auth::bearer`]: tokens for HTTP.
//! * [`Auth::apop`]: APOP, if a secret was stored for it.
//!
//! All of them go through one throttle (see `throttle.rs`) and never tell whether the name or the
//! password was wrong. Password checks are PBKDF2, at most two at a time, off the session's thread; the
//! last good password is remembered as a keyed hash until the process ends, so that a client's
//! reconnects cost nothing.
//!
//! An app password goes with the same names, and is checked in the same time: its keys share the
//! account's salt and iterations, so that one computation is compared with all of them.
//!
//! Log-in names: the user name or any own address, in any case ([`Config::is_user`]).
mod app;
mod error;
mod record;
pub mod sasl;
pub mod scram;
mod throttle;
mod token;
pub mod url;

use crate::config::Config;
use crate::limits;
use crate::net::Shutdown;
use crate::sys::{aside, clock, count, lock, random};
pub use app::{App, NewApp, Protocol, Protocols};
use async_io::Timer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use error::AuthError;
pub use record::Record;
pub use record::prepare;
use record::{Keys, equal, hmac_sha256};
use smol::lock::Semaphore;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use throttle::Throttle;
pub use token::Token;

/// A log-in that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user's name as configured, whatever form the client used.
    pub user: String,
    /// The bearer token's name, if one was used.
    pub token: Option<String>,
    /// The app password, if one was used.
    pub app: Option<Arc<App>>,
}

impl Grant {
    /// When a session of this log-in has to end: the app password expires then.
    pub fn deadline(&self) -> Option<Instant> {
        let expires = self.app.as_ref()?.principal.expires?;
        let left = expires.saturating_sub(clock::at_least());
        Some(Instant::now() + Duration::from_secs(u64::from(left)))
    }

    /// The user's name, with the app password's for the log.
    pub fn who(&self) -> String {
        match &self.app {
            Some(app) => format!("{} ({})", self.user, app.name()),
            None => self.user.clone(),
        }
    }
}

/// Who wants in, and by which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Where it is.
    pub ip: IpAddr,
    /// What it speaks.
    pub protocol: Protocol,
    /// `tls-exporter` of its connection (RFC 9266), where TLS gives one.
    pub binding: Option<[u8; 32]>,
}

/// For whom a SCRAM exchange is: the name given was the user's, and the app password of each
/// candidate; `None` is the password itself.
struct Found {
    is_user: bool,
    apps: Vec<Option<Arc<App>>>,
}

/// Small values kept in the store: what `auth` needs of it.
pub trait Settings: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// A sentence for the log.
    fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, String>;

    /// Sets a key durably.
    fn set_setting<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;
}

const KEY_PASSWORD: &str = "auth.password";
const KEY_APPS: &str = "auth.apps";
const KEY_TOKENS: &str = "auth.tokens";
const KEY_APOP: &str = "auth.apop";

/// The door.
pub struct Auth {
    config: Arc<Config>,
    settings: Arc<dyn Settings>,
    state: Mutex<State>,
    throttle: Mutex<Throttle>,
    checks: Semaphore,
    /// Held while what the store has is changed.
    changing: smol::lock::Mutex<()>,
    /// Made at each start; keys the hashes below.
    boot_key: [u8; 32],
    /// See [`Auth::listen`].
    revoked: event_listener::Event,
}

#[derive(Default)]
struct State {
    record: Option<Arc<Record>>,
    apps: Vec<Arc<App>>,
    tokens: Vec<Token>,
    apop: Option<String>,
    /// Keyed hashes of the last passwords that were right, one for each that exists.
    good: Vec<Good>,
    /// See [`Auth::keep`].
    kept: Vec<Kept>,
}

/// A new secret that waits for the device it is for.
struct Kept {
    hash: [u8; 32],
    secret: String,
    until: Instant,
}

/// A password that was right, and whether it is an app password.
struct Good {
    hash: [u8; 32],
    app: Option<Arc<App>>,
}

/// Leaves the throttle also when the client goes away while waiting.
struct Turn<'a> {
    auth: &'a Auth,
    peer: IpAddr,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.auth.throttle).leave(self.peer);
    }
}

impl Auth {
    /// Reads the account from the settings.
    ///
    /// # Errors
    /// A sentence, when the settings cannot be read or the system has no randomness.
    pub fn open(config: Arc<Config>, settings: Arc<dyn Settings>) -> Result<Auth, String> {
        let record = settings.setting(KEY_PASSWORD)?;
        let record = match record {
            Some(text) => Some(Arc::new(
                Record::decode(&text).ok_or("the stored password record is not readable")?,
            )),
            None => None,
        };
        let apps = app::decode(&settings.setting(KEY_APPS)?.unwrap_or_default());
        let tokens = token::decode(&settings.setting(KEY_TOKENS)?.unwrap_or_default());
        let apop = settings.setting(KEY_APOP)?.filter(|s| !s.is_empty());
        let apop = apop.and_then(|s| String::from_utf8(s).ok());
        Ok(Auth {
            throttle: Mutex::new(Throttle::new(config.max_login_failures)),
            config,
            settings,
            state: Mutex::new(State {
                record,
                apps,
                tokens,
                apop,
                good: Vec::new(),
                kept: Vec::new(),
            }),
            checks: Semaphore::new(limits::PASSWORD_CHECKS),
            changing: smol::lock::Mutex::new(()),
            boot_key: random::octets().map_err(|e| e.to_string())?,
            revoked: event_listener::Event::new(),
        })
    }

    /// The configuration that it was opened with.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether a password has been set.
    pub fn has_password(&self) -> bool {
        lock(&self.state).record.is_some()
    }

    /// Checks a name and a password.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`], [`AuthError::Throttled`], [`AuthError::Unavailable`];
    /// [`AuthError::NotHere`] and [`AuthError::Expired`] for an app password.
    pub async fn login_plain(
        &self,
        user: &str,
        password: &str,
        client: Client,
    ) -> Result<Grant, AuthError> {
        let peer = client.ip;
        let _turn = self.turn(peer, client.protocol).await?;
        let tried = self.keyed(&[user, "\0", password]);
        let mark = mark(&tried);
        if user.len() > limits::CREDENTIAL || password.len() > limits::CREDENTIAL {
            return Err(self.failed(peer, client.protocol, mark));
        }
        if lock(&self.throttle).is_repeated(peer, mark) {
            self.note_failure(peer, client.protocol);
            return Err(AuthError::BadCredentials);
        }
        // The password is checked for a wrong name too: the time taken must not tell.
        let mut right = self.find(password).await?;
        if right.is_none()
            && let Some(typed) = app::canonical(password).filter(|typed| typed != password)
        {
            right = self.find(&typed).await?.filter(Option::is_some);
        }
        match right {
            Some(app) if self.config.is_user(user) => {
                lock(&self.throttle).succeeded(peer);
                self.enter(app, client).await
            }
            _ => Err(self.failed(peer, client.protocol, mark)),
        }
    }

    /// Checks a SASL PLAIN message: `[authzid] NUL authcid NUL passwd` (RFC 4616 §2). The
    /// authorization identity may be left out or be the user.
    ///
    /// # Errors
    /// As [`login_plain`](Auth::login_plain), and [`AuthError::Malformed`].
    pub async fn sasl_plain(&self, message: &[u8], client: Client) -> Result<Grant, AuthError> {
        let message = std::str::from_utf8(message).map_err(|_| AuthError::Malformed)?;
        let mut parts = message.split('\0');
        let (Some(authzid), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthError::Malformed);
        };
        let grant = self.login_plain(user, password, client).await?;
        if authzid.is_empty() || self.config.is_user(authzid) {
            Ok(grant)
        } else {
            Err(AuthError::Unsupported)
        }
    }

    /// Starts a SASL exchange.
    pub fn sasl(self: &Arc<Self>, mechanism: sasl::Mechanism, client: Client) -> sasl::Exchange {
        sasl::Exchange::new(self.clone(), mechanism, client)
    }

    /// Checks a bearer token.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`], [`AuthError::Throttled`].
    pub async fn bearer(&self, token: &str, peer: IpAddr) -> Result<Grant, AuthError> {
        let _turn = self.turn(peer, Protocol::Jmap).await?;
        let name = lock(&self.state)
            .tokens
            .iter()
            .find(|t| t.is(token))
            .map(|t| t.name.clone());
        match name {
            Some(name) => {
                lock(&self.throttle).succeeded(peer);
                Ok(self.grant(Some(name)))
            }
            None => {
                let mark = mark(&self.keyed(&["bearer\0", token]));
                Err(self.failed(peer, Protocol::Jmap, mark))
            }
        }
    }

    /// Whether APOP can be offered: asked for by flag, and a secret is stored.
    pub fn has_apop(&self) -> bool {
        self.config.pop3.apop && lock(&self.state).apop.is_some()
    }

    /// Checks an APOP log-in (RFC 1939 §7): `is_right` is given the shared secret and says whether
    /// the client's digest was made with it.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`], [`AuthError::Throttled`], [`AuthError::Unsupported`] when
    /// there is no secret.
    pub async fn apop(
        &self,
        user: &str,
        is_right: impl FnOnce(&str) -> bool,
        peer: IpAddr,
    ) -> Result<Grant, AuthError> {
        if !self.has_apop() {
            return Err(AuthError::Unsupported);
        }
        let _turn = self.turn(peer, Protocol::Pop3).await?;
        let secret = lock(&self.state).apop.clone().unwrap_or_default();
        if is_right(&secret) && self.config.is_user(user) {
            lock(&self.throttle).succeeded(peer);
            Ok(self.grant(None))
        } else {
            Err(self.failed(peer, Protocol::Pop3, 0))
        }
    }

    // ------------------------------------------------------------ changing

    /// Sets the password, durably. `generated`: it has 128 random bits or more. While there are app
    /// passwords, salt and iterations stay: theirs are the same.
    ///
    /// # Errors
    /// A sentence.
    pub async fn set_password(&self, password: &str, generated: bool) -> Result<(), String> {
        if password.is_empty() || password.len() > limits::CREDENTIAL {
            return Err(format!("a password has 1 to {} octets", limits::CREDENTIAL));
        }
        let secret = password.to_owned();
        let _changing = self.changing.lock().await;
        let kept = {
            let state = lock(&self.state);
            state.record.clone().filter(|_| !state.apps.is_empty())
        };
        let record = aside(move || {
            if let Some(old) = kept {
                Ok(Record::derive(&secret, &old.salt, old.iterations))
            } else if generated {
                Record::for_random(&secret)
            } else {
                Record::calibrated(&secret)
            }
        })
        .await
        .map_err(|e| e.to_string())?;
        self.settings
            .set_setting(KEY_PASSWORD, record.encode().into_bytes())
            .await?;
        {
            let mut state = lock(&self.state);
            state.record = Some(Arc::new(record));
            state.good.clear();
        }
        // What was wrong until now may be right: a device that was told first.
        lock(&self.throttle).forget_tried();
        self.revoked.notify(usize::MAX);
        Ok(())
    }

    /// Sets or removes the secret of APOP, durably. It is stored as it is.
    ///
    /// # Errors
    /// A sentence.
    pub async fn set_apop(&self, secret: Option<&str>) -> Result<(), String> {
        let value = secret.unwrap_or_default().as_bytes().to_vec();
        self.settings.set_setting(KEY_APOP, value).await?;
        lock(&self.state).apop = secret.map(str::to_owned);
        Ok(())
    }

    /// The tokens that exist.
    pub fn tokens(&self) -> Vec<Token> {
        lock(&self.state).tokens.clone()
    }

    /// Makes a token, durably, and returns it: it is not stored and cannot be shown again.
    ///
    /// # Errors
    /// A sentence: the name is taken or not fit, or there are too many.
    pub async fn add_token(&self, name: &str) -> Result<String, String> {
        if !token::is_name(name) {
            return Err("a token's name has 1 to 64 printable characters".into());
        }
        let _changing = self.changing.lock().await;
        let mut tokens = self.tokens();
        if tokens.iter().any(|t| t.name == name) {
            return Err(format!(
                "a token named {name} exists already; revoke it first"
            ));
        }
        if tokens.len() >= limits::TOKENS {
            return Err(format!(
                "there are {} tokens already; revoke one first",
                limits::TOKENS
            ));
        }
        let secret = random::password().map_err(|e| e.to_string())?;
        tokens.push(Token::new(name, &secret, now()));
        self.store_tokens(tokens).await?;
        Ok(secret)
    }

    /// Revokes a token, durably.
    ///
    /// # Errors
    /// A sentence: there is none of that name.
    pub async fn revoke_token(&self, name: &str) -> Result<(), String> {
        let _changing = self.changing.lock().await;
        let mut tokens = self.tokens();
        let at = tokens.iter().position(|t| t.name == name);
        let at = at.ok_or_else(|| format!("there is no token named {name}"))?;
        let gone = tokens.remove(at);
        self.store_tokens(tokens).await?;
        gone.gone.throw();
        self.revoked.notify(usize::MAX);
        Ok(())
    }

    /// What a log-in was made with, as a name that means the same until it is revoked or changed, and
    /// nothing else ever.
    pub fn credential(&self, grant: &Grant) -> String {
        match (&grant.app, &grant.token) {
            (Some(app), _) => format!("a {} {}", app.created, app.name()),
            (None, Some(name)) => {
                let created = self.token(name).map_or(0, |token| token.created);
                format!("t {created} {name}")
            }
            (None, None) => {
                let record = lock(&self.state).record.clone();
                let mark = record.map(|record| record::sha256(&record.keys.stored));
                let mark = mark.and_then(|mark| mark.first_chunk().copied());
                format!("p {:016x}", mark.map_or(0, u64::from_be_bytes))
            }
        }
    }

    /// Whether something can still be logged in with; see [`Auth::credential`].
    pub fn is_current(&self, credential: &str) -> bool {
        let mut grant = self.grant(None);
        let name = credential.splitn(3, ' ').nth(2).unwrap_or_default();
        match credential.split(' ').next() {
            Some("a") => {
                let apps = self.apps();
                grant.app = apps.into_iter().find(|app| app.name() == name);
                let alive = |app: &Arc<App>| app.principal.is_alive();
                grant.app.as_ref().is_some_and(alive) && self.credential(&grant) == credential
            }
            Some("t") => {
                grant.token = self.token(name).map(|token| token.name);
                grant.token.is_some() && self.credential(&grant) == credential
            }
            _ => self.credential(&grant) == credential,
        }
    }

    /// Thrown when what a log-in was made with is revoked.
    pub fn end_of(&self, grant: &Grant) -> Shutdown {
        match (&grant.app, &grant.token) {
            (Some(app), _) => app.gone.clone(),
            (None, Some(name)) => self.token(name).map(|t| t.gone).unwrap_or_default(),
            (None, None) => Shutdown::new(),
        }
    }

    /// Resolves when a token or an app password is revoked, or the password changed.
    pub fn listen(&self) -> event_listener::EventListener {
        self.revoked.listen()
    }

    fn token(&self, name: &str) -> Option<Token> {
        self.tokens().into_iter().find(|token| token.name == name)
    }

    async fn store_tokens(&self, tokens: Vec<Token>) -> Result<(), String> {
        self.settings
            .set_setting(KEY_TOKENS, token::encode(&tokens))
            .await?;
        lock(&self.state).tokens = tokens;
        Ok(())
    }

    /// The app passwords that exist.
    pub fn apps(&self) -> Vec<Arc<App>> {
        lock(&self.state).apps.clone()
    }

    /// Whether an app password of this name can be made.
    ///
    /// # Errors
    /// A sentence: the name is taken or not fit, there are too many, or there is no account yet.
    pub fn is_free(&self, name: &str) -> Result<(), String> {
        if !app::is_name(name) || self.config.is_user(name) {
            return Err(
                "an app password's name has 1 to 64 printable characters, does not begin with - and \
                 is neither the user's nor \"anyone\""
                    .into(),
            );
        }
        let apps = self.apps();
        if apps.iter().any(|app| app.name() == name) {
            return Err(format!(
                "an app password named {name} exists already; revoke it first"
            ));
        }
        if apps.len() >= limits::APPS {
            return Err(format!(
                "there are {} app passwords already; revoke one first",
                limits::APPS
            ));
        }
        if !self.has_password() {
            return Err("there is no account yet: start the server once, or run init".into());
        }
        Ok(())
    }

    /// Makes an app password, durably, and returns the secret: it is not stored and cannot be shown
    /// again.
    ///
    /// # Errors
    /// As for [`is_free`](Auth::is_free).
    pub async fn add_app(&self, new: &NewApp) -> Result<String, String> {
        let _changing = self.changing.lock().await;
        self.is_free(&new.name)?;
        let record = lock(&self.state).record.clone();
        let record = record.ok_or("there is no account yet")?;
        let secret = app::secret().map_err(|e| e.to_string())?;
        let typed = secret.clone();
        let keys = aside(move || record.keys_of(&typed)).await;
        let mut apps = self.apps();
        apps.push(Arc::new(App::new(new, keys, now())));
        self.store_apps(apps).await?;
        lock(&self.throttle).forget_tried();
        Ok(secret)
    }

    /// Revokes an app password, durably; whoever came in by it is out.
    ///
    /// # Errors
    /// A sentence: there is none of that name.
    pub async fn revoke_app(&self, name: &str) -> Result<(), String> {
        let _changing = self.changing.lock().await;
        let mut apps = self.apps();
        let at = apps.iter().position(|app| app.name() == name);
        let at = at.ok_or_else(|| format!("there is no app password named {name}"))?;
        let gone = apps.remove(at);
        self.store_apps(apps).await?;
        gone.revoke();
        self.revoked.notify(usize::MAX);
        Ok(())
    }

    /// Keeps a secret, in memory alone, for [`limits::LINK_TIME`]: whoever comes with the key that is
    /// returned gets it, once.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn keep(&self, secret: &str) -> Result<String, String> {
        let key = random::password().map_err(|e| e.to_string())?;
        let hash = self.keyed(&["link\0", &key]);
        let state = &mut lock(&self.state);
        state.kept.retain(|kept| kept.until > Instant::now());
        if state.kept.len() >= limits::LINKS {
            state.kept.remove(0);
        }
        state.kept.push(Kept {
            hash,
            secret: secret.to_owned(),
            until: Instant::now() + limits::LINK_TIME,
        });
        Ok(key)
    }

    /// The secret that is kept for this key; it is not kept any longer.
    pub fn redeem(&self, key: &str) -> Option<String> {
        let hash = self.keyed(&["link\0", key]);
        let kept = &mut lock(&self.state).kept;
        kept.retain(|kept| kept.until > Instant::now());
        let at = kept.iter().position(|kept| kept.hash == hash)?;
        Some(kept.remove(at).secret)
    }

    /// Stores when app passwords were last used, if the store does not know; before the server stops.
    pub async fn remember_use(&self) {
        let _changing = self.changing.lock().await;
        let apps = self.apps();
        if apps.iter().any(|app| app.is_unsaved())
            && let Err(e) = self.store_apps(apps).await
        {
            log::warn!("the last use of app passwords could not be stored: {e}");
        }
    }

    async fn store_apps(&self, apps: Vec<Arc<App>>) -> Result<(), String> {
        self.settings
            .set_setting(KEY_APPS, app::encode(&apps))
            .await?;
        app::stored(&apps);
        let mut state = lock(&self.state);
        state.good.retain(|good| match &good.app {
            Some(app) => apps.iter().any(|other| Arc::ptr_eq(app, other)),
            None => true,
        });
        state.apps = apps;
        Ok(())
    }

    // ------------------------------------------------------------ inside

    fn grant(&self, token: Option<String>) -> Grant {
        Grant {
            user: self.config.user.clone(),
            token,
            app: None,
        }
    }

    /// Lets somebody in who has shown a secret: an app password may be for something else, or for
    /// another time.
    async fn enter(&self, app: Option<Arc<App>>, client: Client) -> Result<Grant, AuthError> {
        if let Some(app) = &app {
            let now = now();
            if app.gone.is_thrown() {
                return Err(AuthError::BadCredentials);
            }
            if !app.principal.is_alive() {
                return Err(AuthError::Expired);
            }
            if !app.protocols.has(client.protocol) {
                return Err(AuthError::NotHere(client.protocol.name()));
            }
            if app.note_used(now) {
                self.remember_use().await;
            }
        }
        Ok(Grant {
            app,
            ..self.grant(None)
        })
    }

    /// Waits for this address' turn.
    async fn turn(&self, peer: IpAddr, protocol: Protocol) -> Result<Turn<'_>, AuthError> {
        let entered = lock(&self.throttle).enter(peer, Instant::now());
        let delay = entered.map_err(|wait| {
            self.note_failure(peer, protocol);
            AuthError::Throttled(wait)
        })?;
        let turn = Turn { auth: self, peer };
        if !delay.is_zero() {
            Timer::after(delay).await;
        }
        Ok(turn)
    }

    fn failed(&self, peer: IpAddr, protocol: Protocol, mark: u64) -> AuthError {
        lock(&self.throttle).failed(peer, mark, Instant::now());
        self.note_failure(peer, protocol);
        AuthError::BadCredentials
    }

    /// Every log-in that fails passes here, whether it was looked at or not.
    fn note_failure(&self, peer: IpAddr, protocol: Protocol) {
        count::add(count::Of::LoginsFailed, protocol as usize, 1);
        lock(&self.throttle).note(peer);
    }

    /// The log-ins that failed since the last call with `forget`: how many, and the addresses with most of
    /// them.
    pub fn failures(&self, forget: bool) -> (u32, Vec<(IpAddr, u32)>) {
        lock(&self.throttle).noted(forget)
    }

    fn keyed(&self, parts: &[&str]) -> [u8; 32] {
        hmac_sha256(&self.boot_key, parts.concat().as_bytes())
    }

    /// Whose password this is: the account's own (`None` inside), or an app password.
    async fn find(&self, password: &str) -> Result<Option<Option<Arc<App>>>, AuthError> {
        let hash = self.keyed(&["password\0", &record::prepare(password)]);
        let record = {
            let state = lock(&self.state);
            let known = state.good.iter().find(|good| equal(&good.hash, &hash));
            if let Some(good) = known {
                return Ok(Some(good.app.clone()));
            }
            state.record.clone().ok_or(AuthError::Unavailable)?
        };
        let _slot = self.checks.acquire().await;
        let secret = password.to_owned();
        let made = record.clone();
        let keys = aside(move || made.keys_of(&secret)).await;
        let mut state = lock(&self.state);
        // The password may have been changed meanwhile, and with it the salt.
        let same = |now: &Arc<Record>| Arc::ptr_eq(now, &record);
        let Some(record) = state.record.clone().filter(same) else {
            return Ok(None);
        };
        let mut found = None;
        for (stored, app) in candidates(&record, &state.apps) {
            if equal(&stored.stored, &keys.stored) {
                found = Some(app);
            }
        }
        if let Some(app) = &found {
            state.good.retain(|good| good.app != *app);
            let app = app.clone();
            state.good.push(Good { hash, app });
        }
        Ok(found)
    }

    /// The server's first SCRAM message, with the state and whom the client's name stands for.
    fn scram_first(
        &self,
        message: &[u8],
        binding: scram::Binding,
    ) -> Result<(scram::Server, Found, String), AuthError> {
        let nonce: [u8; 18] = random::octets().map_err(|_| AuthError::Unavailable)?;
        let nonce = STANDARD.encode(nonce);
        let mut found = Found {
            is_user: false,
            apps: Vec::new(),
        };
        let (server, answer) = scram::Server::first(message, &nonce, binding, |user| {
            let (known, secrets) = self.scram_candidates(user)?;
            found = known;
            Ok(secrets)
        })?;
        Ok((server, found, answer))
    }

    /// What the user may log in by; for another name something that looks the same each time and fits
    /// nothing.
    fn scram_candidates(&self, user: &str) -> Result<(Found, scram::Candidates), AuthError> {
        let state = lock(&self.state);
        let record = state.record.clone().ok_or(AuthError::Unavailable)?;
        let (mut keys, mut apps) = (Vec::new(), Vec::new());
        for (stored, app) in candidates(&record, &state.apps) {
            keys.push(stored.clone());
            apps.push(app);
        }
        let is_user = self.config.is_user(user);
        let mut salt = record.salt.clone();
        if !is_user {
            let fake = self.keyed(&["salt\0", user]);
            salt = fake.get(..16).unwrap_or_default().to_vec();
            keys.fill(Keys {
                stored: self.keyed(&["stored\0", user]),
                server: self.keyed(&["server\0", user]),
            });
        }
        let found = Found { is_user, apps };
        let secrets = scram::Candidates {
            salt,
            iterations: record.iterations.get(),
            keys,
        };
        Ok((found, secrets))
    }

    async fn scram_last(
        &self,
        server: scram::Server,
        found: Found,
        message: &[u8],
        client: Client,
    ) -> Result<(Option<Arc<App>>, String), AuthError> {
        let _turn = self.turn(client.ip, client.protocol).await?;
        match server.last(message) {
            Ok((number, verifier)) if found.is_user => {
                lock(&self.throttle).succeeded(client.ip);
                Ok((found.apps.get(number).cloned().flatten(), verifier))
            }
            Err(AuthError::Malformed) => Err(AuthError::Malformed),
            _ => Err(self.failed(client.ip, client.protocol, 0)),
        }
    }
}

/// Every secret of the account: the password's keys, then those of the app passwords.
fn candidates<'a>(
    record: &'a Record,
    apps: &'a [Arc<App>],
) -> impl Iterator<Item = (&'a Keys, Option<Arc<App>>)> {
    let apps = apps.iter().map(|app| (&app.keys, Some(app.clone())));
    std::iter::once((&record.keys, None)).chain(apps)
}

/// A short form of a keyed hash, never zero.
fn mark(hash: &[u8; 32]) -> u64 {
    hash.iter()
        .take(8)
        .fold(0, |mark, b| mark << 8 | u64::from(*b))
        .max(1)
}

fn now() -> i64 {
    i64::from(clock::now())
}

#[cfg(test)]
pub mod tests;
