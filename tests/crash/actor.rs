//! One client of the engine: does random things to its own mailboxes and remembers what it was
//! promised.
use super::random::Random;
use super::world::{Email, Folder, Key, World, digest};
use pillarbox::mail::*;
use std::collections::BTreeSet;

/// How many names of keywords all actors share; more than the engine has slots for.
const KEYWORDS: usize = 70;
/// Above so many emails an actor deletes rather than adds.
const PLENTY: usize = 30;

#[derive(Clone, Default)]
pub struct Actor {
    pub world: World,
    /// What the world is after the operation that was begun and not answered.
    pub after: Option<World>,
    /// What it was before the uploads that were answered since the last other change: a power cut
    /// may take these, the last ones first.
    pub before: Vec<World>,
    pub random: Random,
    /// Operations that were answered.
    pub done: u32,
    /// Largest body, in octets.
    pub largest: usize,
    number: u32,
    /// Every email id that was promised.
    ids: BTreeSet<u64>,
    uidvalidity: u32,
}

/// Why an actor stopped.
#[derive(Debug)]
pub enum Stop {
    /// The engine said that it cannot; what was begun may be there or not.
    Failed(Error),
    /// The engine did something else than it should.
    Wrong(String),
}

type Step = std::result::Result<(), Stop>;

fn wrong<T: std::fmt::Debug, U: std::fmt::Debug>(what: &str, want: T, have: U) -> Step {
    Err(Stop::Wrong(format!(
        "{what}: expected {want:?}, got {have:?}"
    )))
}

impl Actor {
    pub fn new(root: &str, random: Random) -> Actor {
        Actor {
            world: World::new(root.to_owned()),
            after: None,
            before: Vec::new(),
            random,
            done: 0,
            largest: 400_000,
            number: 0,
            ids: BTreeSet::new(),
            uidvalidity: 0,
        }
    }

    /// After a restart: the store must show what was promised, with or without what was begun.
    pub fn resume(&mut self, mail: &Mail) -> std::result::Result<(), String> {
        let root = self.world.root.clone();
        let store = World::read(mail, &root).map_err(|e| format!("{root}: cannot be read: {e}"))?;
        let mut before = self.world.compare(&store);
        if self
            .before
            .drain(..)
            .any(|world| world.compare(&store).is_ok())
        {
            before = Ok(());
        }
        let after = self.after.take().map(|after| after.compare(&store));
        match (before, after) {
            (Ok(()), _) | (_, Some(Ok(()))) => {
                let ids = store.emails.values().filter_map(|e| e.id);
                self.ids.extend(ids.map(|id| id.0));
                self.world = store;
                Ok(())
            }
            (Err(before), after) => Err(format!(
                "{root}: without the last operation: {before}; with it: {after:?}"
            )),
        }
    }

    /// Can its mailboxes be read?
    pub fn reads(&self, mail: &Mail) -> bool {
        World::read(mail, &self.world.root).is_ok()
    }

    /// One random operation.
    pub async fn step(&mut self, mail: &Mail) -> Step {
        if !self.world.boxes.contains_key(&self.world.root) {
            return self.create(mail, self.world.root.clone()).await;
        }
        let plenty = self.world.emails.len() > PLENTY;
        let step = match self.random.below(100) {
            0..=21 if !plenty => self.add(mail, false).await,
            0..=21 => self.destroy(mail).await,
            22..=25 => self.abandon(mail).await,
            26..=40 => self.flags(mail).await,
            41..=48 => self.transfer(mail, false).await,
            49..=56 => self.transfer(mail, true).await,
            57..=62 => self.expunge(mail).await,
            63..=66 => self.remove(mail).await,
            67..=70 => self.create_some(mail).await,
            71..=73 => self.rename(mail).await,
            74..=75 => self.delete(mail).await,
            76..=77 => self.subscribe(mail).await,
            78..=84 => self.update(mail).await,
            85..=86 => self.destroy(mail).await,
            87..=89 => self.upload(mail).await,
            90..=92 => self.import(mail).await,
            93..=94 => self.sweep(mail).await,
            95..=96 => self.hold(mail).await,
            97..=98 => self.release(mail).await,
            _ => self.add(mail, true).await,
        };
        self.done += u32::from(step.is_ok());
        step
    }

