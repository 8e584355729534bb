//! Plays the dialogues in `transcripts/`: the examples of the RFCs, with their ids and states as the
//! server gives them.
//!
//! * `== title`: a new server.
//! * `+ name`: a message, its lines up to one with a dot alone; imported into the inbox, one minute
//!   after the one before. `$name`, `$name.thread` and `$name.blob` are its ids.
//! * `> [...]`: method calls, over any number of lines.
//! * `< [...]`: the responses. In a string `$x` stands for what it stood for before, or takes what it
//!   meets; `...` at the end of a string, of a list or as a member stands for whatever follows.
//! * `.inbox` and the other roles, after `$`, are the mailboxes.
use super::{Jmap, message};
use crate::harness::Server;
use crate::smtp::fake::Fake;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

fn play(name: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jmap/transcripts");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    for scene in text.split("\n== ").skip(1) {
        let (title, lines) = scene.split_once('\n').unwrap();
        println!("== {title}");
        Scene::new().play(title, lines);
    }
}

struct Scene {
    jmap: Jmap,
    known: BTreeMap<String, Value>,
    minute: u32,
    answers: Vec<Value>,
    // They end when dropped.
    _server: Server,
    _fake: Fake,
}

impl Scene {
    fn new() -> Scene {
        let fake = Fake::taking_all();
        let server = Server::with(|config| {
            config.smarthost = Some(fake.smarthost());
            config.catch_all = true;
        });
        let jmap = Jmap::new(&server);
        let roles = ["inbox", "drafts", "sent", "trash", "junk", "archive"];
        let known = roles.map(|role| (format!("${role}"), jmap.mailbox(role).into()));
        Scene {
            jmap,
            known: known.into(),
            minute: 0,
            answers: Vec::new(),
            _server: server,
            _fake: fake,
        }
    }

    fn play(&mut self, title: &str, text: &str) {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let Some((kind, first)) = line.split_at_checked(2) else {
                continue;
            };
            let mut block = first.to_owned();
            let ends = |next: &str| next.starts_with(['+', '>', '<', '#']) || next.is_empty();
            match kind {
                "+ " => {
                    let body: Vec<&str> = lines.by_ref().take_while(|line| *line != ".").collect();
                    self.bring(first, &body.join("\n"));
                }
                "> " | "< " => {
                    while let Some(next) = lines.next_if(|next| !ends(next)) {
                        block.push_str(next.trim_start());
                    }
                    let value: Value = serde_json::from_str(&block)
                        .unwrap_or_else(|error| panic!("{title}: {error}: {block}"));
                    match kind {
                        "> " => self.ask(value),
                        _ => self.hear(title, value),
                    }
                }
                "# " => {}
                _ => panic!("{title}: what is {line:?}?"),
            }
        }
    }

    fn bring(&mut self, name: &str, text: &str) {
        self.minute += 1;
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let fields: Vec<_> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .collect();
        let octets = message(&fields, body);
        let blob = self.jmap.upload("message/rfc822", &octets);
        let email = json!({
            "blobId": blob,
            "mailboxIds": { self.jmap.mailbox("inbox"): true },
            "receivedAt": format!("2018-06-27T00:{:02}:35Z", self.minute),
        });
        let answer = self
            .jmap
            .call("Email/import", json!({ "emails": { "k": email } }));
        let made = &answer["created"]["k"];
        let mut know = |name: String, id: &str| self.known.insert(name, made[id].clone());
        know(format!("${name}"), "id");
        know(format!("${name}.thread"), "threadId");
        know(format!("${name}.blob"), "blobId");
    }

    fn ask(&mut self, mut calls: Value) {
        self.fill(&mut calls);
        self.answers = self.jmap.calls(calls);
    }

    /// Puts what is known in its places, in names of members, too.
    fn fill(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(known) = self.known.get(text.as_str()) {
                    *value = known.clone();
                }
            }
            Value::Array(all) => all.iter_mut().for_each(|value| self.fill(value)),
            Value::Object(map) => {
                for (name, mut value) in std::mem::take(map) {
                    self.fill(&mut value);
                    let mut name = name;
                    for (known, id) in self.known.iter().rev() {
                        if name == *known || name.ends_with(&format!("/{known}")) {
                            name = name.replace(known.as_str(), id.as_str().unwrap());
                        }
                    }
                    map.insert(name, value);
                }
            }
            _ => {}
        }
    }

    fn hear(&mut self, title: &str, mut wanted: Value) {
        // Known ids in the names of members.
        if let Value::Array(all) = &mut wanted {
            all.iter_mut().for_each(|value| names(value, &self.known));
        }
        let got = Value::Array(std::mem::take(&mut self.answers));
        if let Err(why) = alike(&wanted, &got, &mut self.known) {
            panic!("{title}: {why}\nwanted {wanted:#}\ngot {got:#}");
        }
    }
}

fn names(value: &mut Value, known: &BTreeMap<String, Value>) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|value| names(value, known)),
        Value::Object(map) => {
            let filled: Map<String, Value> = std::mem::take(map)
                .into_iter()
                .map(|(name, mut value)| {
                    names(&mut value, known);
                    let id = known.get(&name).and_then(Value::as_str);
                    (id.map_or(name.clone(), str::to_owned), value)
                })
                .collect();
            *map = filled;
        }
        _ => {}
    }
}

fn alike(wanted: &Value, got: &Value, known: &mut BTreeMap<String, Value>) -> Result<(), String> {
    match (wanted, got) {
        (Value::String(text), got) if text.starts_with('$') && text.len() > 1 => {
            match known.get(text) {
                Some(known) if known == got => Ok(()),
                Some(known) => Err(format!("{text} is {known}, not {got}")),
                None => {
                    known.insert(text.clone(), got.clone());
                    Ok(())
                }
            }
        }
        (Value::String(text), got) if text == "..." && !got.is_null() => Ok(()),
        (Value::String(text), Value::String(got)) if text.ends_with("...") => {
            match got.starts_with(text.trim_end_matches("...")) {
                true => Ok(()),
                false => Err(format!("{got:?} is not {text:?}")),
            }
        }
        (Value::Array(all), Value::Array(got)) => {
            let open = all.last().is_some_and(|last| last == "...");
            let all = if open {
                &all[..all.len() - 1]
            } else {
                &all[..]
            };
            if all.len() > got.len() || !open && all.len() < got.len() {
                return Err(format!("{} instead of {}", got.len(), all.len()));
            }
            all.iter()
                .zip(got)
                .try_for_each(|(all, got)| alike(all, got, known))
        }
        (Value::Object(map), Value::Object(got)) => {
            let open = map.contains_key("...");
            for (name, wanted) in map.iter().filter(|(name, _)| *name != "...") {
                let got = got.get(name).ok_or_else(|| format!("there is no {name}"))?;
                alike(wanted, got, known).map_err(|why| format!("{name}: {why}"))?;
            }
            let more = got.keys().find(|name| !map.contains_key(*name));
            match more {
                Some(more) if !open => Err(format!("there is {more}, too")),
                _ => Ok(()),
            }
        }
        (wanted, got) if wanted == got => Ok(()),
        (wanted, got) => Err(format!("{got} instead of {wanted}")),
    }
}

#[test]
fn rfc8620() {
    play("rfc8620.txt");
}

#[test]
fn rfc8621() {
    play("rfc8621.txt");
}
