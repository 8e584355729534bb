//! The tables: keys and values as they stand in the file.
//!
//! Only primitive types: a type's name is part of the file. Composite keys are packed big-to-small
//! into one integer; integers inside values are little-endian; a variable row begins with a
//! version byte, and readers ignore trailing bytes.

use super::rows::{GONE, HOT};
use redb::TableDefinition as Def;

/// The schema this version writes. 2: bodies have a lead piece; older rows are read as they are.
pub const SCHEMA: u16 = 2;
/// The oldest version of this program that can read what we write.
pub const MIN_READER: u16 = 2;

/// 0: the global row; a mailbox id: its counters. Everything that changes with each delivery is in
/// this one leaf.
pub const STATE: Def<u32, &[u8]> = Def::new("state");
/// Mailbox id: name, parent, role, UIDVALIDITY, subscription.
pub const MBOX: Def<u32, &[u8]> = Def::new("mbox");
/// mailbox << 32 | uid: one membership.
pub const HOT_ROWS: Def<u64, &[u8; HOT]> = Def::new("hot");
/// Email id: head, block table, structure, prefix, end of the body.
pub const MSG: Def<u64, &[u8]> = Def::new("msg");
/// email << 24 | piece: a page-fit piece of a body.
pub const BLOB: Def<u64, &[u8]> = Def::new("blob");
/// email << 64 | mailbox << 32 | uid: a membership other than the first.
pub const LOC: Def<u128, ()> = Def::new("loc");
/// hash of a Message-ID << 64 | email.
pub const MID: Def<u128, ()> = Def::new("mid");
/// thread << 64 | email.
pub const THR: Def<u128, ()> = Def::new("thr");
/// modseq: what ended then.
pub const GONE_ROWS: Def<u64, &[u8; GONE]> = Def::new("gone");
/// Everything small: account, keywords, certificates, queue, uploads.
pub const MISC: Def<&[u8], &[u8]> = Def::new("misc");
