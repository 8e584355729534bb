//! What a client that said NOTIFY is told, of its own mailbox and of all others (RFC 5465).
//!
//! Level-triggered as everything here: a session keeps the snapshot of the mailboxes that its client
//! knows, and says what is different in the one of now. Ten deliveries are one STATUS if the client
//! was slow; nothing is queued, so that nothing overflows (§5.8) however long it does not read.
//!
//! An event that the client itself caused is left out (§5) where it can be told from those of others:
//! the snapshot takes it over when it is exactly what the command did.

use super::answer::Stop;
use super::command::list::use_of;
use super::session::{Expunges, Session};
use super::wire::encode;
use super::wire::fetch::Item;
use super::wire::frame::Event;
use super::wire::notify::{Events, Filter, Group};
use super::wire::{mailbox, status};
use crate::mail::{Mailbox, MailboxId, Meta, Modseq, Rights, UidSet, same_path};
use smol::future::FutureExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a client is told about.
pub struct Watch {
    groups: Vec<Group>,
    /// What it knows of the mailboxes.
    pub seen: Arc<Meta>,
    /// It knows what became of annotations up to here.
    annotated: Modseq,
    /// Modseqs of its own changes of annotations.
    own_annotations: Vec<Modseq>,
    /// Messages that it brought into the selected mailbox itself.
    own_new: UidSet,
}

/// What is told of the selected mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// EXISTS and EXPUNGE.
    pub messages: bool,
    /// FETCH with changed flags.
    pub flags: bool,
    /// EXPUNGE only where a command allows it.
    pub delayed: bool,
}

/// What is told of a mailbox that is not selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// STATUS when messages come or go.
    pub messages: bool,
    /// STATUS when flags change.
    pub flags: bool,
    /// LIST when it comes, goes or is renamed.
    pub names: bool,
    /// LIST when it is subscribed or unsubscribed.
    pub subscriptions: bool,
    /// METADATA.
    pub metadata: bool,
}

impl Wanted {
    /// Nothing.
    pub fn is_empty(self) -> bool {
        self == Wanted::default()
    }

    fn and(self, events: &Events) -> Wanted {
        Wanted {
            messages: self.messages || events.messages,
            flags: self.flags || events.flags,
            names: self.names || events.names,
            subscriptions: self.subscriptions || events.subscriptions,
            metadata: self.metadata || events.metadata,
        }
    }
}

impl Watch {
    /// From now on.
    pub fn new(groups: Vec<Group>, seen: Arc<Meta>) -> Watch {
        Watch {
            groups,
            annotated: seen.annotated,
            seen,
            own_annotations: Vec::new(),
            own_new: UidSet::new(),
        }
    }

    fn of_selected(&self) -> (Wants, &[Item]) {
        let group = self.groups.iter().find(|g| g.filter.is_selected());
        let events = group.and_then(|g| Some((g, g.events.as_ref()?)));
        match events {
            Some((group, events)) => (
                Wants {
                    messages: events.messages,
                    flags: events.flags,
                    delayed: group.filter == Filter::SelectedDelayed,
                },
                &events.fetch,
            ),
            // RFC 5465 §3.1: "the same as specifying SELECTED NONE".
            None => (
                Wants {
                    messages: false,
                    flags: false,
                    delayed: true,
                },
                &[],
            ),
        }
    }

    /// What is wanted of a mailbox, by its name and state now or before: of all groups that it is in,
    /// unless one says NONE (RFC 5465 §6).
    pub fn wanted(&self, now: &Mailbox, before: Option<&Mailbox>) -> Wanted {
        let mut wanted = Wanted::default();
        for group in self.groups.iter().filter(|g| !g.filter.is_selected()) {
            if !matches(&group.filter, now) && !before.is_some_and(|b| matches(&group.filter, b)) {
                continue;
            }
            match &group.events {
                Some(events) => wanted = wanted.and(events),
                None => return Wanted::default(),
            }
        }
        wanted
    }

    /// RFC 5465 §5: events take the right to read.
    pub fn may_read(mailbox: &Mailbox) -> bool {
        mailbox.rights.has(Rights::READ)
    }

    fn server_metadata(&self) -> bool {
        let of = |group: &Group| group.events.as_ref().is_some_and(|e| e.server_metadata);
        self.groups.iter().any(of)
    }

    /// The snapshot's mailbox, to be changed.
    fn known(&mut self, id: MailboxId) -> Option<&mut Arc<Mailbox>> {
        let seen = Arc::make_mut(&mut self.seen);
        seen.mailboxes.iter_mut().find(|m| m.id == id)
    }
}

