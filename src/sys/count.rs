//! Counts of what happens, from the start of the process on: one table, and one call where it happens.
//!
//! 32 bits each, since not every processor has wider atomics. A count that runs over begins again at 0, as it
//! does at a restart, which Prometheus allows for; octets are counted in KiB, so that it takes 4 TiB.
use super::{clock, lock};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// A row of the table: counts of one kind, told apart by a label.
pub struct Family {
    /// The metric, without `pillarbox_`.
    pub name: &'static str,
    /// What it is, for people.
    pub help: &'static str,
    /// The label; empty where there is one count only.
    pub label: &'static str,
    /// Its values, each with a count.
    pub values: &'static [&'static str],
}

/// The rows of [`FAMILIES`], in its order.
#[derive(Clone, Copy)]
pub enum Of {
    /// By listener (`config::Role`).
    Accepted,
    /// By class ([`refused`]).
    Refused,
    /// By outcome: [`DELIVERED`] and so on.
    Sent,
    /// By listener.
    Sessions,
    /// By listener.
    Open,
    /// By protocol (`auth::Protocol`).
    LoginsFailed,
    /// KiB.
    Written,
    /// Of the store.
    Flushes,
    /// Of the store.
    Errors,
    /// By outcome: taken, not taken.
    Notified,
}

/// Another server took it.
pub const DELIVERED: usize = 0;
/// It will be tried again.
pub const DEFERRED: usize = 1;
/// It will not be tried again.
pub const BOUNCED: usize = 2;
/// A queued message for the user.
pub const LOCAL: usize = 3;

const LISTENERS: &[&str] = &[
    "smtp",
    "lan-smtp",
    "submission",
    "submissions",
    "imap",
    "imaps",
    "pop3",
    "pop3s",
    "http",
    "https",
    "metrics",
];

const ONE: &[&str] = &[""];

/// The table.
pub const FAMILIES: [Family; 10] = [
    Family {
        name: "mail_accepted_total",
        help: "messages taken in",
        label: "listener",
        values: LISTENERS.split_at(4).0,
    },
    Family {
        name: "mail_refused_total",
        help: "times that a sender, a recipient or a message was refused, by class of RFC 3463",
        label: "reason",
        values: &[
            "other", "address", "mailbox", "system", "network", "protocol", "content", "policy",
        ],
    },
    Family {
        name: "mail_sent_total",
        help: "recipients of queued mail, by what an attempt came to",
        label: "outcome",
        values: &["delivered", "deferred", "bounced", "local"],
    },
    Family {
        name: "sessions_total",
        help: "connections served",
        label: "listener",
        values: LISTENERS,
    },
    Family {
        name: "sessions_open",
        help: "connections open now",
        label: "listener",
        values: LISTENERS,
    },
    Family {
        name: "logins_failed_total",
        help: "log-ins that failed",
        label: "protocol",
        values: &["imap", "pop3", "smtp", "jmap"],
    },
    Family {
        name: "store_written_bytes_total",
        help: "octets written to the store's file",
        label: "",
        values: ONE,
    },
    Family {
        name: "store_flushes_total",
        help: "flushes of the store's file",
        label: "",
        values: ONE,
    },
    Family {
        name: "store_errors_total",
        help: "times that the disk failed the store",
        label: "",
        values: ONE,
    },
    Family {
        name: "notifications_total",
        help: "notifications to --notify-url",
        label: "outcome",
        values: &["taken", "failed"],
    },
];

static COUNTS: [[AtomicU32; 11]; 10] = [const { [const { AtomicU32::new(0) }; 11] }; 10];

/// When the disk failed last, and what it said.
static LAST_ERROR: Mutex<Option<(u32, String)>> = Mutex::new(None);

fn cell(of: Of, which: usize) -> Option<&'static AtomicU32> {
    COUNTS.get(of as usize)?.get(which)
}

/// Adds to a count.
pub fn add(of: Of, which: usize, n: usize) {
    if let Some(cell) = cell(of, which) {
        cell.fetch_add(n as u32, Ordering::Relaxed);
    }
}

/// A count as it is; octets of [`Of::Written`].
pub fn get(of: usize, which: usize) -> u64 {
    let cell = COUNTS.get(of).and_then(|row| row.get(which));
    let count = cell.map_or(0, |cell| u64::from(cell.load(Ordering::Relaxed)));
    if of == Of::Written as usize {
        count << 10
    } else {
        count
    }
}

/// Mail was refused with this enhanced status (RFC 3463 §3): its subject is the reason.
pub fn refused(subject: u16) {
    let subject = usize::from(subject);
    add(Of::Refused, if subject < 8 { subject } else { 0 }, 1);
}

/// The disk failed the store.
pub fn disk_failed(what: &str) {
    add(Of::Errors, 0, 1);
    *lock(&LAST_ERROR) = Some((clock::now(), what.to_owned()));
}

/// When the disk failed last, in seconds since 1970, and what it said.
pub fn last_error() -> Option<(u32, String)> {
    lock(&LAST_ERROR).clone()
}

/// One open session.
pub struct Open(usize);

impl Open {
    /// Counts it.
    pub fn new(listener: usize) -> Open {
        add(Of::Sessions, listener, 1);
        add(Of::Open, listener, 1);
        Open(listener)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(cell) = cell(Of::Open, self.0) {
            cell.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_count() {
        assert!(FAMILIES[Of::Notified as usize].name.starts_with("notif"));
        for (of, family) in FAMILIES.iter().enumerate() {
            assert!(family.values.len() <= COUNTS[of].len(), "{}", family.name);
            assert_eq!(family.label.is_empty(), family.values == [""]);
            assert_eq!(family.name.ends_with("_total"), of != Of::Open as usize);
        }
        let roles: Vec<_> = crate::config::Role::ALL.map(|role| role.name()).into();
        assert_eq!(roles, LISTENERS);
        for (at, role) in crate::config::Role::ALL.iter().enumerate() {
            assert_eq!(*role as usize, at);
        }
    }

    #[test]
    fn counts_run_over() {
        cell(Of::Notified, 10)
            .unwrap()
            .store(u32::MAX, Ordering::Relaxed);
        add(Of::Notified, 10, 2);
        assert_eq!(get(Of::Notified as usize, 10), 1);
        add(Of::Notified, 11, 1);
    }
}
