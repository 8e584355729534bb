//! Tells a service about new mail in INBOX (`--notify-url`): ntfy, or any webhook that takes a POST.
//!
//! Level-triggered: what is told is the difference between INBOX when something was told last and now. So
//! nothing is queued, what comes together is told together, a service that is away gets one message when it
//! is back, and a delivery waits for nobody. A restart forgets what was not told yet; nothing is written.
//! What senders wrote is in the body alone, never in a header field.
use super::Ctx;
use crate::config::{Notify, NotifyWith, Out};
use crate::limits;
use crate::mail::{self, Flags, Mail, Modseq, Role, Uid};
use crate::mime::{Address, words};
use crate::net::{Target, TlsConnector, fetch, tls};
use crate::sys::{count, secret};
use async_io::Timer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Where an `http:` or `https:` URL leads; whether by TLS.
///
/// # Errors
/// A sentence.
pub fn target(url: &str) -> Result<(Target, bool), String> {
    let (rest, secure) = match url.strip_prefix("http://") {
        Some(rest) => (rest, false),
        None => (url.strip_prefix("https://").unwrap_or_default(), true),
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "a password does not belong on the command line: use --notify-auth-file".into(),
        );
    }
    let target = Target::parse(&["https://", rest].concat());
    let mut target = target.ok_or("give http://HOST/PATH or https://HOST/PATH")?;
    if !secure && target.port == 443 {
        target.port = 80;
    }
    Ok((target, secure))
}

/// The value of Authorization for a file's first line: a token, or `NAME PASSWORD`.
///
/// # Errors
/// A sentence.
pub fn authorization(file: &Path) -> Result<String, String> {
    let line = secret::read(file)?;
    let value = match line.split_once([' ', '\t']) {
        None => ["Bearer ", &line].concat(),
        Some((name, password)) => {
            let pair = [name, ":", password.trim()].concat();
            ["Basic ", &STANDARD.encode(pair)].concat()
        }
    };
    match value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        true => Ok(value),
        false => Err(format!("{}: a token is of visible ASCII", file.display())),
    }
}

/// What was told.
pub(super) struct Told {
    uidnext: Uid,
    modseq: Modseq,
}

impl Told {
    pub(super) fn now(mail: &Mail) -> Told {
        let meta = mail.meta();
        let inbox = meta.by_role(Role::Inbox);
        Told {
            uidnext: inbox.map_or(1, |inbox| inbox.counters.uidnext),
            modseq: meta.modseq,
        }
    }
}

/// What came since.
struct News {
    upto: Told,
    count: usize,
    unread: u32,
    /// The last ones, newest first: who, what, how it begins.
    some: Vec<[String; 3]>,
}

/// Tells what comes from `told` on, until the server stops.
pub(super) async fn run(ctx: Rc<Ctx>, mut told: Told) {
    let Some(to) = ctx.config.notify.clone() else {
        return std::future::pending().await;
    };
    let (mut failures, mut connector) = (0, None);
    loop {
        let changed = ctx.mail.hub().listen();
        let now = Told::now(&ctx.mail);
        match news(&ctx.mail, &told) {
            // What comes with it is told with it.
            Ok(Some(_)) => Timer::after(wait(&to, failures)).await,
            Ok(None) => {
                told = now;
                changed.await;
                continue;
            }
            // It stays to be told.
            Err(error) => {
                log::warn!("--notify-url: {error}");
                Timer::after(to.retry).await
            }
        };
        // Read or taken away meanwhile, or still not to be had.
        let Ok(Some(news)) = news(&ctx.mail, &told) else {
            continue;
        };
        let sent = Box::pin(post(&ctx, &to, &news, &mut connector)).await;
        count::add(count::Of::Notified, usize::from(sent.is_err()), 1);
        match sent {
            Ok(()) => (told, failures) = (news.upto, 0),
            Err(why) => {
                log::info!("--notify-url: {why}");
                failures += 1;
                if failures >= limits::NOTIFY_ATTEMPTS {
                    log::warn!("--notify-url: given up for {} messages: {why}", news.count);
                    (told, failures) = (news.upto, 0);
                }
            }
        }
    }
}

