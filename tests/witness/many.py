"""The hands of together.sh: workers that write down what the server acknowledged, and the judge.

many.py send|imap|jmap|pop3 DIR   works until DIR/stop exists, goes on after a broken connection
many.py judge DIR                 one truth? nothing acknowledged lost?

Each worker owns one keyword that it only ever sets, so every acknowledged change must be there at
the end. DIR/WORKER.log has a line an acknowledgement: what, Message-ID.
"""

import base64
import hashlib
import imaplib
import json
import os
import poplib
import random
import re
import smtplib
import sys
import time
import urllib.request

import look

HOST, ME, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "ME", "LOGIN", "PASSWORD"))
USING = ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"]
MAILBOXES = ["INBOX", "Archive"]
BROKEN = (OSError, EOFError, imaplib.IMAP4.error, smtplib.SMTPException, poplib.error_proto)


def letter(n):
    filler = "z" * 70 + "\r\n"
    return (f"From: anna@example.net\r\nTo: {ME}\r\nSubject: together {n}\r\n"
            f"Message-ID: <{n}@together>\r\n\r\nLetter {n}\r\n{filler * (n % 7 * 200)}").encode()


def send(note):
    server = smtplib.SMTP(HOST, int(os.environ["SMTP"]), timeout=20)
    while True:
        n = send.next = getattr(send, "next", 0) + 1
        server.sendmail("anna@example.net", [ME], letter(n))
        note("sent", f"<{n}@together>")
        yield


