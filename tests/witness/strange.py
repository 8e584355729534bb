"""Strange mail in through every door (SMTP, submission, IMAP, JMAP) and out through every other
(IMAP whole and in pieces, POP3, JMAP): the bytes are the same, and every structure can be asked for.
"""

import base64
import hashlib
import imaplib
import json
import os
import poplib
import random
import smtplib
import sys
import urllib.request

from many import Jmap

HOST, ME, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "ME", "LOGIN", "PASSWORD"))
random.seed(7)


def lines(*text):
    return b"\r\n".join(line if isinstance(line, bytes) else line.encode() for line in text)


def nested(depth):
    body = lines("", "innermost")
    for n in range(depth):
        body = lines(f"Content-Type: multipart/mixed; boundary=b{n}", "", f"--b{n}", "") [:-2] \
            + lines("", body, f"--b{n}--")
    return b"Subject: deep\r\nMIME-Version: 1.0\r\n" + body + b"\r\n"


def strange():
    """name -> message; every line at most 998 octets unless the name says long."""
    yield "plain", lines("Subject: plain", "", "x", "")
    yield "no body", lines("Subject: no body", "", "")
    yield "no blank line", lines("Subject: no blank line", "")
    yield "no header", lines("", "only a body", "")
    yield "dots", lines("Subject: dots", "", ".", "..", "...", ".x", "", ".", "")
    yield "latin1", lines(b"Subject: Gr\xfc\xdfe", b"From: \xc4nna <a@example.net>", "", b"\xe4\xf6\xfc", "")
    yield "utf8", lines("Subject: Grüße 🙂", "From: Änna <ä@bücher.example>", "", "ä", "")
    yield "from line", lines("Subject: from", "", "From the start", ">From here", "")
    yield "folded", lines("Subject: a", " b", "\tc", "  ", " d", "", "x", "")
    yield "odd header", lines("Subject : space", "NoColonHere", "X-Empty:", ": no name", "", "x", "")
    yield "many headers", lines(*(f"X-{n}: {n}" for n in range(1500)), "", "x", "")
    yield "unclosed", lines("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x", "--b", "y", "")
    yield "no boundary", lines("Content-Type: multipart/mixed", "", "--b", "", "x", "")
    yield "bad base64", lines("Content-Transfer-Encoding: base64", "", "@@@@====A", "")
    yield "bad charset", lines("Content-Type: text/plain; charset=x-nonsense", "", b"\xff\xfe", "")
    yield "deep", nested(200)
    yield "parts", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5000 + b"--b--\r\n"
    yield "rfc822", lines("Content-Type: message/rfc822", "", "Subject: inner", "", "x", "")
    yield "addresses", lines("From: \"a, b\" <x@y>, undisclosed:;, <>, @, ,,", "To: " + ", ".join(
        f"n{n}@example.net" for n in range(40)), "", "x", "")
    yield "line of 998", lines("Subject: l", "", "y" * 998, "")
    yield "5 MB of noise", lines("Content-Transfer-Encoding: base64", "", *(
        base64.b64encode(random.randbytes(57)) for _ in range(5 * 1024 * 1024 // 78)), "")


def free():
    """What only doors without lines take: IMAP and JMAP."""
    yield "bare LF", b"Subject: lf\n\nbody\nbody\n"
    yield "bare CR", b"Subject: cr\r\n\r\na\rb\r\r\n"
    yield "long line", b"Subject: long\r\n\r\n" + b"z" * 100000 + b"\r\n"
    yield "no last line end", b"Subject: end\r\n\r\nx"
    yield "long header", b"Subject: " + b"h" * 60000 + b"\r\n\r\nx\r\n"


class Doors:
    def __init__(self):
        self.imap = imaplib.IMAP4(HOST, int(os.environ["IMAP"]))
        self.imap.login(LOGIN, PASSWORD)
        self.imap.select("INBOX")
        self.jmap = Jmap()

    def by_smtp(self, message):
        with smtplib.SMTP(HOST, int(os.environ["SMTP"])) as server:
            server.sendmail("a@example.net", [ME], message, ["BODY=8BITMIME"])

    def by_imap(self, message):
        # imaplib would change bare line ends: the literal is given to it by hand.
        tag = self.imap._new_tag()
        self.imap.send(tag + b" APPEND INBOX {%d}\r\n" % len(message))
        assert self.imap.readline().startswith(b"+")
        self.imap.send(message + b"\r\n")
        while not (line := self.imap.readline()).startswith(tag):
            pass
        assert line.split()[1] == b"OK", line

    def by_jmap(self, message):
        url = json.loads(self.jmap.http(f"http://{HOST}:{os.environ['HTTP']}/.well-known/jmap"))
        blob = json.loads(self.jmap.http(
            url["uploadUrl"].format(accountId=self.jmap.account), message))["blobId"]
        inbox = self.jmap.boxes["INBOX"]["id"]
        answer = self.jmap.call("Email/import", emails={
            "a": {"blobId": blob, "mailboxIds": {inbox: True}}})
        assert answer["created"], answer

    def newest(self):
        """The newest message as each reader gives it, and whether its structure can be had."""
        self.imap.select("INBOX")
        uid = self.imap.uid("SEARCH", "ALL")[1][0].split()[-1]
        yield "IMAP", self.fetch(uid, "BODY.PEEK[]")
        whole, at = b"", 0
        while piece := self.fetch(uid, f"BODY.PEEK[]<{at}.300000>"):
            whole, at = whole + piece, at + len(piece)
        yield "IMAP in pieces", whole
        yield "IMAP header and text", self.fetch(uid, "BODY.PEEK[HEADER]") + self.fetch(
            uid, "BODY.PEEK[TEXT]")
        status, data = self.imap.uid("FETCH", uid, "(ENVELOPE BODYSTRUCTURE RFC822.SIZE)")
        assert status == "OK" and data[0], data
        found = self.jmap.call("Email/query", sort=[{"property": "receivedAt",
                                                     "isAscending": False}])["ids"]
        emails = self.jmap.call("Email/get", ids=found[:500], properties=[
            "blobId", "size", "subject", "from", "bodyStructure", "textBody", "preview",
            "bodyValues", "headers"], fetchAllBodyValues=False)["list"]
        assert emails
        newest = self.jmap.call("Email/get", ids=[max(found, key=number)], properties=[
            "blobId", "bodyValues"], fetchTextBodyValues=True)["list"][0]
        yield "JMAP", self.jmap.blob(newest["blobId"])

    def fetch(self, uid, what):
        status, data = self.imap.uid("FETCH", uid, what)
        assert status == "OK", data
        return next((item[1] for item in data if isinstance(item, tuple)), b"")

    def by_pop3(self):
        box = poplib.POP3(HOST, int(os.environ["POP3"]))
        box.utf8()  # without it headers are sent as ASCII (RFC 6856 §2)
        box.user(LOGIN)
        box.pass_(PASSWORD)
        count, _ = box.stat()
        box._putcmd(f"RETR {count}")
        box._getresp()
        text = b""
        while (line := box.file.readline(1 << 24)) != b".\r\n":
            text += line[1:] if line.startswith(b".") else line
        box.quit()
        return text


def number(name):
    return int("".join(c for c in name if c.isdigit()) or "0")


def same(one, other):
    return hashlib.sha256(one).digest() == hashlib.sha256(other).digest()


def differ(name, door, reader, wanted, got):
    at = len(os.path.commonprefix([wanted, got]))
    sys.exit(f"{name}, in by {door}, out by {reader}: {len(wanted)} octets in, {len(got)} out, "
             f"differ at {at}: {wanted[at:at + 30]!r} is {got[at:at + 30]!r}")


def main():
    doors = Doors()
    for name, message in strange():
        for door in ("SMTP", "IMAP", "JMAP"):
            if (name, door) != ("no header", "JMAP"):  # RFC 8621 §4.8: that is no email
                check(doors, name, door, message)
    for name, message in free():
        for door in ("IMAP", "JMAP"):
            check(doors, name, door, message)


def check(doors, name, door, message):
    getattr(doors, f"by_{door.lower()}")(message)
    first = None
    for reader, got in doors.newest():
        # What came by SMTP has a trace in front of it.
        good = got.endswith(message) if door == "SMTP" else same(got, message)
        if not good:
            differ(name, door, reader, message, got)
        first = first or got
        if not same(first, got):
            differ(name, door, reader, first, got)
    # POP3 has lines only: it ends the last one, and may not know others.
    retrieved = doors.by_pop3()
    ended = first if first.endswith(b"\r\n") else first + b"\r\n"
    if name not in ("bare LF", "bare CR") and not same(retrieved, ended):
        differ(name, door, "POP3", ended, retrieved)
    print(f"{name} by {door}: ok")


main()
