"""IMAPClient and imap-tools (PyPI): two libraries many scripts are built on."""

import os
import ssl
import sys
import threading

try:
    import imap_tools
    import imapclient
except ImportError as missing:
    print(f"{missing.name} is not installed")
    sys.exit(77)

HOST, ME, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "ME", "LOGIN", "PASSWORD"))
IMAP, IMAPS, SMTP = (int(os.environ[n]) for n in ("IMAP", "IMAPS", "SMTP"))
TLS = ssl.create_default_context(cafile=os.environ["CA"])


def letter(n):
    return (f"From: anna@example.net\r\nTo: {ME}\r\nSubject: letter {n} =?utf-8?q?gr=C3=BCn?=\r\n"
            f"Message-ID: <{n}@example.net>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n--b\r\n"
            "Content-Type: image/png; name=x.png\r\nContent-Disposition: attachment\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n").encode()


def imapclient_speaks():
    with imapclient.IMAPClient(HOST, port=IMAP, ssl=False) as box:
        box.starttls(TLS)
        box.login(LOGIN, PASSWORD)
        if box.has_capability("ID"):
            assert box.id_({"name": "witness"})
        box.namespace()
        folders = {name: flags for flags, _, name in box.list_folders()}
        assert "INBOX" in folders, folders
        assert box.find_special_folder(b"\\Sent"), folders
        for n in range(1, 6):
            assert box.append("INBOX", letter(n), flags=[imapclient.SEEN] if n == 1 else [])
        box.create_folder("Prüfung/Unter & über")
        assert "Prüfung/Unter & über" in [name for _, _, name in box.list_folders()]
        status = box.folder_status("INBOX", ["MESSAGES", "UNSEEN", "UIDNEXT", "UIDVALIDITY"])
        assert (status[b"MESSAGES"], status[b"UNSEEN"]) == (5, 4), status

        box.select_folder("INBOX")
        uids = box.search(["UNSEEN", "SUBJECT", "letter"])
        assert len(uids) == 4, uids
        assert box.search(["SUBJECT", "grün"], charset="UTF-8"), "search in UTF-8"
        data = box.fetch(uids, ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "INTERNALDATE",
                                "RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])
        first = data[uids[0]]
        assert first[b"ENVELOPE"].message_id == b"<2@example.net>"
        assert first[b"BODYSTRUCTURE"].is_multipart and first[b"RFC822.SIZE"] == len(letter(2))
        assert box.fetch(uids[0], ["BODY[2]"])[uids[0]][b"BODY[2]"] == b"AAECAwQ="
        assert imapclient.SEEN in box.get_flags(uids[0])[uids[0]]
        box.add_flags(uids, [imapclient.FLAGGED, b"$witness"])
        assert len(box.search(["KEYWORD", "$witness"])) == 4
        box.remove_flags(uids[:1], [b"$witness"])
        if box.has_capability("MOVE"):
            box.move(uids[:2], "Prüfung/Unter & über")
        box.copy(uids[2:], "Prüfung/Unter & über")
        box.delete_messages(uids[2:3])
        box.uid_expunge(uids[2:3])
        assert box.folder_status("INBOX", ["MESSAGES"])[b"MESSAGES"] == 2
        idle_sees_new_mail(box)
        box.rename_folder("Prüfung", "Prüfung 2")
        assert box.folder_exists("Prüfung 2/Unter & über")
        box.delete_folder("Prüfung 2/Unter & über")
        box.delete_folder("Prüfung 2")
        box.unselect_folder()
    print("IMAPClient: ok")


def idle_sees_new_mail(box):
    def bring():
        import smtplib
        with smtplib.SMTP(HOST, SMTP) as server:
            server.sendmail("anna@example.net", [ME], letter(99))

    box.idle()
    threading.Timer(0.3, bring).start()
    seen = []
    for _ in range(10):
        seen += box.idle_check(timeout=1)
        if any(answer[1] == b"EXISTS" for answer in seen):
            break
    box.idle_done()
    assert any(answer[1] == b"EXISTS" for answer in seen), seen


def imap_tools_speaks():
    with imap_tools.MailBox(HOST, port=IMAPS, ssl_context=TLS).login(LOGIN, PASSWORD) as box:
        names = [folder.name for folder in box.folder.list()]
        assert "INBOX" in names and "Archive" in names, names
        messages = list(box.fetch(imap_tools.AND(subject="letter"), mark_seen=False))
        assert messages and all(m.attachments[0].payload == b"\0\1\2\3\4" for m in messages)
        assert messages[0].subject.endswith("grün"), messages[0].subject
        before = box.folder.status("Archive")["MESSAGES"]
        box.move([messages[0].uid], "Archive")
        assert box.folder.status("Archive")["MESSAGES"] == before + 1
        box.flag([messages[1].uid], [imap_tools.MailMessageFlags.FLAGGED], True)
        box.append(letter(7), "Drafts", flag_set=[imap_tools.MailMessageFlags.DRAFT])
        box.folder.set("Drafts")
        assert [m.subject.split()[1] for m in box.fetch()] == ["7"]
        box.delete(box.uids())
        assert not box.uids()
    print("imap-tools: ok")


imapclient_speaks()
imap_tools_speaks()
