//! Messages from the inside: what arrives is scanned once, in constant memory; what is sent is
//! built here.
//!
//! * [`Scanner`] reads a message of any size once and gives a [`Structure`]: part tree, envelope,
//!   preview, thread keys. It is stored with the message ([`Structure::encode`], read back lazily
//!   through [`View`]), so that no protocol ever parses a message again.
//! * [`header`], [`address`], [`date`], [`msgid`], [`words`] read header fields; [`params`] the
//!   parameters of Content-Type and Content-Disposition.
//! * [`transfer`], [`charset`], [`html`], [`text`] turn the octets of a part into text, piece by
//!   piece.
//! * [`build`] writes new messages.
//!
//! Pure: no I/O, clock, randomness or log. Everything takes hostile input, never panics and holds a
//! bounded amount of it (`limits::MIME_*`).
mod codec;
mod fields;
mod preview;
mod scanner;
mod structure;
mod tree;

pub mod address;
pub mod build;
pub mod casemap;
pub mod charset;
pub mod date;
pub mod header;
pub mod html;
pub mod msgid;
pub mod nfc;
pub mod nfkc;
pub mod params;
pub mod subject;
pub mod text;
pub mod transfer;
pub mod utf7;
pub mod words;

pub use codec::View;
pub use scanner::Scanner;
pub use structure::{
    Address, Ancestry, Children, DateTime, Disposition, Encoding, Envelope, Facts, Flags, Kind,
    Param, Part, Span, Structure, children,
};
