//! Every bound in one table: its value, its reason, and what whoever hits it is told.
//!
//! A limit that a person may want to lift is a flag whose default stands here.

use std::time::Duration;

/// Octets of raw message in one stored block, encoded on its own. A ranged read decodes at most
/// two of them.
pub const BLOCK: usize = 64 * 1024;

/// Largest message accepted by any protocol, in octets (flag `--max-message-size`, in MiB). 50 MiB
/// is what Gmail and Outlook accept at most; beyond it: SMTP 552, IMAP `NO [LIMIT]`, JMAP `tooLarge`.
pub const MESSAGE_SIZE: u64 = 50 * 1024 * 1024;

/// Largest message that `import` takes into a store that no server has open, in octets: what other
/// servers took is to come along. Beyond it the message is named and left out.
pub const IMPORT_SIZE: u64 = 1 << 30;

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

/// Octets of an SMTP command line. RFC 5321 §4.5.3.1.4 says 512, its extensions add some 1,200
/// (RFC 3461 §5, RFC 4954 §4) and SASL responses may need 12,288. Beyond it: 500 5.5.6.
pub const COMMAND_LINE: usize = 12_288;

/// Octets of an overlong command line that are read away; beyond it: 421 and close.
pub const COMMAND_LINE_DRAIN: usize = 256 * 1024;

/// Recipients of one transaction (RFC 5321 §4.5.3.1.8: at least 100). Beyond it: 452 4.5.3, and the
/// client sends the rest in a transaction of its own.
pub const RECIPIENTS: usize = 200;

/// Errors in one SMTP session; the one that reaches this is followed by 421 and close.
pub const SMTP_ERRORS: u32 = 20;

/// SMTP commands other than RCPT and BDAT since the last DATA. Beyond it: 421 and close. A client
/// that sends hundreds of messages over one connection uses some three for each.
pub const SMTP_IDLE_COMMANDS: u32 = 300;

/// Received fields at which a message counts as looping (RFC 5321 §6.3 asks for at least 100):
/// 554 5.4.6.
pub const HOPS: u32 = 100;

/// BDAT chunks may be refused and must still be read; so may the rest of a message that is too
/// large. When this many octets were thrown away the connection is closed.
pub const DRAIN_OCTETS: u64 = 256 * 1024 * 1024;

// The SMTP client.

/// Octets of one reply line of a server that we speak to. RFC 5321 §4.5.3.1.5 says 512. Beyond it
/// the session is given up.
pub const REPLY_LINE: usize = 4096;

/// PBKDF2 rounds that a server may ask of our SCRAM log-in. More is not a log-in but an attack.
pub const SCRAM_ROUNDS: u32 = 2_000_000;

/// Wait for the greeting (RFC 5321 §4.5.3.2.1).
pub const CLIENT_GREETING: Duration = Duration::from_secs(300);

/// Wait for the answer to MAIL, RCPT and others (RFC 5321 §4.5.3.2.2, §4.5.3.2.3).
pub const CLIENT_COMMAND: Duration = Duration::from_secs(300);

/// Wait for the answer to DATA (RFC 5321 §4.5.3.2.4).
pub const CLIENT_DATA: Duration = Duration::from_secs(120);

/// Wait for the server to take a block of data (RFC 5321 §4.5.3.2.5).
pub const CLIENT_BLOCK: Duration = Duration::from_secs(180);

/// Wait for the answer to the last dot (RFC 5321 §4.5.3.2.6).
pub const CLIENT_DOT: Duration = Duration::from_secs(600);

/// Wait for the answer to QUIT; nothing hangs on it.
pub const CLIENT_QUIT: Duration = Duration::from_secs(5);

// The queue.

/// Seconds until the second attempt; doubled for each further one...
pub const RETRY_FIRST: u32 = 300;

/// ...up to this (RFC 5321 §4.5.4.1).
pub const RETRY_MOST: u32 = 4 * 3600;

/// Seconds until a message is given up and bounced (RFC 5321 §4.5.4.1: at least 4 or 5 days).
pub const QUEUE_LIFETIME: u32 = 5 * 86_400;

/// Seconds until a sender who asked for it is told that a message is late.
pub const QUEUE_WARN: u32 = 4 * 3600;

/// Batches that one look at the queue takes into memory.
pub const QUEUE_ROUND: usize = 32;

/// Seconds between two looks at the queue, at most: the clock may have been set meanwhile.
pub const QUEUE_LOOK: u32 = 3600;

/// Seconds until the queue looks again after the store was not available.
pub const QUEUE_STORE_RETRY: u32 = 30;

/// Octets of a message that go out by BDAT before its recipients are accepted (RFC 3030 §4.2). More
/// waits for the answers: should all be refused, it would be sent for nothing.
pub const BDAT_AT_ONCE: u64 = 16 * 1024;

/// Octets of a message that are read from the store at once on their way out.
pub const QUEUE_PIECE: usize = 32 * 1024;

