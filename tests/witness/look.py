"""The mailbox seen from outside, with nothing but Python's own library.

look.py list MAILBOX      one line a message: uid flags sha256 subject
look.py mailboxes         one line a mailbox
look.py arrive            delivers the message on standard input by SMTP
"""

import email
import email.policy
import hashlib
import imaplib
import os
import re
import smtplib
import sys

HOST = os.environ["HOST"]


def imap():
    box = imaplib.IMAP4(HOST, int(os.environ["IMAP"]))
    box.login(os.environ["LOGIN"], os.environ["PASSWORD"])
    return box


def messages(box, mailbox):
    """(uid, flags, bytes) of every message, \\Recent left out."""
    status, answer = box.select(f'"{mailbox}"', readonly=True)
    if status != "OK":
        sys.exit(f"cannot select {mailbox}: {answer}")
    status, answer = box.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
    for item in answer:
        if isinstance(item, tuple):
            head, body = item
            uid = int(re.search(rb"UID (\d+)", head)[1])
            flags = set(re.search(rb"FLAGS \(([^)]*)\)", head)[1].decode().split())
            yield uid, sorted(flags - {"\\Recent"}), body


def show(mailbox):
    for uid, flags, body in messages(imap(), mailbox):
        digest = hashlib.sha256(body).hexdigest()[:16]
        subject = email.message_from_bytes(body, policy=email.policy.SMTPUTF8)["subject"]
        print(uid, ",".join(flags) or "-", digest, subject)


def arrive():
    with smtplib.SMTP(HOST, int(os.environ["SMTP"])) as server:
        server.sendmail("anna@example.net", [os.environ["ME"]], sys.stdin.buffer.read())


def mailboxes():
    for line in imap().list()[1]:
        print(line.decode())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["list", mailbox]:
            show(mailbox)
        case ["mailboxes"]:
            mailboxes()
        case ["arrive"]:
            arrive()
        case _:
            sys.exit(__doc__)
