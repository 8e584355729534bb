//! `pillarbox client-config`: what to type into a mail program, or a QR code that says it.
use super::passwd::perform;
use super::{existing_db_path, print, qr};
use crate::auth::Protocols;
use crate::http::url;
use crate::server::clients::{Settings, Way};
use crate::server::control::{self, AppAdd, Request, Verb};
use crate::server::{Failure, Kind};
use argh::{ArgsInfo, FromArgs};
use serde_json::json;
use std::path::Path;

/// Print the settings for mail programs; or, with --qr, make an app password and draw a code in the
/// terminal that sets up a phone with it. Programs that look themselves (Thunderbird, Outlook, Delta Chat)
/// find the settings at the addresses that `pillarbox dns` shows.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "client-config",
    help_triggers("-h", "--help", "help"),
    example = "{command_name}",
    example = "{command_name} --qr --name tablet",
    example = "{command_name} --qr --for apple",
    note = "thunderbird: Thunderbird for Android and K-9, Import settings, Scan QR code. deltachat: Delta \
            Chat, Scan QR code. apple: the camera; the code is a link to a profile, which works once, for \
            15 minutes, and needs the server running with HTTPS."
)]
pub struct ClientConfig {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// make an app password and draw a QR code with it
    #[argh(switch)]
    qr: bool,
    /// who will read the code of --qr: thunderbird, deltachat or apple (default: thunderbird)
    #[argh(option, long = "for", arg_name = "PROGRAM")]
    reader: Option<String>,
    /// what to call the app password of --qr (default: phone)
    #[argh(option, arg_name = "NAME")]
    name: Option<String>,
}

impl ClientConfig {
    pub(super) fn run(self) -> Result<(), Failure> {
        if !self.qr && (self.reader.is_some() || self.name.is_some()) {
            return Err(Failure::usage("--for and --name go with --qr"));
        }
        let db = existing_db_path(self.db.as_deref())?;
        let request = Request::new(Verb::Clients, "");
        let answer = control::ask(&db, &request)?;
        let running = answer.is_some();
        let lines = match answer {
            Some(lines) => lines,
            None => perform(&db, &request)?,
        };
        let settings = Settings::read(&lines);
        if !running {
            eprintln!("pillarbox: the server does not run: these are the usual ports");
        }
        if !self.qr {
            print(&page(&settings));
            return Ok(());
        }
        let reader = match self.reader.as_deref() {
            None | Some("thunderbird") => thunderbird,
            Some("deltachat") => deltachat,
            // Its answer has the password in it.
            Some("apple") if running && settings.web.starts_with("https://") => apple,
            Some("apple") => {
                let why =
                    "--for apple: the server has to run, with --https or an https: --http-url";
                return Err(Failure::usage(why));
            }
            Some(other) => {
                return Err(Failure::usage(format!(
                    "--for {other}: it is thunderbird, deltachat or apple"
                )));
            }
        };
        let (Some(receive), Some(send)) = (settings.best("imap"), settings.best("smtp")) else {
            return Err(Failure::new(
                Kind::Other,
                "a phone needs IMAP and submission: one of them is off",
            ));
        };
        let name = self.name.unwrap_or_else(|| "phone".to_owned());
        let add = AppAdd {
            name: name.clone(),
            protocols: Protocols::ALL,
            mailboxes: None,
            expires: None,
        };
        let secret = perform(&db, &add.request())?.concat();
        let text = reader(&Asked {
            db: &db,
            settings: &settings,
            receive,
            send,
            secret: &secret,
        })?;
        print(&qr::draw(&text).map_err(|why| Failure::new(Kind::Other, why))?);
        let said = [
            "It holds the app password ",
            &name,
            ": ",
            &secret,
            "\nIt is not shown again. When the phone is lost: pillarbox app-password revoke ",
            &name,
            "\n",
        ];
        print(&said.concat());
        Ok(())
    }
}

/// What a code is made of.
struct Asked<'a> {
    db: &'a Path,
    settings: &'a Settings,
    receive: &'a Way,
    send: &'a Way,
    secret: &'a str,
}

/// "Export for Mobile" of Thunderbird, format version 1.
#[allow(clippy::unnecessary_wraps, reason = "one of three")]
fn thunderbird(asked: &Asked<'_>) -> Result<String, Failure> {
    let Settings { host, address, .. } = asked.settings;
    let security = |way: &Way| if way.starttls { 2 } else { 3 };
    let (to, from) = (asked.receive, asked.send);
    // 0 is IMAP, and SMTP; 1 is a password; without a name the account has the address's.
    let incoming = json!([0, host, to.port, security(to), 1, address, "", asked.secret]);
    let outgoing = json!([0, host, from.port, security(from), 1, address, asked.secret]);
    let name = &asked.settings.user;
    Ok(json!([1, [1, 1], incoming, [[outgoing, [address, name]]]]).to_string())
}

/// Delta Chat's `dclogin:`, version 1.
#[allow(clippy::unnecessary_wraps, reason = "one of three")]
fn deltachat(asked: &Asked<'_>) -> Result<String, Failure> {
    let Settings { host, address, .. } = asked.settings;
    let mut text = String::from("dclogin:") + address + "?v=1&p=" + &url::encode(asked.secret);
    for (letter, way) in [("i", asked.receive), ("s", asked.send)] {
        let security = if way.starttls { "starttls" } else { "ssl" };
        let port = way.port.to_string();
        for (word, value) in [
            ("h", host.as_str()),
            ("p", &port),
            ("u", address),
            ("s", security),
        ] {
            for part in ["&", letter, word, "=", &url::encode(value)] {
                text.push_str(part);
            }
        }
    }
    Ok(text)
}

/// A link to the profile with the password in it.
fn apple(asked: &Asked<'_>) -> Result<String, Failure> {
    let key = perform(asked.db, &Request::new(Verb::Link, asked.secret))?.concat();
    Ok([&asked.settings.web, "/apple.mobileconfig?key=", &key].concat())
}

/// The settings for people.
fn page(settings: &Settings) -> String {
    let Settings { host, address, .. } = settings;
    let mut out = String::new();
    let mut line = |name: &str, value: &[&str]| {
        out.push_str(&format!("{name:12}{}\n", value.concat()));
    };
    line("address", &[address]);
    line("user name", &[address, ", or ", &settings.user]);
    line(
        "password",
        &["yours; or one for this device: pillarbox app-password add NAME"],
    );
    for way in &settings.ways {
        let name = match way.protocol {
            "imap" => "IMAP",
            "pop3" => "POP3",
            _ => "SMTP",
        };
        let security = if way.starttls { "STARTTLS" } else { "SSL/TLS" };
        line(
            name,
            &[host, "  port ", &way.port.to_string(), "  ", security],
        );
    }
    let web = &settings.web;
    if !web.is_empty() {
        line("JMAP", &[web, "/.well-known/jmap"]);
        let path = "/apple.mobileconfig?emailaddress=";
        line("Apple", &[web, path, &url::encode(address)]);
    }
    if !settings.fingerprint.is_empty() {
        line(
            "certificate",
            &["self-signed, SHA-256 ", &settings.fingerprint],
        );
    }
    out
}