/// Octets of an HTTP request's head and the read buffer behind it. Longer: 431 and the end.
pub const HTTP_HEAD: usize = 16 * 1024;
/// Header fields in an HTTP request. More: 431 and the end.
pub const HTTP_HEADERS: usize = 64;
/// Seconds that an HTTP connection may wait for a request, or for the rest of its head. Then it ends.
pub const HTTP_IDLE: u64 = 120;
/// Seconds without an octet of a request body, or without the peer taking one of a response. Then
/// the connection ends.
pub const HTTP_STALL: u64 = 60;
// ------------------------------------------------------------------ net

/// Octets read from a socket at once, through a buffer that a thread's connections share.
pub const READ_CHUNK: usize = 16 * 1024;

/// Octets of output that are sent together; one TLS record's worth.
pub const WRITE_BUFFER: usize = 16 * 1024;

/// Reads and writes of up to 16 KiB that a connection makes in a row before the others of its thread
/// have their turn.
pub const TURN: u32 = 4;

/// A connection's empty buffer is given back while it waits, unless it is this small.
pub const BUFFER_KEPT: usize = 256;

/// Longest wait for a peer to take any octet of ours; beyond it the connection is dropped.
pub const WRITE_STALL: Duration = Duration::from_secs(120);

/// Idle time of a connection whose protocol sets none.
pub const IDLE_DEFAULT: Duration = Duration::from_secs(300);

/// Idle time of an SMTP session. RFC 5321 §4.5.3.2.7: at least 5 minutes.
pub const IDLE_SMTP: Duration = Duration::from_secs(5 * 60);

/// Idle time of an IMAP session. RFC 9051 §5.4: at least 30 minutes; clients renew IDLE after 29.
pub const IDLE_IMAP: Duration = Duration::from_secs(31 * 60);

/// Idle time of a POP3 session. RFC 1939 §3: at least 10 minutes.
pub const IDLE_POP3: Duration = Duration::from_secs(10 * 60);

/// Time from connect to log-in (flag `--login-timeout`); IMAP, POP3 and submission then say
/// good-bye. RFC 9051 §5.4 and RFC 1939 leave the time before log-in to the server.
pub const LOGIN_TIME: Duration = Duration::from_secs(60);

/// A whole session from another server at port 25 (flag `--smtp-session-time`): who keeps a connection
/// busy without end holds a place that others need. Beyond it: 421, between two commands or inside a
/// message, which is sent again. RFC 5321 §4.5.3.2 bounds each step only; 50 MB at 16 KB/s fit.
pub const SMTP_TIME: Duration = Duration::from_secs(3600);

/// Longest TLS handshake; beyond it the connection is dropped.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(30);

/// Longest attempt to connect to one address of a remote host.
pub const CONNECT: Duration = Duration::from_secs(30);

/// How long a closing connection waits for the peer's own close...
pub const LINGER: Duration = Duration::from_secs(2);

/// ...and how much it reads meanwhile.
pub const LINGER_OCTETS: usize = 256 * 1024;

/// Connections in all (flag `--max-connections`); the one beyond is closed at once.
pub const CONNECTIONS: usize = 200;

/// Connections per IPv4 address or IPv6 /64 (flag `--max-connections-per-address`), loopback
/// excepted. A household behind one address: several clients with five connections each.
pub const CONNECTIONS_PER_ADDRESS: usize = 50;

/// Pause of a listener after accept(2) failed for want of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Stack of a listener's thread. Only what is touched costs memory.
pub const THREAD_STACK: usize = 512 * 1024;

/// How long SIGTERM waits for sessions to end before the store is sealed without them.
pub const DRAIN: Duration = Duration::from_secs(10);

// ------------------------------------------------------------------ auth

/// Octets of a user name, password or SASL message; longer ones are wrong by definition.
pub const CREDENTIAL: usize = 1024;

/// PBKDF2 iterations at least. RFC 7677 §4.
pub const PBKDF2_MIN: u32 = 4096;

/// PBKDF2 iterations at most. A client pays them too: Cyrus SASL (mutt, mbsync, Postfix) refuses
/// SCRAM with more than 65,536. And a store that was made on a desktop and moved to a router must
/// still open: these are 0.03 s there and some 7 s on the slowest board.
pub const PBKDF2_MAX: u32 = 65_536;

/// Time that PBKDF2 may take where the password was set.
pub const PBKDF2_TIME: Duration = Duration::from_millis(250);

/// Passwords checked at the same time; others wait their turn.
pub const PASSWORD_CHECKS: usize = 2;

/// Failed log-ins from one address before it is locked out for a while (flag
/// `--max-login-failures`).
pub const LOGIN_FAILURES: u32 = 20;

/// Failed log-ins on one connection, after which it is closed.
pub const LOGIN_FAILURES_PER_CONNECTION: u32 = 3;

/// Longest delay put before a log-in from an address with failures.
pub const LOGIN_DELAY: Duration = Duration::from_secs(8);

/// An address forgets one failure each time this passes.
pub const LOGIN_FORGIVE: Duration = Duration::from_secs(60);

/// Addresses with failures that are remembered; the one longest quiet is forgotten first.
pub const LOGIN_ADDRESSES: usize = 512;

/// Log-ins of one address that may be waiting at the same time; the one beyond is refused.
pub const LOGIN_WAITING: u32 = 4;

