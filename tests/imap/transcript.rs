//! Dialogues as RFCs print them, played against a real server.
//!
//! A file in `tests/imap/transcripts/` holds scenes, and is found there by itself. Each scene has a server of its own:
//!
//! ```text
//! == RFC 9051 §6.4.5: FETCH
//! ! messages INBOX 4              four small messages (subjects 1 to 4)
//! ! message Drafts (\Seen) "17-Jul-1996 02:44:25 -0700"     one with the text of the | lines
//! | Subject: x
//! |
//! | Hello
//! ! run SELECT INBOX              any command; it has to be answered OK
//! C: A654 FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])
//! S: * 2 FETCH <*>
//! S: A654 OK FETCH completed
//! ```
//!
//! * A scene begins logged in; `! fresh` begins it without, `! tls` under TLS; `! starttls` shakes hands. `C2:` and `S2:` are
//!   another connection (any digit), logged in by itself.
//! * `C:` sends a line. `C|` too, as part of a literal: `{*}` and `{*+}` at the end of the line before
//!   become the size of the `C|` lines that follow.
//! * `S:` expects a response, `S|` continues it over the lines of a literal, `S?` may also stay away,
//!   `S: ...` lets any other untagged ones pass. Untagged responses may come in any order before the
//!   tagged one or the `+` that they stand before; none is allowed that the file does not have.
//! * In `S:` lines `{*}` is a literal of any size.
//! * `* OK [URLMECH ...]` (RFC 4467) may come anywhere.
//! * `<*>` is any text within a line, `<**>` across lines; `<name>` is a word without blanks and
//!   brackets: the same one wherever it comes again in the scene, in `C:` lines too.
//! * In `FLAGS (...)` order does not matter, and \Recent only where the file has it.
//! * The text for people in OK, NO, BAD and BYE is not compared; a response code is, where the file has one.
use super::{Imap, message};
use crate::harness::{PASSWORD, Server, USER};
use pillarbox::config::Role;
use std::collections::BTreeMap;
use std::path::Path;

/// Plays every scene of a file.
pub fn play(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/imap/transcripts")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines: Vec<(usize, &str)> = text.lines().enumerate().map(|(i, l)| (i + 1, l)).collect();
    let starts: Vec<usize> = (0..lines.len())
        .filter(|i| lines[*i].1.starts_with("== "))
        .collect();
    assert!(!starts.is_empty(), "{name} has no scene");
    for (n, start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(lines.len());
        Scene::new(name, lines[*start].1).play(&lines[*start + 1..end]);
    }
}

struct Scene {
    place: String,
    // Before the server, which waits for its clients to leave.
    connections: BTreeMap<u32, Imap>,
    server: Server,
    captured: BTreeMap<String, String>,
    fresh: bool,
    tls: bool,
}

/// What a response has to look like.
struct Pattern {
    line: usize,
    text: String,
    optional: bool,
}

impl Pattern {
    /// Tagged or a continuation: everything before it has to have come.
    fn ends(&self) -> bool {
        !self.text.starts_with("* ")
    }
}

impl Scene {
    fn new(file: &str, title: &str) -> Scene {
        Scene {
            place: format!("{file}: {title}"),
            server: Server::start(),
            connections: BTreeMap::new(),
            captured: BTreeMap::new(),
            fresh: false,
            tls: false,
        }
    }

    fn connection(&mut self, number: u32) -> &mut Imap {
        let (server, fresh, tls) = (&self.server, self.fresh, self.tls);
        self.connections.entry(number).or_insert_with(|| {
            let role = if tls { Role::Imaps } else { Role::Imap };
            let mut imap = Imap::connect_to(server, role);
            if !fresh {
                imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
            }
            imap
        })
    }

