//! The commands, one file each, with the same name in `wire/` (where it has arguments) and in
//! `tests/imap/`. A test holds that, and has the list of those that share a file: EXAMINE is in
//! `select`, UNSUBSCRIBE in `subscribe`, REPLACE in `append`, what ends in ACL or RIGHTS in `acl`, in
//! QUOTA or QUOTAROOT in `quota`, in METADATA in `metadata`.
//!
//! NOOP and CHECK do nothing of their own: what they are for, telling what changed, every command does
//! at its end.
pub mod acl;
pub mod append;
pub mod authenticate;
mod body;
pub mod cancelupdate;
pub mod capability;
pub mod close;
pub mod comparator;
pub mod compress;
pub mod copy;
pub mod create;
pub(super) mod criteria;
pub mod delete;
pub mod enable;
pub mod esearch;
pub mod expunge;
pub mod fetch;
pub(super) mod found;
pub mod genurlauth;
pub mod id;
pub mod idle;
pub mod jmapaccess;
pub mod language;
pub mod list;
pub mod login;
pub mod logout;
pub mod lsub;
pub mod metadata;
pub mod r#move;
pub mod namespace;
pub mod notify;
pub mod quota;
pub mod rename;
pub mod resetkey;
pub mod search;
pub mod select;
pub mod sort;
pub mod starttls;
pub mod status;
pub mod store;
pub mod subscribe;
pub mod thread;
pub mod unauthenticate;
pub mod unselect;
pub mod url;
pub mod urlfetch;
