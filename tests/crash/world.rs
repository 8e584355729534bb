//! What one actor was promised: its mailboxes, rows, emails and holds. An operation is first done
//! here, then by the engine; after a power cut the store must show one or the other.
use pillarbox::mail::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

/// An email's number in a [`World`]; its id may not be known yet.
pub type Key = u32;

#[derive(Clone, Default, Debug)]
pub struct World {
    pub root: String,
    pub boxes: BTreeMap<String, Folder>,
    pub emails: BTreeMap<Key, Email>,
    /// Uploads and holds by name.
    pub held: BTreeMap<String, Key>,
    next: Key,
}

#[derive(Clone, Default, Debug)]
pub struct Folder {
    pub id: Option<MailboxId>,
    pub uidvalidity: Option<u32>,
    pub subscribed: bool,
    pub uidnext: Uid,
    pub rows: BTreeMap<Uid, Place>,
}

#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub email: Key,
    pub deleted: bool,
}

#[derive(Clone, Default, Debug)]
pub struct Email {
    pub id: Option<EmailId>,
    pub content: u64,
    pub flags: Flags,
    pub keywords: BTreeSet<String>,
    pub date: u32,
    /// A mailbox shows it, or did.
    pub shown: bool,
}

pub fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

impl World {
    pub fn new(root: String) -> World {
        World {
            root,
            ..World::default()
        }
    }

    pub fn email(&mut self, email: Email) -> Key {
        self.next += 1;
        self.emails.insert(self.next, email);
        self.next
    }

    pub fn place(&mut self, path: &str, email: Key, deleted: bool) -> Uid {
        let folder = self.boxes.get_mut(path).expect("a mailbox");
        let uid = folder.uidnext;
        folder.uidnext += 1;
        folder.rows.insert(uid, Place { email, deleted });
        uid
    }

    /// Where an email shows.
    pub fn places(&self, email: Key) -> Vec<(String, Uid)> {
        let mut out = Vec::new();
        for (path, folder) in &self.boxes {
            let rows = folder.rows.iter().filter(|(_, p)| p.email == email);
            out.extend(rows.map(|(uid, _)| (path.clone(), *uid)));
        }
        out
    }

    pub fn shown(&self) -> Vec<Key> {
        let rows = self.boxes.values().flat_map(|f| f.rows.values());
        let keys: BTreeSet<Key> = rows.map(|p| p.email).collect();
        keys.into_iter().collect()
    }

    /// Forgets emails that nothing keeps.
    pub fn tidy(&mut self) {
        let mut kept: BTreeSet<Key> = self.shown().into_iter().collect();
        kept.extend(self.held.values());
        self.emails.retain(|key, _| kept.contains(key));
    }