/// Octets of a request on the control socket; longer ones are not understood. The longest makes an app
/// password for many mailboxes.
pub const CONTROL_LINE: usize = 256 * 1024;
/// Identifiers in the access control list of one mailbox; beyond it: `NO [LIMIT]`.
pub const ACL: usize = 64;
/// App passwords that may exist; each costs a log-in by SCRAM two hashes.
pub const APPS: usize = 32;
/// Seconds after which the last use of an app password is worth a write to the store.
pub const LAST_USED: u32 = 24 * 60 * 60;
/// Most iterations for a generated password: guessing it is hopeless, and app passwords share them with
/// whatever the password becomes later.
pub const PBKDF2_GENERATED: u32 = 16_384;
/// Bearer tokens that may exist.
pub const TOKENS: usize = 64;
/// Nested criteria in one SEARCH (`NOT NOT ..`, `((..))`, `OR OR ..`); beyond it: `BAD` with the position. Searches
/// that clients write for many addresses are chains of `OR`, a level each.
pub const IMAP_SEARCH_DEPTH: usize = 64;

/// Criteria in one search; beyond it: `BAD`. Each is tried on every message.
pub const IMAP_SEARCH_KEYS: usize = 2000;

/// Searches that one connection keeps up to date (RFC 5267 §4.3.1); beyond it: `NO [NOUPDATE]`.
pub const IMAP_CONTEXTS: usize = 8;

/// Gaps in the results of a search that is kept up to date, 12 octets each; beyond it the same.
pub const IMAP_CONTEXT_RUNS: usize = 4096;

/// Results of a sort that is kept up to date, 4 octets each; beyond it the same.
pub const IMAP_CONTEXT_LIST: usize = 32_768;

/// Seconds between two looks at all results of a search whose results time alone changes (RFC 5032
/// §2 lets the server choose).
pub const IMAP_CONTEXT_CLOCK: u32 = 60;

/// Criteria in one SORT; beyond it: `BAD`.
pub const IMAP_SORT_KEYS: usize = 16;

/// Stored filters that stand for each other (RFC 5466 §3.1: 3 at least); beyond it: `NO
/// [UNDEFINED-FILTER]`, which loops get too.
pub const IMAP_FILTER_DEPTH: usize = 8;

/// Octets of one IMAP command, its literals included, an APPEND's message not; beyond it: `BAD [LIMIT]`. Clients
/// split long UID sets at 8 KiB or less.
pub const IMAP_COMMAND: usize = 64 * 1024;

/// The same before log-in: a name, a password, an initial response. LITERAL- (RFC 7888 §4) has 4096.
pub const IMAP_COMMAND_BEFORE_LOGIN: usize = 8 * 1024;

/// Octets of a refused non-synchronising literal that are read and thrown away; beyond it: `BYE`.
pub const IMAP_DRAIN: u64 = 128 * 1024 * 1024;

/// The same before log-in.
pub const IMAP_DRAIN_BEFORE_LOGIN: u64 = 64 * 1024;

/// Commands before log-in that make no sense; then `BYE`: what speaks there is no mail client.
pub const IMAP_MISTAKES: u32 = 20;

/// After this long without an answer the client hears that its command goes on (RFC 9585 §4).
pub const IMAP_PROGRESS: Duration = Duration::from_secs(10);

/// Rows that a command copies from the store at a time; between them other sessions run.
pub const IMAP_ROWS: usize = 128;

/// Runs of UIDs in one VANISHED response; more are told in another one. Clients bound their lines.
pub const IMAP_VANISHED_RUNS: usize = 512;

/// A session's own changes of flags that are remembered until others' are told; beyond it the oldest
/// is told to it, too.
pub const IMAP_OWN_CHANGES: usize = 32;

/// Mailboxes named in one group of NOTIFY; beyond it `BAD`: there are SUBTREE and PERSONAL.
pub const IMAP_NOTIFY_NAMES: usize = 1000;

/// Octets of a message that FETCH copies at a time.
pub const IMAP_READ: u64 = 64 * 1024;

/// Gaps in a search result that is saved as `$`; beyond it: `NO [NOTSAVED]` (RFC 9051 §6.4.4.3).
pub const IMAP_SAVED_RUNS: usize = 4096;

/// Subscribed names whose mailboxes are gone (RFC 9051 §6.3.7); beyond it the next one is forgotten.
pub const IMAP_ORPHANS: usize = 1000;

/// Octets of sort keys that are held while messages are sorted; with more of them, less of each key
/// is, and those that are equal so far are read again.
pub const SORT_MEMORY: usize = 4 * 1024 * 1024;

/// Octets of a folded text that messages are sorted by; what is behind does not count.
pub const SORT_TEXT: usize = 8 * 1024;

/// Messages and messages referred to that THREAD can hold, 32 octets each; beyond it: `NO [LIMIT]`.
pub const THREAD_NODES: usize = 1_000_000;

/// Words of a search text that a fuzzy search looks for; further ones do not count.
pub const FUZZY_WORDS: usize = 16;

/// Letters of a word that a fuzzy search compares; further ones do not count.
pub const FUZZY_WORD: usize = 48;

/// Searches of headers and bodies at a time; more wait.
pub const SEARCHES: usize = 2;

