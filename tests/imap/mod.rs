//! IMAP through the wire: one file per command, several sessions at once where it matters.
mod acl;
mod append;
mod authenticate;
mod cancelupdate;
mod capability;
mod clients;
mod close;
mod comparator;
mod compress;
mod context;
mod copy;
mod cost;
mod create;
mod delete;
mod enable;
mod esearch;
mod expunge;
mod fetch;
mod framing;
pub mod genurlauth;
mod hostile;
mod id;
mod idle;
mod jmapaccess;
mod language;
mod list;
mod login;
mod logout;
mod lsub;
mod metadata;
mod model;
mod r#move;
mod namespace;
mod notify;
mod oracle;
mod progress;
mod qresync;
mod quota;
mod rename;
mod resetkey;
mod search;
mod select;
mod sessions;
mod sort;
mod starttls;
mod status;
mod store;
mod subscribe;
mod thread;
mod transcript;
mod unauthenticate;
mod unselect;
mod urlfetch;

use crate::harness::{Client, PASSWORD, Server, USER};
use pillarbox::config::Role;

/// A client that reads whole responses, literals included.
pub struct Imap {
    pub client: Client,
    tag: u32,
}

/// What a command brought.
#[derive(Debug)]
pub struct Reply {
    /// Untagged responses, without `* `.
    pub untagged: Vec<String>,
    /// The tagged one, without its tag.
    pub tagged: String,
}

impl Reply {
    /// The untagged responses that contain `text`.
    pub fn with(&self, text: &str) -> Vec<&str> {
        self.untagged
            .iter()
            .map(String::as_str)
            .filter(|line| line.contains(text))
            .collect()
    }

    #[track_caller]
    pub fn one(&self, text: &str) -> &str {
        match self.with(text)[..] {
            [one] => one,
            _ => panic!("not one {text:?} in {self:#?}"),
        }
    }
}

impl Imap {
    /// Connected, greeting read.
    pub fn connect(server: &Server) -> Imap {
        Imap::connect_to(server, Role::Imap)
    }

    /// The same, at the port of `role`.
    pub fn connect_to(server: &Server, role: Role) -> Imap {
        let mut imap = Imap {
            client: server.client(role),
            tag: 0,
        };
        let greeting = imap.response();
        assert!(greeting.starts_with("* OK [CAPABILITY "), "{greeting}");
        imap
    }

    /// Logged in.
    pub fn login(server: &Server) -> Imap {
        let mut imap = Imap::connect(server);
        imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
        imap
    }

    /// Logged in, INBOX selected.
    pub fn inbox(server: &Server) -> Imap {
        let mut imap = Imap::login(server);
        imap.ok("SELECT INBOX");
        imap
    }

    /// A whole response; octets that are no UTF-8 are replaced. Another parser has to accept it too.
    pub fn response(&mut self) -> String {
        let mut text = Vec::new();
        loop {
            let Some(line) = self.client.try_line() else {
                panic!("closed behind {:?}", String::from_utf8_lossy(&text));
            };
            text.extend_from_slice(&line);
            text.extend_from_slice(b"\r\n");
            match literal(&String::from_utf8_lossy(&line)) {
                Some(size) => text.extend(self.client.octets(size)),
                None => break,
            }
        }
        oracle::accepts(&text);
        text.truncate(text.len() - 2);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Sends a command without waiting; returns its tag.
    pub fn send(&mut self, command: &str) -> String {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.client.send(&format!("{tag} {command}"));
        tag
    }

    /// Everything up to the tagged response.
    pub fn until(&mut self, tag: &str) -> Reply {
        let mut untagged = Vec::new();
        loop {
            let line = self.response();
            if let Some(rest) = line.strip_prefix("* ") {
                untagged.push(rest.to_owned());
            } else if let Some(rest) = line.strip_prefix(tag).and_then(|r| r.strip_prefix(' ')) {
                return Reply {
                    untagged,
                    tagged: rest.to_owned(),
                };
            } else {
                panic!("neither untagged nor {tag}: {line:?} after {untagged:#?}");
            }
        }
    }

    pub fn run(&mut self, command: &str) -> Reply {
        let tag = self.send(command);
        self.until(&tag)
    }

    #[track_caller]
    fn run_for(&mut self, command: &str, status: &str) -> Reply {
        let reply = self.run(command);
        assert!(reply.tagged.starts_with(status), "{command}: {reply:#?}");
        reply
    }

    #[track_caller]
    pub fn ok(&mut self, command: &str) -> Reply {
        self.run_for(command, "OK ")
    }

    #[track_caller]
    pub fn no(&mut self, command: &str) -> Reply {
        self.run_for(command, "NO ")
    }

    #[track_caller]
    pub fn bad(&mut self, command: &str) -> Reply {
        self.run_for(command, "BAD ")
    }

    /// APPEND with a synchronising literal. `arguments`: mailbox, flags, date.
    #[track_caller]
    pub fn append(&mut self, arguments: &str, message: &str) -> Reply {
        let tag = self.send(&format!("APPEND {arguments} {{{}}}", message.len()));
        let go = self.response();
        assert!(go.starts_with("+ "), "{go}");
        self.client.send(message);
        let reply = self.until(&tag);
        assert!(reply.tagged.starts_with("OK [APPENDUID "), "{reply:?}");
        reply
    }

    /// `count` messages into a mailbox, with the subjects `1`, `2`, ...
    pub fn fill(&mut self, mailbox: &str, count: usize) {
        for n in 1..=count {
            self.append(mailbox, &message(n));
        }
    }

    /// The flags of every message, by UID.
    pub fn flags(&mut self) -> Vec<String> {
        let reply = self.ok("UID FETCH 1:* FLAGS");
        reply.with("FETCH").into_iter().map(str::to_owned).collect()
    }
}

fn literal(line: &str) -> Option<usize> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.parse().ok()
}

/// A small message.
pub fn message(n: usize) -> String {
    format!(
        "From: Bob <bob@example.com>\r\nTo: anna@example.org\r\nSubject: {n}\r\n\
         Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <{n}@example.com>\r\n\r\nHello {n}!\r\n"
    )
}