    fn begin(&mut self, mut after: World) {
        after.tidy();
        self.after = Some(after);
    }

    /// The answer came: what was begun is promised now.
    fn answered(&mut self) {
        if let Some(after) = self.after.take() {
            if !self.world.same_text(&after) {
                self.before.clear();
            }
            self.world = after;
        }
    }

    /// The same, of an upload: it is promised only while the power lasts, or until a commit keeps it.
    fn answered_loosely(&mut self) {
        if let Some(after) = self.after.take() {
            self.before.push(std::mem::replace(&mut self.world, after));
        }
    }

    /// A refusal that the random operations may meet; everything else stops.
    fn refused(&mut self, error: Error) -> Step {
        if let Error::TooManyKeywords = error {
            self.after = None;
            return Ok(());
        }
        Err(Stop::Failed(error))
    }

    fn unique(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    fn path(&mut self) -> String {
        let paths: Vec<_> = self.world.boxes.keys().cloned().collect();
        self.random.pick(&paths).cloned().expect("the root")
    }

    /// A mailbox that is not empty, and some of its UIDs.
    fn some_uids(&mut self) -> Option<(String, MailboxId, UidSet)> {
        let full = |f: &Folder| !f.rows.is_empty();
        let paths: Vec<_> = self.world.boxes.iter().filter(|(_, f)| full(f)).collect();
        let (path, folder) = self
            .random
            .clone()
            .pick(&paths)
            .map(|(p, f)| ((*p).clone(), *f))?;
        let mut uids = UidSet::new();
        let all: Vec<_> = folder.rows.keys().copied().collect();
        let id = folder.id?;
        for _ in 0..=self.random.below(5) {
            uids.insert(*self.random.pick(&all)?);
        }
        Some((path, id, uids))
    }

    fn some_email(&mut self) -> Option<Key> {
        let shown = self.world.shown();
        self.random.pick(&shown).copied()
    }

    fn some_keywords(&mut self) -> Vec<String> {
        let count = [0, 0, 0, 1, 1, 2][self.random.below(6)];
        let name = |n: usize| format!("$k{n}");
        (0..count)
            .map(|_| name(self.random.below(KEYWORDS)))
            .collect()
    }

    fn some_flags(&mut self) -> Flags {
        Flags(self.random.next() & 31)
    }

    fn id_of(&self, path: &str) -> MailboxId {
        self.world.boxes[path].id.expect("known")
    }

    /// A message of a size that matters, with what we put before it.
    fn message(&mut self) -> (Vec<u8>, Vec<u8>) {
        let number = self.unique();
        let root = &self.world.root;
        let reply = self.random.below(number as usize + 1);
        let mut raw = format!(
            "From: a@example.org\r\nSubject: tea {}\r\nMessage-ID: <{number}@{root}>\r\nReferences: <{reply}@{root}>\r\n\r\n",
            number % 3
        )
        .into_bytes();
        let noise = match self.random.below(20) {
            0..=11 => self.random.below(3_000),
            12..=15 => self.random.below(20_000),
            16..=18 => 50_000 + self.random.below(100_000),
            _ => 280_000 + self.random.below(self.largest),
        };
        if self.random.percent(50) {
            raw.extend(self.random.octets(noise.min(self.largest)));
        } else {
            let line = format!("A line of text, number {}.\r\n", self.random.next());
            raw.extend(
                line.repeat(noise.min(self.largest) / line.len() + 1)
                    .bytes(),
            );
        }
        let prefix = match self.random.percent(50) {
            true => format!("Return-Path: <{number}@x>\r\n").into_bytes(),
            false => Vec::new(),
        };
        (prefix, raw)
    }

    /// Sends a body in; `content` is what is to be read later.
    async fn stage(&mut self, mail: &Mail) -> std::result::Result<(Staged, u64), Stop> {
        let (prefix, raw) = self.message();
        let staged = async {
            let mut body = mail.body(None)?;
            for chunk in raw.chunks(30_000) {
                body.push(chunk).await?;
            }
            body.finish(&prefix).await
        };
        let staged = staged.await.map_err(Stop::Failed)?;
        Ok((staged, digest(&[prefix, raw].concat())))
    }

    /// Pieces are written and nobody wants them.
    async fn abandon(&mut self, mail: &Mail) -> Step {
        let (_, mut raw) = self.message();
        if self.random.percent(50) {
            raw.extend(self.random.octets(self.largest));
        }
        let mut body = mail.body(None).map_err(Stop::Failed)?;
        for chunk in raw.chunks(30_000) {
            if self.random.percent(5) {
                // Given up while the writer is at it.
                let push = body.push(chunk);
                smol::future::or(async { drop(push.await) }, smol::future::yield_now()).await;
                return Ok(());
            }
            body.push(chunk).await.map_err(Stop::Failed)?;
        }
        Ok(())
    }

    /// Delivery and APPEND; `queue`: with a hold, in no mailbox.
    async fn add(&mut self, mail: &Mail, queue: bool) -> Step {
        let mut paths = BTreeSet::new();
        for _ in 0..[0, 1, 1, 1, 1, 2, 3][self.random.below(6) + 1] {
            paths.insert(self.path());
        }
        if queue {
            paths.clear();
        }
        let paths: Vec<String> = paths.into_iter().collect();
        let (flags, keywords) = (self.some_flags(), self.some_keywords());
        let date = 1_600_000_000 + self.random.below(1_000_000) as u32;
        let (staged, content) = self.stage(mail).await?;
        let mut after = self.world.clone();
        let key = after.email(Email {
            content,
            flags: flags.without(Flags::DELETED),
            keywords: keywords.iter().cloned().collect(),
            date,
            shown: !queue,
            ..Email::default()
        });
        let deleted = flags.has(Flags::DELETED);
        let uids: Vec<Uid> = paths.iter().map(|p| after.place(p, key, deleted)).collect();
        let name = format!("hold {:06}", self.unique());
        if queue {
            after.held.insert(name.clone(), key);
        }
        let place = self.key(&name);
        let put: Option<Puts> = queue.then(|| {
            Box::new(move |added: &[Added]| {
                let id = added[0].email.0.to_be_bytes().to_vec();
                vec![(place, Some(id))]
            }) as Puts
        });
        let new = NewEmail {
            source: Source::Staged(staged),
            mailboxes: paths.iter().map(|p| self.id_of(p)).collect(),
            flags,
            keywords,
            internaldate: Some(date),
            hold: queue,
        };
        self.begin(after);
        let commit = Commit {
            add: vec![new],
            put,
            ..Commit::default()
        };
        match mail.commit(commit).await {
            Ok(mut added) => self.added(key, &uids, added.pop(), true),
            Err(error) => self.refused(error),
        }
    }

    fn key(&self, name: &str) -> Vec<u8> {
        format!("crash/{}/{name}", self.world.root).into_bytes()
    }

    fn added(&mut self, key: Key, uids: &[Uid], added: Option<Added>, new: bool) -> Step {
        self.answered();
        let Some(added) = added else {
            return wrong("added", "one", "none");
        };
        let given: Vec<Uid> = added.places.iter().map(|(_, _, uid)| *uid).collect();
        if given != uids {
            return wrong("UIDs", uids, given);
        }
        let email = self.world.emails.get_mut(&key).expect("promised");
        if email.id.is_some_and(|id| id != added.email) {
            return wrong("email id", email.id, added.email);
        }
        email.id = Some(added.email);
        if !self.ids.insert(added.email.0) && new {
            return wrong("email id", "a new one", added.email);
        }
        Ok(())
    }

    async fn flags(&mut self, mail: &Mail) -> Step {
        let Some((path, id, uids)) = self.some_uids() else {
            return Ok(());
        };
        let mode = [FlagMode::Add, FlagMode::Remove, FlagMode::Replace][self.random.below(3)];
        let (flags, keywords) = (self.some_flags(), self.some_keywords());
        let mut after = self.world.clone();
        for uid in uids.iter() {
            let place = after
                .boxes
                .get_mut(&path)
                .and_then(|f| f.rows.get_mut(&uid));
            let place = place.expect("chosen from them");
            let email = after.emails.get_mut(&place.email).expect("shown");
            let deleted = flags.has(Flags::DELETED);
            let (own, named) = (flags.without(Flags::DELETED), keywords.iter().cloned());
            match mode {
                FlagMode::Add => {
                    place.deleted |= deleted;
                    email.flags = email.flags.with(own);
                    email.keywords.extend(named);
                }
                FlagMode::Remove => {
                    place.deleted &= !deleted;
                    email.flags = email.flags.without(own);
                    email.keywords.retain(|k| !keywords.contains(k));
                }
                FlagMode::Replace => {
                    (place.deleted, email.flags) = (deleted, own);
                    email.keywords = named.collect();
                }
            }
        }
        self.begin(after);
        let change = FlagChange {
            mode,
            flags,
            keywords,
        };
        match mail.set_flags(id, &uids, change, None).await {
            Ok(changed) => {
                self.answered();
                match changed.done == uids {
                    true => Ok(()),
                    false => wrong("flags set", uids, changed.done),
                }
            }
            Err(error) => self.refused(error),
        }
    }

    async fn transfer(&mut self, mail: &Mail, moves: bool) -> Step {
        let Some((path, from, uids)) = self.some_uids() else {
            return Ok(());
        };
        let target = self.path();
        let to = self.id_of(&target);
        let mut after = self.world.clone();
        let mut given = UidSet::new();
        for uid in uids.iter() {
            let place = after.boxes[&path].rows[&uid];
            given.insert(after.place(&target, place.email, place.deleted));
            if moves {
                let folder = after.boxes.get_mut(&path).expect("the source");
                folder.rows.remove(&uid);
            }
        }
        self.begin(after);
        let copied = match moves {
            true => mail.r#move(from, &uids, to).await,
            false => mail.copy(from, &uids, to).await,
        };
        match copied {
            Ok(copied) => {
                self.answered();
                match copied.to == given && copied.from == uids {
                    true => Ok(()),
                    false => wrong("copied", given, copied),
                }
            }
            Err(error) => self.refused(error),
        }
    }

    async fn expunge(&mut self, mail: &Mail) -> Step {
        let path = self.path();
        let id = self.id_of(&path);
        let mut after = self.world.clone();
        let folder = after.boxes.get_mut(&path).expect("there");
        folder.rows.retain(|_, p| !p.deleted);
        self.begin(after);
        match mail.expunge(id, None).await {
            Ok(_) => self.answered(),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    async fn remove(&mut self, mail: &Mail) -> Step {
        let Some((path, id, uids)) = self.some_uids() else {
            return Ok(());
        };
        let mut after = self.world.clone();
        let folder = after.boxes.get_mut(&path).expect("there");
        folder.rows.retain(|uid, _| !uids.contains(*uid));
        self.begin(after);
        match mail.remove(id, &uids).await {
            Ok(gone) if gone == uids => self.answered(),
            Ok(gone) => return wrong("removed", uids, gone),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    async fn create_some(&mut self, mail: &Mail) -> Step {
        let mut path = self.path();
        if path.split('/').count() > 4 || self.world.boxes.len() > 8 {
            return Ok(());
        }
        for _ in 0..=self.random.below(2) {
            path = format!("{path}/{}", self.random.below(4));
        }
        if self.world.boxes.contains_key(&path) {
            return Ok(());
        }
        self.create(mail, path).await
    }

    async fn create(&mut self, mail: &Mail, path: String) -> Step {
        let mut after = self.world.clone();
        after.create(&path);
        self.begin(after);
        match mail.create(&path, None).await {
            Ok(made) => {
                self.answered();
                self.learn(mail);
                if made.uidvalidity <= self.uidvalidity {
                    return wrong("UIDVALIDITY", self.uidvalidity, made.uidvalidity);
                }
                self.uidvalidity = made.uidvalidity;
                Ok(())
            }
            Err(error) => self.refused(error),
        }
    }

    /// Ids of mailboxes that were made on the way.
    fn learn(&mut self, mail: &Mail) {
        let meta = mail.meta();
        for (path, folder) in &mut self.world.boxes {
            if let (None, Some(mailbox)) = (folder.id, meta.by_path(path)) {
                folder.id = Some(mailbox.id);
                folder.uidvalidity = Some(mailbox.uidvalidity);
            }
        }
    }

    async fn rename(&mut self, mail: &Mail) -> Step {
        let (from, to) = (self.path(), self.path());
        let to = format!("{to}/{}", self.random.below(4));
        let inside = to.starts_with(&format!("{from}/"));
        let deep = from.split('/').count() + to.split('/').count() > 12;
        if from == self.world.root || inside || deep || self.world.boxes.contains_key(&to) {
            return Ok(());
        }
        let mut after = self.world.clone();
        after.rename(&from, &to);
        self.begin(after);
        match mail.rename(&from, &to).await {
            Ok(()) => self.answered(),
            Err(error) => return self.refused(error),
        }
        self.learn(mail);
        Ok(())
    }

    async fn delete(&mut self, mail: &Mail) -> Step {
        let path = self.path();
        let below = format!("{path}/");
        let parent = self.world.boxes.keys().any(|p| p.starts_with(&below));
        if path == self.world.root || parent {
            return Ok(());
        }
        let mut after = self.world.clone();
        after.boxes.remove(&path);
        let id = self.id_of(&path);
        self.begin(after);
        match mail.delete(id, true, Expect::default()).await {
            Ok(_) => self.answered(),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    async fn subscribe(&mut self, mail: &Mail) -> Step {
        let path = self.path();
        let subscribed = self.random.percent(50);
        let mut after = self.world.clone();
        after.boxes.get_mut(&path).expect("there").subscribed = subscribed;
        let id = self.id_of(&path);
        self.begin(after);
        let update = MailboxUpdate {
            subscribed: Some(subscribed),
            ..MailboxUpdate::default()
        };
        match mail.update_mailbox(id, update).await {
            Ok(_) => self.answered(),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    /// JMAP Email/set update: keywords, and mailboxes.
    async fn update(&mut self, mail: &Mail) -> Step {
        let Some(key) = self.some_email() else {
            return Ok(());
        };
        let Some(id) = self.world.emails[&key].id else {
            return wrong("email id", "known", key);
        };
        let places = self.world.places(key);
        let (other, add, remove) = (self.path(), self.some_keywords(), self.some_keywords());
        let mut change = EmailUpdate {
            add: (Flags::SEEN, add),
            remove: (Flags::FLAGGED, remove),
            replace_keywords: self.random.percent(30),
            ..EmailUpdate::default()
        };
        let mut after = self.world.clone();
        // What has \Deleted is in no mailbox, and stays until its EXPUNGE (RFC 8621 §4.1.1).
        let shown = |world: &World, path: &String| {
            let mut rows = world.boxes[path].rows.values();
            rows.any(|p| p.email == key && !p.deleted)
        };
        let paths = places.iter().map(|(path, _)| path.clone());
        let mut target: BTreeSet<String> = paths.filter(|p| shown(&after, p)).collect();
        if self.random.percent(60) {
            change.add_to = vec![self.id_of(&other)];
            target.insert(other.clone());
            let (gone, _) = &places[self.random.below(places.len())];
            if self.random.percent(50) && *gone != other {
                change.remove_from = vec![self.id_of(gone)];
                target.remove(gone);
            }
        }
        if target.is_empty() {
            return Ok(());
        }
        for path in &target {
            if !shown(&after, path) {
                after.place(path, key, false);
            }
        }
        for (path, folder) in &mut after.boxes {
            if !target.contains(path) {
                folder.rows.retain(|_, p| p.email != key || p.deleted);
            }
        }
        let email = after.emails.get_mut(&key).expect("chosen");
        if change.replace_keywords {
            email.flags = Flags::default();
            email.keywords.clear();
        }
        email.keywords.retain(|k| !change.remove.1.contains(k));
        email.flags = email.flags.without(Flags::FLAGGED).with(Flags::SEEN);
        email.keywords.extend(change.add.1.iter().cloned());
        self.begin(after);
        match mail
            .update_emails(vec![(id, change)], Expect::default())
            .await
        {
            Ok((answers, _)) => match answers.into_iter().next() {
                Some(Ok(())) => self.answered(),
                Some(Err(error)) => return self.refused(error),
                None => return wrong("answers", 1, 0),
            },
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    async fn destroy(&mut self, mail: &Mail) -> Step {
        let mut keys = BTreeSet::new();
        for _ in 0..=self.random.below(4) {
            keys.extend(self.some_email());
        }
        let ids = keys
            .iter()
            .filter_map(|k| self.world.emails[k].id)
            .collect();
        let mut after = self.world.clone();
        for folder in after.boxes.values_mut() {
            folder.rows.retain(|_, p| !keys.contains(&p.email));
        }
        self.begin(after);
        match mail.destroy_emails(ids, Expect::default()).await {
            Ok((answers, _)) if answers.iter().all(|a| a.is_ok()) => self.answered(),
            Ok(answers) => return wrong("destroyed", "all", answers),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    async fn upload(&mut self, mail: &Mail) -> Step {
        // The sweep of one would take the others' too.
        if self.world.root != "t0" {
            return self.add(mail, false).await;
        }
        let expires = self.unique();
        let (staged, content) = self.stage(mail).await?;
        let mut after = self.world.clone();
        let key = after.email(Email {
            content,
            ..Email::default()
        });
        after.held.insert(format!("upload {expires:06}"), key);
        self.begin(after);
        match mail.upload(staged, expires).await {
            Ok(id) => {
                self.answered_loosely();
                // Nor may an id that a power cut took with its upload come back as another's.
                if !self.ids.insert(id.0) {
                    return wrong("upload id", "a new one", id);
                }
                self.world.emails.get_mut(&key).expect("promised").id = Some(id);
            }
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    /// An upload, or the bytes of another email, becomes an email.
    async fn import(&mut self, mail: &Mail) -> Step {
        let keys: Vec<Key> = self.world.emails.keys().copied().collect();
        let Some(&from) = self.random.pick(&keys) else {
            return Ok(());
        };
        let Some(id) = self.world.emails[&from].id else {
            return wrong("email id", "known", from);
        };
        let (path, keywords) = (self.path(), self.some_keywords());
        let mut after = self.world.clone();
        let (old, date) = (after.emails[&from].clone(), 1_700_000_000);
        let imported = Email {
            id: (!old.shown).then_some(id),
            content: old.content,
            flags: Flags::SEEN,
            keywords: keywords.iter().cloned().collect(),
            date,
            shown: true,
        };
        let key = match old.shown {
            true => after.email(imported),
            false => {
                after.emails.insert(from, imported);
                from
            }
        };
        let uid = after.place(&path, key, false);
        let new = NewEmail {
            source: Source::Blob(id),
            mailboxes: vec![self.id_of(&path)],
            flags: Flags::SEEN,
            keywords,
            internaldate: Some(date),
            hold: false,
        };
        self.begin(after);
        match mail.add(new).await {
            Ok(added) => self.added(key, &[uid], Some(added), old.shown),
            Err(error) => self.refused(error),
        }
    }

    async fn sweep(&mut self, mail: &Mail) -> Step {
        if self.world.root != "t0" {
            return Ok(());
        }
        let now = self.random.below(self.number as usize + 1) as u32;
        let mut after = self.world.clone();
        let last = format!("upload {now:06}");
        after
            .held
            .retain(|name, _| !(name.starts_with("upload") && *name <= last));
        self.begin(after);
        match mail.sweep_uploads(now).await {
            Ok(_) => self.answered(),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    async fn hold(&mut self, mail: &Mail) -> Step {
        let Some(key) = self.some_email() else {
            return Ok(());
        };
        let Some(id) = self.world.emails[&key].id else {
            return wrong("email id", "known", key);
        };
        let name = format!("hold {:06}", self.unique());
        let mut after = self.world.clone();
        after.held.insert(name.clone(), key);
        let place = self.key(&name);
        let put: Puts = Box::new(move |_| vec![(place, Some(id.0.to_be_bytes().to_vec()))]);
        self.begin(after);
        let commit = Commit {
            hold: vec![id],
            put: Some(put),
            ..Commit::default()
        };
        match mail.commit(commit).await {
            Ok(_) => self.answered(),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }

    async fn release(&mut self, mail: &Mail) -> Step {
        let names: Vec<_> = self.world.held.keys().cloned().collect();
        let Some(name) = self.random.pick(&names).filter(|n| n.starts_with("hold")) else {
            return Ok(());
        };
        let mut after = self.world.clone();
        let key = after.held.remove(name).expect("chosen");
        let Some(id) = self.world.emails[&key].id else {
            return wrong("email id", "known", key);
        };
        let place = self.key(name);
        let put: Puts = Box::new(move |_| vec![(place, None)]);
        self.begin(after);
        let commit = Commit {
            release: vec![id],
            put: Some(put),
            ..Commit::default()
        };
        match mail.commit(commit).await {
            Ok(_) => self.answered(),
            Err(error) => return self.refused(error),
        }
        Ok(())
    }
}
