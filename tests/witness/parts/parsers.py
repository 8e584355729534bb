"""Every response that IMAP can bring, read by two parsers of others: Python's imaplib, which drives
the dialogue, and IMAPClient's lexer and parser (PyPI), which get each response that it took.

The dialogue goes through every command and every word inside commands that the server's table of
capabilities names; what is in the table and not in the dialogue is a failure, too."""

import imaplib
import os
import re
import ssl
import sys
from pathlib import Path

try:
    from imapclient import response_parser
except ImportError as missing:
    print(f"{missing.name} is not installed")
    sys.exit(77)

HOST, ME, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "ME", "LOGIN", "PASSWORD"))
IMAPS = int(os.environ["IMAPS"])
TLS = ssl.create_default_context(cafile=os.environ["CA"])
TABLE = Path(os.environ["WITNESS_HERE"]) / "../../src/imap/command/capability.rs"

# Right by the RFC and not understood: (a part of the response, the parser, the rule).
BEYOND = [
    # It takes `~{10}` for an atom and leaves the octets behind it alone.
    (b"~{", "imapclient", "RFC 9051 §9: literal8 in msg-att-static"),
]

LETTERS = [
    b"From: Anna <anna@example.net>\r\nTo: me@example.test\r\nSubject: one\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
    b"Message-ID: <1@example.net>\r\n\r\nHello\r\n",
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?= \"q\" \\b\r\nReferences: <1@example.net>\r\n"
    b"MIME-Version: 1.0\r\nContent-Language: de, en\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--b\r\n"
    b"Content-Type: image/png; name=\"a (b).png\"\r\nContent-Disposition: attachment; filename*=utf-8''%C3%A4.png\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nFrom: a: b@c, d@e;\r\n\r\ninner\r\n--b--\r\n",
    b"From: undisclosed\r\nTo: group: a@b.c, \"q\\\"q\" <x@y.z>;, <>\r\nSubject:\r\nDate: not one\r\n\r\n\r\n",
    b"Content-Type: multipart/alternative\r\n\r\nno boundary\r\n",
    b"\r\n",
    b"Subject: raw \xe4\xf6\xfc\r\nFrom: \xe4@b\r\n\r\n\xe4\r\n",
]


class Tap(imaplib.IMAP4_SSL):
    """imaplib as it is; what it reads is kept as well."""

    def __init__(self):
        self.heard = []
        super().__init__(HOST, IMAPS, ssl_context=TLS)
        self.is_readonly = True  # a mailbox may be: that is no error

    def readline(self):
        line = super().readline()
        self.heard.append(line)
        return line

    def read(self, size):  # of a literal
        octets = super().read(size)
        self.heard.append(octets)
        return octets


