//! What is there, in memory; and the dice.
use std::collections::{BTreeMap, BTreeSet};

pub type Set = BTreeSet<String>;

/// What is there.
#[derive(Default)]
pub struct World {
    pub mailboxes: Vec<Mailbox>,
    /// Flags of emails, which all their memberships show.
    pub emails: Vec<Set>,
}

#[derive(Default)]
pub struct Mailbox {
    /// The last UID given.
    pub last: u32,
    /// By UID: the email, and whether this membership is \Deleted.
    pub members: BTreeMap<u32, (usize, bool)>,
}

impl World {
    pub fn add(&mut self, mailbox: usize, email: usize, deleted: bool) -> u32 {
        let mailbox = &mut self.mailboxes[mailbox];
        mailbox.last += 1;
        mailbox.members.insert(mailbox.last, (email, deleted));
        mailbox.last
    }

    pub fn flags(&self, mailbox: usize, uid: u32) -> Set {
        let (email, deleted) = self.mailboxes[mailbox].members[&uid];
        let mut flags = self.emails[email].clone();
        if deleted {
            flags.insert("\\Deleted".into());
        }
        flags
    }

    pub fn set(&mut self, mailbox: usize, uid: u32, mut flags: Set) {
        let member = self.mailboxes[mailbox].members.get_mut(&uid).unwrap();
        member.1 = flags.remove("\\Deleted");
        self.emails[member.0] = flags;
    }

    pub fn deleted(&self, mailbox: usize) -> Vec<u32> {
        let members = &self.mailboxes[mailbox].members;
        members
            .iter()
            .filter(|(_, (_, deleted))| *deleted)
            .map(|(uid, _)| *uid)
            .collect()
    }

    pub fn uids(&self, mailbox: usize) -> Vec<u32> {
        self.mailboxes[mailbox].members.keys().copied().collect()
    }
}

/// xorshift64*
pub struct Random(u64);

impl Random {
    /// The dice of one step: whatever happened before, they fall the same.
    pub fn of(seed: u64, step: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (step + 1) << 32 | 1);
        for _ in 0..4 {
            random.below(2);
        }
        random
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let n = self.below(from.len());
        &from[n]
    }
}
