//! The control socket beside the store: how `passwd`, `token`, `alias` and the like reach a running
//! server.
//!
//! `<db>.sock`, mode 0600. One connection, one request line, one answer: `ok` and perhaps more
//! lines, or `error` and a sentence. Arguments are base64, so that they may hold anything.
use super::{Failure, Kind, job};
use crate::auth::{App, Auth, NewApp, Protocols};
use crate::limits;
use crate::mail::outbound::Order;
use crate::mail::{self, Mail, Rights};
use crate::queue::{keys, order};
use crate::sys::{aside, task};
use async_io::{Async, Timer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use smol::LocalExecutor;
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::lock::Mutex;
use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A Unix socket's path has 108 octets, the last being NUL (unix(7)).
const PATH: usize = 107;

/// What can be asked. Those with an argument say what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// A new password: it.
    Password,
    /// A secret for APOP: it; empty removes it.
    Apop,
    /// A new token: its name. The answer is the token.
    TokenAdd,
    /// The tokens' names, with the second of their making.
    TokenList,
    /// No more of this name.
    TokenRevoke,
    /// A new app password: [`AppAdd`]. The answer is the secret.
    AppAdd,
    /// The app passwords, a line each: made, last used, expiry, protocols, mailboxes, name.
    AppList,
    /// No more of this name.
    AppRevoke,
    /// What `pillarbox alias` wants: its action and an address.
    Alias,
    /// What waits in the queue, a line each.
    QueueList,
    /// Everything about one item of it: its id.
    QueueShow,
    /// `order which`: retry, hold or drop; `all`, an id, or `id/domain`.
    QueueOrder,
    /// The DNS records to publish: `zone` for lines of a zone file, `form` for a web form.
    Zone,
    /// `list`, or a step of the DKIM keys' exchange.
    Dkim,
    /// What the server knows of itself, for `doctor`.
    Facts,
    /// How the server is: lines of a name and a number.
    Status,
    /// What a mail program has to be told, as [`super::clients`] writes it.
    Clients,
    /// An app password's secret, to be given once to whoever has the answer.
    Link,
}

/// As they are called on the socket.
const VERBS: [(&str, Verb); 18] = [
    ("password", Verb::Password),
    ("apop", Verb::Apop),
    ("token-add", Verb::TokenAdd),
    ("token-list", Verb::TokenList),
    ("token-revoke", Verb::TokenRevoke),
    ("app-add", Verb::AppAdd),
    ("app-list", Verb::AppList),
    ("app-revoke", Verb::AppRevoke),
    ("alias", Verb::Alias),
    ("queue-list", Verb::QueueList),
    ("queue-show", Verb::QueueShow),
    ("queue-order", Verb::QueueOrder),
    ("zone", Verb::Zone),
    ("dkim", Verb::Dkim),
    ("facts", Verb::Facts),
    ("status", Verb::Status),
    ("clients", Verb::Clients),
    ("link", Verb::Link),
];

/// What is said to a request that is none.
const UNKNOWN: &str = "the running server does not know this request; is it another version?";

/// What is asked, with its argument; empty where it has none.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    verb: Verb,
    argument: String,
}

/// An app password to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppAdd {
    /// What to call it.
    pub name: String,
    /// Where it works.
    pub protocols: Protocols,
    /// The mailboxes it is for, and its rights there; `None` for all.
    pub mailboxes: Option<Vec<(String, Rights)>>,
    /// Seconds since 1970.
    pub expires: Option<u32>,
}

impl AppAdd {
    /// The request for it. Lines: name, protocols, expiry, and if it is limited `only`, then one per
    /// mailbox.
    pub fn request(&self) -> Request {
        let expires = self.expires.map_or("-".into(), |at| at.to_string());
        let mut text = format!("{}\n{}\n{expires}\n", self.name, self.protocols);
        if self.mailboxes.is_some() {
            text.push_str("only\n");
        }
        for (path, rights) in self.mailboxes.iter().flatten() {
            text.push_str(&format!("{rights} {path}\n"));
        }
        Request::new(Verb::AppAdd, &text)
    }