class Dialogue:
    def __init__(self, *enable):
        self.box = Tap()
        self.types, self.said, self.codes, self.count = set(), set(), set(), 0
        if enable is not None:
            self.ok("LOGIN", LOGIN, self.box._quote(PASSWORD))
            self.box.state = "AUTH"
        for word in enable:
            self.ok("ENABLE", word)

    def say(self, name, *words, literal=None):
        """One command; its status. imaplib raises at the first response that it cannot read."""
        self.said.add((name + " " + " ".join(map(str, words))).upper())
        imaplib.Commands.setdefault(name, ("NONAUTH", "AUTH", "SELECTED", "LOGOUT"))
        imaplib.Commands[name] = (*imaplib.Commands[name], self.box.state)
        self.box.literal = literal
        tag = self.box._command(name, *words)
        try:
            status = self.box._command_complete(name, tag)[0]
        except imaplib.IMAP4.abort as why:
            sys.exit(f"imaplib: {name} {words}: {why}: {b''.join(self.box.heard)!r}")
        except imaplib.IMAP4.error:
            status = "BAD"
        self.taste()
        if name in ("SELECT", "EXAMINE") and status == "OK":
            self.box.state = "SELECTED"
        return status

    def ok(self, name, *words, literal=None):
        status = self.say(name, *words, literal=literal)
        assert status == "OK", f"{name} {words}: {status}"

    def raw(self, first, *then):
        """A command in several lines, each sent when the last one was answered by `+`."""
        tag = self.box._new_tag()
        self.said.add(first.decode().upper())
        self.box.tagged_commands[tag] = None
        self.box.send(tag + b" " + first + b"\r\n")
        for line in then:
            while self.box._get_response():
                pass
            self.box.send(line + b"\r\n")
        while self.box.tagged_commands[tag] is None:
            self.box._get_response()
        self.taste()

    def taste(self):
        """Gives IMAPClient's parser what came."""
        whole, self.box.heard = self.box.heard, []
        while whole:
            parts = [whole.pop(0)]
            while re.search(rb"\{\d+\}\r\n$", parts[-1]) and len(parts) % 2:
                parts += [whole.pop(0), whole.pop(0)]
            self.response(parts)

    def response(self, parts):
        self.count += 1
        text = b"".join(parts)
        assert text.endswith(b"\r\n") and b"\0" not in text, text
        if text.startswith(b"+"):
            return
        tag, rest = parts[0].split(b" ", 1)
        words = rest.split(maxsplit=2)
        kind = words[1] if words[0].isdigit() else words[0]
        self.types.add(kind.strip().decode())
        if kind in (b"OK", b"NO", b"BAD", b"BYE"):
            code = re.match(rb"\w+ \[(.*)\] ", rest)
            if code:
                self.codes.add(code[1].split()[0].decode())
                self.parse(text, [code[1]])
            return
        assert tag == b"*", text
        if any(part in text and who == "imapclient" for part, who, _ in BEYOND):
            return
        parts = [part if at % 2 else part.removesuffix(b"\r\n") for at, part in enumerate([rest, *parts[1:]])]
        # As imaplib hands it over: a line with a literal and the literal are a pair.
        data = [tuple(parts[i:i + 2]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)]
        self.parse(text, data)
        if kind in (b"FETCH", b"UIDFETCH"):
            head = b" ".join([words[0], parts[0].split(maxsplit=2)[2]])
            data[0] = (head, data[0][1]) if isinstance(data[0], tuple) else head
            self.parse(text, data, response_parser.parse_fetch_response)
        if kind == b"SEARCH":
            ids = [part.removeprefix(b"SEARCH").strip() for part in data]
            self.parse(text, ids, response_parser.parse_message_list)

    def parse(self, text, data, how=response_parser.parse_response):
        try:
            how(data)
        except Exception as why:  # whatever it is, it did not read it
            sys.exit(f"imapclient: {why!r}: {text!r}")


def fill(it, mailbox="INBOX"):
    for letter in LETTERS:
        it.ok("APPEND", mailbox, "($k \\Flagged)", '" 7-Feb-1994 22:43:04 -0800"', literal=letter)


FETCHES = [
    "ALL", "FULL", "FAST", "(FLAGS UID MODSEQ INTERNALDATE RFC822.SIZE)", "(ENVELOPE BODYSTRUCTURE BODY)",
    "(EMAILID THREADID SAVEDATE)", "(PREVIEW)", "(PREVIEW (LAZY))", "(BODY.PEEK[] RFC822.HEADER RFC822.TEXT)",
    "(BODY.PEEK[HEADER.FIELDS (SUBJECT \"x (y\")])", "(BODY.PEEK[1.MIME] BODY.PEEK[2]<0.3> BODY[3.HEADER] BODY[9])",
    "(BODY[HEADER.FIELDS.NOT (DATE)]<3.20>)", "RFC822", "(BINARY.PEEK[1] BINARY.SIZE[2] BINARY[2]<1.2>)",
]

