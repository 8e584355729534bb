//! THREAD and UID THREAD.
use super::Imap;
use crate::harness::Server;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

#[test]
fn quotes_in_ids_make_no_difference() {
    let (_server, mut imap) = filled(&[
        "Message-ID: <\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>\r\nSubject: a\r\n\r\nx\r\n".into(),
        "References: <01KF8JCEOCBS0045PS@xxx.yyy.com>\r\nSubject: b\r\n\r\nx\r\n".into(),
    ]);
    let reply = imap.ok("THREAD REFERENCES UTF-8 ALL");
    assert_eq!(reply.untagged, ["THREAD (1 2)"]);
}

fn filled(messages: &[String]) -> (Server, Imap) {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    for message in messages {
        imap.append("INBOX", message);
    }
    imap.ok("SELECT INBOX");
    (server, imap)
}

/// A message as the reference implementation sees it.
#[derive(Clone, Debug)]
struct Mail {
    id: Option<u8>,
    references: Vec<u8>,
    in_reply_to: Option<u8>,
    subject: u8,
    reply: bool,
    date: u32,
}

impl Mail {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(id) = self.id {
            text += &format!("Message-ID: <{id}@x>\r\n");
        }
        if !self.references.is_empty() {
            let ids: Vec<String> = self.references.iter().map(|n| format!("<{n}@x>")).collect();
            text += &format!("References: {}\r\n", ids.join(" "));
        }
        if let Some(id) = self.in_reply_to {
            text += &format!("In-Reply-To: <{id}@x> <99@x>\r\n");
        }
        let re = if self.reply { "Re: " } else { "" };
        let subject = ["", "one", "two", "three"][usize::from(self.subject)];
        text + &format!(
            "Subject: {re}{subject}\r\nDate: 1 Mar 2020 00:00:{:02} +0000\r\n\r\nx\r\n",
            self.date
        )
    }
}

fn mail() -> impl Strategy<Value = Mail> {
    (
        proptest::option::weighted(0.9, 0u8..8),
        proptest::collection::vec(0u8..8, 0..6),
        proptest::option::weighted(0.3, 0u8..8),
        0u8..4,
        any::<bool>(),
        0u32..4,
    )
        .prop_map(|(id, references, in_reply_to, subject, reply, date)| Mail {
            id,
            references,
            in_reply_to,
            subject,
            reply,
            date,
        })
}

/// RFC 5256 §3 REFERENCES, word by word: nodes by name, lists of children, no cleverness.
struct Naive {
    /// Index of the message, or `None` for a dummy.
    message: Vec<Option<usize>>,
    parent: Vec<Option<usize>>,
}

impl Naive {
    fn new(mails: &[Mail]) -> Naive {
        let mut tree = Naive {
            message: Vec::new(),
            parent: Vec::new(),
        };
        let mut ids: BTreeMap<u8, usize> = BTreeMap::new();
        for (index, mail) in mails.iter().enumerate() {
            let references: Vec<u8> = match (&mail.references[..], mail.in_reply_to) {
                ([], Some(id)) => vec![id],
                (list, _) => list.to_vec(),
            };
            let mut nodes = Vec::new();
            for id in &references {
                nodes.push(*ids.entry(*id).or_insert_with(|| tree.dummy()));
            }
            for pair in nodes.windows(2) {
                if tree.parent[pair[1]].is_none() && !tree.is_below(pair[0], pair[1]) {
                    tree.parent[pair[1]] = Some(pair[0]);
                }
            }
            let named = mail
                .id
                .map(|id| *ids.entry(id).or_insert_with(|| tree.dummy()));
            let node = match named {
                Some(node) if tree.message[node].is_none() => node,
                _ => tree.dummy(),
            };
            tree.message[node] = Some(index);
            tree.parent[node] = None;
            if let Some(last) = nodes.last()
                && !tree.is_below(*last, node)
            {
                tree.parent[node] = Some(*last);
            }
        }
        tree
    }

    fn dummy(&mut self) -> usize {
        self.message.push(None);
        self.parent.push(None);
        self.message.len() - 1
    }

    /// Is `a` the node `b` or a descendant of it?
    fn is_below(&self, a: usize, b: usize) -> bool {
        let mut at = Some(a);
        while let Some(node) = at {
            if node == b {
                return true;
            }
            at = self.parent[node];
        }
        false
    }

    fn children(&self, of: Option<usize>) -> Vec<usize> {
        (0..self.parent.len())
            .filter(|n| self.parent[*n] == of)
            .collect()
    }
}

#[derive(Clone, Debug)]
struct Tree {
    message: Option<usize>,
    children: Vec<Tree>,
}

fn grow(naive: &Naive, node: usize, top: bool) -> Vec<Tree> {
    let below = naive.children(Some(node));
    let children: Vec<Tree> = below
        .into_iter()
        .flat_map(|n| grow(naive, n, false))
        .collect();
    match naive.message[node] {
        Some(message) => vec![Tree {
            message: Some(message),
            children,
        }],
        None if children.is_empty() => Vec::new(),
        None if !top || children.len() == 1 => children,
        None => vec![Tree {
            message: None,
            children,
        }],
    }
}

fn rank(mails: &[Mail], tree: &Tree) -> (u32, usize) {
    match tree.message {
        Some(n) => (mails[n].date, n),
        None => tree.children.iter().map(|t| rank(mails, t)).min().unwrap(),
    }
}

fn first<'a>(mails: &'a [Mail], tree: &Tree) -> &'a Mail {
    match tree.message {
        Some(n) => &mails[n],
        None => &mails[rank(mails, tree).1],
    }
}

