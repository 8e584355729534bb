//! The values that the engine and the protocols speak of.

pub use crate::store::{
    Counters, DataType, EmailId, Flags, MailboxId, Modseq, Row, States, ThreadId, Uid,
};

/// The names behind the 56 keyword bits, as one snapshot; compared without regard to ASCII case
/// (RFC 9051 §2.3.2), kept as first spelled.
#[derive(Clone, Debug, Default)]
pub struct Keywords {
    pub(crate) names: Vec<Option<String>>,
}

/// How many keywords one store can tell apart.
pub const MAX_KEYWORDS: usize = 56;

impl Keywords {
    /// The flag of a keyword, if any email ever carried it.
    pub fn flag(&self, name: &str) -> Option<Flags> {
        let slot = self
            .names
            .iter()
            .position(|n| n.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
        Some(Flags::keyword(slot))
    }
    /// The keywords set in `flags`, in slot order.
    pub fn names(&self, flags: Flags) -> impl Iterator<Item = &str> {
        self.names
            .iter()
            .enumerate()
            .filter_map(move |(slot, name)| {
                flags
                    .has(Flags::keyword(slot))
                    .then_some(name.as_deref())
                    .flatten()
            })
    }
    /// Every keyword known, in slot order.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().flatten().map(String::as_str)
    }
}

/// What a mailbox is for (RFC 6154 §2, RFC 8621 §2 `role`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// INBOX, which always exists.
    Inbox = 1,
    /// `\Drafts`
    Drafts = 2,
    /// `\Sent`
    Sent = 3,
    /// `\Junk`
    Junk = 4,
    /// `\Trash`
    Trash = 5,
    /// `\Archive`
    Archive = 6,
    /// `\All`
    All = 7,
    /// `\Flagged`
    Flagged = 8,
    /// `\Important` (RFC 8457)
    Important = 9,
}

impl Role {
    /// Every role, in the order of their numbers.
    pub const EACH: [Role; 9] = [
        Role::Inbox,
        Role::Drafts,
        Role::Sent,
        Role::Junk,
        Role::Trash,
        Role::Archive,
        Role::All,
        Role::Flagged,
        Role::Important,
    ];

    pub(crate) fn from_u8(n: u8) -> Option<Role> {
        Role::EACH.get(usize::from(n).checked_sub(1)?).copied()
    }

    /// The JMAP name: lower-case, as in the IANA registry "IMAP Mailbox Name Attributes".
    pub fn name(self) -> &'static str {
        match self {
            Role::Inbox => "inbox",
            Role::Drafts => "drafts",
            Role::Sent => "sent",
            Role::Junk => "junk",
            Role::Trash => "trash",
            Role::Archive => "archive",
            Role::All => "all",
            Role::Flagged => "flagged",
            Role::Important => "important",
        }
    }

    /// The role with this JMAP name.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::EACH
            .into_iter()
            .find(|r| r.name().eq_ignore_ascii_case(name))
    }
}

/// What one operation did to the states: those just before it, in the writer, and just after.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Own {
    /// Before.
    pub before: States,
    /// After.
    pub after: States,
}

/// A state that an operation is to find, else it is refused with [`super::Error::StateMismatch`] and
/// nothing is changed: looked at by the writer itself, so that no other session comes in between
/// (RFC 8620 §5.3 `ifInState`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Expect(pub Option<(DataType, Modseq)>);

impl Expect {
    /// Compares with how things stand in the writer.
    pub(super) fn check(self, txn: &crate::store::Txn<'_>) -> super::Result<()> {
        match self.0 {
            Some((kind, state)) if txn.state.global.states.of(kind) != state => {
                Err(super::Error::StateMismatch)
            }
            _ => Ok(()),
        }
    }
}