KEYS = [
    "ALL", "1:*", "UID 1:*", "KEYWORD $k UNKEYWORD x", "OR SEEN (NOT DELETED)", "MODSEQ 1", "FUZZY SUBJECT one",
    "OLDER 5 YOUNGER 999999999", "SAVEDBEFORE 1-Jan-2040 SAVEDSINCE 1-Jan-2020", "SAVEDON 1-Jan-2020",
    "SAVEDATESUPPORTED", "EMAILID e1", "THREADID t1", "FILTER mine", "SUBJECT \"gr\"", "HEADER Subject one",
    "SENTSINCE 1-Feb-1994", "LARGER 10 SMALLER 100000", "TEXT Hello", "BODY nothing",
]

FIGURES = "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED DELETED-STORAGE SIZE HIGHESTMODSEQ MAILBOXID APPENDLIMIT"


def before_login():
    it = Dialogue.__new__(Dialogue)
    it.box, it.types, it.said, it.codes, it.count = Tap(), set(), set(), set(), 0
    for command in ("CAPABILITY", "NOOP", "ID NIL", "ID (\"name\" \"x\")", "LANGUAGE", "LANGUAGE de", "STARTTLS",
                    "SELECT INBOX", "NONSENSE", "LOGIN a"):
        it.say(*command.split(" ", 1))
    it.raw(b"AUTHENTICATE PLAIN", b"AGEAYg==")
    it.raw(b"AUTHENTICATE SCRAM-SHA-256", b"biwsbj1tZSxyPWFiYw==", b"*")
    it.raw(b"AUTHENTICATE NONSENSE")
    it.say("LOGOUT")
    return it


def boxes(it):
    """Mailboxes and what is kept with them."""
    for name in ('"a b/c d"', "Gr&APwA3w-e", '"q\\"q"', "R&-D", '"[x]"', '"{3}"', "(x)", "x/y/z", '"%"', "~x"):
        it.say("CREATE", name)
        it.say("SUBSCRIBE", name)
    it.ok("CREATE", "mine", "(USE (\\Junk))") if it.say("DELETE", "Junk") == "OK" else it.say("CREATE", "m", "(USE (\\Archive))")
    it.say("CREATE", "inbox/below")
    it.say("RENAME", "inbox/below", "inbox/above")
    for refused in ("CREATE INBOX", "CREATE \"\"", "DELETE gone", "RENAME gone x", "SELECT gone", "STATUS gone (UIDNEXT)",
                    "CREATE y (USE (\\All))", "SUBSCRIBE gone", "DELETE x", "GETACL gone", "APPEND gone {1+}\r\nx"):
        it.say(*refused.split(" ", 1))
    for list_ in ('"" ""', '"" *', '"" %', '"" "x/%"', '(SUBSCRIBED) "" *', '(SUBSCRIBED RECURSIVEMATCH) "" %',
                  '(SPECIAL-USE REMOTE) "" *', '"" (INBOX "a*") RETURN (SUBSCRIBED CHILDREN SPECIAL-USE MYRIGHTS)',
                  f'"" * RETURN (STATUS ({FIGURES}))', '"" * RETURN (METADATA (/shared/comment /private/comment))'):
        it.ok("LIST", list_)
    it.ok("LSUB", '"" *')
    it.ok("LSUB", '"" %')
    it.ok("NAMESPACE")
    for name in ("INBOX", '"q\\"q"', "Gr&APwA3w-e"):
        it.ok("STATUS", name, f"({FIGURES})")
    for command in ("GETQUOTA \"\"", "GETQUOTAROOT INBOX", "SETQUOTA \"\" (STORAGE 1)", "GETQUOTA x", "MYRIGHTS INBOX",
                    "GETACL INBOX", "LISTRIGHTS INBOX me", "LISTRIGHTS INBOX nobody", "SETACL INBOX me l", "SETACL x nobody lr",
                    "DELETEACL INBOX nobody"):
        it.say(*command.split(" ", 1))
    it.say("SETMETADATA", "INBOX", '(/shared/comment "a \\"b\\"" /private/comment {3+}\r\na\r\n)')
    it.say("SETMETADATA", '""', '(/shared/comment NIL /private/filters/values/mine "ALL" /shared/vendor/x ~{2+}\r\n\x01\x02)')
    for get in ("INBOX /shared/comment", '"" (/shared/comment /shared/none)', "(DEPTH infinity) INBOX (/shared /private)",
                '(MAXSIZE 1) "" (/shared/comment)', '(DEPTH 1) "" /private', "gone /shared/x", "INBOX /nonsense"):
        it.say("GETMETADATA", get)
    it.say("GETJMAPACCESS")
    it.say("COMPARATOR")
    it.say("COMPARATOR", '"i;ascii-casemap"')
    it.say("COMPARATOR", "nonsense")
    it.say("LANGUAGE")
    it.say("UNSUBSCRIBE", "R&-D")