fn matches(filter: &Filter, mailbox: &Mailbox) -> bool {
    let path = mailbox.path.as_str();
    let below = |top: &String| {
        path.strip_prefix(top.as_str())
            .is_some_and(|rest| rest.starts_with(mailbox::SEPARATOR))
    };
    match filter {
        Filter::Selected | Filter::SelectedDelayed => false,
        // RFC 5465 §6.3: rules may deliver anywhere.
        Filter::Inboxes | Filter::Personal => true,
        Filter::Subscribed => mailbox.subscribed,
        Filter::Subtree(tops) => tops.iter().any(|top| same_path(top, path) || below(top)),
        Filter::Mailboxes(names) => names.iter().any(|name| same_path(name, path)),
    }
}

/// What became of a mailbox.
struct Change {
    before: Option<Arc<Mailbox>>,
    now: Option<Arc<Mailbox>>,
}

/// The mailboxes in which two snapshots differ: those that are gone first.
fn changes(before: &Meta, now: &Meta) -> Vec<Change> {
    let same = before.mailboxes.len() == now.mailboxes.len()
        && before
            .mailboxes
            .iter()
            .zip(&now.mailboxes)
            .all(|(a, b)| a.id == b.id);
    if same {
        let pairs = before.mailboxes.iter().zip(&now.mailboxes);
        let differ = pairs.filter(|(a, b)| !Arc::ptr_eq(a, b) && a != b);
        return differ
            .map(|(a, b)| Change {
                before: Some(a.clone()),
                now: Some(b.clone()),
            })
            .collect();
    }
    let mut left: BTreeMap<u32, &Arc<Mailbox>> =
        before.mailboxes.iter().map(|m| (m.id.0, m)).collect();
    let mut out = Vec::new();
    for mailbox in &now.mailboxes {
        let before = left.remove(&mailbox.id.0).cloned();
        if before.as_ref() != Some(mailbox) {
            out.push(Change {
                before,
                now: Some(mailbox.clone()),
            });
        }
    }
    let gone = left.into_values().map(|m| Change {
        before: Some(m.clone()),
        now: None,
    });
    gone.chain(out).collect()
}

impl Session {
    /// What is told of the selected mailbox; all of it until the client says NOTIFY.
    pub(super) fn wants(&self) -> Wants {
        match &self.notify {
            Some(watch) => watch.of_selected().0,
            None => Wants {
                messages: true,
                flags: true,
                delayed: true,
            },
        }
    }

    /// What is to be fetched of these new messages by itself: not of those that the client brought
    /// (RFC 5465 §5.2).
    pub(super) fn unasked(&mut self, fresh: &UidSet) -> (UidSet, Vec<Item>) {
        let Some(watch) = &mut self.notify else {
            return Default::default();
        };
        let items = watch.of_selected().1.to_vec();
        let own = std::mem::take(&mut watch.own_new);
        match items.is_empty() {
            true => Default::default(),
            false => (fresh.minus(&own), items),
        }
    }

    /// The next thing that the client says. Meanwhile it is told what it asked for with NOTIFY, but
    /// for inside a command. Safe to drop, as [`next_event`](Session::next_event) is.
    pub(super) async fn next_event_or_news(&mut self) -> Result<Event, Stop> {
        loop {
            let mail = self.mail();
            let changed = mail.hub().listen();
            if self.framer.is_idle() && self.conn.buffer().is_empty() {
                self.tell_news(Expunges::Later).await?;
            }
            self.conn.flush().await?;
            let event = async { self.next_event().await.map(Some) };
            let woken = async {
                changed.await;
                Ok(None)
            };
            if let Some(event) = event.or(woken).await? {
                return Ok(event);
            }
        }
    }

    /// Tells of the selected mailbox and of the others, as far as the client wants it.
    pub(super) async fn tell_news(&mut self, expunges: Expunges) -> Result<(), Stop> {
        if self.selected.is_some() {
            Box::pin(self.tell(expunges)).await?;
            if expunges != Expunges::Later {
                self.tell_url_key();
            }
        }
        if self.notify.is_some() {
            Box::pin(self.tell_others()).await?;
        }
        if expunges != Expunges::Later || self.wants_annotations() {
            self.tell_annotations()?;
        }
        Ok(())
    }

    fn wants_annotations(&self) -> bool {
        let of = |e: &Events| e.metadata || e.server_metadata;
        self.notify.as_ref().is_some_and(|watch| {
            let mut groups = watch.groups.iter();
            groups.any(|group| group.events.as_ref().is_some_and(of))
        })
    }