    /// Creates a mailbox with what is missing above it.
    pub fn create(&mut self, path: &str) {
        let mut upto = String::new();
        for name in path.split('/') {
            if !upto.is_empty() {
                upto.push('/');
            }
            upto.push_str(name);
            self.boxes.entry(upto.clone()).or_insert(Folder {
                subscribed: true,
                uidnext: 1,
                ..Folder::default()
            });
        }
    }

    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some((parent, _)) = to.rsplit_once('/') {
            self.create(parent);
        }
        let below = format!("{from}/");
        let moved: Vec<String> = self
            .boxes
            .keys()
            .filter(|p| *p == from || p.starts_with(&below))
            .cloned()
            .collect();
        for path in moved {
            let folder = self.boxes.remove(&path).expect("there");
            let path = format!("{to}{}", &path[from.len()..]);
            self.boxes.insert(path, folder);
        }
    }

    /// All of it as text in which emails are numbered as they appear, and their ids.
    fn canonical(&self) -> (String, Vec<Option<EmailId>>) {
        let mut numbers: BTreeMap<Key, usize> = BTreeMap::new();
        let mut ids = Vec::new();
        let mut text = String::new();
        for (path, folder) in &self.boxes {
            let _ = writeln!(
                text,
                "{path}: subscribed {}, uidnext {}",
                folder.subscribed, folder.uidnext
            );
            for (uid, place) in &folder.rows {
                let email = &self.emails[&place.email];
                let next = numbers.len();
                let number = *numbers.entry(place.email).or_insert_with(|| {
                    ids.push(email.id);
                    next
                });
                let _ = writeln!(
                    text,
                    "  {uid}: email {number} {:016x} {:?} {:?} deleted {} of {}",
                    email.content, email.flags, email.keywords, place.deleted, email.date
                );
            }
        }
        for (name, key) in &self.held {
            let email = &self.emails[key];
            let next = numbers.len();
            let number = *numbers.entry(*key).or_insert_with(|| {
                ids.push(email.id);
                next
            });
            let _ = writeln!(text, "{name}: email {number} {:016x}", email.content);
        }
        (text, ids)
    }

    /// Would a store show these two in the same way?
    pub fn same_text(&self, other: &World) -> bool {
        self.canonical().0 == other.canonical().0
    }

    /// Is what the store shows what this world says? The lines that differ, if not.
    pub fn compare(&self, store: &World) -> std::result::Result<(), String> {
        let ((want, want_ids), (have, have_ids)) = (self.canonical(), store.canonical());
        if want != have {
            let (a, b): (BTreeSet<&str>, BTreeSet<&str>) =
                (want.lines().collect(), have.lines().collect());
            let missing: Vec<_> = a.difference(&b).take(8).collect();
            let extra: Vec<_> = b.difference(&a).take(8).collect();
            return Err(format!("missing {missing:#?}, instead {extra:#?}"));
        }
        for (want, have) in want_ids.iter().zip(&have_ids) {
            if want.is_some() && want != have {
                return Err(format!("email {want:?} is {have:?} now"));
            }
        }
        for (path, folder) in &self.boxes {
            let now = &store.boxes[path];
            let same = |a: Option<u32>, b: Option<u32>| a.is_none() || a == b;
            if !same(folder.id.map(|i| i.0), now.id.map(|i| i.0))
                || !same(folder.uidvalidity, now.uidvalidity)
            {
                return Err(format!("{path} is another mailbox now"));
            }
        }
        Ok(())
    }

    /// What the store shows below `root`.
    pub fn read(mail: &Mail, root: &str) -> std::result::Result<World, Error> {
        let mut world = World::new(root.to_owned());
        let mut keys = BTreeMap::new();
        let meta = mail.meta();
        let below = format!("{root}/");
        let reader = mail.reader()?;
        for mailbox in &meta.mailboxes {
            if mailbox.path != root && !mailbox.path.starts_with(&below) {
                continue;
            }
            let mut folder = Folder {
                id: Some(mailbox.id),
                uidvalidity: Some(mailbox.uidvalidity),
                subscribed: mailbox.subscribed,
                uidnext: mailbox.counters.uidnext,
                rows: BTreeMap::new(),
            };
            let mut rows = Vec::new();
            reader.rows(mailbox.id, 1, Uid::MAX, |row| {
                rows.push(*row);
                true
            })?;
            for row in rows {
                let email = world.known(&reader, &meta, row.email, Some(&row), &mut keys)?;
                let deleted = row.flags.has(Flags::DELETED);
                folder.rows.insert(row.uid, Place { email, deleted });
            }
            world.boxes.insert(mailbox.path.clone(), folder);
        }
        let mut held: Vec<(String, EmailId)> = Vec::new();
        let prefix = format!("crash/{root}/");
        let number = |bytes: &[u8]| EmailId(u64::from_be_bytes(bytes.try_into().expect("eight")));
        reader.scan(prefix.as_bytes(), |key, value| {
            let name = String::from_utf8_lossy(&key[prefix.len()..]).into_owned();
            held.push((name, number(value)));
            true
        })?;
        if root == "t0" {
            reader.scan(b"upload/", |key, _| {
                let expires = u32::from_be_bytes(key[7..11].try_into().expect("four"));
                held.push((format!("upload {expires:06}"), number(&key[11..])));
                true
            })?;
        }
        for (name, id) in held {
            let key = world.known(&reader, &meta, id, None, &mut keys)?;
            world.held.insert(name, key);
        }
        Ok(world)
    }

    fn known(
        &mut self,
        reader: &Reader,
        meta: &Meta,
        id: EmailId,
        row: Option<&Row>,
        keys: &mut BTreeMap<EmailId, Key>,
    ) -> std::result::Result<Key, Error> {
        if let Some(key) = keys.get(&id) {
            return Ok(*key);
        }
        let message = reader.message(id)?.ok_or(Error::NoSuchEmail)?;
        let mut content = Vec::with_capacity(message.size as usize);
        while content.len() < message.size as usize {
            let at = content.len() as u32;
            if reader.read(&message, at, u32::MAX, &mut content)? == 0 {
                return Err(Error::NoSuchEmail);
            }
        }
        let flags = row.map_or(Flags::default(), |r| r.flags.visible());
        let names = meta.keywords.names(flags).map(str::to_owned).collect();
        let key = self.email(Email {
            id: Some(id),
            content: digest(&content),
            flags: flags.only(Flags::SYSTEM).without(Flags::DELETED),
            keywords: names,
            date: row.map_or(0, |r| r.internaldate),
            shown: message.created != 0,
        });
        keys.insert(id, key);
        Ok(key)
    }
}