def messages(it, uid_only=False):
    """Messages: what is asked of them and what is done to them."""
    fill(it)
    it.ok("SELECT", "INBOX")
    fetch = "UID FETCH" if uid_only else "FETCH"
    for items in FETCHES:
        for name in {fetch, "UID FETCH"}:
            it.say(name, "1:*", items)
    it.say("UID FETCH", "1:*", "FLAGS", "(CHANGEDSINCE 1)")
    it.say("UID FETCH", "1:*", "FLAGS", "(CHANGEDSINCE 1 VANISHED)")
    it.say("UID FETCH", "1:*", "FLAGS", "(PARTIAL -1:-2)")
    it.say("FETCH", "999", "FLAGS")
    it.say("FETCH", "1", "NONSENSE")
    for key in KEYS:
        for name in ("UID SEARCH", "SEARCH"):
            it.say(name, key)
            it.say(name, "RETURN (MIN MAX COUNT ALL)", key)
        it.say("UID SORT", "(DATE)", "UTF-8", key)
        it.say("UID THREAD", "REFS", "UTF-8", key)
        it.say("ESEARCH", key)
    for search in ("RETURN () ALL", "RETURN (SAVE) ALL", "RETURN (SAVE COUNT) 1", "RETURN (RELEVANCY ALL) FUZZY SUBJECT one",
                   "RETURN (PARTIAL 1:2) ALL", "RETURN (PARTIAL -1:-9) ALL", "RETURN (PARTIAL 90:91) ALL",
                   "CHARSET NONSENSE TEXT x", "RETURN (CONTEXT) ALL", "$"):
        it.say("SEARCH", search)
        it.say("UID SEARCH", search)
    for by in ("SUBJECT", "REVERSE DATE", "ARRIVAL CC FROM TO SIZE", "DISPLAYFROM DISPLAYTO"):
        it.say("SORT", f"({by})", "UTF-8", "ALL")
        it.say("UID SORT", f"({by})", "UTF-8", "NOT ALL")
        it.say("SORT", f"RETURN (COUNT ALL PARTIAL 1:2) ({by})", "UTF-8", "ALL")
        it.say("UID SORT", f"RETURN (MIN MAX SAVE CONTEXT) ({by})", "UTF-8", "ALL")
    it.say("SORT", "RETURN (RELEVANCY ALL) (RELEVANCY)", "UTF-8", "FUZZY SUBJECT one")
    for how in ("ORDEREDSUBJECT", "REFERENCES", "REFS"):
        it.say("THREAD", how, "UTF-8", "ALL")
        it.say("UID THREAD", how, "UTF-8", "NOT ALL")
    for source in ("IN (personal)", "IN (selected)", 'IN (mailboxes ("a b/c d" INBOX))', "IN (subtree x)", "IN (subscribed inboxes)"):
        for options in ("", " RETURN (COUNT MIN MAX ALL)", " RETURN (PARTIAL 1:3)", " RETURN (CONTEXT)"):
            it.say("ESEARCH", source + options, "ALL")
        it.say("UID ESEARCH", source, "ALL")
    # Kept up to date, and then not.
    it.say("UID SEARCH", "RETURN (UPDATE COUNT) UNSEEN")
    it.say("ESEARCH", "RETURN (UPDATE SAVE) UNSEEN")
    it.say("UID SORT", "RETURN (UPDATE ALL) (REVERSE ARRIVAL)", "UTF-8", "ALL")
    fill(it)
    it.say("NOOP")
    store = "UID STORE" if uid_only else "STORE"
    it.say(store, "1:2", "+FLAGS", "(\\Seen x-new)")
    it.say(store, "1", "FLAGS.SILENT", "(\\Answered)")
    it.say(store, "1", "(UNCHANGEDSINCE 1)", "-FLAGS", "(\\Seen)")
    it.say("UID STORE", "7", "+FLAGS", "(\\Deleted)")
    it.say("CANCELUPDATE", '"nonsense"')
    it.say("COPY", "1:2", '"a b/c d"')
    it.say("UID COPY", "1:2", "gone")
    it.say("UID COPY", "1:2", '"q\\"q"')
    it.say("UID EXPUNGE", "1:9")
    it.say("MOVE", "1", "~x")
    it.say("UID MOVE", "3", "~x")
    it.say("UID MOVE", "4:*", "gone")
    it.say("REPLACE", "1", "INBOX", literal=LETTERS[0])
    it.say("UID REPLACE", "2", "INBOX (\\Seen)", literal=LETTERS[1])
    it.say("APPEND", "INBOX", '(\\Seen) CATENATE (URL "/INBOX/;UID=9/;SECTION=HEADER" TEXT {1+}\r\nx URL "/gone/;UID=1")')
    it.say("APPEND", "INBOX", '(\\Seen) CATENATE (URL "/INBOX/;UID=9" TEXT {3+}\r\nabc)')
    it.say("APPEND", "INBOX", '() UTF8 (~{7+}\r\nA: b\r\n\r)')
    it.say("APPEND", "INBOX", '{1+}\r\na {1+}\r\nb')
    it.say("APPEND", "INBOX", '{999999999}')
    it.say("STORE" if not uid_only else "UID STORE", "1:*", "+FLAGS", "(\\Deleted)")
    it.say("CHECK")
    it.raw(b"IDLE", b"DONE")
    it.say("EXPUNGE")