    fn decode(text: &str) -> Option<AppAdd> {
        let mut lines = text.lines();
        let name = lines.next()?.to_owned();
        let protocols = Protocols::parse(lines.next()?).ok()?;
        let expires = match lines.next()? {
            "-" => None,
            text => Some(text.parse().ok()?),
        };
        let mailboxes = match lines.next() {
            None => None,
            Some("only") => Some(lines.map(mailbox).collect::<Option<_>>()?),
            Some(_) => return None,
        };
        Some(AppAdd {
            name,
            protocols,
            mailboxes,
            expires,
        })
    }

    /// First the rights, then the key to them: whatever fails, nobody has more than was asked for.
    async fn run(&self, auth: &Auth, mail: &Mail) -> Result<String, String> {
        auth.is_free(&self.name)?;
        let meta = mail.meta();
        let mut lists = Vec::new();
        for (path, rights) in self.mailboxes.iter().flatten() {
            let found = meta.by_path(path).ok_or_else(|| {
                let all: Vec<&str> = meta.mailboxes.iter().map(|m| m.path.as_str()).collect();
                format!("there is no mailbox {path}; there are: {}", all.join(", "))
            })?;
            lists.push((found.id, *rights));
        }
        let failed = |e: mail::Error| e.to_string();
        mail.forget_identifier(&self.name).await.map_err(failed)?;
        for (mailbox, rights) in lists {
            let set = mail.set_acl(mailbox, &self.name, move |_| Some(rights));
            set.await.map_err(failed)?;
        }
        let new = NewApp {
            name: self.name.clone(),
            protocols: self.protocols,
            everywhere: self.mailboxes.is_none(),
            expires: self.expires,
        };
        auth.add_app(&new).await
    }
}

/// `rights path`
fn mailbox(line: &str) -> Option<(String, Rights)> {
    let (rights, path) = line.split_once(' ')?;
    Some((path.to_owned(), Rights::parse(rights).ok()?))
}

/// One app password for the list: tab-separated, since names and paths may have spaces.
fn app_line(app: &App, mail: &Mail) -> String {
    let meta = mail.meta();
    let mut boxes = Vec::new();
    for found in &meta.mailboxes {
        if let Some(rights) = mail.rights_of(found.id, app.name()) {
            boxes.push(format!("{}:{rights}", found.path));
        }
    }
    let boxes = match (app.principal.everywhere, boxes.is_empty()) {
        (true, true) => "all".to_owned(),
        (true, false) => format!("all but {}", boxes.join(",")),
        (false, _) => boxes.join(","),
    };
    let expires = app.principal.expires.unwrap_or(0);
    format!(
        "{}\t{}\t{expires}\t{}\t{boxes}\t{}",
        app.created,
        app.used(),
        app.protocols,
        app.name()
    )
}

impl Request {
    /// This one, with its argument.
    pub fn new(verb: Verb, argument: &str) -> Request {
        Request {
            verb,
            argument: argument.to_owned(),
        }
    }

    /// Makes an RSA key, for which a small board needs a minute or more, or may read all of the store.
    fn takes_long(&self) -> bool {
        match self.verb {
            Verb::Zone | Verb::Status => true,
            Verb::Dkim => self.argument != "list",
            _ => false,
        }
    }

    fn encode(&self) -> String {
        let name = VERBS.iter().find(|(_, verb)| *verb == self.verb);
        line(name.map_or("", |(name, _)| name), &self.argument)
    }

    fn decode(line: &str) -> Option<Request> {
        let line = line.trim_end();
        let (name, argument) = line.split_once(' ').unwrap_or((line, ""));
        let (_, verb) = VERBS.iter().find(|(known, _)| *known == name)?;
        Some(Request {
            verb: *verb,
            argument: String::from_utf8(STANDARD.decode(argument).ok()?).ok()?,
        })
    }