    fn play(mut self, lines: &[(usize, &str)]) {
        let mut at = 0;
        while at < lines.len() {
            let (number, line) = lines[at];
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                at += 1;
            } else if let Some(directive) = line.strip_prefix("! ") {
                let text: Vec<&str> = lines[at + 1..]
                    .iter()
                    .map_while(|(_, l)| {
                        l.strip_prefix('|')
                            .map(|l| l.strip_prefix(' ').unwrap_or(l))
                    })
                    .collect();
                at += 1 + text.len();
                self.direct(number, directive, &text);
            } else if let Some((who, 'C' | '|', text)) = spoken(line, 'C') {
                self.say(who, text, &lines[at + 1..]);
                at += 1;
            } else if let Some((who, ..)) = spoken(line, 'S') {
                let (patterns, used) = patterns(&lines[at..], who);
                at += used;
                self.hear(who, patterns);
            } else {
                panic!("{} line {number}: what is {line:?}?", self.place);
            }
        }
    }

    fn direct(&mut self, line: usize, directive: &str, text: &[&str]) {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        match word {
            "fresh" => self.fresh = true,
            "tls" => self.tls = true,
            "starttls" => self.connection(1).client.start_tls(),
            "run" => {
                let command = self.filled(rest);
                self.connection(1).ok(&command);
            }
            "messages" => {
                let (mailbox, count) = rest.rsplit_once(' ').expect("mailbox and count");
                let count = count.parse().expect("a count");
                for n in 1..=count {
                    self.helper().append(mailbox, &message(n));
                }
            }
            "message" => {
                let whole: String = text.iter().map(|l| format!("{l}\r\n")).collect();
                self.helper().append(rest, &whole);
            }
            _ => panic!("{} line {line}: what is {directive:?}?", self.place),
        }
    }

    /// A connection that the scene does not see.
    fn helper(&mut self) -> &mut Imap {
        let server = &self.server;
        self.connections
            .entry(u32::MAX)
            .or_insert_with(|| Imap::login(server))
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.captured {
            text = text.replace(&format!("<{name}>"), value);
        }
        text
    }

    fn say(&mut self, who: u32, text: &str, next: &[(usize, &str)]) {
        let mut text = self.filled(text);
        if text.ends_with("{*}") || text.ends_with("{*+}") {
            let literal = next
                .iter()
                .map(|(_, line)| line)
                .filter(|line| !line.starts_with('S'))
                .map_while(|line| spoken(line, 'C').filter(|(_, kind, _)| *kind == '|'));
            let size: usize = literal.map(|(.., text)| self.filled(text).len() + 2).sum();
            text = text.replace("{*}", &format!("{{{size}}}"));
            text = text.replace("{*+}", &format!("{{{size}+}}"));
        }
        self.connection(who).client.send(&text);
    }

    fn hear(&mut self, who: u32, patterns: Vec<Pattern>) {
        let mut waiting: Vec<Pattern> = Vec::new();
        let mut any = false;
        for pattern in patterns {
            if pattern.text == "..." {
                any = true;
                continue;
            }
            let last = pattern.ends();
            waiting.push(pattern);
            if last {
                self.hear_until_last(who, std::mem::take(&mut waiting), any);
                any = false;
            }
        }
        // Nothing ends these: as many as are asked for.
        while waiting.iter().any(|p| !p.optional) {
            let response = self.connection(who).response();
            self.take(&mut waiting, &response, any);
        }
    }

    fn hear_until_last(&mut self, who: u32, mut waiting: Vec<Pattern>, any: bool) {
        let end = waiting.last().map(|p| p.line);
        while waiting.last().map(|p| p.line) == end {
            let response = self.connection(who).response();
            self.take(&mut waiting, &response, any);
        }
        if let Some(missing) = waiting.iter().find(|p| !p.optional) {
            panic!(
                "{} line {}: it did not come: {}",
                self.place, missing.line, missing.text
            );
        }
    }

    /// Crosses out the pattern that the response is.
    fn take(&mut self, waiting: &mut Vec<Pattern>, response: &str, any: bool) {
        for (i, pattern) in waiting.iter().enumerate() {
            let mut captured = self.captured.clone();
            if alike(&pattern.text, response, &mut captured) {
                self.captured = captured;
                waiting.remove(i);
                return;
            }
        }
        if (any && response.starts_with("* ")) || response.starts_with("* OK [URLMECH ") {
            return;
        }
        let expected: Vec<String> = waiting
            .iter()
            .map(|p| format!("line {}: {}", p.line, self.filled(&p.text)))
            .collect();
        panic!(
            "{}: got\n{response}\nwaiting for\n{}",
            self.place,
            expected.join("\n")
        );
    }
}

/// `C: text`, `C2| text`: the connection, the mark, the text.
fn spoken(line: &str, side: char) -> Option<(u32, char, &str)> {
    let rest = line.strip_prefix(side)?;
    let (who, rest) = match rest.chars().next()? {
        digit @ '1'..='9' => (digit.to_digit(10)?, &rest[1..]),
        _ => (1, rest),
    };
    let kind = match rest.chars().next()? {
        ':' => side,
        mark @ ('|' | '?') => mark,
        _ => return None,
    };
    let text = &rest[1..];
    Some((who, kind, text.strip_prefix(' ').unwrap_or(text)))
}

/// The run of expectations of one connection, and how many lines it takes.
fn patterns(lines: &[(usize, &str)], who: u32) -> (Vec<Pattern>, usize) {
    let mut patterns: Vec<Pattern> = Vec::new();
    let mut used = 0;
    for (number, line) in lines {
        let Some((speaker, kind, text)) = spoken(line, 'S') else {
            break;
        };
        if speaker != who {
            break;
        }
        used += 1;
        match patterns.last_mut() {
            Some(last) if kind == '|' => {
                last.text.push_str("\r\n");
                last.text.push_str(text);
            }
            _ => patterns.push(Pattern {
                line: *number,
                text: text.trim_end().replace("{*}", "{<*>}"),
                optional: kind == '?',
            }),
        }
    }
    (patterns, used)
}