def urls(it):
    fill(it)
    it.say("SELECT", "INBOX")
    it.say("RESETKEY")
    it.say("RESETKEY", "INBOX", "INTERNAL")
    it.say("RESETKEY", "gone")
    url = f"imap://{LOGIN}@{HOST}/INBOX/;UID=13;URLAUTH=anonymous"
    it.say("GENURLAUTH", f'"{url}"', "INTERNAL")
    it.say("URLFETCH", f'"{url}:internal:00"', '"nonsense"')
    it.box.untagged_responses.clear()
    tag = it.box._command("GENURLAUTH", f'"{url}"', "INTERNAL")
    it.box._command_complete("GENURLAUTH", tag)
    signed = re.search(rb'"(imap:[^"]*)"', b"".join(it.box.heard))
    it.taste()
    if signed:
        signed = signed[1].decode()
        for options in ("", " BODY", " BINARY", " BODYPARTSTRUCTURE"):
            it.say("URLFETCH", f'("{signed}"{options})' if options else f'"{signed}"')


def watching(it):
    """NOTIFY, and what others do meanwhile."""
    it.ok("SELECT", "INBOX")
    it.say("NOTIFY", "SET STATUS (selected (MessageNew (UID FLAGS BODY.PEEK[1]) MessageExpunge FlagChange)) "
           "(personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))")
    other = Dialogue()
    fill(other)
    fill(other, '"a b/c d"')
    for command in ("CREATE n/m", "SUBSCRIBE n", "RENAME n/m n/o", "DELETE n/o", "UNSUBSCRIBE n", "SETMETADATA INBOX (/shared/comment \"x\")",
                    "SELECT INBOX", "STORE 1 +FLAGS (\\Deleted $other)", "EXPUNGE"):
        other.say(*command.split(" ", 1))
    for _ in range(3):
        it.ok("NOOP")
    it.say("NOTIFY", "SET (subtree nonsense (AnnotationChange))")
    it.ok("NOTIFY", "NONE")


