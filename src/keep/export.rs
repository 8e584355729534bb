//! Mail moves out: from the store to a Maildir++ or to mbox files, which other programs read.
use super::maildir::{self, LETTERS};
use super::mbox::{self, Quoter};
use super::{Done, Said, Target, broken, unusable};
use crate::limits::BLOCK;
use crate::mail::{Flags, Mail, Mailbox, Reader, Row, Uid};
use crate::server::Failure;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Rows that are looked at together.
const ROWS: usize = 256;
/// Octets of a file's name; most file systems have 255.
const NAME: usize = 240;

/// Gives every message of a mailbox, or of all, to `target`, once for each mailbox that shows it.
///
/// # Errors
/// There is no such mailbox, the store cannot be read, or the target takes no more.
pub fn run(mail: &Mail, only: Option<&str>, target: &mut dyn Target) -> Done<()> {
    let meta = mail.meta();
    let wanted = |m: &Mailbox| only.is_none_or(|only| crate::mail::same_path(only, &m.path));
    let mut found = only.is_none();
    for mailbox in meta.mailboxes.iter().filter(|m| wanted(m)) {
        found = true;
        let mut next: Uid = 1;
        loop {
            let mut rows: Vec<Row> = Vec::new();
            let reader = mail.reader().map_err(|e| broken(&e))?;
            let done = reader.rows(mailbox.id, next, Uid::MAX, |row| {
                rows.push(*row);
                rows.len() < ROWS
            });
            done.map_err(|e| broken(&e))?;
            drop(reader);
            let Some(last) = rows.last() else { break };
            next = last.uid.saturating_add(1);
            for row in &rows {
                let keywords = mail.meta().keywords.clone();
                let said = Said {
                    mailboxes: vec![mailbox.path.clone()],
                    flags: row.flags.only(Flags::SYSTEM),
                    keywords: keywords.names(row.flags).map(str::to_owned).collect(),
                    date: Some(row.internaldate),
                    origin: format!("{}.{}.{}", row.email, mailbox.id, row.uid),
                    wished: false,
                };
                let look = || mail.reader().map_err(|e| broken(&e));
                message(&look, row, &said, target)?;
            }
        }
    }
    match found {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "there is no mailbox {}",
            only.unwrap_or_default()
        ))),
    }
}

fn message(
    look: &dyn Fn() -> Done<Reader>,
    row: &Row,
    said: &Said,
    target: &mut dyn Target,
) -> Done<()> {
    // Gone since the rows were read.
    let Some(message) = look()?.message(row.email).map_err(|e| broken(&e))? else {
        return Ok(());
    };
    target.begin(said)?;
    let (mut at, mut chunk) = (0, Vec::new());
    while at < message.size {
        chunk.clear();
        // A look each, so that a slow taker keeps no pages from being used again.
        let read = look()?.read(&message, at, BLOCK as u32, &mut chunk);
        match read {
            Ok(count) if count > 0 => at += count,
            // Deleted meanwhile, or damaged: what came so far is not a message, but it is better than none.
            _ => {
                log::warn!("{} ends at octet {at} of {}", said.origin, message.size);
                break;
            }
        }
        target.octets(&chunk)?;
    }
    target.end(said)
}

/// A path's names as those of files: none leads elsewhere, none is too long.
fn safe(name: &str) -> String {
    let name = match name.strip_prefix('.') {
        Some(rest) => String::from("_") + rest,
        None => name.to_owned(),
    };
    let cut = (0..=NAME.min(name.len()))
        .rev()
        .find(|at| name.is_char_boundary(*at));
    name.get(..cut.unwrap_or(0)).unwrap_or_default().to_owned()
}

fn make(path: &Path) -> Done<()> {
    fs::create_dir_all(path).map_err(|e| unusable(path, &e))
}

/// The directory to write to: it must not hold anything yet.
///
/// # Errors
/// It does, or cannot be made.
pub fn empty(path: &Path) -> Done<()> {
    make(path)?;
    let first = fs::read_dir(path).map_err(|e| unusable(path, &e))?.next();
    match first {
        None => Ok(()),
        Some(_) => Err(Failure::usage(format!(
            "{} is not empty: give a directory that is, or does not exist",
            path.display()
        ))),
    }
}

/// Makes what was written last.
fn settle(root: &Path) -> Done<()> {
    let folder = File::open(root).map_err(|e| unusable(root, &e))?;
    rustix::fs::syncfs(&folder).map_err(|e| unusable(root, &e.into()))
}

/// Writes a Maildir++.
pub struct Maildir {
    root: PathBuf,
    file: Option<File>,
    /// The folders, the one that is written behind the others, with their keywords in the order of their
    /// letters.
    folders: Vec<(PathBuf, Vec<String>)>,
    count: u64,
}

impl Maildir {
    /// Into an empty directory.
    ///
    /// # Errors
    /// It is not empty, or cannot be made.
    pub fn new(root: &Path) -> Done<Maildir> {
        empty(root)?;
        for part in ["cur", "new", "tmp"] {
            make(&root.join(part))?;
        }
        Ok(Maildir {
            root: root.to_owned(),
            file: None,
            folders: Vec::new(),
            count: 0,
        })
    }

    fn under_way(&self) -> PathBuf {
        self.root.join("tmp").join("message")
    }