    /// LIST, STATUS and METADATA for what is different since the last time.
    async fn tell_others(&mut self) -> Result<(), Stop> {
        let mail = self.mail();
        let meta = mail.meta();
        let Some(watch) = &mut self.notify else {
            return Ok(());
        };
        let before = std::mem::replace(&mut watch.seen, meta.clone());
        if Arc::ptr_eq(&before, &meta) {
            return Ok(());
        }
        let changes = changes(&before, &meta);
        for change in &changes {
            self.tell_name(change, &meta);
            self.conn.spill().await?;
        }
        self.tell_parents(&changes, &meta).await?;
        for change in &changes {
            if let (Some(before), Some(now)) = (&change.before, &change.now) {
                self.tell_counts(before, now)?;
                self.conn.spill().await?;
            }
        }
        self.tell_watched(&meta).await
    }

    /// A mailbox came, went, was renamed, subscribed or unsubscribed (RFC 5465 §5.4, §5.5, §5.9).
    fn tell_name(&mut self, change: &Change, meta: &Meta) {
        let Some(watch) = &self.notify else { return };
        match (&change.before, &change.now) {
            (None, Some(now)) if watch.wanted(now, None).names => {
                let hidden = (!Watch::may_read(now)).then_some("\\NoAccess");
                self.list_news(meta, now, hidden, None);
            }
            (Some(before), None) if watch.wanted(before, None).names => {
                self.list_news(meta, before, Some("\\NonExistent"), None);
            }
            (Some(before), Some(now)) => {
                let wanted = watch.wanted(now, Some(before));
                let renamed = (before.parent, &before.name) != (now.parent, &now.name);
                let (could, can) = (Watch::may_read(before), Watch::may_read(now));
                if renamed && wanted.names {
                    self.list_news(meta, now, None, Some(&before.path));
                } else if could != can && !wanted.is_empty() {
                    self.list_news(meta, now, (!can).then_some("\\NoAccess"), None);
                } else if before.subscribed != now.subscribed && wanted.subscriptions {
                    self.list_news(meta, now, None, None);
                }
            }
            _ => {}
        }
    }

    /// RFC 5465 §5.4: with a mailbox that came or went its direct parent is affected.
    async fn tell_parents(&mut self, changes: &[Change], meta: &Meta) -> Result<(), Stop> {
        let mut told: Vec<MailboxId> = Vec::new();
        for change in changes {
            let affected = match (&change.before, &change.now) {
                (Some(one), None) | (None, Some(one)) => one.parent,
                _ => None,
            };
            let Some(parent) = affected.and_then(|id| meta.mailbox(id)) else {
                continue;
            };
            let is_new = |c: &Change| c.before.is_none() && c.now.as_ref() == Some(parent);
            let wanted = |watch: &Watch| watch.wanted(parent, None).names;
            if told.contains(&parent.id)
                || changes.iter().any(is_new)
                || !self.notify.as_deref().is_some_and(wanted)
            {
                continue;
            }
            told.push(parent.id);
            self.list_news(meta, parent, None, None);
            self.conn.spill().await?;
        }
        Ok(())
    }

    /// Messages or flags changed in a mailbox that is not selected (RFC 5465 §5.1 to §5.3).
    fn tell_counts(&mut self, before: &Mailbox, now: &Mailbox) -> Result<(), Stop> {
        use status::Item;
        let Some(watch) = &self.notify else {
            return Ok(());
        };
        let wanted = watch.wanted(now, Some(before));
        let selected = self.selected.as_ref().is_some_and(|s| s.mailbox == now.id);
        if selected || !wanted.messages || !Watch::may_read(now) {
            return Ok(());
        }
        let (old, new) = (&before.counters, &now.counters);
        let came = new.uidnext != old.uidnext;
        let went = u64::from(old.total) + u64::from(new.uidnext.saturating_sub(old.uidnext))
            != u64::from(new.total);
        let flags = wanted.flags && new.highest_modseq != old.highest_modseq;
        let mut items = Vec::new();
        if came || went {
            items.extend([Item::UidNext, Item::Messages]);
        }
        if flags {
            items.push(Item::UidValidity);
            if new.unseen != old.unseen {
                items.push(Item::Unseen);
            }
        }
        if items.is_empty() {
            return Ok(());
        }
        if self.enabled.condstore {
            items.push(Item::HighestModSeq);
        }
        // Without CONDSTORE a change of flags shows in the unseen ones only (RFC 5465 §5.1).
        let says_something = came || went || self.enabled.condstore || new.unseen != old.unseen;
        if says_something {
            self.status_response(now, &items)?;
        }
        Ok(())
    }