def away(it):
    """What QRESYNC tells of an absence, and how a connection ends."""
    it.ok("SELECT", "INBOX", "(CONDSTORE)")
    validity = it.box.untagged_responses["UIDVALIDITY"][-1].decode()
    for words in (f"(QRESYNC ({validity} 1))", f"(QRESYNC ({validity} 1 1:99 (1:2 1:2)))", "(QRESYNC (1 1))"):
        it.say("SELECT", "INBOX", words)
        it.say("EXAMINE", "INBOX", words)
    it.say("STORE", "1", "+FLAGS", "(\\Deleted)")
    it.say("UNSELECT")
    it.say("EXAMINE", "INBOX", "(CONDSTORE)")
    it.say("SELECT", "INBOX")
    it.say("CLOSE")
    it.say("COMPRESS", "NONSENSE")
    it.say("UNAUTHENTICATE")
    it.ok("LOGIN", LOGIN, it.box._quote(PASSWORD))
    it.say("LOGOUT")


def compressed():
    """COMPRESS by itself: imaplib does not go on from there."""
    it = Dialogue()
    it.ok("COMPRESS", "DEFLATE")
    return it


def named(table):
    """The commands and words of the table, as it writes them: `MOVE`, `FETCH PREVIEW`, `KEY FUZZY`."""
    lists = re.findall(r'&\[((?:\s*"[^"]*",?)+)\s*\]', table)
    return {entry for entries in lists for entry in re.findall(r'"([^"]*)"', entries)}


def is_said(entry, said):
    *command, word = entry.split()
    if command == ["KEY"]:
        return any(re.match("(UID )?(SEARCH|SORT|THREAD|ESEARCH)", line) and f" {word} " in f"{line} ".replace("(", " ").replace(")", " ")
                   for line in said)
    if command and command != ["UID"]:
        return any(line.removeprefix("UID ").startswith(command[0]) and re.search(rf"[ (]{re.escape(word)}\b", line)
                   for line in said)
    return any(line.split(" ")[:len(entry.split())] == entry.split() for line in said)


def main():
    heard = [before_login()]
    for enable in ((), ("UTF8=ACCEPT",), ("QRESYNC",), ("IMAP4rev2", "QRESYNC", "METADATA"), ("UIDONLY",)):
        it = Dialogue(*enable)
        boxes(it)
        messages(it, "UIDONLY" in enable)
        urls(it)
        watching(it)
        away(it)
        heard.append(it)
    heard.append(compressed())
    types, said, codes = (set().union(*(getattr(it, what) for it in heard)) for what in ("types", "said", "codes"))
    wanted = set("ACL BAD BYE CAPABILITY COMPARATOR ENABLED ESEARCH EXISTS EXPUNGE FETCH FLAGS GENURLAUTH ID LANGUAGE LIST "
                 "LISTRIGHTS LSUB METADATA MYRIGHTS NAMESPACE NO OK QUOTA QUOTAROOT RECENT SEARCH SORT STATUS THREAD UIDFETCH "
                 "URLFETCH VANISHED".split())
    assert wanted <= types, f"never came: {wanted - types}"
    table = named(TABLE.read_text())
    missing = {entry for entry in table if not is_said(entry, said)}
    assert len(table) > 60 and not missing, f"never said: {sorted(missing)}"
    print(f"{sum(it.count for it in heard)} responses to {len(said)} commands, {len(types)} types, {len(codes)} codes: {sorted(codes)}")


main()