/// Sorts and threadings at a time, for each holds memory by the messages it is of; more wait.
pub const SORTS: usize = 2;

/// Octets of one header block that a search looks at.
pub const SEARCH_HEADER: u32 = 1024 * 1024;

/// Octets of a text part that a search decodes at a time.
pub const SEARCH_PIECE: u32 = 32 * 1024;

/// Part numbers in one section (`BODY[1.2.3..]`); beyond it: `BAD`. More than the levels a stored structure has.
pub const IMAP_PART_DEPTH: usize = 128;

// Scanning a message. What is beyond a bound is kept in the message and counted in its parent's
// body; the stored structure says `TRUNCATED` and readers go back to the header block.

/// Octets kept of one header field while it is scanned; the rest is skipped. 64 KiB is twenty times
/// what long References and recipient lists take.
pub const MIME_FIELD: usize = 64 * 1024;

/// Octets of text (addresses, subject, parameters, ids, ...) kept in one message's structure.
/// With [`MIME_PARTS`] it keeps the stored form under [`MIME_ENCODED`].
pub const MIME_TEXT: usize = 24 * 1024;

/// Octets of the stored form of a structure: its length field has 16 bits.
pub const MIME_ENCODED: usize = 65_535;

/// Depth of nesting that is opened; a container below it is an opaque leaf. Mail forwarded as an
/// attachment twenty times fits.
pub const MIME_DEPTH: u8 = 32;

/// Parts listed per message; further ones are left to their parent's body. Digests stay under 100.
/// A part takes at most 50 octets of the stored form beside its text.
pub const MIME_PARTS: usize = 750;

/// Longest boundary that is looked for, in octets (RFC 2046 §5.1.1 allows 70). A multipart with a
/// longer one is an opaque leaf.
pub const MIME_BOUNDARY: usize = 256;

/// Octets of a header line in which the colon after its name must come, so that a first line of
/// text is told from a field before all of it is there.
pub const MIME_NAME: usize = 1_000;

/// Addresses kept per header field; further ones are left out of the envelope.
pub const MIME_ADDRESSES: usize = 500;

/// Parameters kept per Content-Type or Content-Disposition (RFC 2231 continuations count each).
pub const MIME_PARAMS: usize = 64;

/// Language tags kept per Content-Language.
pub const MIME_LANGUAGES: usize = 16;

/// Hashes of referenced ids kept per message: half of them the oldest, half the newest.
pub const MIME_REFERENCES: usize = 32;

/// Octets of a preview (RFC 8970 §3.1 wants at most 256 characters).
pub const MIME_PREVIEW: usize = 256;

/// Decoded octets of a text part read in search of a preview: style sheets come first.
pub const MIME_PREVIEW_SEARCH: usize = 256 * 1024;

/// Octets of a text part in a charset that cannot be decoded piecewise (UTF-7); the rest is cut.
pub const MIME_WHOLE_CHARSET: usize = 256 * 1024;
/// How long a POP3 log-in waits for another session to give the maildrop back before it is
/// answered with `[IN-USE]`.
pub const POP3_LOCK_WAIT: Duration = Duration::from_secs(1);

/// Rows that a POP3 listing takes from the store at once.
pub const POP3_PAGE: usize = 512;
/// Operations that may wait for the writer; a full queue is the back-pressure on every session.
pub const WRITE_QUEUE: usize = 64;

/// Operations that share one commit at most: more would make the first one wait for the last.
pub const GROUP: usize = 32;

/// Recent changes kept in memory, 32 octets each. A session further behind reads the rows instead.
pub const CHANGE_RING: usize = 4096;

/// Octets by which trace header fields of ours may take a message over its size limit.
pub const TRACE: u64 = 16 * 1024;

/// Mailboxes in one store: each costs 56 octets of counters in memory and in the state table.
pub const MAILBOXES: usize = 1_000;

/// Octets of one mailbox name (RFC 8621 §2: at least 255 must do).
pub const MAILBOX_NAME: usize = 255;

/// Rows looked at in SELECT for the first unseen message. Beyond it `[UNSEEN n]` is left out.
pub const IMAP_UNSEEN: usize = 2_048;

/// Octets of an annotation's value (RFC 5464 §4.1: at least 1024). Beyond it: `NO [METADATA MAXSIZE n]`.
pub const ANNOTATION_VALUE: usize = 16 * 1024;

/// Annotations of one mailbox, and of the server (RFC 5464 §4.1: at least 10). Beyond it:
/// `NO [METADATA TOOMANY]`. As many removed ones are remembered for those who ask what changed.
pub const ANNOTATIONS: usize = 100;

/// Octets of all annotations together; they count for no quota. Beyond it: `NO [METADATA TOOMANY]`.
pub const ANNOTATIONS_ALL: u32 = 4 * 1024 * 1024;

/// Mailboxes inside each other.
pub const MAILBOX_DEPTH: usize = 20;

