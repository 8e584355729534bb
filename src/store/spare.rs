//! How much of the file is free for new mail: what was deleted, and not written over since.
//!
//! redb knows, and does not tell without a look at every page. So it is counted: what goes comes to it,
//! what comes is taken from it. It is an estimate: pages hold several rows, and a large piece needs free
//! pages side by side. That is why it opens the door for new mail only while half of
//! [`crate::limits::DISK_RESERVE`] is left on the disk, and why a disk that is full all the same makes it
//! nothing.

use std::sync::atomic::{AtomicU32, Ordering};

/// In KiB: there are boards without wider atomics.
#[derive(Default)]
pub(super) struct Spare(AtomicU32);

impl Spare {
    /// After a commit: octets of values that went, less those that came. The writer alone calls it.
    pub fn freed(&self, octets: i64) {
        let kib = i64::from(self.0.load(Ordering::Relaxed));
        // Towards less: half a KiB that went is nothing, one that came is one.
        let kib = (kib + octets.div_euclid(1024)).clamp(0, i64::from(u32::MAX));
        self.0.store(kib as u32, Ordering::Relaxed);
    }

    /// It was measured: so much at least.
    pub fn found(&self, octets: u64) {
        let kib = u32::try_from(octets >> 10).unwrap_or(u32::MAX);
        self.0.fetch_max(kib, Ordering::Relaxed);
    }

    /// The disk was full: it cannot be used.
    pub fn none(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Octets.
    pub fn get(&self) -> u64 {
        u64::from(self.0.load(Ordering::Relaxed)) << 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_told_too_large() {
        let spare = Spare::default();
        spare.freed(-5000);
        assert_eq!(spare.get(), 0);
        spare.freed(5000);
        assert_eq!(spare.get(), 4096);
        spare.freed(-1);
        assert_eq!(spare.get(), 3072);
        spare.found(1 << 20);
        spare.found(1 << 12);
        assert_eq!(spare.get(), 1 << 20);
        spare.found(u64::MAX);
        spare.freed(1 << 50);
        assert_eq!(spare.get(), u64::from(u32::MAX) << 10);
    }
}
