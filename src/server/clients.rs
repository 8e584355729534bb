//! What a mail program has to be told to reach us: for people, and as programs ask for it themselves
//! (Mozilla's autoconfig, Microsoft's autodiscover, Apple's configuration profiles).
//!
//! Nothing in it is about the user but what the asker said: anybody may ask.
use super::account;
use crate::auth::Settings as Stored;
use crate::config::{Config, Role};
use crate::net::tls;
use ring::digest;

/// One way in.
pub struct Way {
    /// `imap`, `pop3` or `smtp`.
    pub protocol: &'static str,
    /// TLS comes after a command, not first.
    pub starttls: bool,
    /// The port.
    pub port: u16,
}

/// All of them, and what goes with them.
#[derive(Default)]
pub struct Settings {
    /// The server's name.
    pub host: String,
    /// The user's name.
    pub user: String,
    /// The user's main address.
    pub address: String,
    /// The ways in, the best of each protocol first.
    pub ways: Vec<Way>,
    /// URL of HTTPS, without a slash at the end; empty without.
    pub web: String,
    /// The certificate's SHA-256 if the server made it itself, else empty.
    pub fingerprint: String,
}

/// What is offered, with TLS alone: a password is to cross the net.
const OFFERED: [(Role, &str, bool); 6] = [
    (Role::Imaps, "imap", false),
    (Role::Imap, "imap", true),
    (Role::Pop3s, "pop3", false),
    (Role::Pop3, "pop3", true),
    (Role::Submissions, "smtp", false),
    (Role::Submission, "smtp", true),
];

/// The port of a role: where others reach it if there is such a listener, else where only this machine
/// (or a proxy on it) does. A server that does not run has the usual ones.
fn port(config: &Config, role: Role) -> Option<u16> {
    if config.listen.is_empty() {
        return Some(role.port());
    }
    let mut all = config.listen.iter().filter(|it| it.role == role);
    let first = all.clone().next()?;
    let open = all.find(|it| !it.address.ip().is_loopback());
    Some(open.unwrap_or(first).address.port())
}

impl Settings {
    /// What anybody may know: nothing of the user.
    pub fn of(config: &Config) -> Settings {
        let way = |(role, protocol, starttls)| {
            let port = port(config, role)?;
            Some(Way {
                protocol,
                starttls,
                port,
            })
        };
        let web = match (&config.http.url, port(config, Role::Https)) {
            (Some(url), _) => url.clone(),
            (None, Some(443)) => ["https://", &config.hostname].concat(),
            (None, Some(port)) => format!("https://{}:{port}", config.hostname),
            (None, None) => String::new(),
        };
        Settings {
            host: config.hostname.clone(),
            ways: OFFERED.into_iter().filter_map(way).collect(),
            web,
            ..Settings::default()
        }
    }

    /// For the owner, in lines: a word and a value.
    ///
    /// # Errors
    /// A sentence, when the certificate cannot be read.
    pub fn lines(config: &Config, stored: &dyn Stored) -> Result<Vec<String>, String> {
        let settings = Settings::of(config);
        let mut lines = Vec::new();
        let mut put = |word: &str, value: &str| lines.push([word, " ", value].concat());
        put("host", &settings.host);
        put("user", &config.user);
        put("address", &config.address());
        put("web", &settings.web);
        for way in &settings.ways {
            let word = if way.starttls { "starttls" } else { "tls" };
            put(word, &[way.protocol, " ", &way.port.to_string()].concat());
        }
        if let (der, true) = account::shown(config, stored)?
            && !der.is_empty()
        {
            put("certificate", &tls::fingerprint(&der));
        }
        Ok(lines)
    }