def imap(note):
    box = imaplib.IMAP4(HOST, int(os.environ["IMAP"]), timeout=20)
    box.login(LOGIN, PASSWORD)
    while True:
        box.select("INBOX")
        uid = random.choice((box.uid("SEARCH", "UNKEYWORD", "by-imap")[1][0] or b"0").split())
        data = box.uid("FETCH", uid, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
        if data and isinstance(data[0], tuple):
            mid = data[0][1].decode().split()[1]
            status, data = box.uid("STORE", uid, "+FLAGS", r"(by-imap \Flagged)")
            # Other messages' news comes along; this one's only if it was still there.
            mine = rb"UID %s\b.*by-imap|by-imap.*UID %s\b" % (uid, uid)
            if status == "OK" and any(re.search(mine, answer or b"") for answer in data):
                note("by-imap", mid)
            if random.random() < 0.3:
                status, _ = box.uid("MOVE", uid, "Archive")
                if status == "OK" and box.response("COPYUID")[1] != [None]:
                    note("moved", mid)
            if random.random() < 0.2:
                box.append("Drafts", r"(\Draft)", None, letter(0))
        yield


class Jmap:
    """A JMAP client of thirty lines."""

    def __init__(self):
        session = json.loads(self.http(f"http://{HOST}:{os.environ['HTTP']}/.well-known/jmap"))
        self.api, self.download = session["apiUrl"], session["downloadUrl"]
        self.account = session["primaryAccounts"][USING[1]]
        self.boxes = {b["name"].upper(): b for b in self.call("Mailbox/get", ids=None)["list"]}

    def http(self, url, body=None):
        request = urllib.request.Request(url, data=body)
        login = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        request.add_header("Authorization", "Basic " + login)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def call(self, method, **arguments):
        call = [method, {"accountId": self.account, **arguments}, "a"]
        answer = json.loads(self.http(self.api, json.dumps(
            {"using": USING, "methodCalls": [call]}).encode()))["methodResponses"][0]
        assert answer[0] == method, answer
        return answer[1]

    def blob(self, blob):
        return self.http(self.download.format(accountId=self.account, blobId=blob, name="x",
                                              type="message/rfc822"))


def jmap(note):
    client = Jmap()
    inbox, archive = (client.boxes[name]["id"] for name in ("INBOX", "ARCHIVE"))
    while True:
        found = client.call("Email/query", filter={"inMailbox": inbox, "notKeyword": "by-jmap"})
        if found["ids"]:
            some = random.sample(found["ids"], min(3, len(found["ids"])))
            emails = client.call("Email/get", ids=some, properties=["messageId"])["list"]
            update = {email["id"]: {"keywords/by-jmap": True, "keywords/$seen": True}
                      for email in emails}
            if random.random() < 0.3 and emails:
                update[emails[0]["id"]][f"mailboxIds/{inbox}"] = None
                update[emails[0]["id"]][f"mailboxIds/{archive}"] = True
            updated = client.call("Email/set", update=update)["updated"] or {}
            for email in emails:
                if email["id"] in updated:
                    note("by-jmap", f"<{email['messageId'][0]}>")
        yield


def pop3(note):
    box = poplib.POP3(HOST, int(os.environ["POP3"]), timeout=20)
    box.user(LOGIN)
    box.pass_(PASSWORD)
    count, size = box.stat()
    sizes = [int(line.split()[1]) for line in box.list()[1]]
    assert (count, size) == (len(sizes), sum(sizes)), "STAT and LIST differ"
    if count:
        n = random.randint(1, count)
        assert sum(len(line) + 2 for line in box.retr(n)[1]) == sizes[n - 1], "RETR and LIST differ"
    box.quit()
    yield


def work(name, directory):
    stop = os.path.join(directory, "stop")
    with open(os.path.join(directory, f"{name}.log"), "a", buffering=1) as log:
        def note(what, mid):
            print(what, mid, file=log)

        while not os.path.exists(stop):
            try:
                for _ in globals()[name](note):
                    if os.path.exists(stop):
                        return
                    time.sleep(0.02)
            except BROKEN as error:
                print(f"{name}: {error!r}")
                time.sleep(0.2)


def truth_by_imap(mailbox):
    return sorted((hashlib.sha256(body).hexdigest(), keywords(flags))
                  for _, flags, body in look.messages(look.imap(), mailbox))


def keywords(flags):
    system = {"\\Seen": "$seen", "\\Flagged": "$flagged", "\\Answered": "$answered",
              "\\Draft": "$draft"}
    return " ".join(sorted(system.get(flag, flag).lower() for flag in flags if flag != "\\Deleted"))


def truth_by_jmap(client, mailbox):
    where, ids = {"inMailbox": client.boxes[mailbox.upper()]["id"]}, []
    while page := client.call("Email/query", filter=where, position=len(ids))["ids"]:
        ids += page
    emails = [email for at in range(0, len(ids), 100) for email in client.call(
        "Email/get", ids=ids[at:at + 100], properties=["blobId", "keywords"])["list"]]
    return sorted((hashlib.sha256(client.blob(email["blobId"])).hexdigest(),
                   " ".join(sorted(word.lower() for word in email["keywords"]))) for email in emails)


def truth_by_pop3():
    box = poplib.POP3(HOST, int(os.environ["POP3"]))
    box.user(LOGIN)
    box.pass_(PASSWORD)
    for n in range(1, box.stat()[0] + 1):
        yield hashlib.sha256(b"\r\n".join(box.retr(n)[1]) + b"\r\n").hexdigest()
    box.quit()


def judge(directory):
    client, where = Jmap(), {}
    for mailbox in MAILBOXES + ["Drafts"]:
        imap_truth, jmap_truth = truth_by_imap(mailbox), truth_by_jmap(client, mailbox)
        assert imap_truth == jmap_truth, (
            f"{mailbox}: IMAP has {len(imap_truth)}, JMAP {len(jmap_truth)}; "
            f"{list(set(imap_truth) ^ set(jmap_truth))[:3]}")
        status = look.imap().status(mailbox, "(MESSAGES UNSEEN)")[1][0].decode()
        counts = [int(n) for n in re.search(r"MESSAGES (\d+) UNSEEN (\d+)", status).groups()]
        box = client.boxes[mailbox.upper()]
        # RFC 8621 §2: a draft is never unread.
        unread = 0 if mailbox == "Drafts" else counts[1]
        assert [box["totalEmails"], box["unreadEmails"]] == [counts[0], unread], (counts, box)
        assert counts[0] == len(imap_truth), (mailbox, counts, len(imap_truth))
        print(f"{mailbox}: {counts[0]} messages, {counts[1]} unseen, by IMAP and by JMAP")
    inbox = sorted(digest for digest, _ in truth_by_imap("INBOX"))
    assert sorted(truth_by_pop3()) == inbox, "POP3 sees another INBOX"
    print(f"INBOX: {len(inbox)} messages by POP3")

    for mailbox in MAILBOXES:
        for _, flags, body in look.messages(look.imap(), mailbox):
            mid = re.search(rb"(?im)^Message-ID: (\S+)", body)
            if mid:
                where.setdefault(mid[1].decode(), []).append((mailbox, set(flags), body))
    lost = []
    for name in ("send", "imap", "jmap"):
        with open(os.path.join(directory, f"{name}.log")) as log:
            lines = [line.split() for line in log]
        for what, mid in lines:
            copies = where.get(mid, [])
            if what in ("by-imap", "by-jmap"):
                good = any(what in flags for _, flags, _ in copies)
            elif what == "moved":
                good = any(mailbox == "Archive" for mailbox, _, _ in copies)
            else:
                n = int(mid[1:].split("@")[0])
                good = any(body.endswith(letter(n)) for _, _, body in copies)
            if not good:
                lost.append((what, mid, [(mailbox, flags) for mailbox, flags, _ in copies]))
        assert lines, f"{name} got nothing acknowledged"
        print(f"{name}: {len(lines)} acknowledgements kept")
    assert not lost, f"{len(lost)} acknowledged changes lost: {lost[:5]}"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["judge", directory]:
            judge(directory)
        case [name, directory]:
            work(name, directory)
        case _:
            sys.exit(__doc__)
