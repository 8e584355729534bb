//! SASL exchanges (RFC 4422) as IMAP, SMTP and POP3 all carry them: base64 lines.
//!
//! PLAIN (RFC 4616), LOGIN (as clients speak it), SCRAM-SHA-256 with and without -PLUS (RFC 7677).
use super::app::App;
use super::scram::{self, Binding};
use super::{Auth, AuthError, Client, Grant};
use crate::limits;
use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::sync::Arc;

/// Decodes with and without padding: some clients leave it away.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What to say next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Send this base64 text as the challenge (after `+ ` or `334 `) and read the next line.
    Challenge(String),
    /// The client is who it says.
    Done(Grant),
}

/// A mechanism we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 7677, bound to the TLS connection (RFC 9266): only where [`Client::binding`] is there.
    ScramSha256Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 4616. Shows the password: only where `Ctx::may_show_password` allows it.
    Plain,
    /// Obsolete and common. Shows the password too.
    Login,
}

impl Mechanism {
    /// All, best first.
    pub const ALL: [Mechanism; 4] = [
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::Plain,
        Mechanism::Login,
    ];

    /// Those to be offered, best first: `bound` where there is channel binding, `shown` where a
    /// password may cross the wire.
    pub fn offered(bound: bool, shown: bool) -> impl Iterator<Item = Mechanism> {
        Mechanism::ALL.into_iter().filter(move |m| match m {
            Mechanism::ScramSha256Plus => bound,
            Mechanism::ScramSha256 => true,
            Mechanism::Plain | Mechanism::Login => shown,
        })
    }

    /// By its registered name, in any case.
    pub fn find(name: &[u8]) -> Option<Mechanism> {
        Mechanism::ALL
            .into_iter()
            .find(|m| m.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
        }
    }

    /// Whether the password itself crosses the wire.
    pub fn shows_password(self) -> bool {
        matches!(self, Mechanism::Plain | Mechanism::Login)
    }
}

enum State {
    Start(Mechanism),
    LoginName,
    LoginPassword(String),
    ScramFinal(Box<scram::Server>, super::Found),
    ScramDone(Option<Arc<App>>),
    Over,
}

/// One exchange. Feed it lines until it is [`Step::Done`] or an error.
pub struct Exchange {
    auth: Arc<Auth>,
    client: Client,
    state: State,
}

impl Exchange {
    pub(super) fn new(auth: Arc<Auth>, mechanism: Mechanism, client: Client) -> Exchange {
        Exchange {
            auth,
            client,
            state: State::Start(mechanism),
        }
    }

    /// Takes the client's next line in base64, or at the start its initial response, if it sent
    /// one (`=` alone is an empty one, RFC 4954 §4). `*` alone cancels.
    ///
    /// # Errors
    /// How the exchange failed; it is over then.
    pub async fn step(&mut self, line: Option<&[u8]>) -> Result<Step, AuthError> {
        let starting = matches!(self.state, State::Start(_));
        let response = match line {
            Some(b"*") => return Err(AuthError::Cancelled),
            Some(b"=") if starting => Some(Vec::new()),
            Some(line) if line.len() > limits::CREDENTIAL * 2 => return Err(AuthError::Malformed),
            Some(line) => Some(LENIENT.decode(line).map_err(|_| AuthError::Malformed)?),
            None => None,
        };
        match (std::mem::replace(&mut self.state, State::Over), response) {
            (State::Start(Mechanism::Login), None) => {
                self.state = State::LoginName;
                Ok(challenge("Username:"))
            }
            (State::Start(Mechanism::Login) | State::LoginName, Some(name)) => {
                self.state = State::LoginPassword(text(name)?);
                Ok(challenge("Password:"))
            }
            (State::LoginPassword(name), Some(password)) => {
                let password = text(password)?;
                self.auth
                    .login_plain(&name, &password, self.client)
                    .await
                    .map(Step::Done)
            }
            (State::Start(mechanism), None) => {
                self.state = State::Start(mechanism);
                Ok(Step::Challenge(String::new()))
            }
            (State::Start(Mechanism::Plain), Some(response)) => self
                .auth
                .sasl_plain(&response, self.client)
                .await
                .map(Step::Done),
            (State::Start(Mechanism::ScramSha256), Some(response)) => {
                // RFC 5802 §6: whoever could have bound and says it was not told is refused.
                let binding = match self.client.binding {
                    Some(_) => Binding::Offered,
                    None => Binding::None,
                };
                self.scram_first(&response, binding)
            }
            (State::Start(Mechanism::ScramSha256Plus), Some(response)) => {
                let data = self.client.binding.ok_or(AuthError::Unsupported)?;
                self.scram_first(&response, Binding::Exporter(data))
            }
            (State::ScramFinal(server, found), Some(response)) => {
                let (app, verifier) = self
                    .auth
                    .scram_last(*server, found, &response, self.client)
                    .await?;
                self.state = State::ScramDone(app);
                Ok(challenge(&verifier))
            }
            (State::ScramDone(app), Some(response)) if response.is_empty() => {
                Ok(Step::Done(self.auth.enter(app, self.client).await?))
            }
            _ => Err(AuthError::Malformed),
        }
    }

    fn scram_first(&mut self, response: &[u8], binding: Binding) -> Result<Step, AuthError> {
        let (server, found, answer) = self.auth.scram_first(response, binding)?;
        self.state = State::ScramFinal(Box::new(server), found);
        Ok(challenge(&answer))
    }
}

fn challenge(text: &str) -> Step {
    Step::Challenge(STANDARD.encode(text))
}

fn text(octets: Vec<u8>) -> Result<String, AuthError> {
    String::from_utf8(octets).map_err(|_| AuthError::Malformed)
}