    /// The folder of a path, made if need be; it is the last one then.
    fn folder(&mut self, path: &str) -> Done<()> {
        let folder = match crate::mail::is_inbox(path) {
            true => self.root.clone(),
            // `safe` changes no first dot here: the folder's own is put before.
            false => self.root.join(
                String::from(".") + safe(&maildir::folder(path)).get(1..).unwrap_or_default(),
            ),
        };
        if let Some(at) = self.folders.iter().rposition(|(known, _)| *known == folder) {
            let last = self.folders.len() - 1;
            self.folders.swap(at, last);
        } else {
            for part in ["cur", "new", "tmp"] {
                make(&folder.join(part))?;
            }
            if folder != self.root {
                let mark = folder.join("maildirfolder");
                File::create(&mark).map_err(|e| unusable(&mark, &e))?;
            }
            self.folders.push((folder, Vec::new()));
        }
        Ok(())
    }
}

impl Target for Maildir {
    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        let path = self.under_way();
        let file = match self.file.take() {
            Some(file) => Ok(file),
            None => File::create(&path),
        };
        let written = file.and_then(|mut file| {
            file.write_all(octets)?;
            Ok(file)
        });
        self.file = Some(written.map_err(|e| unusable(&path, &e))?);
        Ok(())
    }

    fn end(&mut self, said: &Said) -> Done<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let path = said.mailboxes.first().map_or("INBOX", String::as_str);
        self.folder(path)?;
        let Some((folder, known)) = self.folders.last_mut() else {
            return Ok(());
        };
        let mut letters: String = LETTERS
            .iter()
            .filter(|(_, flag)| said.flags.has(*flag))
            .map(|(letter, _)| letter)
            .collect();
        for (letter, at) in ('a'..='z').zip(0..) {
            if known.len() == at
                && let Some(new) = said.keywords.iter().find(|word| !known.contains(word))
            {
                known.push(new.clone());
            }
            if known
                .get(at)
                .is_some_and(|word| said.keywords.contains(word))
            {
                letters.push(letter);
            }
        }
        let date = said.date.unwrap_or(0);
        let done = file.set_modified(UNIX_EPOCH + Duration::from_secs(u64::from(date)));
        let name = format!("{date}.{}.pillarbox:2,{letters}", said.origin);
        let to = folder.join("cur").join(name);
        let done = done.and_then(|()| fs::rename(self.under_way(), &to));
        self.count += 1;
        done.map_err(|e| unusable(&to, &e))
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        for (folder, words) in &self.folders {
            if words.is_empty() {
                continue;
            }
            let lines = words.iter().enumerate();
            let text: String = lines.map(|(n, word)| format!("{n} {word}\n")).collect();
            let path = folder.join(maildir::KEYWORDS);
            fs::write(&path, text).map_err(|e| unusable(&path, &e))?;
        }
        settle(&self.root)?;
        Ok(vec![format!("{} messages", self.count)])
    }
}

/// Writes mbox files: one for each mailbox below a directory, or all of it to one stream.
pub struct Mbox {
    root: Option<PathBuf>,
    /// The mailbox that is written, and where.
    out: Option<(String, Box<dyn Write>)>,
    quoter: Quoter,
    text: Vec<u8>,
    count: u64,
}

impl Mbox {
    /// Into an empty directory.
    ///
    /// # Errors
    /// It is not empty, or cannot be made.
    pub fn new(root: &Path) -> Done<Mbox> {
        empty(root)?;
        Ok(Mbox {
            root: Some(root.to_owned()),
            ..Mbox::stream(Box::new(io::sink()))
        })
    }

    /// To one stream.
    pub fn stream(out: Box<dyn Write>) -> Mbox {
        Mbox {
            root: None,
            out: Some((String::new(), out)),
            quoter: Quoter::default(),
            text: Vec::new(),
            count: 0,
        }
    }

    fn open(&mut self, path: &str) -> Done<()> {
        let Some(root) = self.root.clone() else {
            return Ok(());
        };
        if self.out.as_ref().is_some_and(|(open, _)| open == path) {
            return Ok(());
        }
        self.flush()?;
        let mut file = root.clone();
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            let mut name = safe(name);
            // `a/x` is in the directory `a` beside `a.mbox`: no directory is called as that.
            let above = names.peek().is_some();
            if above && name.trim_end_matches('_').ends_with(".mbox") {
                name.push('_');
            }
            file.push(name);
        }
        make(file.parent().unwrap_or(&root))?;
        file.as_mut_os_string().push(".mbox");
        let opened = File::options().append(true).create(true).open(&file);
        let opened = opened.map_err(|e| unusable(&file, &e))?;
        self.out = Some((path.to_owned(), Box::new(io::BufWriter::new(opened))));
        Ok(())
    }

    fn write(&mut self) -> Done<()> {
        let Some((path, out)) = &mut self.out else {
            return Ok(());
        };
        let written = out.write_all(&self.text);
        self.text.clear();
        written.map_err(|e| unusable(Path::new(path), &e))
    }

    fn flush(&mut self) -> Done<()> {
        let Some((path, out)) = &mut self.out else {
            return Ok(());
        };
        out.flush().map_err(|e| unusable(Path::new(path), &e))
    }
}

impl Target for Mbox {
    fn begin(&mut self, said: &Said) -> Done<()> {
        self.open(said.mailboxes.first().map_or("INBOX", String::as_str))?;
        self.text
            .extend_from_slice(mbox::divider(said.date.unwrap_or(0)).as_bytes());
        self.quoter.fields = mbox::fields(said.flags, &said.keywords);
        Ok(())
    }

    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        self.quoter.push(octets, &mut self.text);
        self.write()
    }

    fn end(&mut self, _said: &Said) -> Done<()> {
        self.quoter.end(&mut self.text);
        self.count += 1;
        self.write()
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        self.flush()?;
        if let Some(root) = &self.root {
            settle(root)?;
        }
        Ok(vec![format!("{} messages", self.count)])
    }
}
