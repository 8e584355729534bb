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
// Envelopes and SMTP.

/// Octets of an envelope address's local part, unquoted. RFC 5321 §4.5.3.1.1 says 64 and asks for
/// more; VERP and SRS senders need some 200. Beyond it: 501 5.1.3 / 5.1.7.
pub const LOCAL_PART: usize = 256;

/// Octets of a domain (RFC 5321 §4.5.3.1.2). Beyond it: 501.
pub const DOMAIN: usize = 255;

/// Octets of one label of a domain (RFC 1035 §2.3.4). Beyond it: 501.
pub const DOMAIN_LABEL: usize = 63;

/// Octets of `ENVID=` as sent (RFC 3461 §4.4). Beyond it: 501 5.5.4.
pub const ENVID: usize = 100;

/// Octets of `ORCPT=` as sent (RFC 3461 §4.2). Beyond it: 501 5.5.4.
pub const ORCPT: usize = 500;

/// Octets of text in one reply line, sent or believed (RFC 5321 §4.5.3.1.5). The rest is cut off.
pub const REPLY_TEXT: usize = 500;

/// Lines in one reply of a server that we speak to. Beyond it the session is given up.
pub const REPLY_LINES: usize = 128;
/// Octets of an HTTP request's head and the read buffer behind it. Longer: 431 and the end.
pub const HTTP_HEAD: usize = 16 * 1024;
/// Header fields in an HTTP request. More: 431 and the end.
pub const HTTP_HEADERS: usize = 64;
/// Seconds that an HTTP connection may wait for a request, or for the rest of its head. Then it ends.
pub const HTTP_IDLE: u64 = 120;
/// Seconds without an octet of a request body, or without the peer taking one of a response. Then
/// the connection ends.
pub const HTTP_STALL: u64 = 60;
