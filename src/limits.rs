//! Every bound in one table: its value, its reason, and what whoever hits it is told.
//!
//! A limit that a person may want to lift is a flag whose default stands here.

/// Octets of raw message in one stored block, encoded on its own. A ranged read decodes at most
/// two of them.
pub const BLOCK: usize = 64 * 1024;

/// Largest message accepted by any protocol, in octets (flag `--max-message-size`, in MiB). 50 MiB
/// is what Gmail and Outlook accept at most; beyond it: SMTP 552, IMAP `NO [LIMIT]`, JMAP `tooLarge`.
pub const MESSAGE_SIZE: u64 = 50 * 1024 * 1024;

/// Longest POP3 command line in octets, CRLF included. RFC 2449 §4 asks for 255; passwords and
/// SASL initial responses may be longer. Beyond it: `-ERR` and the connection is closed.
pub const POP3_LINE: usize = 1024;

/// POP3 commands in a row that are none, or are none in this state. Beyond it the connection is
/// closed: what speaks there is no mail client.
pub const POP3_ERRORS: u32 = 20;
