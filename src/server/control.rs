//! The control socket beside the store: how `passwd` and `token` reach a running server.
//!
//! `<db>.sock`, mode 0600. One connection, one request line, one answer: `ok` and perhaps more
//! lines, or `error` and a sentence. Arguments are base64, so that they may hold anything.
use super::{Failure, Kind};
use crate::auth::Auth;
use crate::limits;
use async_io::{Async, Timer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A Unix socket's path has 108 octets, the last being NUL (unix(7)).
const PATH: usize = 107;

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A new password.
    Password(String),
    /// A secret for APOP; empty removes it.
    Apop(String),
    /// A new token of this name; the answer is the token.
    TokenAdd(String),
    /// The tokens' names, with the second of their making.
    TokenList,
    /// No more of this name.
    TokenRevoke(String),
}

impl Request {
    fn encode(&self) -> String {
        let (verb, argument) = match self {
            Request::Password(password) => ("password", password.as_str()),
            Request::Apop(secret) => ("apop", secret.as_str()),
            Request::TokenAdd(name) => ("token-add", name.as_str()),
            Request::TokenList => ("token-list", ""),
            Request::TokenRevoke(name) => ("token-revoke", name.as_str()),
        };
        format!("{verb} {}\n", STANDARD.encode(argument))
    }

    fn decode(line: &str) -> Option<Request> {
        let (verb, argument) = line
            .trim_end()
            .split_once(' ')
            .unwrap_or((line.trim_end(), ""));
        let argument = String::from_utf8(STANDARD.decode(argument).ok()?).ok()?;
        Some(match verb {
            "password" => Request::Password(argument),
            "apop" => Request::Apop(argument),
            "token-add" => Request::TokenAdd(argument),
            "token-list" => Request::TokenList,
            "token-revoke" => Request::TokenRevoke(argument),
            _ => return None,
        })
    }

    /// Does it.
    ///
    /// # Errors
    /// A sentence.
    pub async fn run(&self, auth: &Auth) -> Result<Vec<String>, String> {
        match self {
            Request::Password(password) => auth.set_password(password, false).await?,
            Request::Apop(secret) => {
                auth.set_apop(Some(secret.as_str()).filter(|s| !s.is_empty()))
                    .await?;
            }
            Request::TokenAdd(name) => return Ok(vec![auth.add_token(name).await?]),
            Request::TokenList => {
                let tokens = auth.tokens();
                return Ok(tokens
                    .iter()
                    .map(|t| format!("{} {}", t.created, t.name))
                    .collect());
            }
            Request::TokenRevoke(name) => auth.revoke_token(name).await?,
        }
        Ok(Vec::new())
    }
}

/// The socket's path for a store.
pub fn path_of(db: &Path) -> PathBuf {
    let mut path = db.as_os_str().to_owned();
    path.push(".sock");
    path.into()
}

/// Runs `with` on a name of `path` that is short enough for a socket: a long one goes through
/// a descriptor of its directory.
fn short<T>(path: &Path, with: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= PATH {
        return with(path);
    }
    let directory = File::open(path.parent().unwrap_or(Path::new("/")))?;
    let name = path.file_name().unwrap_or_default();
    with(&PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name))
}

/// The socket, bound; removed again on drop.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Binds it. A socket that is there already is stale: whoever has the store's lock is the
    /// only server.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(db: &Path) -> io::Result<Control> {
        let path = path_of(db);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = short(&path, |path| UnixListener::bind(path))?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        Ok(Control { listener, path })
    }

    /// Answers requests, one at a time, for ever.
    ///
    /// # Errors
    /// When the socket cannot be listened on.
    pub async fn serve(&self, auth: &Auth) -> io::Result<()> {
        let listener = Async::new(self.listener.try_clone()?)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                Timer::after(limits::ACCEPT_PAUSE).await;
                continue;
            };
            let late = async {
                Timer::after(Duration::from_secs(30)).await;
                Ok(())
            };
            if let Err(e) = answer(stream, auth).or(late).await {
                log::debug!("control: {e}");
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(mut stream: Async<UnixStream>, auth: &Auth) -> io::Result<()> {
    let mut line = Vec::new();
    let mut chunk = [0; 512];
    while !line.contains(&b'\n') && line.len() < limits::CREDENTIAL * 2 {
        match stream.read(&mut chunk).await? {
            0 => return Ok(()),
            n => line.extend_from_slice(chunk.get(..n).unwrap_or_default()),
        }
    }
    let request = Request::decode(&String::from_utf8_lossy(&line));
    let done = match &request {
        Some(request) => request.run(auth).await,
        None => Err("the running server does not know this request; is it another version?".into()),
    };
    let reply = match done {
        Ok(lines) => std::iter::once("ok\n".to_owned())
            .chain(lines.into_iter().map(|line| line + "\n"))
            .collect::<String>(),
        Err(why) => format!("error {why}\n"),
    };
    stream.write_all(reply.as_bytes()).await
}

/// Asks the server that has this store open. `None`: there is none.
///
/// # Errors
/// [`Kind::Control`]: it refused, with its sentence, or did not answer.
pub fn ask(db: &Path, request: &Request) -> Result<Option<Vec<String>>, Failure> {
    let Ok(mut stream) = short(&path_of(db), |path| UnixStream::connect(path)) else {
        return Ok(None);
    };
    let silent = |e: io::Error| {
        Failure::new(
            Kind::Control,
            format!("the running server does not answer: {e}"),
        )
    };
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .map_err(silent)?;
    stream
        .write_all(request.encode().as_bytes())
        .map_err(silent)?;
    let reader = BufReader::new(stream.take(64 * 1024));
    let mut lines = reader.lines();
    match lines.next() {
        Some(Ok(first)) if first == "ok" => {
            lines.collect::<Result<_, _>>().map(Some).map_err(silent)
        }
        Some(Ok(first)) => {
            let why = first.strip_prefix("error ").unwrap_or(&first);
            Err(Failure::new(Kind::Control, why))
        }
        Some(Err(e)) => Err(silent(e)),
        None => Err(silent(io::ErrorKind::UnexpectedEof.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_round_trip() {
        for request in [
            Request::Password("a b\nc".into()),
            Request::Apop(String::new()),
            Request::TokenAdd("my phone".into()),
            Request::TokenList,
            Request::TokenRevoke("ü".into()),
        ] {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        for bad in ["", "x", "password !", "password /w=="] {
            assert_eq!(Request::decode(bad), None);
        }
    }
}