/// Mailboxes whose UID view is kept in memory, least recently used out.
pub const VIEWS: usize = 16;
/// Emails in a list of the newest ones, kept in memory so that a page of them costs its rows; a list
/// grows to twice that. A page beyond it costs a scan.
pub const NEWEST: usize = 2048;
/// Lists of the newest ones, least recently used out.
pub const NEWEST_LISTS: usize = 4;
/// Octets of a UID view that is kept over a restart; a mailbox with more gaps is scanned again.
pub const VIEW_OCTETS: usize = 64 * 1024;
/// `maxSizeRequest`: octets of a JMAP request. Less than RFC 8620 suggests, for a router's memory;
/// what is larger goes through the upload address. Beyond it: the `limit` problem.
pub const JMAP_REQUEST: u64 = 4 * 1024 * 1024;
/// JSON values in a JMAP request, whose memory the octets alone do not bound. Beyond it: `limit`
/// with `maxSizeRequest`.
pub const JMAP_VALUES: usize = 50_000;
/// `maxCallsInRequest`. Beyond it: the `limit` problem.
pub const JMAP_CALLS: usize = 32;
/// `maxConcurrentRequests`: a further one waits for [`JMAP_WAIT`], then gets the `limit` problem.
pub const JMAP_REQUESTS: usize = 4;
/// `maxConcurrentUpload`: the same for uploads.
pub const JMAP_UPLOADS: usize = 4;
/// Seconds that a JMAP request or upload waits for its turn.
pub const JMAP_WAIT: u64 = 10;
/// `maxObjectsInGet`. Beyond it: `requestTooLarge`.
pub const JMAP_GET: usize = 500;
/// `maxObjectsInSet`. Beyond it: `requestTooLarge`.
pub const JMAP_SET: usize = 500;
/// Ids in one answer to a JMAP query; the answer says so in `limit`.
pub const JMAP_QUERY: usize = 5_000;
/// About how many octets of memory the answers of one JMAP request may take, copies by reference
/// included. Beyond it: `requestTooLarge` for the call.
pub const JMAP_RESPONSE: usize = 8 * 1024 * 1024;
/// Octets of one value in `bodyValues`; the rest is cut and `isTruncated` says so. The blob has all.
pub const JMAP_BODY_VALUE: usize = 1024 * 1024;
/// Properties in `properties` or `bodyProperties` of Email/get and Email/parse: each header field is
/// looked for in the whole header, in every part. Beyond it: `requestTooLarge`.
pub const JMAP_PROPERTIES: usize = 200;
/// Octets of all values in the `bodyValues` of one email, cut in the same way: a message may be
/// nothing but text parts.
pub const JMAP_BODY_VALUES: usize = 4 * 1024 * 1024;
/// Least and greatest seconds between pings of an event source (RFC 8620 §7.3 lets us choose).
pub const JMAP_PING: (u64, u64) = (5, 3600);
/// Seconds that an upload is kept unless an email adopts it; RFC 8620 §6 wants an hour at least.
pub const JMAP_UPLOAD_KEPT: u32 = 6 * 3600;
/// Octets of a header section that JMAP looks at. What is behind is not found.
pub const JMAP_HEADER: usize = 256 * 1024;
/// Octets of a refused request's body that are read away, so that the client sees the answer.
pub const HTTP_DRAIN: u64 = 64 * 1024 * 1024;
/// Seconds that this may take.
pub const HTTP_DRAIN_TIME: u64 = 10;

/// Octets left free on the disk: with less, new mail is refused (452, `NO [OVERQUOTA]`, overQuota), and
/// what is left serves flag changes and deletions. Some fifty commits. Where mail was deleted whose room
/// in the file is larger than this, new mail is taken down to half of it.
pub const DISK_RESERVE: u64 = 2 * 1024 * 1024;
/// Silence after which the kernel asks whether a peer is still there. Longer than a phone's radio
/// sleeps between its own keepalives, so that it wakes nobody for nothing.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(300);

/// How often it asks then, five times.
pub const KEEPALIVE_EVERY: Duration = Duration::from_secs(60);
/// Octets of the text for people in a read receipt that are told.
pub const JMAP_SNIPPET: usize = 256 * 1024;

// ------------------------------------------------------------------ DNS

/// Octets of a datagram that we take (RFC 6891 §6.2.3; what fits every path). Larger: TCP.
pub const DNS_DATAGRAM: u16 = 1232;

/// Seconds that the clock may be off another server's before doctor speaks of it.
pub const DOCTOR_CLOCK: u64 = 60;

/// Questions that are asked side by side where none hangs on another; the others wait for them.
pub const DNS_AT_ONCE: usize = 12;

/// Longest wait for an answer, all servers and attempts in one; then it is "not known".
pub const DNS_TIME: Duration = Duration::from_secs(12);

/// How long each server is waited for, in the first round and in the second.
pub const DNS_PATIENCE: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];

/// Datagrams that are no answer to our question, before the server is given up.
pub const DNS_STRAY: usize = 8;

/// Records of one answer that are looked at; further ones are left out.
pub const DNS_RECORDS: usize = 128;

/// Aliases that lead to a record; beyond it there is none.
pub const DNS_ALIASES: usize = 8;

/// Seconds that an answer is kept at most...
pub const DNS_TTL: u32 = 86_400;

/// ...a "no" without an SOA record...
pub const DNS_NO_TTL: u32 = 60;

/// ...and "not known" (RFC 2308 §7: at most five minutes).
pub const DNS_FAILED_TTL: u32 = 10;

