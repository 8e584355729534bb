//! A store as one stream: of a moment, made while it serves, read on any machine.
//!
//! A line, the schema (two octets), the modseq that an increment begins after (eight). Then rows: what
//! ([`Op`], an octet), length of key (two) and value (four), both. The end is 255, the modseq of the
//! moment (eight), and the SHA-256 of all that stands before it. Integers are little-endian.
use super::{Done, Said, Target, broken, unusable};
use crate::mail::Mail;
use crate::server::{Failure, Kind};
use crate::store::{self, Disk, Folder, Op, Rebuild, beside};
use ring::digest::{Context, SHA256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8] = b"pillarbox backup 1\n";
const END: u8 = 255;
/// Octets of the end behind its mark.
pub const TAIL: usize = 40;
/// Octets that are handed on together.
const CHUNK: usize = 128 * 1024;
/// Octets of a value; a larger one is no row of ours.
const VALUE: u32 = 16 << 20;

fn of_store(error: &store::Error) -> Failure {
    match error {
        store::Error::Closed => Failure::new(
            Kind::Store,
            "the store was opened again meanwhile, or another backup is being made: try again",
        ),
        error => Failure::new(Kind::Store, error.to_string()),
    }
}

/// Gives a backup to `target` as the octets of one message. Returns the modseq for the next increment.
///
/// # Errors
/// The store's or the target's.
pub fn run(mail: &Mail, since: u64, target: &mut dyn Target) -> Done<u64> {
    let store = mail.store().map_err(|e| broken(&e))?;
    let now = mail.meta().modseq;
    if since > now {
        return Err(Failure::usage(format!(
            "no backup of this store ended with {since}, it is at {now}: give the number that the last one printed"
        )));
    }
    let mut hash = Context::new(&SHA256);
    let mut held = MAGIC.to_vec();
    held.extend_from_slice(&store::SCHEMA.to_le_bytes());
    held.extend_from_slice(&since.to_le_bytes());
    let mut failed = None;
    let copied = store.copy(since, &mut |op, key, value| {
        held.push(op as u8);
        held.extend_from_slice(&(key.len() as u16).to_le_bytes());
        held.extend_from_slice(&(value.len() as u32).to_le_bytes());
        held.extend_from_slice(key);
        held.extend_from_slice(value);
        if held.len() >= CHUNK {
            hash.update(&held);
            failed = target.octets(&held).err();
            held.clear();
        }
        match failed {
            None => Ok(()),
            Some(_) => Err(store::Error::Closed),
        }
    });
    if let Some(failure) = failed {
        return Err(failure);
    }
    let modseq = copied.map_err(|e| of_store(&e))?;
    held.push(END);
    held.extend_from_slice(&modseq.to_le_bytes());
    hash.update(&held);
    held.extend_from_slice(hash.finish().as_ref());
    target.octets(&held)?;
    Ok(modseq)
}

/// What a backup says of itself.
pub struct Heading {
    /// The modseq that it begins after; 0 for a whole one.
    pub since: u64,
}

/// Reads one, and hashes.
struct Input<'a> {
    from: &'a mut dyn Read,
    hash: Context,
}

impl Input<'_> {
    fn take(&mut self, out: &mut [u8]) -> Done<()> {
        let read = self.from.read_exact(out);
        self.hash.update(out);
        read.map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => wrong("it ends too early"),
            _ => wrong(&e.to_string()),
        })
    }

    fn number(&mut self, octets: usize) -> Done<u64> {
        let mut bytes = [0; 8];
        self.take(bytes.get_mut(..octets).unwrap_or_default())?;
        Ok(u64::from_le_bytes(bytes))
    }
}

fn wrong(why: &str) -> Failure {
    Failure::new(Kind::Damaged, format!("the backup cannot be used: {why}"))
}

