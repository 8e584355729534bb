"""The Python half of origin.sh: a DNS, a sink, and the same questions asked of dkimpy and of us."""

import base64
import imaplib
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import threading

import authheaders
import dkim
import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import nacl.signing

TMP = pathlib.Path(os.environ["WITNESS_TMP"])
HERE = pathlib.Path(os.environ["WITNESS_HERE"])
HOST, ME, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "ME", "LOGIN", "PASSWORD"))
SMTP, SUBMISSION, IMAP = (int(os.environ[n]) for n in ("SMTP", "SUBMISSION", "IMAP"))
RSA = (TMP / "rsa.pem").read_bytes()
ED = nacl.signing.SigningKey.generate()
ZONE = {
    "r._domainkey.signer.test": "v=DKIM1; k=rsa; p=" + (TMP / "rsa.pub").read_text(),
    "e._domainkey.signer.test": "v=DKIM1; k=ed25519; p=" + base64.b64encode(bytes(ED.verify_key)).decode(),
    "_dmarc.signer.test": "v=DMARC1; p=reject",
    "signer.test": "v=spf1 -all",
}
for line in (TMP / "zone").read_text().splitlines():
    if " IN TXT " in line and "_domainkey" in line:
        name, text = line.split(" 3600 IN TXT ")
        ZONE[name.rstrip(".")] = "".join(re.findall(r'"([^"]*)"', text))


def txt(name, timeout=5):
    name = (name.decode() if isinstance(name, bytes) else name).rstrip(".").lower()
    return ZONE[name].encode() if name in ZONE else None


def nameserver():
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((HOST, int(os.environ["ZONE_PORT"])))
    while True:
        octets, peer = udp.recvfrom(4096)
        query = dns.message.from_wire(octets)
        question = query.question[0]
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        text = txt(str(question.name))
        if text is None:
            answer.set_rcode(3)
        elif question.rdtype == dns.rdatatype.TXT:
            pieces = [text[n:n + 250].decode() for n in range(0, len(text), 250)]
            quoted = " ".join(f'"{piece}"' for piece in pieces)
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", quoted))
        udp.sendto(answer.to_wire(max_size=65000), peer)


TAKEN = []


def sink():
    listener = socket.create_server((HOST, int(os.environ["SINK_PORT"])))
    while True:
        stream = listener.accept()[0].makefile("rwb")
        say = lambda text: (stream.write(text + b"\r\n"), stream.flush())
        say(b"220 sink")
        for line in stream:
            if line.upper().startswith(b"DATA"):
                say(b"354 go")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += stream.readline()
                TAKEN.append(re.sub(rb"(?m)^\.", b"", data[:-3]))
            elif line.upper().startswith(b"EHLO"):
                stream.write(b"250-sink\r\n250-8BITMIME\r\n")
            say(b"250 ok")


for target in (nameserver, sink):
    threading.Thread(target=target, daemon=True).start()


def mails():
    for path in sorted((HERE / "../data/mail").rglob("*")):
        if path.is_file() and path.stat().st_size < 60_000:
            text = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
            head = text.split(b"\r\n\r\n")[0]
            sound = b"\r" not in head.replace(b"\r\n", b"") and b"\0" not in text
            fields = all(re.match(rb"[!-9;-~]+[ \t]*:|[ \t]", line) for line in head.split(b"\r\n"))
            if sound and fields and len(re.findall(rb"(?mi)^from[ \t]*:", head)) == 1:
                yield path.name, text


def signed(text, algorithm, canon):
    key = RSA if algorithm == b"rsa-sha256" else base64.b64encode(bytes(ED))
    selector = b"r" if algorithm == b"rsa-sha256" else b"e"
    return dkim.sign(text, selector, b"signer.test", key, canonicalize=canon, signature_algorithm=algorithm) + text


def changed(text):
    """The same message as it may come out of a list, or of somebody's hands."""
    yield text
    yield text + b"-- \r\nlist\r\n"
    yield text + b"\r\n \t\r\n\r\n"
    yield re.sub(rb"(?mi)^(subject:)", rb"\1 [list]", text, count=1)
    yield re.sub(rb"(?mi)^subject: *", b"Subject:  ", text, count=1)
    yield text.replace(b" ", b"  ", 3)


def delivered(texts):
    """What our server says of each: its own Authentication-Results field."""
    with smtplib.SMTP(HOST, SMTP, local_hostname="peer.test") as smtp:
        for text in texts:
            smtp.sendmail("a@signer.test", [ME], text, mail_options=["BODY=8BITMIME"])
    with imaplib.IMAP4(HOST, IMAP) as box:
        box.login(LOGIN, PASSWORD)
        box.select("INBOX")
        _, found = box.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (Authentication-Results)])")
        fields = [part[1].decode().split("\r\nAuth")[0] for part in found if isinstance(part, tuple)]
        box.store("1:*", "+FLAGS", "\\Deleted")
        box.expunge()
    assert len(fields) == len(texts), (len(fields), len(texts))
    return fields


def verdict(text, check):
    try:
        return bool(check(text))
    except Exception:
        return False