/// Answers kept, and their octets together; what ends soonest is forgotten first.
pub const DNS_CACHE: usize = 400;
/// See [`DNS_CACHE`].
pub const DNS_CACHE_OCTETS: usize = 128 * 1024;

/// How often `/etc/resolv.conf` is looked at.
pub const DNS_CONF: Duration = Duration::from_secs(60);
/// Octets of messages that one APPEND of several holds in memory; beyond them they are put away in the
/// store until the command ends.
pub const APPEND_HELD: usize = 1024 * 1024;

/// Octets of flags, dates and ids of the messages in one APPEND (some 8,000 messages). Beyond it:
/// `NO [LIMIT]`, and none of them is kept.
pub const APPEND_HEADS: usize = 4 * 1024 * 1024;

/// Seconds until messages that were put away for an APPEND which never ended are swept.
pub const APPEND_KEPT: u32 = 3600;

/// Octets of a URL that are repeated in `[BADURL ...]`; the rest is cut.
pub const IMAP_BAD_URL: usize = 1000;
/// Uploads that no email adopted yet; one more, and the oldest goes (RFC 8620 §6).
pub const UPLOADS: usize = 500;
/// Octets of them together, or one message of the largest size if that is more; the same.
pub const UPLOAD_OCTETS: u64 = 100 * 1024 * 1024;

/// Compressors that a listener's thread keeps (some 170 KiB each), for the connections that wrote
/// last. One further back gives its up: its next octets are compressed without memory of the ones
/// before, and nothing else changes.
pub const COMPRESSORS: usize = 4;

/// Octets that are compressed at a time. Each such piece ends at an octet's boundary, so that nothing
/// of ours waits in a compressor.
pub const COMPRESS_PIECE: usize = 16 * 1024;

/// Octets of compressed input that are read at a time, and held while a session takes what they
/// inflate to, 16 KiB after 16 KiB: a bomb is no larger for us than this.
pub const INFLATE_PIECE: usize = 4096;
// ------------------------------------------------------------------ verify

/// Octets of a message's header that are kept for checking signatures; with more, none counts.
pub const VERIFY_HEADER: usize = 128 * 1024;

/// Octets of a body that are brought into canonical form at once.
pub const VERIFY_PIECE: usize = 4 * 1024;

/// DKIM signatures of one message that are checked, from the top; further ones are not looked at.
pub const DKIM_SIGNATURES: usize = 8;

/// Fields in one signature's `h=`; further ones are left out, and the signature fails.
pub const DKIM_FIELDS: usize = 256;

/// Sets of an ARC chain (RFC 8617 §5.2 step 1).
pub const ARC_SETS: usize = 50;

/// Names of an address that are looked at (RFC 8601 §3 wants a bound).
pub const IPREV_NAMES: usize = 5;

/// Questions that one check of a message may ask; further ones are "not known".
pub const VERIFY_QUESTIONS: usize = 120;

/// Time for all checks of a message, beside its arrival; then what is missing is a temperror. RFC 7208
/// §4.6.4 wants at least 20 seconds.
pub const VERIFY_TIME: Duration = Duration::from_secs(25);

/// SPF terms that ask the DNS (RFC 7208 §4.6.4); the next one is a permerror.
pub const SPF_LOOKUPS: u32 = 10;

/// SPF lookups that find nothing (RFC 7208 §4.6.4); the next one is a permerror.
pub const SPF_VOID: u32 = 2;

/// MX or PTR records whose addresses one SPF term may ask for (RFC 7208 §4.6.4).
pub const SPF_HOSTS: usize = 10;

/// Octets of a domain's explanation of an SPF "fail"; the rest is cut (RFC 7208 §6.2).
pub const SPF_EXPLANATION: usize = 200;

/// Octets of an Authentication-Results field that are held to see whose it is.
pub const RESULTS_FIELD: usize = 8 * 1024;
/// Records of one type (identities, submissions, push subscriptions) that are looked at; each type has
/// its own, lower bound.
pub const RECORDS: usize = 2_000;
/// Marks of records that are gone; an older state gets `cannotCalculateChanges`.
pub const RECORD_MARKS: usize = 500;
/// Identities; one more is refused with `limit` ("overQuota").
pub const IDENTITIES: usize = 100;
/// Octets of one signature. Beyond it: `invalidProperties`.
pub const SIGNATURE: usize = 64 * 1024;

/// Submissions that are kept; the oldest that is done makes room for a new one.
pub const SUBMISSIONS: usize = 1_000;
/// `maxDelayedSend`: seconds that a submission may wait for its time.
pub const SEND_DELAY: u32 = 366 * 86_400;

/// Octets of a decoded part that are looked through for a NUL, so that it can be sent as a string.
pub const IMAP_BINARY_STRING: u64 = 32 * 1024;
/// `maxDataSources`: sources of one blob in Blob/upload; RFC 9404 §4.1 wants 64 at least.
pub const JMAP_SOURCES: usize = 100;
// ------------------------------------------------------------------ sending

/// Mail exchangers of a domain that are tried, the best first (RFC 5321 §5.1: at least two).
pub const MX_HOSTS: usize = 6;

