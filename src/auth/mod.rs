//! Who may in: one user, a password (as SCRAM keys), bearer tokens, and patience for guessers.
//!
//! * [`Auth::login_plain`]: name and password (IMAP LOGIN, POP3 USER/PASS, HTTP Basic).
//! * [`Auth::sasl`]: PLAIN, LOGIN, SCRAM-SHA-256 as line exchanges.
//! * [`Auth::bearer`]: tokens for HTTP.
//! * [`Auth::apop`]: APOP, if a secret was stored for it.
//!
//! All of them go through one throttle (see `throttle.rs`) and never tell whether the name or the
//! password was wrong. Password checks are PBKDF2, at most two at a time, off the session's thread; the
//! last good password is remembered as a keyed hash until the process ends, so that a client's
//! reconnects cost nothing.
//!
//! Log-in names: the user name or any own address, in any case ([`Config::is_user`]).
mod error;
mod record;
pub mod sasl;
pub mod scram;
mod throttle;
mod token;

use crate::config::Config;
use crate::limits;
use crate::sys::{lock, random};
use async_io::Timer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use error::AuthError;
pub use record::Record;
use record::{equal, hmac_sha256};
use smol::lock::Semaphore;
use std::future::Future;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use throttle::Throttle;
pub use token::Token;

/// A log-in that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The user's name as configured, whatever form the client used.
    pub user: String,
    /// The bearer token's name, if one was used.
    pub token: Option<String>,
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
const KEY_TOKENS: &str = "auth.tokens";
const KEY_APOP: &str = "auth.apop";

/// The door.
pub struct Auth {
    config: Arc<Config>,
    settings: Arc<dyn Settings>,
    state: Mutex<State>,
    throttle: Mutex<Throttle>,
    checks: Semaphore,
    /// Made at each start; keys the hashes below.
    boot_key: [u8; 32],
}