cases = []
for name, text in mails():
    ways = [(b"rsa-sha256", (h, b)) for h in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]
    for algorithm, canon in ways + [(b"ed25519-sha256", (b"relaxed", b"relaxed"))]:
        try:
            whole = signed(text, algorithm, canon)
        except Exception as why:
            print("not signed by dkimpy:", name, why)
            break
        cases += [(f"{name} {algorithm} {canon} #{n}", text) for n, text in enumerate(changed(whole))]
print(len(cases), "cases of DKIM")
wrong = passed = 0
for at in range(0, len(cases), 100):
    part = cases[at:at + 100]
    for (name, text), field in zip(part, delivered([text for _, text in part])):
        text = text if text.endswith(b"\r\n") else text + b"\r\n"
        theirs = verdict(text, lambda text: dkim.verify(text, dnsfunc=txt))
        ours = "dkim=pass" in field
        passed += ours
        if ours != theirs:
            wrong += 1
            print("DKIM differs:", name, "theirs", theirs, "ours", field)
print(passed, "of them pass")
assert 0 < passed < len(cases)

text = b"From: a@x.test\r\nTo: b@y.test\r\nSubject: s\r\n\r\nbody\r\n"
chains = []
for stamp in (b"spf=pass smtp.mailfrom=x.test", b"arc=pass", b"arc=pass"):
    # dkimpy seals what the newest results say of the chain; they are no part of it.
    results = b"Authentication-Results: signer.test; " + stamp + b"\r\n"
    fields = dkim.arc_sign(results + text, b"r", b"signer.test", RSA, b"signer.test")
    text = b"".join(fields) + text
    chains += list(changed(text))
for text, field in zip(chains, delivered(chains)):
    theirs = dkim.arc_verify(text, dnsfunc=txt)[0] == dkim.CV_Pass
    if ("arc=pass" in field) != theirs:
        wrong += 1
        print("ARC differs:", theirs, field, text.decode())
print(len(chains), "chains of ARC")

sample = b"From: a@signer.test\r\nTo: b@y.test\r\nSubject: s\r\n\r\nbody\r\n"
whole = signed(sample, b"rsa-sha256", (b"relaxed", b"relaxed"))
cases = list(changed(whole)) + [sample, whole.replace(b"a@signer.test", b"a@sub.signer.test")]
for text, field in zip(cases, delivered(cases)):
    theirs = authheaders.authenticate_message(
        text, "other.test", ip=HOST, mail_from="a@signer.test", helo="peer.test",
        spf=False, dkim=True, arc=False, dmarc=True, dmarcbis=True,
        dnsfunc=lambda name, timeout=5: (txt(name) or b"").decode() or None)
    theirs = re.search(r"dmarc=(\w+)", theirs).group(1)
    ours = re.search(r"dmarc=(\w+)", field).group(1)
    if ours != theirs:
        wrong += 1
        print("DMARC differs:", theirs, field, text.decode())
print(len(cases), "cases of DMARC")

with smtplib.SMTP(HOST, SUBMISSION) as smtp:
    smtp.ehlo()
    smtp.user, smtp.password = LOGIN, PASSWORD
    smtp.auth("PLAIN", smtp.auth_plain)
    sent = 0
    for name, text in mails():
        text = re.sub(rb"(?mi)^from[ \t]*:[^\r]*(\r\n[ \t][^\r]*)*", b"From: " + ME.encode(), text, count=1)
        if not re.search(rb"(?mi)^resent-", text):
            smtp.sendmail(ME, ["b@sink.test"], text, mail_options=["BODY=8BITMIME"])
            sent += 1
for _ in range(600):
    if len(TAKEN) >= sent:
        break
    threading.Event().wait(0.1)
print(sent, "messages of ours,", len(TAKEN), "arrived")
assert len(TAKEN) == sent
for text in TAKEN:
    message = dkim.DKIM(text)
    good = [verdict(text, lambda text: message.verify(idx=n, dnsfunc=txt)) for n in range(2)]
    if good != [True, True]:
        wrong += 1
        print("our signatures do not verify:", good, text.decode(errors="replace")[:2000])

opendkim = shutil.which("opendkim", path=os.environ["PATH"] + ":/usr/sbin")
if opendkim:
    keys = [f"{name} {text}\n" for name, text in ZONE.items() if "_domainkey" in name]
    (TMP / "keys").write_text("".join(keys))
    (TMP / "opendkim.conf").write_text(f"Mode v\nTestPublicKeys {TMP}/keys\n")
    for text in TAKEN:
        (TMP / "taken.eml").write_bytes(text)
        run = [opendkim, "-x", str(TMP / "opendkim.conf"), "-t", str(TMP / "taken.eml")]
        said = subprocess.run(run, capture_output=True, text=True)
        said = said.stdout + said.stderr
        if "succeeded" not in said or "failed" in said:
            wrong += 1
            print("opendkim:", said, text.decode(errors="replace")[:2000])
    print(len(TAKEN), "messages of ours before opendkim")
sys.exit(wrong > 0)