/// Reads a backup to its end: into a store that is being made, or only to see whether it is whole.
/// Returns the modseq of its moment.
///
/// # Errors
/// It is none, damaged, cut off, of another schema, or its rows cannot be written.
pub fn read(
    from: &mut dyn Read,
    expect: &dyn Fn(&Heading) -> Done<()>,
    mut into: Option<&mut Rebuild>,
) -> Done<u64> {
    let mut input = Input {
        from,
        hash: Context::new(&SHA256),
    };
    let mut magic = [0; MAGIC.len()];
    input.take(&mut magic)?;
    if magic != *MAGIC {
        return Err(wrong("it is no backup of this program"));
    }
    let schema = input.number(2)?;
    if schema != u64::from(store::SCHEMA) {
        return Err(Failure::new(
            Kind::Schema,
            format!(
                "the backup has schema {schema}, this program {}",
                store::SCHEMA
            ),
        ));
    }
    let since = input.number(8)?;
    expect(&Heading { since })?;
    if let Some(into) = into.as_deref_mut().filter(|_| since > 0) {
        into.increment().map_err(|e| of_store(&e))?;
    }
    let (mut key, mut value) = (Vec::new(), Vec::new());
    loop {
        let op = input.number(1)? as u8;
        if op == END {
            let modseq = input.number(8)?;
            let want = input.hash.clone().finish();
            let mut hash = [0; 32];
            input.take(&mut hash)?;
            return match hash == *want.as_ref() {
                true => Ok(modseq),
                false => Err(wrong("its check sum is another")),
            };
        }
        let op = Op::from_u8(op).ok_or_else(|| wrong("it is damaged"))?;
        let (len, size) = (input.number(2)? as usize, input.number(4)? as u32);
        if size > VALUE {
            return Err(wrong("it is damaged"));
        }
        key.resize(len, 0);
        value.resize(size as usize, 0);
        input.take(&mut key)?;
        input.take(&mut value)?;
        if let Some(into) = into.as_deref_mut() {
            into.put(op, &key, &value).map_err(|e| of_store(&e))?;
        }
    }
}

/// The file that a backup goes to: it has its name once it is whole.
pub struct Output {
    folder: Arc<dyn Folder>,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    part: PathBuf,
    at: u64,
    /// It has its name: what goes by the other one now is another's.
    whole: bool,
}

impl Output {
    /// At `path`; what is there stays until the end.
    ///
    /// # Errors
    /// The system's.
    pub fn new(folder: Arc<dyn Folder>, path: &Path) -> Done<Output> {
        let part = beside(path, ".part");
        let disk = folder.create(&part).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => Failure::new(
                Kind::Locked,
                format!(
                    "another backup goes to {}: wait for its end",
                    path.display()
                ),
            ),
            _ => unusable(path, &e),
        })?;
        Ok(Output {
            folder,
            disk,
            path: path.to_owned(),
            part,
            at: 0,
            whole: false,
        })
    }
}

impl Target for Output {
    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        let written = self.disk.write(self.at, octets);
        self.at += octets.len() as u64;
        written.map_err(|e| unusable(&self.path, &e))
    }

    fn end(&mut self, _said: &Said) -> Done<()> {
        Ok(())
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        let done = self.disk.sync();
        let done = done.and_then(|()| self.folder.rename(&self.part, &self.path));
        self.whole = done.is_ok();
        let done = done.and_then(|()| self.folder.sync(&self.path));
        done.map_err(|e| unusable(&self.path, &e))?;
        Ok(Vec::new())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.whole {
            let _ = self.folder.remove(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Files;

    #[test]
    fn two_backups_to_one_file() {
        let name = format!("pillarbox-two-backups-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let output = || Output::new(Arc::new(Files), &path);
        let mut first = output().unwrap();
        first.octets(b"first").unwrap();
        let refused = output().err().unwrap();
        assert!(refused.message().contains("another backup"));
        first.finish().unwrap();
        // One that begins now is not the first one's to take away.
        let mut second = output().unwrap();
        drop(first);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        second.octets(b"second").unwrap();
        second.finish().unwrap();
        drop(second);
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        // One that fails takes its own away.
        drop(output().unwrap());
        assert!(!beside(&path, ".part").exists());
        std::fs::remove_file(&path).unwrap();
    }
}
