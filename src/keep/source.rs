//! Finds the messages in a file or a directory: mbox files, Maildirs with their folders, single
//! messages (`.eml`), and Thunderbird's trees of them. Links are not followed below what was named.
use super::progress::Progress;
use super::{Done, Said, Target, maildir, mbox, place, unusable};
use std::collections::BinaryHeap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Names of a directory that are held and sorted together: a larger one is listed several times.
const NAMES: usize = 10_000;
/// Directories in directories.
const DEPTH: u32 = 32;
const CHUNK: usize = 64 * 1024;

/// How to read what was named.
pub struct Options {
    /// Everything goes below this mailbox.
    pub into: Option<String>,
    /// All of it was read.
    pub seen: bool,
}

impl Options {
    pub(super) fn said(&self, path: &str) -> Said {
        let mut said = Said {
            wished: self.into.is_some(),
            ..Said::default()
        };
        let under = match &self.into {
            Some(into) if path.is_empty() => into.clone(),
            Some(into) => into.clone() + "/" + path,
            None => place::said(path),
        };
        said.mailboxes
            .extend(Some(under).filter(|path| !path.is_empty()));
        if self.seen {
            said.flags = crate::mail::Flags::SEEN;
        }
        said
    }
}

/// Standard input: an mbox file.
const STDIN: &str = "/dev/stdin";

/// Gives all messages below `path` to `target`.
///
/// # Errors
/// Something cannot be read, or the target takes no more.
pub fn read(path: &Path, options: &Options, target: &mut Progress<'_>) -> Done<()> {
    if path.as_os_str() == STDIN {
        let mut input = io::stdin().lock();
        return mbox::read(&mut input, path, &options.said(""), target);
    }
    let about = fs::metadata(path).map_err(|e| unusable(path, &e))?;
    if about.is_dir() {
        return directory(path, "", options, target, 0);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = File::open(path).map_err(|e| unusable(path, &e))?;
    file_of_messages(file, path, &name, options, target, true)
}

/// Opens a regular file that is no link.
fn open(path: &Path) -> io::Result<Option<File>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// The next names of a directory behind `after`, sorted: files, or else directories.
fn names(path: &Path, after: &OsString, files: bool) -> Done<Vec<OsString>> {
    let mut out = BinaryHeap::new();
    for entry in fs::read_dir(path).map_err(|e| unusable(path, &e))? {
        let entry = entry.map_err(|e| unusable(path, &e))?;
        let kind = entry.file_type().map_err(|e| unusable(path, &e))?;
        let name = entry.file_name();
        let wanted = if files { kind.is_file() } else { kind.is_dir() };
        if wanted && name > *after {
            out.push(name);
            if out.len() > NAMES {
                out.pop();
            }
        }
    }
    Ok(out.into_sorted_vec())
}

/// Runs `each` on every file, or every directory, by name.
fn every(path: &Path, files: bool, each: &mut dyn FnMut(&Path) -> Done<()>) -> Done<()> {
    let mut after = OsString::new();
    loop {
        let some = names(path, &after, files)?;
        let Some(last) = some.last().cloned() else {
            return Ok(());
        };
        after = last;
        for name in some {
            each(&path.join(name))?;
        }
    }
}

fn directory(
    path: &Path,
    folder: &str,
    options: &Options,
    target: &mut Progress<'_>,
    depth: u32,
) -> Done<()> {
    let is_dir =
        |name: &str| fs::symlink_metadata(path.join(name)).is_ok_and(|about| about.is_dir());
    let is_maildir = is_dir("cur");
    if is_maildir {
        let names = keyword_names(path);
        for part in ["cur", "new"] {
            if is_dir(part) {
                every(&path.join(part), true, &mut |file| {
                    message(file, folder, Some(&names), options, target)
                })?;
            }
        }
    } else {
        every(path, true, &mut |file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
            if extension.eq_ignore_ascii_case("eml") {
                return message(file, folder, None, options, target);
            }
            let Ok(Some(opened)) = open(file) else {
                return Ok(());
            };
            let stem = if extension.eq_ignore_ascii_case("mbox") {
                stem
            } else {
                &name
            };
            file_of_messages(opened, file, &below(folder, stem), options, target, false)
        })?;
    }
    if depth >= DEPTH {
        return Ok(());
    }
    every(path, false, &mut |inner| {
        let name = inner.file_name().unwrap_or_default().to_string_lossy();
        if is_maildir && matches!(&*name, "cur" | "new" | "tmp") {
            return Ok(());
        }
        let name = match name.strip_prefix('.') {
            Some(folder) => maildir::path(folder),
            None => {
                let ends = [".sbd", ".mbox"];
                let stem = ends.iter().find_map(|end| name.strip_suffix(end));
                stem.unwrap_or(&name).to_owned()
            }
        };
        directory(inner, &below(folder, &name), options, target, depth + 1)
    })
}

