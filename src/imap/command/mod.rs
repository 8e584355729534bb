//! The commands, one file each, with the same name in `wire/` and in the tests. NOOP and CHECK do
//! nothing of their own: what they are for, telling what changed, every command does at its end.
pub mod append;
pub mod authenticate;
mod body;
pub mod capability;
pub mod close;
pub mod copy;
pub mod create;
pub mod delete;
pub mod enable;
pub mod expunge;
pub mod fetch;
pub mod id;
pub mod idle;
pub mod list;
pub mod login;
pub mod logout;
pub mod lsub;
pub mod r#move;
pub mod namespace;
pub mod rename;
pub mod search;
pub mod select;
pub mod starttls;
pub mod status;
pub mod store;
pub mod subscribe;
pub mod unselect;