/// How long to wait behind so many failures.
fn wait(to: &Notify, failures: u32) -> Duration {
    let Some(doubled) = failures.checked_sub(1) else {
        return to.pause;
    };
    let wait = to.retry.saturating_mul(1 << doubled.min(16));
    wait.min(limits::NOTIFY_RETRY_MOST)
}

/// Unread messages that are new in INBOX and in the store: what was moved there is no news.
fn news(mail: &Mail, told: &Told) -> mail::Result<Option<News>> {
    let upto = Told::now(mail);
    let meta = mail.meta();
    let inbox = meta.by_role(Role::Inbox);
    let Some(inbox) = inbox.filter(|_| upto.uidnext != told.uidnext) else {
        return Ok(None);
    };
    let reader = mail.reader()?;
    let mut emails = Vec::new();
    let mut count = 0;
    let last = upto.uidnext.saturating_sub(1);
    reader.rows_back(inbox.id, told.uidnext, last, |row| {
        if !row.flags.has(Flags::SEEN) {
            count += 1;
            if emails.len() < limits::NOTIFY_LOOKED {
                emails.push(row.email);
            }
        }
        true
    })?;
    let mut some = Vec::new();
    for email in emails {
        // One that cannot be read is counted.
        let Ok(message) = reader.message(email) else {
            continue;
        };
        match message.filter(|message| message.created > told.modseq) {
            None => count -= 1,
            Some(message) if some.len() < limits::NOTIFY_LISTED => {
                let Some(view) = message.view() else { continue };
                let from = view.addresses(0).unwrap_or_default();
                let subject = view.subject().unwrap_or_default();
                some.push([
                    cut(&from.first().map(sender).unwrap_or_default(), 80),
                    cut(&words::decode(&subject), 150),
                    cut(view.preview(), 200),
                ]);
            }
            Some(_) => {}
        }
    }
    Ok((count > 0).then_some(News {
        upto,
        count,
        unread: inbox.counters.unseen,
        some,
    }))
}

fn sender(address: &Address) -> String {
    match address {
        Address::Mailbox {
            name: Some(name), ..
        } if !name.is_empty() => words::decode_anywhere(name),
        Address::Mailbox { local, host, .. } => {
            let text = [local.as_slice(), b"@", host].concat();
            String::from_utf8_lossy(&text).into_owned()
        }
        Address::Group(name) => words::decode_anywhere(name),
        Address::GroupEnd => String::new(),
    }
}

/// So many characters of it, in one line.
fn cut(text: &str, most: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(most).collect()
}

/// What may be told, for people.
fn text(news: &News, with: NotifyWith) -> String {
    let mut text = match news.count {
        1 => String::from("1 new message"),
        n => n.to_string() + " new messages",
    };
    text += &[", ", &news.unread.to_string(), " unread in INBOX"].concat();
    if with == NotifyWith::Nothing {
        return text;
    }
    for [from, subject, preview] in &news.some {
        text += &["\n", from].concat();
        if with >= NotifyWith::Subject {
            text += &[": ", subject].concat();
        }
        if with >= NotifyWith::Preview && !preview.is_empty() {
            text += &["\n  ", preview].concat();
        }
    }
    if news.count > news.some.len() {
        text += "\n...";
    }
    text
}

/// The same for programs.
fn object(news: &News, with: NotifyWith) -> Value {
    let mut object = json!({
        "mailbox": "INBOX",
        "new": news.count,
        "unread": news.unread,
        "text": text(news, with),
    });
    if with > NotifyWith::Nothing {
        let message = |[from, subject, preview]: &[String; 3]| {
            let mut message = json!({ "from": from });
            if with >= NotifyWith::Subject {
                message["subject"] = subject.as_str().into();
            }
            if with >= NotifyWith::Preview {
                message["preview"] = preview.as_str().into();
            }
            message
        };
        object["messages"] = news.some.iter().map(message).collect();
    }
    object
}