    /// Of those lines.
    pub fn read(lines: &[String]) -> Settings {
        let mut settings = Settings::default();
        for line in lines {
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "host" => settings.host = value.to_owned(),
                "user" => settings.user = value.to_owned(),
                "address" => settings.address = value.to_owned(),
                "web" => settings.web = value.to_owned(),
                "certificate" => settings.fingerprint = value.to_owned(),
                "tls" | "starttls" => {
                    let (name, port) = value.split_once(' ').unwrap_or_default();
                    let known = OFFERED.iter().find(|(_, known, _)| *known == name);
                    if let (Some((_, protocol, _)), Ok(port)) = (known, port.parse()) {
                        settings.ways.push(Way {
                            protocol,
                            starttls: word == "starttls",
                            port,
                        });
                    }
                }
                _ => {}
            }
        }
        settings
    }

    /// The best way of a protocol.
    pub fn best(&self, protocol: &str) -> Option<&Way> {
        self.ways.iter().find(|way| way.protocol == protocol)
    }

    /// Mozilla's `config-v1.1.xml` for a domain; the client puts the address in.
    pub fn autoconfig(&self, domain: &str) -> String {
        let mut xml = String::from(HEAD);
        xml.push_str("<clientConfig version=\"1.1\"><emailProvider id=\"");
        escape(&mut xml, domain);
        xml.push_str("\">");
        for name in ["domain", "displayName", "displayShortName"] {
            tag(&mut xml, name, domain);
        }
        for way in &self.ways {
            let element = match way.protocol {
                "smtp" => "outgoingServer",
                _ => "incomingServer",
            };
            for part in ["<", element, " type=\"", way.protocol, "\">"] {
                xml.push_str(part);
            }
            tag(&mut xml, "hostname", &self.host);
            tag(&mut xml, "port", &way.port.to_string());
            let socket = if way.starttls { "STARTTLS" } else { "SSL" };
            tag(&mut xml, "socketType", socket);
            tag(&mut xml, "authentication", "password-cleartext");
            tag(&mut xml, "username", "%EMAILADDRESS%");
            close(&mut xml, element);
        }
        xml.push_str("</emailProvider></clientConfig>\n");
        xml
    }

    /// Microsoft's answer (\[MS-OXDSCLI\] §2.2.4) for an address.
    pub fn autodiscover(&self, address: &str) -> String {
        let mut xml = String::from(HEAD);
        xml.push_str(AUTODISCOVER);
        xml.push_str("<Account><AccountType>email</AccountType><Action>settings</Action>");
        for (protocol, name) in [("imap", "IMAP"), ("pop3", "POP3"), ("smtp", "SMTP")] {
            let Some(way) = self.best(protocol) else {
                continue;
            };
            xml.push_str("<Protocol>");
            tag(&mut xml, "Type", name);
            tag(&mut xml, "Server", &self.host);
            tag(&mut xml, "Port", &way.port.to_string());
            tag(&mut xml, "DomainRequired", "off");
            tag(&mut xml, "LoginName", address);
            tag(&mut xml, "SPA", "off");
            tag(&mut xml, "SSL", "on");
            let encryption = if way.starttls { "TLS" } else { "SSL" };
            tag(&mut xml, "Encryption", encryption);
            tag(&mut xml, "AuthRequired", "on");
            xml.push_str("</Protocol>");
        }
        xml.push_str("</Account></Response></Autodiscover>\n");
        xml
    }

    /// Apple's configuration profile for an address, unsigned; without a password the device asks for
    /// it. `None`: it needs IMAP or POP3, and SMTP.
    pub fn profile(&self, address: &str, password: Option<&str>) -> Option<String> {
        let (out, kind) = (self.best("smtp")?, self.best("imap"));
        let (way, kind) = match kind {
            Some(way) => (way, "EmailTypeIMAP"),
            None => (self.best("pop3")?, "EmailTypePOP"),
        };
        let mut xml = String::from(HEAD);
        xml.push_str(PLIST);
        xml.push_str("<key>PayloadContent</key><array><dict>");
        string(&mut xml, "EmailAccountDescription", address);
        string(&mut xml, "EmailAccountType", kind);
        string(&mut xml, "EmailAddress", address);
        for (side, way) in [("Incoming", way), ("Outgoing", out)] {
            let key = |end: &str| [side, "MailServer", end].concat();
            string(&mut xml, &key("Authentication"), "EmailAuthPassword");
            string(&mut xml, &key("HostName"), &self.host);
            string(&mut xml, &key("Username"), address);
            tag(&mut xml, "key", &key("PortNumber"));
            tag(&mut xml, "integer", &way.port.to_string());
            tag(&mut xml, "key", &key("UseSSL"));
            xml.push_str("<true/>");
            if let Some(password) = password {
                string(&mut xml, &[side, "Password"].concat(), password);
            }
        }
        self.payload(&mut xml, "com.apple.mail.managed", address);
        xml.push_str("</dict></array>");
        self.payload(&mut xml, "Configuration", address);
        xml.push_str("</dict></plist>\n");
        Some(xml)
    }

    /// What every payload says of itself. The same account has the same identifiers: installed again, it
    /// replaces itself.
    fn payload(&self, xml: &mut String, kind: &str, address: &str) {
        let hash = [kind, "\0", &self.host, "\0", address].concat();
        let hash = digest::digest(&digest::SHA256, hash.as_bytes());
        let mut uuid = String::new();
        for (at, octet) in hash.as_ref().iter().take(16).enumerate() {
            if [4, 6, 8, 10].contains(&at) {
                uuid.push('-');
            }
            // A UUID of version 8, of one's own making.
            let octet = match at {
                6 => octet & 0x0f | 0x80,
                8 => octet & 0x3f | 0x80,
                _ => *octet,
            };
            uuid.push_str(&format!("{octet:02X}"));
        }
        string(xml, "PayloadDisplayName", address);
        let identifier = [&self.host, ".", &uuid].concat();
        string(xml, "PayloadIdentifier", &identifier);
        string(xml, "PayloadType", kind);
        string(xml, "PayloadUUID", &uuid);
        tag(xml, "key", "PayloadVersion");
        tag(xml, "integer", "1");
    }
}

