"""Two more hands for household.sh: `guests.py imapclient|thunderbird DIR` works until DIR/stop exists.

Each owns a keyword that it only ever sets, and writes a line an acknowledged change into
DIR/WORKER.log, as many.py's workers do.
"""

import os
import random
import signal
import sys
import time

import look

HOST, LOGIN, PASSWORD = (os.environ[n] for n in ("HOST", "LOGIN", "PASSWORD"))


def imapclient(note, running):
    import imapclient as library
    box = library.IMAPClient(HOST, port=int(os.environ["IMAP"]), ssl=False)
    box.login(LOGIN, PASSWORD)
    while running():
        box.select_folder("INBOX")
        uids = box.search(["UNKEYWORD", "by-imapclient"])
        if uids:
            some = random.sample(uids, min(3, len(uids)))
            heads = box.fetch(some, ["ENVELOPE"])
            done = box.add_flags(some, [b"by-imapclient"])
            for uid, flags in done.items():
                if b"by-imapclient" in flags and uid in heads:
                    note("by-imapclient", heads[uid][b"ENVELOPE"].message_id.decode())
        box.idle()
        box.idle_check(timeout=0.2)
        box.idle_done()
    box.logout()


def thunderbird(note, running):
    import thunderbird as tb
    bird = tb.Thunderbird()
    try:
        tb.trust_and_log_in(bird)
        bird.run("server.performExpand(null); server.getNewMessages(root, null, null);")
        tb.wait("the mailboxes", lambda: bird.run("return !!inbox() && !!named('Archive')"))
        bird.run("inbox().updateFolder(null);")
        while running():
            marked = bird.run("""
                const some = [...inbox().messages]
                    .filter(m => !(m.getStringProperty("keywords") || "").includes("by-bird"))
                    .slice(0, 2);
                if (!some.length) return [];
                inbox().addKeywordsToMessages(some, "by-bird");
                inbox().markMessagesRead(some, true);
                return some.map(m => "<" + m.messageId + ">");""")
            if marked:
                # It says nothing when the server has it; another client does.
                seen = lambda: set(marked) & keyword("by-bird")
                try:
                    tb.wait("marks on the server", seen, 20)
                except SystemExit:
                    print("not marked (moved away meanwhile):", marked)
                for mid in set(marked) & keyword("by-bird"):
                    note("by-bird", mid)
            time.sleep(0.3)
        # What it still shows is what there is.
        look_again = "inbox().updateFolder(null); await sleep(1000); return messages(inbox());"
        same = lambda: sorted(bird.run(look_again)) == sorted(subjects("INBOX"))
        try:
            tb.wait("the same INBOX", same, 40)
        except SystemExit:
            here, there = bird.run("return messages(inbox())"), subjects("INBOX")
            print("only in Thunderbird:", set(here) - set(there), "only there:",
                  set(there) - set(here), len(here), len(there))
            raise
        print("Thunderbird shows", len(subjects("INBOX")), "messages, all there are")
        note("shows", "all")
    finally:
        bird.close()


def keyword(name):
    import email
    return {email.message_from_bytes(body)["Message-ID"] for mailbox in ("INBOX", "Archive")
            for _, flags, body in look.messages(look.imap(), mailbox) if name in flags}


def subjects(mailbox):
    import email
    return [email.message_from_bytes(body)["subject"]
            for _, _, body in look.messages(look.imap(), mailbox)]


def main(name, directory):
    stop = os.path.join(directory, "stop")
    with open(os.path.join(directory, f"{name}.log"), "a", buffering=1) as log:
        globals()[name](lambda what, mid: print(what, mid, file=log),
                        lambda: not os.path.exists(stop))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    # Killed, it takes its Thunderbird along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main(*sys.argv[1:])