/// Addresses of one exchanger that are tried.
pub const MX_ADDRESSES: usize = 4;

/// MTA-STS policies that are kept; further ones are fetched for each attempt.
pub const STS_KEPT: usize = 256;

/// Seconds that an MTA-STS policy holds at most (RFC 8461 §3.2).
pub const STS_AGE: u32 = 31_557_600;

/// Seconds after which a policy that still holds is fetched anew.
pub const STS_REFRESH: u32 = 86_400;

/// Seconds until a policy that could not be fetched is asked for again (RFC 8461 §3.3).
pub const STS_RETRY: u32 = 300;

/// Patterns of a policy that count.
pub const STS_MX: usize = 64;

/// Domains whose TLS sessions are counted between two times of writing down; more are not.
pub const TLS_REPORTS: usize = 256;

/// Kinds of failure that one day's report about a domain tells apart; more are counted only in sum.
pub const TLS_REPORT_FAILURES: usize = 32;

/// Seconds between two times of writing the counts down.
pub const TLS_REPORT_KEEP: u32 = 600;

/// Seconds behind midnight (UTC) within which the day's reports go out (RFC 8460 §4.1).
pub const TLS_REPORT_DELAY: u32 = 4 * 3600;

/// Seconds until a report is tried again that nobody took (RFC 8460 §5.5).
pub const TLS_REPORT_RETRY: u32 = 2 * 3600;

/// Octets of an answer to our own GET (RFC 8461 §3.3), its head included; a longer one is none.
pub const FETCH_SIZE: usize = 64 * 1024;

/// Longest wait for it (RFC 8461 §3.3).
pub const FETCH_TIME: Duration = Duration::from_secs(60);

/// Destinations that are sent to at the same time, one session each; more wait their turn.
pub const QUEUE_LANES: usize = 4;

/// Seconds for which a destination that failed is left alone, however much new mail comes for it.
pub const LANE_REST: u32 = 60;

/// Destinations that failed and are remembered; beyond it the one due first is forgotten.
pub const LANES: usize = 1000;

/// Batches of one destination that one session takes.
pub const LANE_ROUND: usize = 32;

/// Batches that `pillarbox queue list` shows.
pub const QUEUE_LIST: usize = 5000;

/// Octets of an answer over the control socket.
pub const CONTROL_ANSWER: u64 = 4 * 1024 * 1024;

/// Seconds of silence after which a WebSocket is asked whether its client is still there; as long again,
/// and it ends.
pub const WEBSOCKET_PING: u64 = 240;
/// Octets of an unfinished message that a WebSocket may hold at any time; beyond it the message waits for
/// one of [`JMAP_REQUESTS`] turns while it comes, and for [`JMAP_WAIT`], then the connection ends (1013).
pub const WEBSOCKET_SMALL: usize = 32 * 1024;
/// Senders that greylisting remembers, some 60 octets each; those that never came back go first.
pub const GREYLIST: usize = 4096;

/// Seconds within which a greylisted sender has to come back.
pub const GREYLIST_WINDOW: u32 = 24 * 3600;

/// Seconds for which one that came back is remembered since it was heard of last.
pub const GREYLIST_KEPT: u32 = 35 * 86_400;

/// Seconds between two times that greylisting writes down what it knows, some 70 KiB at most.
pub const GREYLIST_SAVE: u32 = 3600;

/// Networks whose messages and unknown recipients are counted; the one whose hour is oldest goes first.
pub const RATES: usize = 2048;

/// Messages in an hour from one IPv4 address or IPv6 /64; then 451 until the hour is over.
pub const RATE_ADDRESS: u32 = 600;

/// The same from one IPv4 /24 or IPv6 /48.
pub const RATE_NETWORK: u32 = 3000;

/// Messages that servers, and one address among them, may be sending at once: each takes 1 MiB at worst,
/// and everybody may send some. A further one waits...
pub const ARRIVING: (usize, usize) = (32, 8);

/// ...so long, looking this often; then 451.
pub const ARRIVING_WAIT: Duration = Duration::from_secs(60);

/// See [`ARRIVING_WAIT`].
pub const ARRIVING_LOOK: Duration = Duration::from_millis(100);

/// Unknown recipients of one session, and of one address in an hour, that are answered at once; each further
/// one waits longer...
pub const TARPIT_FREE: u32 = 2;

/// ...up to this.
pub const TARPIT_MOST: Duration = Duration::from_secs(10);

/// How long a proxy may take for its header.
pub const PROXY_TIME: Duration = Duration::from_secs(5);

/// How long `doctor` asks about the server's name, and about each domain; then what is missing is "does
/// not answer".
pub const DOCTOR_TIME: Duration = Duration::from_secs(60);

/// MiB free on the store's disk below which `doctor` finds it too little.
pub const DOCTOR_FREE: u64 = 100;

/// Further own addresses; `pillarbox alias` refuses one more.
pub const ALIASES: usize = 1000;
/// Days in which a sender is answered once by a vacation response (RFC 5230 §4.1 has 7).
pub const VACATION_DAYS: u32 = 7;
/// Senders that were answered and are remembered, 12 octets each; one more, and the oldest is forgotten.
pub const VACATION_SENDERS: usize = 1000;
/// Octets of a header that are looked through for signs of a list or a program.
pub const VACATION_HEADER: u32 = 64 * 1024;
/// Octets of one text of a vacation response. Beyond it: `invalidProperties`.
pub const VACATION_TEXT: usize = 60_000;

