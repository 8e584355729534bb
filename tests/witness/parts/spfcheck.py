"""The Python half of spf.sh: records made by chance, and what pyspf and our server say of them."""

import ipaddress
import os
import random
import re
import socket
import sys
import threading

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import spf

HOST, ME, SMTP = os.environ["HOST"], os.environ["ME"], int(os.environ["SMTP"])
seed = int(os.environ.get("SEED", "7"))
chance = random.Random(seed)
NAMES = [f"d{n}.test" for n in range(120)]
HOSTS = [f"h{n}.test" for n in range(20)]
IPS = ["192.0.2.1", "192.0.2.77", "198.51.100.9", "203.0.113.5", "2001:db8::1", "2001:db8:5::9"]
ZONE = {}
for name in HOSTS:
    v4, v6 = chance.choice(IPS[:4]), chance.choice(IPS[4:])
    ZONE[name, "A"], ZONE[name, "AAAA"] = [v4], [v6]
for ip in IPS:
    ZONE[ipaddress.ip_address(ip).reverse_pointer, "PTR"] = chance.sample(HOSTS, 2)


def target():
    kind = chance.random()
    if kind < 0.4:
        return chance.choice(HOSTS)
    if kind < 0.8:
        return chance.choice(NAMES)
    if kind < 0.9:
        return chance.choice(["%{d1r}.test", "%{l}.test", "%{h}", "%{ir}.%{v}._spf.test", "x.%{d2}"])
    return chance.choice(["nowhere.test"] * 8 + ["fails.test", "bad..test", "test", "%{q}.test"])


def term():
    qualifier = chance.choice(["", "", "-", "~", "?", "+"])
    cidr = chance.choice([""] * 5 + ["/24", "//64", "/24//48", "/33", "/0"])
    return chance.choice([
        lambda: qualifier + "a" + chance.choice(["", ":" + target()]) + cidr,
        lambda: qualifier + "mx" + chance.choice(["", ":" + target()]) + cidr,
        lambda: qualifier + "ip4:" + chance.choice(IPS[:4]) + chance.choice(["", "/24", "/32", "/8", "/24", "/x"]),
        lambda: qualifier + "ip6:" + chance.choice(IPS[4:]) + chance.choice(["", "/64", "/128", "/129"]),
        lambda: qualifier + "include:" + target(),
        lambda: qualifier + "include:" + chance.choice(NAMES),
        lambda: qualifier + "exists:" + target(),
        lambda: qualifier + "ptr" + chance.choice(["", ":test", ":" + chance.choice(HOSTS)]),
        lambda: chance.choice(["foo=bar", "exp=why.test", "A:h1.test"] * 4 + ["all:x", "mx.", "ALL"]),
    ])()


for name in NAMES:
    if chance.random() < 0.5:
        ZONE[name, "A"] = [chance.choice(IPS[:4])]
    if chance.random() < 0.5:
        ZONE[name, "MX"] = [(10 * n, host) for n, host in enumerate(chance.sample(HOSTS, 2))]
    terms = [term() for _ in range(chance.randint(0, 3))]
    end = chance.choice(["-all", "~all", "?all", "", "redirect=" + target(), "redirect=" + chance.choice(NAMES)])
    texts = ["v=spf1 " + " ".join(terms + [end])]
    if chance.random() < 0.05:
        texts.append(chance.choice(["v=spf1 -all", "hello", "v=spf10"]))
    if chance.random() < 0.9:
        ZONE[name, "TXT"] = texts
KNOWN = {name for name, _ in ZONE}


def theirs_of(name, kind, strict=True, timeout=20):
    name = name.rstrip(".").lower()
    if name == "fails.test":
        raise spf.TempError("DNS", "fails")
    return [((name, kind), (value.encode(),) if kind == "TXT" else value) for value in ZONE.get((name, kind), [])]


spf.DNSLookup = theirs_of


def nameserver():
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((HOST, int(os.environ["ZONE_PORT"])))
    while True:
        octets, peer = udp.recvfrom(4096)
        query = dns.message.from_wire(octets)
        question = query.question[0]
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        name, kind = str(question.name).rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        form = {"TXT": '"{}"'.format, "MX": lambda mx: "{} {}.".format(*mx), "PTR": "{}.".format}.get(kind, str)
        if name == "fails.test":
            answer.set_rcode(2)
        elif name not in KNOWN:
            answer.set_rcode(3)
        for value in ZONE.get((name, kind), []):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, form(value)))
        udp.sendto(answer.to_wire(max_size=65000), peer)


threading.Thread(target=nameserver, daemon=True).start()
cases = [(ip, name) for name in NAMES for ip in IPS]
for ip in IPS:
    family = "TCP6" if ":" in ip else "TCP4"
    stream = socket.create_connection((HOST, SMTP)).makefile("rwb")

    def say(text, code):
        stream.write(text.encode() + b"\r\n")
        stream.flush()
        while True:
            line = stream.readline()
            if line[3:4] != b"-":
                break
        assert line.startswith(code), (text, line)

    say(f"PROXY {family} {ip} {'::1' if ':' in ip else HOST} 4000 25", b"220")
    say("EHLO d5.test", b"250")
    for name in NAMES:
        say(f"MAIL FROM:<h3@{name}>", b"250")
        say(f"RCPT TO:<{ME}>", b"250")
        say("DATA", b"354")
        say(f"From: a@b.test\r\nSubject: {ip} {name}\r\n\r\nx\r\n.", b"250")
        say("RSET", b"250")
    say("QUIT", b"221")

log = open(os.environ["LOG"]).read() if "LOG" in os.environ else ""
ours = re.findall(r"\] \d+ spf=(\w+) ", log)[-len(cases):]
assert len(ours) == len(cases), (len(ours), len(cases))
wrong, seen = 0, {}
for (ip, name), mine in zip([(ip, name) for ip in IPS for name in NAMES], ours):
    theirs = spf.query(i=ip, s=f"h3@{name}", h="d5.test", strict=True).check()[0]
    seen[theirs] = seen.get(theirs, 0) + 1
    if mine != theirs:
        wrong += 1
        if wrong <= 20:
            print("SPF differs:", ip, name, ZONE.get((name, "TXT")), "theirs", theirs, "ours", mine)
print(len(cases), "cases of SPF:", seen, wrong, "differ")
sys.exit(wrong > 0)