fn sort(mails: &[Mail], trees: &mut [Tree]) {
    for tree in trees.iter_mut() {
        sort(mails, &mut tree.children);
    }
    trees.sort_by_key(|tree| rank(mails, tree));
}

/// Steps 2 to 6.
fn threads(mails: &[Mail]) -> Vec<Tree> {
    let naive = Naive::new(mails);
    let mut roots: Vec<Option<Tree>> = {
        let tops = naive.children(None).into_iter();
        let mut roots: Vec<Tree> = tops.flat_map(|n| grow(&naive, n, true)).collect();
        for root in &mut roots {
            if root.message.is_none() {
                sort(mails, &mut root.children);
            }
        }
        roots.sort_by_key(|tree| rank(mails, tree));
        roots.into_iter().map(Some).collect()
    };
    let subject = |tree: &Tree| first(mails, tree).subject;
    let is_reply = |tree: &Tree| tree.message.is_some_and(|n| mails[n].reply);
    let mut table: BTreeMap<u8, usize> = BTreeMap::new();
    for at in 0..roots.len() {
        let current = roots[at].as_ref().unwrap();
        let subject = subject(current);
        if subject == 0 {
            continue;
        }
        match table.get(&subject).map(|n| roots[*n].as_ref().unwrap()) {
            None => {
                table.insert(subject, at);
            }
            Some(chosen) if chosen.message.is_some() => {
                let original = is_reply(chosen) && !is_reply(current);
                if current.message.is_none() || original {
                    table.insert(subject, at);
                }
            }
            Some(_) => {}
        }
    }
    for at in 0..roots.len() {
        let subject = subject(roots[at].as_ref().unwrap());
        let Some(chosen) = table
            .get(&subject)
            .copied()
            .filter(|n| *n != at && subject != 0)
        else {
            continue;
        };
        let current = roots[at].take().unwrap();
        let table_is_reply = is_reply(roots[chosen].as_ref().unwrap());
        let target = roots[chosen].as_mut().unwrap();
        match (target.message, current.message) {
            (None, None) => target.children.extend(current.children),
            (None, Some(_)) => target.children.push(current),
            _ if is_reply(&current) && !table_is_reply => target.children.push(current),
            _ => {
                let one = roots[chosen].take().unwrap();
                roots[chosen] = Some(Tree {
                    message: None,
                    children: vec![one, current],
                });
            }
        }
    }
    let mut roots: Vec<Tree> = roots.into_iter().flatten().collect();
    sort(mails, &mut roots);
    roots
}

fn write(trees: &[Tree], out: &mut String) {
    for tree in trees {
        out.push('(');
        let mut at = tree;
        loop {
            if let Some(n) = at.message {
                out.push_str(&(n + 1).to_string());
            }
            match &at.children[..] {
                [] => break,
                [only] => {
                    if at.message.is_some() {
                        out.push(' ');
                    }
                    at = only;
                }
                several => {
                    if at.message.is_some() {
                        out.push(' ');
                    }
                    write(several, out);
                    break;
                }
            }
        }
        out.push(')');
    }
}

#[test]
fn references_agree_with_a_plain_reading_of_the_rfc() {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|it| it.parse().ok());
    let mut runner = TestRunner::new(Config::with_cases(cases.unwrap_or(200)));
    let strategy = proptest::collection::vec(mail(), 1..12);
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let mut round = 0;
    let cell = std::cell::RefCell::new((&mut imap, &mut round));
    runner
        .run(&strategy, |mails| {
            let (imap, round) = &mut *cell.borrow_mut();
            **round += 1;
            let name = format!("r{round}");
            imap.ok(&format!("CREATE {name}"));
            for mail in &mails {
                imap.append(&name, &mail.text());
            }
            imap.ok(&format!("SELECT {name}"));
            let mut want = String::from("THREAD ");
            write(&threads(&mails), &mut want);
            let found = imap.ok("THREAD REFERENCES UTF-8 ALL");
            prop_assert_eq!(&found.untagged[0], &want);
            let found = imap.ok("UID THREAD REFERENCES UTF-8 ALL");
            prop_assert_eq!(&found.untagged[0], &want);
            imap.ok("CLOSE");
            imap.ok(&format!("DELETE {name}"));
            Ok(())
        })
        .unwrap();
}

/// A thread as deep as the mailbox is long, from its end to its beginning.
#[test]
fn deep_threads() {
    let count = 300;
    let messages: Vec<String> = (1..=count)
        .rev()
        .map(|n| {
            format!(
                "Message-ID: <{n}@x>\r\nReferences: <{}@x>\r\nSubject: {n}\r\n\r\nx\r\n",
                n - 1
            )
        })
        .collect();
    let (_server, mut imap) = filled(&messages);
    let reply = imap.ok("THREAD REFERENCES UTF-8 ALL");
    let numbers: Vec<String> = (1..=count).rev().map(|n| n.to_string()).collect();
    assert_eq!(reply.untagged, [format!("THREAD ({})", numbers.join(" "))]);
}

#[test]
fn refs_are_ordered_by_the_newest_arrival_and_not_merged_by_subject() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let mut append = |day: u32, text: &str| {
        let date = format!("Date: {day} Mar 2020 10:00:00 +0000\r\n");
        imap.append("INBOX", &format!("{date}{text}\r\n\r\nx\r\n"));
    };
    append(1, "Message-ID: <1@x>\r\nSubject: a");
    append(2, "Message-ID: <2@x>\r\nSubject: a");
    append(3, "References: <1@x>\r\nSubject: Re: a");
    imap.ok("SELECT INBOX");
    let reply = imap.ok("THREAD REFS UTF-8 ALL");
    assert_eq!(reply.untagged, ["THREAD (2)(1 3)"]);
}