    /// `* METADATA "INBOX" /shared/comment` (RFC 5465 §5.6, §5.7), unless the client hears of all
    /// annotations anyway.
    async fn tell_watched(&mut self, meta: &Meta) -> Result<(), Stop> {
        let mail = self.mail();
        let Some(watch) = &mut self.notify else {
            return Ok(());
        };
        if self.told.is_on() {
            watch.annotated = meta.annotated;
        }
        if meta.annotated <= watch.annotated {
            return Ok(());
        }
        let since = std::mem::replace(&mut watch.annotated, meta.annotated);
        let own = std::mem::take(&mut watch.own_annotations);
        for (place, entries) in mail.annotation_changes(since, |modseq| own.contains(&modseq))? {
            let Some(watch) = &self.notify else { break };
            let path = match place {
                None if watch.server_metadata() => "",
                None => continue,
                Some(id) => match meta.mailbox(id) {
                    Some(found) if watch.wanted(found, None).metadata => found.path.as_str(),
                    _ => continue,
                },
            };
            let utf8 = self.enabled.utf8;
            let out = self.conn.out();
            out.extend_from_slice(b"* METADATA ");
            match path {
                "" => out.extend_from_slice(b"\"\""),
                path => mailbox::write(out, path, utf8),
            }
            for entry in &entries {
                out.push(b' ');
                encode::astring(out, entry.as_bytes(), utf8);
            }
            out.extend_from_slice(b"\r\n");
            self.conn.spill().await?;
        }
        Ok(())
    }

    /// `* LIST (\HasNoChildren \Subscribed) "/" name ("OLDNAME" ("old"))`
    pub(super) fn list_news(
        &mut self,
        meta: &Meta,
        found: &Mailbox,
        extra: Option<&str>,
        old: Option<&str>,
    ) {
        let children = match meta.has_children(found.id) {
            true => "\\HasChildren",
            false => "\\HasNoChildren",
        };
        let gone = extra == Some("\\NonExistent");
        let attributes = [
            extra,
            (!gone).then_some(children),
            found.subscribed.then_some("\\Subscribed"),
            (!gone).then(|| use_of(found)).flatten(),
        ];
        let attributes: Vec<&str> = attributes.into_iter().flatten().collect();
        let mut extended = Vec::new();
        if let Some(old) = old {
            extended.extend_from_slice(b" (\"OLDNAME\" (");
            mailbox::write(&mut extended, old, self.enabled.utf8);
            extended.extend_from_slice(b"))");
        }
        let extended = String::from_utf8_lossy(&extended).into_owned();
        self.list_line(&found.path, &attributes, &extended);
    }

    /// This command put messages into a mailbox (APPEND, COPY, MOVE).
    pub(super) fn brought(&mut self, mailbox: MailboxId, uids: &UidSet) {
        let meta = self.mail().meta();
        let selected = self.selected.as_ref().map(|s| s.mailbox);
        let (Some(watch), Some(now)) = (&mut self.notify, meta.mailbox(mailbox)) else {
            return;
        };
        if selected == Some(mailbox) {
            watch.own_new = watch.own_new.or(uids);
            return;
        }
        // Where flags are watched, others' changes of them cannot be told apart.
        let flags = watch.wanted(now, None).flags;
        if let Some(known) = watch.known(mailbox)
            && !flags
            && now.counters.uidnext == known.counters.uidnext + uids.len()
            && now.counters.total == known.counters.total + uids.len()
        {
            *known = now.clone();
        }
    }

    /// This command made, renamed, deleted or (un)subscribed this name: how it stands is what the
    /// client expects, unless somebody else had a hand in it too.
    pub(super) fn named(&mut self, path: &str, old: Option<&str>) {
        let meta = self.mail().meta();
        let Some(watch) = &mut self.notify else {
            return;
        };
        let seen = Arc::make_mut(&mut watch.seen);
        match old {
            Some(old) => {
                let id = seen.by_path(old).map(|m| m.id);
                let now = id.and_then(|id| meta.mailbox(id));
                if let Some(now) = now.filter(|now| same_path(&now.path, path)) {
                    put(seen, now);
                }
            }
            None if meta.by_path(path).is_none() => {
                seen.mailboxes.retain(|m| !same_path(&m.path, path));
            }
            None => {}
        }
        // The name itself, and parents that were made with it.
        for now in &meta.mailboxes {
            let above = path
                .strip_prefix(now.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(mailbox::SEPARATOR));
            let known = seen.mailboxes.iter().any(|m| m.id == now.id);
            if above && (!known || same_path(&now.path, path)) {
                put(seen, now);
            }
        }
    }

    /// This command changed annotations.
    pub(super) fn annotated(&mut self, modseq: Option<Modseq>) {
        if let Some(watch) = &mut self.notify {
            watch.own_annotations.extend(modseq);
        }
    }
}

/// The snapshot takes over a mailbox' name and subscription, not its counts.
fn put(seen: &mut Meta, now: &Arc<Mailbox>) {
    match seen.mailboxes.iter_mut().find(|m| m.id == now.id) {
        Some(known) => {
            let counters = known.counters;
            *known = Arc::new(Mailbox {
                counters,
                ..Mailbox::clone(now)
            });
        }
        None => seen.mailboxes.push(now.clone()),
    }
}
