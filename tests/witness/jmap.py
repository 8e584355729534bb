"""jmapc (PyPI): session, mailboxes, queries, reading, flags, import of an uploaded message, and
pushed changes, all over HTTPS."""

import os
import smtplib
import sys
import threading
import time

os.environ["REQUESTS_CA_BUNDLE"] = os.environ["CA"]
try:
    import jmapc
    from jmapc import methods as m
    from jmapc.methods import CustomMethod
except ImportError as missing:
    print(f"{missing.name} is not installed")
    sys.exit(77)

HOST, ME, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "ME", "LOGIN", "PASSWORD"))
USING = {"urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"}


def letter(n):
    return (f"From: Anna <anna@example.net>\r\nTo: {ME}\r\nSubject: letter {n}\r\n"
            f"Message-ID: <{n}@example.net>\r\n\r\nHello {n}\r\n").encode()


def bring(n):
    with smtplib.SMTP(HOST, int(os.environ["SMTP"])) as server:
        server.sendmail("anna@example.net", [ME], letter(n))


def call(client, method):
    answer = client.request(method)
    assert not isinstance(answer, jmapc.Error), answer
    return answer


def custom(client, name, **arguments):
    method = CustomMethod(data={"accountId": client.account_id, **arguments})
    method.jmap_method = name
    method.__class__.using = USING
    return call(client, method).data


def mailboxes(client):
    return {box.role or box.name: box for box in call(client, m.MailboxGet(ids=None)).data}


def emails(client, **condition):
    ids = call(client, m.EmailQuery(filter=jmapc.EmailQueryFilterCondition(**condition))).ids
    return call(client, m.EmailGet(ids=ids, fetch_text_body_values=True)).data if ids else []


def speaks():
    client = jmapc.Client.create_with_password(f"localhost:{os.environ['HTTPS']}", LOGIN, PASSWORD)
    for n in range(1, 4):
        bring(n)
    boxes = mailboxes(client)
    assert {"inbox", "sent", "drafts", "trash", "junk", "archive"} <= set(boxes), boxes
    inbox = boxes["inbox"]
    assert (inbox.total_emails, inbox.unread_emails) == (3, 3), inbox
    print("lists: ok")

    found = emails(client, in_mailbox=inbox.id)
    assert sorted(e.subject for e in found) == ["letter 1", "letter 2", "letter 3"]
    text = found[0].body_values[found[0].text_body[0].part_id].value
    assert text.startswith("Hello "), text
    assert found[0].mail_from[0].email == "anna@example.net"
    assert len(emails(client, text="Hello")) == 3 and len(emails(client, mail_from="anna")) == 3
    print("reads: ok")

    state = call(client, m.EmailGet(ids=[])).state
    first = found[0].id
    answer = call(client, m.EmailSet(update={first: {"keywords/$seen": True,
                                                     "keywords/$flagged": True}}))
    assert first in answer.updated, answer
    answer = call(client, m.EmailSet(update={first: {f"mailboxIds/{inbox.id}": None,
                                                     f"mailboxIds/{boxes['archive'].id}": True}}))
    assert first in answer.updated, answer
    assert call(client, m.EmailChanges(since_state=state)).updated == [first]
    [moved] = emails(client, in_mailbox=boxes["archive"].id)
    assert moved.keywords == {"$seen": True, "$flagged": True}, moved.keywords
    answer = call(client, m.EmailSet(destroy=[found[1].id]))
    assert answer.destroyed == [found[1].id]
    print("flags, moves, destroys: ok")

    path = os.path.join(os.environ["WITNESS_TMP"], "upload.eml")
    with open(path, "wb") as file:
        file.write(letter(9))
    blob = client.upload_blob(path)
    answer = custom(client, "Email/import", emails={
        "a": {"blobId": blob.id, "mailboxIds": {inbox.id: True}, "keywords": {"$seen": True}}})
    assert answer["created"]["a"]["size"] == len(letter(9)), answer
    assert answer["oldState"] != answer["newState"]
    assert len(emails(client, in_mailbox=inbox.id)) == 2
    print("uploads, imports: ok")

    made = call(client, m.MailboxSet(create={"b": jmapc.Mailbox(name="Reisen")})).created["b"].id
    assert "Reisen" in mailboxes(client)
    assert call(client, m.MailboxSet(destroy=[made])).destroyed == [made]
    if "urn:ietf:params:jmap:submission" in client.jmap_session.capabilities.urns:
        assert call(client, m.IdentityGet(ids=None)).data[0].email == ME
    print("mailboxes: ok")

    [snippet] = custom(client, "SearchSnippet/get", filter={"text": "hello"}, emailIds=[first])
    assert "<mark>Hello</mark>" in snippet.preview, snippet
    print("searches: ok")

    [me] = call(client, m.IdentityGet(ids=None)).data
    state = call(client, m.EmailGet(ids=[])).state
    draft = jmapc.Email(mail_from=[jmapc.EmailAddress(name="Me", email=ME)],
                        to=[jmapc.EmailAddress(name="Me, too", email=ME)], subject="to myself",
                        keywords={"$draft": True}, mailbox_ids={boxes["drafts"].id: True},
                        body_values={"1": jmapc.EmailBodyValue(value="Hello me")},
                        text_body=[jmapc.EmailBodyPart(part_id="1", type="text/plain")])
    made = call(client, m.EmailSet(create={"d": draft})).created["d"].id
    sent = client.request(m.EmailSubmissionSet(
        on_success_update_email={"#s": {f"mailboxIds/{boxes['drafts'].id}": None,
                                        f"mailboxIds/{boxes['sent'].id}": True, "keywords/$draft": None}},
        create={"s": jmapc.EmailSubmission(email_id=made, identity_id=me.id, envelope=jmapc.Envelope(
            mail_from=jmapc.Address(email=ME), rcpt_to=[jmapc.Address(email=ME)]))}))
    assert not isinstance(sent, jmapc.Error), sent
    for _ in range(100):
        if len(emails(client, in_mailbox=inbox.id)) == 3:
            break
        time.sleep(0.1)
    [copy] = [e for e in emails(client, in_mailbox=inbox.id) if e.subject == "to myself"]
    assert copy.body_values[copy.text_body[0].part_id].value == "Hello me"
    assert [e.id for e in emails(client, in_mailbox=boxes["sent"].id)] == [made]
    changes = call(client, m.EmailChanges(since_state=state))
    assert sorted(changes.created) == sorted([made, copy.id]), changes
    print("composes, sends, syncs: ok")

    threading.Timer(0.5, bring, [10]).start()
    for event in client.events:
        if event.data.changed[client.account_id].email:
            break
    assert len(emails(client, in_mailbox=inbox.id)) == 4
    print("is told of new mail: ok")


speaks()
os._exit(0)  # its event stream would keep the process