fn request(to: &Notify, target: &Target, news: &News) -> String {
    let (media, body) = match to.json {
        true => ("application/json", object(news, to.with).to_string()),
        false => (
            "text/plain; charset=utf-8\r\nTitle: New mail",
            text(news, to.with),
        ),
    };
    let login = match &to.authorization {
        Some(value) => ["Authorization: ", value, "\r\n"].concat(),
        None => String::new(),
    };
    [
        "POST ",
        &target.path,
        " HTTP/1.1\r\nHost: ",
        &target.authority(),
        "\r\nUser-Agent: pillarbox\r\nConnection: close\r\n",
        &login,
        "Content-Type: ",
        media,
        "\r\nContent-Length: ",
        &body.len().to_string(),
        "\r\n\r\n",
        &body,
    ]
    .concat()
}

async fn post(
    ctx: &Ctx,
    to: &Notify,
    news: &News,
    connector: &mut Option<TlsConnector>,
) -> Result<(), String> {
    let (target, secure) = target(&to.url)?;
    if secure && connector.is_none() {
        *connector = Some(tls::connector(ctx.config.tls_ca.as_deref())?);
    }
    let host = target.host.trim_start_matches('[').trim_end_matches(']');
    let address = match host.parse::<IpAddr>() {
        Ok(address) => Some(address),
        Err(_) => ctx.dns.addresses(host).await.found.first().copied(),
    };
    let address = SocketAddr::new(address.ok_or("the name has no address")?, target.port);
    let request = request(to, &target, news);
    let tls = connector.as_ref().filter(|_| secure);
    // --socks5 and --source-address are for mail.
    let out = Out::default();
    let answer = fetch::exchange(&out, address, &target.host, tls, request.as_bytes(), true).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let head = String::from_utf8_lossy(&answer);
    let line = head.lines().next().unwrap_or_default();
    let status = line.split(' ').nth(1).unwrap_or_default();
    match status.as_bytes() {
        [b'2', _, _] => Ok(()),
        [b'3', _, _] => Err(format!("{line}: redirects are not followed")),
        _ => Err(format!("the answer is {:?}", cut(line, 80))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This is the thread of the queue, too.
    #[test]
    fn waits_grow_and_stay_bounded() {
        let to = Notify {
            url: String::new(),
            with: NotifyWith::Nothing,
            json: false,
            authorization: None,
            pause: limits::NOTIFY_PAUSE,
            retry: limits::NOTIFY_RETRY,
        };
        let waits: Vec<_> = (0..=limits::NOTIFY_ATTEMPTS)
            .map(|n| wait(&to, n))
            .collect();
        assert_eq!(waits[..2], [limits::NOTIFY_PAUSE, limits::NOTIFY_RETRY]);
        assert!(waits.is_sorted());
        assert_eq!(waits.last(), Some(&limits::NOTIFY_RETRY_MOST));
    }

    #[test]
    fn urls() {
        let of = |url: &str| {
            target(url)
                .map(|(it, tls)| (it.host, it.port, it.path, tls))
                .ok()
        };
        let is = |url: &str, host: &str, port: u16, path: &str, tls: bool| {
            assert_eq!(
                of(url),
                Some((host.into(), port, path.into(), tls)),
                "{url}"
            );
        };
        is("https://ntfy.sh/topic", "ntfy.sh", 443, "/topic", true);
        is("http://10.0.0.2:8080/x?y", "10.0.0.2", 8080, "/x?y", false);
        is("http://[::1]/a", "[::1]", 80, "/a", false);
        for bad in [
            "ntfy.sh/topic",
            "ftp://x/",
            "https://me:secret@ntfy.sh/t",
            "http:///x",
            "",
            "http://a b/",
        ] {
            assert!(of(bad).is_none(), "{bad}");
        }
        assert!(
            target("http://a:b@c/")
                .err()
                .unwrap()
                .contains("--notify-auth-file")
        );
    }
}