/// Push subscriptions. Beyond it: `overQuota`.
pub const PUSH_SUBSCRIPTIONS: usize = 50;
/// Octets of a subscription's URL. Beyond it: `invalidProperties`.
pub const PUSH_URL: usize = 2048;
/// Seconds that a subscription lives unless it is renewed (RFC 8620 §7.2: at least 48 hours).
pub const PUSH_LIFE: u32 = 30 * 86_400;
/// Messages to push services that are under way at the same time.
pub const PUSHES: usize = 4;
/// Least seconds between two messages of one subscription; what changes meanwhile is one message.
pub const PUSH_PAUSE: u32 = 1;
/// Seconds until a message that was not taken is sent again; doubled each time up to the second.
pub const PUSH_RETRY: (u32, u32) = (30, 3600);
/// The same for a service that says that it was too much, but not how long.
pub const PUSH_BUSY: u32 = 300;
/// Seconds that a push service may keep a message (RFC 8030 §5.2).
pub const PUSH_TTL: u32 = 7 * 86_400;
/// Reports about one submission that are kept with it; further ones are mail like any other.
pub const SUBMISSION_REPORTS: usize = 50;
/// Seconds of silence after which an event source without pings is written a comment: a client that
/// closed its end is noticed by writing alone.
pub const JMAP_SILENCE: u64 = 900;

// Settings for mail programs.

/// Octets of a request of autodiscover; Outlook's have some 500. Beyond it: 400.
pub const AUTODISCOVER: u64 = 16 * 1024;

/// How long a link works that carries a new app password to a device. Beyond it: 404.
pub const LINK_TIME: Duration = Duration::from_secs(15 * 60);

/// Such links at a time; a further one ends the oldest.
pub const LINKS: usize = 8;
/// Addresses whose failed log-ins are told to the owner one by one.
pub const LOGIN_NOTED: usize = 64;
/// Octets of a store whose slack `status` measures: all of it is read for that, at most once an hour, and
/// nobody waits but who asked. Of a larger one `compact --dry-run` tells.
pub const SLACK_STORE: u64 = 256 * 1024 * 1024;
/// The same for `--metrics`, which machines ask: of a larger one they are told what `status` measured.
pub const SLACK_SCRAPED: u64 = 16 * 1024 * 1024;
/// What `salvage` remembers at a time, 32 octets each, some four a message; for what goes beyond it reads the
/// damaged file once more.
pub const SALVAGE: usize = 1 << 18;
/// Destinations that a warning about a stuck queue names.
pub const STUCK_LISTED: usize = 10;

// Mail from another IMAP server.

/// Octets of a response line or of a literal that is no message. Beyond it the import ends.
pub const FETCH_LINE: usize = 64 * 1024;

/// Mailboxes of one account. Beyond it the import ends.
pub const FETCH_MAILBOXES: usize = 10_000;

/// Silence of the other server. Beyond it the connection is given up and another one made.
pub const FETCH_IDLE: Duration = Duration::from_secs(120);

/// From the connection to the end of the log-in.
pub const FETCH_LOGIN: Duration = Duration::from_secs(60);

/// Connections in a row that break without a window of messages; the import ends, and goes on when it is
/// run again. The pauses between them are 1, 2, 4, 8 and 16 seconds.
pub const FETCH_TRIES: u32 = 5;

/// Connections that break while one message alone is fetched; then it is left out.
pub const FETCH_HANG_TRIES: u32 = 2;

/// Messages in a row that are left out so; at the next one the import ends.
pub const FETCH_HANGS: u32 = 20;

/// How often the box is looked after when nothing happens.
pub const WATCH_EVERY: Duration = Duration::from_secs(3600);
/// The same when something was written, behind that.
pub const WATCH_PAUSE: Duration = Duration::from_secs(60);
/// Octets free on the disk, or a tenth of it if that is less, below which the owner is warned.
pub const WARN_DISK: u64 = 100 * 1024 * 1024;
/// Failed log-ins of which the owner hears...
pub const WARN_LOGINS: u32 = 100;
/// ...once in so many seconds...
pub const WARN_LOGINS_EVERY: u32 = 86_400;
/// ...with so many addresses.
pub const WARN_LOGINS_LISTED: usize = 10;
/// How long new mail waits for more before it is told to --notify-url.
pub const NOTIFY_PAUSE: Duration = Duration::from_secs(3);
/// Until it is told again to who did not take it; doubled each time...
pub const NOTIFY_RETRY: Duration = Duration::from_secs(30);
/// ...up to this...
pub const NOTIFY_RETRY_MOST: Duration = Duration::from_secs(3600);
/// ...and so often, some 30 hours.
pub const NOTIFY_ATTEMPTS: u32 = 36;
/// New messages that are looked at one by one; further ones are counted.
pub const NOTIFY_LOOKED: usize = 100;
/// New messages that are told one by one, if more may be told than that they are there.
pub const NOTIFY_LISTED: usize = 5;