fn below(folder: &str, name: &str) -> String {
    // Apple Mail's file is in a directory of its name.
    if folder.is_empty() || name == "mbox" {
        return [folder, if name == "mbox" { "" } else { name }].concat();
    }
    [folder, "/", name].concat()
}

fn keyword_names(path: &Path) -> Vec<String> {
    let mut text = String::new();
    if let Ok(Some(file)) = open(&path.join(maildir::KEYWORDS)) {
        // A damaged one names fewer.
        let _ = file.take(CHUNK as u64).read_to_string(&mut text);
    }
    maildir::keywords(&text)
}

/// An mbox file; any other is left alone unless it was `named`.
fn file_of_messages(
    file: File,
    path: &Path,
    folder: &str,
    options: &Options,
    target: &mut Progress<'_>,
    named: bool,
) -> Done<()> {
    let mut input = BufReader::with_capacity(CHUNK, file);
    let start = input.fill_buf().map_err(|e| unusable(path, &e))?;
    let is_mbox = start.trim_ascii_start().starts_with(b"From ");
    if named && !is_mbox && !start.is_empty() {
        let header = start.split(|b| *b == b'\n').next().unwrap_or_default();
        if header.contains(&b':') {
            return message(path, "", None, options, target);
        }
    }
    if !is_mbox && (!named || start.is_empty()) {
        return Ok(());
    }
    mbox::read(&mut input, path, &options.said(folder), target)
}

/// One message in one file; with `names`, in a Maildir.
fn message(
    path: &Path,
    folder: &str,
    names: Option<&[String]>,
    options: &Options,
    target: &mut Progress<'_>,
) -> Done<()> {
    let looped = Some(rustix::io::Errno::LOOP.raw_os_error());
    let mut file = match open(path) {
        Ok(Some(file)) => file,
        // It is gone again, or a link was put in its place.
        Err(e) if e.kind() != io::ErrorKind::NotFound && e.raw_os_error() != looped => {
            return Err(unusable(path, &e));
        }
        _ => {
            target.skipped(path);
            return Ok(());
        }
    };
    let mut said = options.said(folder);
    said.origin = path.display().to_string();
    let arrived = file.metadata().map_or(0, |about| about.mtime());
    let arrived = u32::try_from(arrived).ok();
    let (mut chunk, mut text, mut header) = (vec![0; CHUNK], Vec::new(), Vec::new());
    let mut last = None;
    loop {
        let count = file.read(&mut chunk).map_err(|e| unusable(path, &e))?;
        if count == 0 {
            break;
        }
        text.clear();
        for &octet in chunk.get(..count).unwrap_or_default() {
            if octet == b'\n' && last != Some(b'\r') {
                text.push(b'\r');
            }
            text.push(octet);
            last = Some(octet);
        }
        if header.is_empty() {
            header.clone_from(&text);
        }
        target.octets(&text)?;
    }
    if last.is_none() {
        return Ok(());
    }
    said.date = place::received(&header).or(arrived);
    if let Some(names) = names {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (flags, keywords) = maildir::flags(&name, names);
        said.flags = said.flags.with(flags);
        said.keywords.extend(keywords);
        said.date = arrived.or(said.date);
    }
    target.end(&said)
}

/// Octets of all files below `path`, for how much is left.
pub fn weigh(path: &Path, depth: u32) -> u64 {
    let Ok(entries) = fs::read_dir(path) else {
        return fs::metadata(path).map_or(0, |about| about.len());
    };
    let mut sum = 0;
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEPTH => sum += weigh(&entry.path(), depth + 1),
            Ok(kind) if kind.is_file() => sum += entry.metadata().map_or(0, |about| about.len()),
            _ => {}
        }
    }
    sum
}