#[derive(Default)]
struct State {
    record: Option<Arc<Record>>,
    tokens: Vec<Token>,
    apop: Option<String>,
    /// Keyed hash of the last password that was right.
    good: Option<[u8; 32]>,
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
        let tokens = token::decode(&settings.setting(KEY_TOKENS)?.unwrap_or_default());
        let apop = settings.setting(KEY_APOP)?.filter(|s| !s.is_empty());
        let apop = apop.and_then(|s| String::from_utf8(s).ok());
        Ok(Auth {
            throttle: Mutex::new(Throttle::new(config.max_login_failures)),
            config,
            settings,
            state: Mutex::new(State {
                record,
                tokens,
                apop,
                good: None,
            }),
            checks: Semaphore::new(limits::PASSWORD_CHECKS),
            boot_key: random::octets().map_err(|e| e.to_string())?,
        })
    }

    /// Whether a password has been set.
    pub fn has_password(&self) -> bool {
        lock(&self.state).record.is_some()
    }

    /// Checks a name and a password.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`], [`AuthError::Throttled`], [`AuthError::Unavailable`].
    pub async fn login_plain(
        &self,
        user: &str,
        password: &str,
        peer: IpAddr,
    ) -> Result<Grant, AuthError> {
        let _turn = self.turn(peer).await?;
        let tried = self.keyed(&[user, "\0", password]);
        let mark = mark(&tried);
        if user.len() > limits::CREDENTIAL || password.len() > limits::CREDENTIAL {
            return Err(self.failed(peer, mark));
        }
        if lock(&self.throttle).is_repeated(peer, mark) {
            return Err(AuthError::BadCredentials);
        }
        // The password is checked for a wrong name too: the time taken must not tell.
        let right = self.is_password(password).await?;
        if right && self.config.is_user(user) {
            lock(&self.throttle).succeeded(peer);
            Ok(self.grant(None))
        } else {
            Err(self.failed(peer, mark))
        }
    }

    /// Checks a SASL PLAIN message: `[authzid] NUL authcid NUL passwd` (RFC 4616 §2). The
    /// authorization identity may be left out or be the user.
    ///
    /// # Errors
    /// As [`login_plain`](Auth::login_plain), and [`AuthError::Malformed`].
    pub async fn sasl_plain(&self, message: &[u8], peer: IpAddr) -> Result<Grant, AuthError> {
        let message = std::str::from_utf8(message).map_err(|_| AuthError::Malformed)?;
        let mut parts = message.split('\0');
        let (Some(authzid), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthError::Malformed);
        };
        let grant = self.login_plain(user, password, peer).await?;
        if authzid.is_empty() || self.config.is_user(authzid) {
            Ok(grant)
        } else {
            Err(AuthError::Unsupported)
        }
    }

    /// Starts a SASL exchange.
    pub fn sasl(self: &Arc<Self>, mechanism: sasl::Mechanism, peer: IpAddr) -> sasl::Exchange {
        sasl::Exchange::new(self.clone(), mechanism, peer)
    }

    /// Checks a bearer token.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`], [`AuthError::Throttled`].
    pub async fn bearer(&self, token: &str, peer: IpAddr) -> Result<Grant, AuthError> {
        let _turn = self.turn(peer).await?;
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
            None => Err(self.failed(peer, mark(&self.keyed(&["bearer\0", token])))),
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
        let _turn = self.turn(peer).await?;
        let secret = lock(&self.state).apop.clone().unwrap_or_default();
        if is_right(&secret) && self.config.is_user(user) {
            lock(&self.throttle).succeeded(peer);
            Ok(self.grant(None))
        } else {
            Err(self.failed(peer, 0))
        }
    }

    // ------------------------------------------------------------ changing

    /// Sets the password, durably. `generated`: it has 128 random bits or more.
    ///
    /// # Errors
    /// A sentence.
    pub async fn set_password(&self, password: &str, generated: bool) -> Result<(), String> {
        if password.is_empty() || password.len() > limits::CREDENTIAL {
            return Err(format!("a password has 1 to {} octets", limits::CREDENTIAL));
        }
        let secret = password.to_owned();
        let record = smol::unblock(move || {
            if generated {
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
            state.good = None;
        }
        // What was wrong until now may be right: a device that was told first.
        lock(&self.throttle).forget_tried();
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
        let mut tokens = self.tokens();
        let before = tokens.len();
        tokens.retain(|t| t.name != name);
        if tokens.len() == before {
            return Err(format!("there is no token named {name}"));
        }
        self.store_tokens(tokens).await
    }

    async fn store_tokens(&self, tokens: Vec<Token>) -> Result<(), String> {
        self.settings
            .set_setting(KEY_TOKENS, token::encode(&tokens))
            .await?;
        lock(&self.state).tokens = tokens;
        Ok(())
    }

    // ------------------------------------------------------------ inside

    fn grant(&self, token: Option<String>) -> Grant {
        Grant {
            user: self.config.user.clone(),
            token,
        }
    }

    /// Waits for this address' turn.
    async fn turn(&self, peer: IpAddr) -> Result<Turn<'_>, AuthError> {
        let delay = lock(&self.throttle)
            .enter(peer, Instant::now())
            .map_err(AuthError::Throttled)?;
        let turn = Turn { auth: self, peer };
        if !delay.is_zero() {
            Timer::after(delay).await;
        }
        Ok(turn)
    }

    fn failed(&self, peer: IpAddr, mark: u64) -> AuthError {
        lock(&self.throttle).failed(peer, mark, Instant::now());
        AuthError::BadCredentials
    }

    fn keyed(&self, parts: &[&str]) -> [u8; 32] {
        hmac_sha256(&self.boot_key, parts.concat().as_bytes())
    }

    async fn is_password(&self, password: &str) -> Result<bool, AuthError> {
        let hash = self.keyed(&["password\0", &record::prepare(password)]);
        let (record, good) = {
            let state = lock(&self.state);
            (
                state.record.clone().ok_or(AuthError::Unavailable)?,
                state.good,
            )
        };
        if good.is_some_and(|good| equal(&good, &hash)) {
            return Ok(true);
        }
        let _slot = self.checks.acquire().await;
        let secret = password.to_owned();
        let checked = record.clone();
        let right = smol::unblock(move || checked.matches(&secret)).await;
        if right {
            let mut state = lock(&self.state);
            // Not if the password was changed meanwhile.
            if state
                .record
                .as_ref()
                .is_some_and(|r| Arc::ptr_eq(r, &record))
            {
                state.good = Some(hash);
            }
        }
        Ok(right)
    }

    /// The server's first SCRAM message, with the state and the name in the client's.
    fn scram_first(&self, message: &[u8]) -> Result<(scram::Server, String, String), AuthError> {
        let nonce: [u8; 18] = random::octets().map_err(|_| AuthError::Unavailable)?;
        let mut name = String::new();
        let (server, answer) = scram::Server::first(message, &STANDARD.encode(nonce), |user| {
            name = user.to_owned();
            self.scram_record(user)
        })?;
        Ok((server, name, answer))
    }

    /// The user's record; for another name one that looks the same each time and fits nothing.
    fn scram_record(&self, user: &str) -> Result<Record, AuthError> {
        let record = lock(&self.state)
            .record
            .clone()
            .ok_or(AuthError::Unavailable)?;
        if self.config.is_user(user) {
            return Ok(Record::clone(&record));
        }
        let fake = self.keyed(&["salt\0", user]);
        Ok(Record {
            salt: fake.get(..16).unwrap_or_default().to_vec(),
            iterations: NonZeroU32::max(record.iterations, NonZeroU32::MIN),
            stored_key: self.keyed(&["stored\0", user]),
            server_key: self.keyed(&["server\0", user]),
        })
    }

    async fn scram_last(
        &self,
        server: scram::Server,
        user: &str,
        message: &[u8],
        peer: IpAddr,
    ) -> Result<String, AuthError> {
        let _turn = self.turn(peer).await?;
        match server.last(message) {
            Ok(verifier) if self.config.is_user(user) => {
                lock(&self.throttle).succeeded(peer);
                Ok(verifier)
            }
            Err(AuthError::Malformed) => Err(AuthError::Malformed),
            _ => Err(self.failed(peer, 0)),
        }
    }
}

/// A short form of a keyed hash, never zero.
fn mark(hash: &[u8; 32]) -> u64 {
    hash.iter()
        .take(8)
        .fold(0, |mark, b| mark << 8 | u64::from(*b))
        .max(1)
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