/// Microsoft's answer to whom there is nothing to tell: another schema, or not our domain.
pub fn not_here() -> String {
    let error = "<Error Time=\"00:00:00\" Id=\"1\"><ErrorCode>601</ErrorCode>\
                 <Message>Provider is not available</Message><DebugData/></Error>";
    [HEAD, AUTODISCOVER, error, "</Response></Autodiscover>\n"].concat()
}

/// The address in a request of autodiscover, if it wants what we have: the settings of mail programs, not
/// those of ActiveSync.
pub fn asked(request: &str) -> Option<String> {
    if request.contains("/mobilesync/") {
        return None;
    }
    let (_, rest) = request.split_once("EMailAddress>")?;
    let (address, _) = rest.split_once('<')?;
    let address = address.replace("&apos;", "'").replace("&amp;", "&");
    Some(address.trim().to_owned())
}

/// The domain of an address that might be one of ours.
pub fn own_domain(config: &Config, address: &str) -> Option<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    let (local, domain) = address.rsplit_once('@')?;
    let fits = !local.is_empty() && address.len() <= 320 && !address.contains(odd);
    (fits && config.is_own_domain(domain)).then(|| domain.to_lowercase())
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

const AUTODISCOVER: &str = "<Autodiscover \
    xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\"><Response \
    xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\">";

const PLIST: &str = "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
    \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>";

fn escape(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\'' => xml.push_str("&apos;"),
            // XML 1.0 §2.2 has no such character.
            '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
}

fn close(xml: &mut String, name: &str) {
    for part in ["</", name, ">\n"] {
        xml.push_str(part);
    }
}

fn tag(xml: &mut String, name: &str, text: &str) {
    for part in ["<", name, ">"] {
        xml.push_str(part);
    }
    escape(xml, text);
    close(xml, name);
}

fn string(xml: &mut String, key: &str, text: &str) {
    tag(xml, "key", key);
    tag(xml, "string", text);
}
