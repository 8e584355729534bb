"""Dovecot as a second opinion: SORT and THREAD of the same letters give the same answers.

The letters are those of tests/data/mail and four hundred more with references, subjects and dates that cross each
other. Where a letter breaks the rules the two may read it differently, and both be right; such letters
are left out of the comparison that they would upset, see ODD.
"""

import imaplib
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

imaplib._MAXLINE = 10_000_000
TMP, HOST = Path(os.environ["WITNESS_TMP"]), os.environ["HOST"]
DATA = Path(os.environ["WITNESS_HERE"]).parent / "data/mail"

# Letters left out, by criterion: what they have.
ODD = {
    # A time zone without a space before it, a Date field inside another one: Dovecot takes INTERNALDATE.
    "DATE": {"python/msg_47.eml", "dovecot/malformed-019.eml"},
    # From: <>, From: foo, From or To twice. RFC 5256 and 5957 speak of NIL hosts, Dovecot makes up a
    # host; of a field that comes twice it takes the first, and Pillarbox the last.
    "FROM": {"python/msg_43.eml", "mail-parser/009.eml"},
    "TO": {"python/msg_25.eml"},
    "DISPLAYFROM": {"python/msg_43.eml", "python/msg_05.eml", "mail-parser/001.eml", "mail-parser/009.eml"},
    "DISPLAYTO": {"python/msg_25.eml", "python/msg_05.eml", "mail-parser/001.eml"},
}


def dovecot():
    """Dovecot's IMAP over a pipe, with a mailbox of its own."""
    if not shutil.which("doveadm"):
        print("doveadm is not installed")
        sys.exit(77)
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    conf = TMP / "dovecot.conf"
    conf.write_text(f"""
base_dir = {TMP}/dovecot
log_path = {TMP}/dovecot.log
mail_location = maildir:{TMP}/maildir
mail_home = {TMP}/home
mail_uid = {user.pw_uid}
mail_gid = {user.pw_gid}
first_valid_uid = {user.pw_uid}
first_valid_gid = {user.pw_gid}
ssl = no
""")
    for name in ("home", "maildir"):
        (TMP / name).mkdir()
        os.chown(TMP / name, user.pw_uid, user.pw_gid)
    os.environ.update(USER="me", HOME=str(TMP / "home"))
    if subprocess.run(["doveadm", "-c", conf, "exec", "imap"], input=b"a logout\r\n", capture_output=True).returncode:
        print("dovecot-imapd is not installed")
        sys.exit(77)
    return imaplib.IMAP4_stream(f"doveadm -c {conf} exec imap")


def letters():
    """(name, octets)"""
    for path in sorted(DATA.rglob("*.eml")):
        octets = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\0", b"")
        yield f"{path.parent.name}/{path.name}", octets
    dice = random.Random(5)
    subjects = ["lunch", "meeting", "[list] report", "Pr\u00fcfung", "=?utf-8?q?caf=C3=A9?=", "status (fwd)",
                "[fwd: news]", ""]
    people = ["Bob <bob@x>", "alice@y", '"Z, A" <z@q>', "=?utf-8?q?=C3=84nne?= <a@b>", "undisclosed:;", "Carol <Carol@x>"]
    for n in range(400):
        fields = []
        if dice.random() < .93:
            fields.append(f"Message-ID: <{dice.randrange(120) if dice.random() < .2 else 1000 + n}@s>")
        ids = " ".join(f"<{1000 + dice.randrange(400)}@s>" for _ in range(dice.randrange(4)))
        if ids:
            fields.append(f"References: {ids}")
        if dice.random() < .4:
            second = " <other@y>" if dice.random() < .3 else ""
            fields.append(f"In-Reply-To: <{1000 + dice.randrange(400)}@s>{second}")
        subject = dice.choice(subjects)
        if subject:
            subject += f" {dice.randrange(30)}"
        fields.append(f"Subject: {dice.choice(['', '', 'Re: ', 'RE: [x] ', 'Fwd: ', 're:re: '])}{subject}")
        fields.append(f"From: {dice.choice(people)}")
        fields.append(f"To: {dice.choice(['x@y', 'Bob <bob@x>, al@z', 'team: a@b, c@d;'])}")
        clock = f"{dice.randrange(24):02}:{dice.randrange(60):02}:{dice.randrange(60):02}"
        zone = dice.choice(["+0000", "-0800", "+0530", "EST", "GMT"])
        fields.append(f"Date: {1 + dice.randrange(28)} {dice.choice(['Jan', 'Feb', 'Mar'])} 2021 {clock} {zone}")
        yield f"made {n}", ("\r\n".join(fields) + f"\r\n\r\nletter {n}\r\n").encode("latin-1")


def ask(box, command, by, without):
    criteria = f"NOT {','.join(map(str, sorted(without)))}" if without else "ALL"
    status, answer = box._simple_command(command, by, "UTF-8", criteria)
    if status != "OK":
        sys.exit(f"{command} {by}: {answer}")
    return box._untagged_response(status, answer, command)[1][0] or b""


def main():
    ours = imaplib.IMAP4(HOST, int(os.environ["IMAP"]))
    ours.login(os.environ["LOGIN"], os.environ["PASSWORD"])
    theirs = dovecot()
    names = []
    for n, (name, octets) in enumerate(letters()):
        names.append(name)
        date = f'"{1 + n * 7 % 28:02}-Mar-2022 10:{n % 60:02}:{n * 13 % 60:02} +0000"'
        for box in (ours, theirs):
            status, answer = box.append("INBOX", None, date, octets)
            if status != "OK":
                sys.exit(f"{name}: {answer}")
    ours.select()
    theirs.select()
    number = {name: n + 1 for n, name in enumerate(names)}
    wanted = [("SORT", f"({by})") for by in (
        "ARRIVAL", "DATE", "SIZE", "SUBJECT", "FROM", "TO", "CC", "REVERSE DATE", "SUBJECT DATE", "REVERSE SUBJECT",
        "DISPLAYFROM", "DISPLAYTO", "REVERSE FROM SIZE")]
    wanted += [("THREAD", by) for by in ("REFERENCES", "ORDEREDSUBJECT", "REFS")]
    for command, by in wanted:
        words = {"DATE"} if command == "THREAD" else set(re.findall(r"\w+", by))
        without = {number[name] for word in words for name in ODD.get(word, ()) if name in number}
        mine, other = (ask(box, command, by, without) for box in (ours, theirs))
        if mine != other:
            sys.exit(f"{command} {by} differs:\nPillarbox {mine.decode()}\nDovecot   {other.decode()}")
        print(f"{command} {by}: the same for {len(names) - len(without)} letters")


main()