    /// Does it.
    ///
    /// # Errors
    /// A sentence.
    pub async fn run(&self, auth: &Auth, mail: &Arc<Mail>) -> Result<Vec<String>, String> {
        let argument = self.argument.as_str();
        match self.verb {
            Verb::Password => auth.set_password(argument, false).await?,
            Verb::Apop => {
                let secret = Some(argument).filter(|s| !s.is_empty());
                auth.set_apop(secret).await?;
            }
            Verb::TokenAdd => return Ok(vec![auth.add_token(argument).await?]),
            Verb::TokenList => {
                let tokens = auth.tokens();
                return Ok(tokens
                    .iter()
                    .map(|t| format!("{} {}", t.created, t.name))
                    .collect());
            }
            Verb::TokenRevoke => auth.revoke_token(argument).await?,
            Verb::AppAdd => {
                let add = AppAdd::decode(argument).ok_or(UNKNOWN)?;
                return Ok(vec![add.run(auth, mail).await?]);
            }
            Verb::AppList => {
                let apps = auth.apps();
                return Ok(apps.iter().map(|app| app_line(app, mail)).collect());
            }
            Verb::AppRevoke => {
                auth.revoke_app(argument).await?;
                let forgotten = mail.forget_identifier(argument).await;
                forgotten.map_err(|e| format!("revoked; its rights are still listed: {e}"))?;
            }
            Verb::Alias => return super::aliases::order(auth.config(), mail, argument).await,
            Verb::QueueList => return order::list(mail).map_err(|e| e.to_string()),
            Verb::QueueShow => return order::show(mail, argument),
            Verb::QueueOrder => {
                let (order, which) = argument.split_once(' ').unwrap_or((argument, ""));
                let order = Order::parse(order).ok_or("this order is not known")?;
                return match order::give(mail, order, which).await {
                    Ok(0) => Err(format!(
                        "nothing in the queue is {which}; see `pillarbox queue list`"
                    )),
                    Ok(count) => Ok(vec![count.to_string()]),
                    Err(e) => Err(e.to_string()),
                };
            }
            Verb::Dkim if argument == "list" => return keys::list(mail),
            Verb::Zone | Verb::Dkim | Verb::Status => {
                let (verb, argument) = (self.verb, argument.to_owned());
                let (config, mail) = (auth.config().clone(), Arc::clone(mail));
                return aside(move || match verb {
                    Verb::Zone => super::zone::lines(&mail, argument == "form"),
                    Verb::Dkim => keys::step(&mail, &argument).map(|()| Vec::new()),
                    _ => super::status::lines(&config, &mail, limits::SLACK_STORE),
                })
                .await;
            }
            Verb::Facts => return super::doctor::facts(auth.config(), mail),
            Verb::Clients => return super::clients::Settings::lines(auth.config(), &**mail),
            Verb::Link => return Ok(vec![auth.keep(argument)?]),
        }
        Ok(Vec::new())
    }
}

/// A request as it is sent.
fn line(verb: &str, argument: &str) -> String {
    [verb, " ", &STANDARD.encode(argument), "\n"].concat()
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

    /// Answers requests for ever: one at a time, and beside them one that takes long.
    ///
    /// # Errors
    /// When the socket cannot be listened on.
    pub async fn serve(&self, auth: &Auth, mail: &Arc<Mail>) -> io::Result<()> {
        let listener = Async::new(self.listener.try_clone()?)?;
        let (turns, asking) = (Turns::default(), LocalExecutor::new());
        let accept = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    Timer::after(limits::ACCEPT_PAUSE).await;
                    continue;
                };
                let turns = &turns;
                let asked = Box::pin(async move {
                    if let Err(e) = answer(stream, auth, mail, turns).await {
                        log::debug!("control: {e}");
                    }
                });
                task::spawn(&asking, asked);
            }
        };
        asking.run(accept).await
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Requests do not cross each other; one that takes long holds up only its like.
#[derive(Default)]
struct Turns {
    short: Mutex<()>,
    long: Mutex<()>,
}

