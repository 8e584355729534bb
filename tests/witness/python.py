"""Python's own smtplib, imaplib and poplib: the least common denominator of scripts in the field."""

import email.policy
import hashlib
import imaplib
import os
import poplib
import smtplib
import ssl
import sys
from email.message import EmailMessage

HOST, ME, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "ME", "LOGIN", "PASSWORD"))
PORT = {n: int(os.environ[n]) for n in
        ("SMTP", "SUBMISSION", "SUBMISSIONS", "IMAP", "IMAPS", "POP3", "POP3S")}
TLS = ssl.create_default_context(cafile=os.environ["CA"])


def letter(subject):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ME, ME, subject
    message.set_content("Grüße\n.dot\n" + subject + "\n")
    message.add_attachment(bytes(range(256)) * 300, maintype="application", subtype="octet-stream",
                           filename="bytes äöü.bin")
    return message


def refuses(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as error:
        return error
    sys.exit(f"{call} {arguments[:1]} was not refused")


def submission():
    with smtplib.SMTP(HOST, PORT["SUBMISSION"]) as server:
        server.starttls(context=TLS)
        refuses(smtplib.SMTPAuthenticationError, server.login, LOGIN, "wrong")
        server.login(LOGIN, PASSWORD)
        server.send_message(letter("by starttls"))
    with smtplib.SMTP_SSL(HOST, PORT["SUBMISSIONS"], context=TLS) as server:
        server.login(ME, PASSWORD)
        server.send_message(letter("by tls"))
        refuses(smtplib.SMTPRecipientsRefused, server.sendmail, ME, ["x@elsewhere.example"], "x")
        server.send_message(letter("after a refusal"))
    with smtplib.SMTP(HOST, PORT["SMTP"]) as server:
        server.sendmail("anna@example.net", [ME], letter("from outside").as_bytes(policy=email.policy.SMTP))
        refuses(smtplib.SMTPNotSupportedError, server.login, LOGIN, PASSWORD)


def imap():
    box = imaplib.IMAP4(HOST, PORT["IMAP"])
    box.starttls(TLS)
    refuses(imaplib.IMAP4.error, box.login, LOGIN, "wrong")
    box.login(LOGIN, PASSWORD)
    ok(box.select())
    assert ok(box.search(None, "ALL"))[0].split() == [b"1", b"2", b"3", b"4"]
    bodies = [ok(box.fetch(str(n), "(RFC822)"))[0][1] for n in (1, 2, 3, 4)]
    assert all(b"\r\n.dot\r\n" in body or b"base64" in body for body in bodies)
    assert ok(box.search(None, "SUBJECT", '"outside"')) == [b"4"]
    ok(box.create("Archive/2026"))
    ok(box.append("Archive/2026", r"(\Seen $label1)", imaplib.Time2Internaldate(1700000000),
                  bodies[0]))
    assert b"MESSAGES 1" in ok(box.status("Archive/2026", "(MESSAGES UIDNEXT UNSEEN)"))[0]
    ok(box.copy("1:2", "Archive/2026"))
    ok(box.store("1", "+FLAGS", r"(\Deleted)"))
    assert ok(box.expunge()) == [b"1"]
    ok(box.rename("Archive/2026", "Archive/Old"))
    ok(box.select("Archive/Old"))
    kept = ok(box.uid("FETCH", "1", "(FLAGS INTERNALDATE BODY.PEEK[])"))[0]
    assert kept[1] == bodies[0] and b"$label1" in kept[0] and b"14-Nov-2023" in kept[0], kept[0]
    ok(box.close())
    box.logout()
    with imaplib.IMAP4_SSL(HOST, PORT["IMAPS"], ssl_context=TLS) as box:
        ok(box.authenticate("PLAIN", lambda _: f"\0{LOGIN}\0{PASSWORD}".encode()))
        # Reads only: imaplib wraps what it appends in "UTF8 (...)" inside the literal after this.
        ok(box.enable("UTF8=ACCEPT"))
        ok(box.select("INBOX", readonly=True))
        assert len(ok(box.uid("SEARCH", "ALL"))[0].split()) == 3
    return bodies[1:]


def pop3(bodies):
    box = poplib.POP3(HOST, PORT["POP3"])
    box.stls(TLS)
    box.user(LOGIN)
    refuses(poplib.error_proto, box.pass_, "wrong")
    box.user(LOGIN)
    box.pass_(PASSWORD)
    count, size = box.stat()
    assert (count, size) == (3, sum(map(len, bodies))), (count, size)
    for n, body in enumerate(bodies, 1):
        lines = box.retr(n)[1]
        retrieved = b"\r\n".join(lines) + b"\r\n"
        assert digest(retrieved) == digest(body), f"message {n}: {differ(retrieved, body)}"
    assert len(box.top(1, 0)[1]) < 20
    before = [line.split()[1] for line in box.uidl()[1]]
    box.dele(2)
    assert box.stat()[0] == 2
    box.close()  # no QUIT: nothing may be deleted
    box = poplib.POP3_SSL(HOST, PORT["POP3S"], context=TLS)
    box.utf8()
    box.user(LOGIN)
    box.pass_(PASSWORD)
    assert [line.split()[1] for line in box.uidl()[1]] == before
    box.dele(2)
    box.quit()
    box = poplib.POP3_SSL(HOST, PORT["POP3S"], context=TLS)
    box.user(LOGIN)
    box.pass_(PASSWORD)
    assert [line.split()[1] for line in box.uidl()[1]] == [before[0], before[2]]
    box.quit()


def ok(answer):
    status, data = answer
    assert status == "OK", answer
    return data


def differ(one, other):
    """The first place where two messages differ."""
    at = len(os.path.commonprefix([one, other]))
    return f"at {at}: {one[at - 20:at + 40]!r} is {other[at - 20:at + 40]!r}"


def digest(body):
    return hashlib.sha256(body).hexdigest()


submission()
pop3(imap())