/// One mailbox, as it stood at [`Meta::modseq`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailbox {
    /// Its id.
    pub id: MailboxId,
    /// Its parent, if it is not at the top.
    pub parent: Option<MailboxId>,
    /// Its own name, without its parents: UTF-8 (Net-Unicode), never empty, no `/`.
    pub name: String,
    /// Names from the top, separated by `/`; INBOX is always spelled `INBOX`.
    pub path: String,
    /// What it is for.
    pub role: Option<Role>,
    /// RFC 9051 §2.3.1.1; never changes for a mailbox, and grows from mailbox to mailbox.
    pub uidvalidity: u32,
    /// RFC 8621 §2 `sortOrder`.
    pub sort_order: u32,
    /// RFC 8621 §2 `isSubscribed`, RFC 9051 §6.3.7.
    pub subscribed: bool,
    /// When it came to be.
    pub created: Modseq,
    /// When its name, parent, role, order or subscription last changed.
    pub changed: Modseq,
    /// Its counts.
    pub counters: Counters,
    /// What the one who looks may do with it.
    pub rights: super::Rights,
    /// Whose rights are set here, and which.
    pub(crate) acl: Vec<(String, super::Rights)>,
    /// When that last changed.
    pub(crate) acl_changed: Modseq,
    /// The principals with a list of subscriptions of their own that have it not on theirs.
    pub(crate) unsubscribed: Vec<String>,
}

/// Everything small about the store, as one immutable snapshot in memory.
///
/// Rule of reading: take the snapshot first and open the reader after it. The rows are then as new
/// as the snapshot or newer, so that a client which is told `modseq` never misses a change.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// The highest modseq handed out.
    pub modseq: Modseq,
    /// When each type of object last changed.
    pub states: States,
    /// Deletions at or below this modseq are no longer remembered; an older state cannot be
    /// answered with differences (`cannotCalculateChanges`, full resync).
    pub gone_floor: Modseq,
    /// When an annotation last changed (see [`Mail::annotation_changes`](super::Mail::annotation_changes)).
    pub annotated: Modseq,
    /// Octets of all stored emails, each once, for the quota.
    pub bytes: u64,
    /// Emails stored, each once.
    pub emails: u32,
    /// All mailboxes, by path (INBOX first).
    pub mailboxes: Vec<std::sync::Arc<Mailbox>>,
    /// Those that may be used and not listed (RFC 4314 §2.1 `l`).
    pub(crate) unlisted: Vec<std::sync::Arc<Mailbox>>,
    /// The names of the keyword bits.
    pub keywords: std::sync::Arc<Keywords>,
    /// New emails that the thread index does not have yet.
    pub(crate) pending: std::sync::Arc<Vec<(ThreadId, EmailId)>>,
}

impl Meta {
    /// The mailbox with this id.
    pub fn mailbox(&self, id: MailboxId) -> Option<&std::sync::Arc<Mailbox>> {
        let mut all = self.mailboxes.iter().chain(&self.unlisted);
        all.find(|m| m.id == id)
    }
    /// The mailbox at this path; `INBOX` in any case (RFC 9051 §5.1), everything else exactly.
    pub fn by_path(&self, path: &str) -> Option<&std::sync::Arc<Mailbox>> {
        let mut all = self.mailboxes.iter().chain(&self.unlisted);
        all.find(|m| same_path(&m.path, path))
    }
    /// The mailbox with this role.
    pub fn by_role(&self, role: Role) -> Option<&std::sync::Arc<Mailbox>> {
        self.mailboxes.iter().find(|m| m.role == Some(role))
    }
    /// Does any mailbox name this one as its parent?
    pub fn has_children(&self, id: MailboxId) -> bool {
        self.mailboxes.iter().any(|m| m.parent == Some(id))
    }
}

/// Are these the same path? `INBOX` as the whole path or as its first name has no case
/// (RFC 9051 §5.1).
pub fn same_path(a: &str, b: &str) -> bool {
    let (a_top, a_rest) = a.split_once('/').map_or((a, None), |(t, r)| (t, Some(r)));
    let (b_top, b_rest) = b.split_once('/').map_or((b, None), |(t, r)| (t, Some(r)));
    a_rest == b_rest && (a_top == b_top || (is_inbox(a_top) && is_inbox(b_top)))
}

/// Is this the name INBOX, in whatever case?
pub fn is_inbox(name: &str) -> bool {
    name.eq_ignore_ascii_case("INBOX")
}