/// Ends what the other side does not go on with.
async fn hurried<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = async {
        Timer::after(Duration::from_secs(30)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    work.or(late).await
}

async fn answer(
    mut stream: Async<UnixStream>,
    auth: &Auth,
    mail: &Arc<Mail>,
    turns: &Turns,
) -> io::Result<()> {
    let mut line = Vec::new();
    let read = async {
        let mut chunk = [0; 512];
        while !line.contains(&b'\n') && line.len() < limits::CONTROL_LINE {
            match stream.read(&mut chunk).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => line.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            }
        }
        Ok(())
    };
    hurried(read).await?;
    let line = String::from_utf8_lossy(&line);
    let (verb, argument) = line.split_once(' ').unwrap_or_default();
    if job::VERBS.contains(&verb) {
        let argument = STANDARD.decode(argument.trim_end()).unwrap_or_default();
        let argument = String::from_utf8_lossy(&argument).into_owned();
        return job::start(
            verb.to_owned(),
            argument,
            stream.into_inner()?,
            mail.clone(),
        );
    }
    let request = Request::decode(&line);
    let done = match &request {
        Some(request) => {
            let turn = if request.takes_long() {
                &turns.long
            } else {
                &turns.short
            };
            let _turn = turn.lock().await;
            request.run(auth, mail).await
        }
        None => Err(UNKNOWN.into()),
    };
    let reply = match done {
        Ok(lines) => std::iter::once("ok\n".to_owned())
            .chain(lines.into_iter().map(|line| line + "\n"))
            .collect::<String>(),
        Err(why) => format!("error {why}\n"),
    };
    hurried(stream.write_all(reply.as_bytes())).await
}

/// Connects to the server that has this store open, and says `line`. `None`: there is none.
fn connect(db: &Path, line: &str) -> Result<Option<UnixStream>, Failure> {
    let Ok(mut stream) = short(&path_of(db), |path| UnixStream::connect(path)) else {
        return Ok(None);
    };
    let long = Request::decode(line).is_some_and(|request| request.takes_long());
    let patience = Duration::from_secs(if long { 600 } else { 60 });
    let waits = stream.set_read_timeout(Some(patience));
    let said = waits.and_then(|()| stream.write_all(line.as_bytes()));
    said.map_err(silent)?;
    Ok(Some(stream))
}

fn silent(e: io::Error) -> Failure {
    let text = format!("the running server does not answer: {e}");
    Failure::new(Kind::Control, text)
}

/// Starts one of [`job::VERBS`] in the server that has this store open; frames follow
/// ([`crate::keep::frame`]). `None`: there is none.
///
/// # Errors
/// As for [`ask`].
pub fn open(db: &Path, verb: &str, argument: &str) -> Result<Option<UnixStream>, Failure> {
    let Some(mut stream) = connect(db, &line(verb, argument))? else {
        return Ok(None);
    };
    let mut answer = [0; 3];
    stream.read_exact(&mut answer).map_err(silent)?;
    if answer != *b"ok\n" {
        return Err(Failure::new(Kind::Control, UNKNOWN));
    }
    stream.set_read_timeout(None).map_err(silent)?;
    Ok(Some(stream))
}

/// Is there a server that has this store open?
pub fn is_served(db: &Path) -> bool {
    short(&path_of(db), |path| UnixStream::connect(path)).is_ok()
}

/// Asks the server that has this store open. `None`: there is none.
///
/// # Errors
/// [`Kind::Control`]: it refused, with its sentence, or did not answer.
pub fn ask(db: &Path, request: &Request) -> Result<Option<Vec<String>>, Failure> {
    let Some(stream) = connect(db, &request.encode())? else {
        return Ok(None);
    };
    let reader = BufReader::new(stream.take(limits::CONTROL_ANSWER));
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
        for (verb, argument) in [
            (Verb::Password, "a b\nc"),
            (Verb::Apop, ""),
            (Verb::TokenRevoke, "\u{fc}"),
            (Verb::Link, "x"),
        ] {
            let request = Request::new(verb, argument);
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        let limited = vec![("INBOX".into(), Rights::READ), ("a b".into(), Rights::ALL)];
        for mailboxes in [None, Some(limited)] {
            let add = AppAdd {
                name: "my phone".into(),
                protocols: Protocols::ALL,
                expires: mailboxes.is_some().then_some(77),
                mailboxes,
            };
            assert_eq!(AppAdd::decode(&add.request().argument), Some(add));
        }
        for bad in ["", "x", "password !", "password /w=="] {
            assert_eq!(Request::decode(bad), None);
        }
    }
}