/// Is the response what the pattern says?
fn alike(pattern: &str, response: &str, captured: &mut BTreeMap<String, String>) -> bool {
    match status(pattern) {
        None if pattern.contains("FLAGS (") && !pattern.contains("FLAGS (<") => {
            let recent = pattern.contains("\\Recent");
            let (pattern, response) = (in_order(pattern, true), in_order(response, recent));
            matches(&pattern, &response, captured)
        }
        None => matches(pattern, response, captured),
        Some((head, code)) => status(response).is_some_and(|(other, found)| {
            let code_fits =
                code.is_none_or(|code| found.is_some_and(|found| matches(code, found, captured)));
            code_fits && matches(head, other, captured)
        }),
    }
}

/// The line with the flags of its lists in alphabetical order.
fn in_order(line: &str, recent: bool) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("FLAGS (") {
        let (head, tail) = rest.split_at(at + "FLAGS (".len());
        let (list, tail) = tail.split_at(tail.find(')').unwrap_or(tail.len()));
        let mut flags: Vec<&str> = list
            .split(' ')
            .filter(|f| recent || *f != "\\Recent")
            .collect();
        flags.sort_unstable();
        out = out + head + &flags.join(" ");
        rest = tail;
    }
    out + rest
}

/// `a OK` and the response code, if the line is a status response.
fn status(line: &str) -> Option<(&str, Option<&str>)> {
    if line == "+" {
        return Some(("+", None));
    }
    let (tag, rest) = line.split_once(' ')?;
    if tag == "+" {
        return Some(("+", None));
    }
    let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
    if !["OK", "NO", "BAD", "BYE", "PREAUTH"].contains(&word) {
        return None;
    }
    let code = text
        .starts_with('[')
        .then(|| text.rfind(']').map(|end| &text[..=end]))
        .flatten();
    Some((&line[..tag.len() + 1 + word.len()], code))
}

/// The pattern's placeholders, by backtracking: lines are short.
fn matches(pattern: &str, text: &str, captured: &mut BTreeMap<String, String>) -> bool {
    let Some(open) = pattern.find('<') else {
        return pattern == text;
    };
    let close = pattern[open..].find('>').map(|n| open + n);
    let name = close.map(|close| &pattern[open + 1..close]);
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let (Some(close), Some(name)) = (close, name) else {
        return pattern == text;
    };
    if !(name == "*" || name == "**" || is_name(name)) {
        // An ordinary angle: an address, an origin.
        let plain = &pattern[..=open];
        return text
            .strip_prefix(plain)
            .is_some_and(|rest| matches(&pattern[open + 1..], rest, captured));
    }
    let Some(rest) = text.strip_prefix(&pattern[..open]) else {
        return false;
    };
    let after = &pattern[close + 1..];
    if let Some(value) = captured.get(name).cloned() {
        return rest
            .strip_prefix(value.as_str())
            .is_some_and(|rest| matches(after, rest, captured));
    }
    let fits = |c: char| match name {
        "*" => c != '\r' && c != '\n',
        "**" => true,
        _ => !c.is_whitespace() && !matches!(c, '(' | ')' | '[' | ']' | '{' | '}'),
    };
    let mut ends: Vec<usize> = vec![0];
    ends.extend(
        rest.char_indices()
            .take_while(|(_, c)| fits(*c))
            .map(|(i, c)| i + c.len_utf8()),
    );
    for end in ends {
        let mut tried = captured.clone();
        if is_name(name) {
            if end == 0 {
                continue;
            }
            tried.insert(name.to_owned(), rest[..end].to_owned());
        }
        if matches(after, &rest[end..], &mut tried) {
            *captured = tried;
            return true;
        }
    }
    false
}

#[test]
fn patterns_match_what_they_say() {
    let fits = |pattern: &str, text: &str| alike(pattern, text, &mut BTreeMap::new());
    assert!(fits("a OK done", "a OK [X] other words"));
    assert!(fits("a OK [UIDNEXT <n>] x", "a OK [UIDNEXT 7] y"));
    assert!(!fits("a OK [UIDNEXT 8] x", "a OK [UIDNEXT 7] y"));
    assert!(!fits("a OK x", "b OK x") && !fits("a OK x", "a NO x"));
    assert!(fits("* <n> FETCH (UID <n>)", "* 3 FETCH (UID 3)"));
    assert!(!fits("* <n> FETCH (UID <n>)", "* 3 FETCH (UID 4)"));
    assert!(fits(
        "* x {<*>}\r\na <b@c>\r\n<**>)",
        "* x {9}\r\na <b@c>\r\nd\r\n)"
    ));
}

/// Every file there is, side by side.
#[test]
fn every_dialogue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/imap/transcripts");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".txt"))
        .collect();
    names.sort();
    let failed: Vec<&String> = std::thread::scope(|scope| {
        let all: Vec<_> = names
            .iter()
            .map(|name| (name, scope.spawn(|| play(name))))
            .collect();
        all.into_iter()
            .filter_map(|(name, played)| played.join().is_err().then_some(name))
            .collect()
    });
    assert!(failed.is_empty(), "{failed:?}");
}
