"""Thunderbird on a screen of its own (Xvfb, headless without), driven from inside (Marionette): an
account with INBOX over TLS, listed in its window; reads, flags, labels, moves, deletes, searches here
and there, writes a draft, shows new mail by itself (IDLE), sends and keeps the copy in Sent.

household.py has it as one of many clients."""

import json
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import time

import look

ENV = os.environ
PROFILE = os.path.join(ENV["WITNESS_TMP"], "profile")
MARIONETTE = int(ENV["SPARE"])

PREFS = {
    "mail.accountmanager.accounts": "account1",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.account.account1.server": "server1",
    "mail.account.account1.identities": "id1",
    "mail.server.server1.type": "imap",
    "mail.server.server1.name": "witness",
    "mail.server.server1.hostname": "localhost",
    "mail.server.server1.port": int(ENV["IMAPS"]),
    "mail.server.server1.socketType": 3,
    "mail.server.server1.authMethod": 3,
    "mail.server.server1.userName": ENV["LOGIN"],
    "mail.server.server1.login_at_startup": False,
    "mail.server.server1.check_new_mail": True,
    "mail.server.server1.empty_trash_on_exit": False,
    "mail.identity.id1.fullName": "Me",
    "mail.identity.id1.useremail": ENV["ME"],
    "mail.identity.id1.valid": True,
    "mail.identity.id1.smtpServer": "smtp1",
    "mail.smtpservers": "smtp1",
    "mail.smtp.defaultserver": "smtp1",
    "mail.smtpserver.smtp1.type": "smtp",
    "mail.smtpserver.smtp1.hostname": "localhost",
    "mail.smtpserver.smtp1.port": int(ENV["SUBMISSIONS"]),
    "mail.smtpserver.smtp1.try_ssl": 3,
    "mail.smtpserver.smtp1.authMethod": 3,
    "mail.smtpserver.smtp1.username": ENV["LOGIN"],
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.shell.checkDefaultClient": False,
    "mailnews.start_page.enabled": False,
    "app.donation.eoy.version.viewed": 999,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "toolkit.telemetry.enabled": False,
    "marionette.port": MARIONETTE,
    "network.dns.disableIPv6": True,
}

# Before each script: what all of them need.
PRELUDE = """
const done = arguments[arguments.length - 1];
const [args] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts.find(a => a.key == "account1").incomingServer;
const root = server.rootFolder;
const inbox = () => root.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const named = name => root.subFolders.find(f => f.name == name);
const messages = f => [...f.messages].map(m => m.mime2DecodedSubject);
const find = (f, subject) => [...f.messages].find(m => m.mime2DecodedSubject == subject);
const sleep = ms => new Promise(r => setTimeout(r, ms));
"""


class Thunderbird:
    """A session of Marionette's, in the chrome."""

    def __init__(self):
        os.mkdir(PROFILE)
        with open(os.path.join(PROFILE, "user.js"), "w") as file:
            for name, value in PREFS.items():
                file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
        self.screen, display = screen()
        self.process = subprocess.Popen(
            ["thunderbird", *([] if display else ["--headless"]), "--marionette",
             "--remote-allow-system-access", "--no-remote", "--profile", PROFILE],
            env={**ENV, "HOME": ENV["WITNESS_TMP"], **display},
            stdout=open(os.path.join(ENV["WITNESS_TMP"], "thunderbird.out"), "w"),
            stderr=subprocess.STDOUT)
        self.socket = wait("Marionette", self.connect, 60)
        self.count = 0
        self.receive()
        self.command("WebDriver:NewSession", {})
        self.command("Marionette:SetContext", {"value": "chrome"})

    def connect(self):
        try:
            return socket.create_connection(("127.0.0.1", MARIONETTE), timeout=90)
        except OSError:
            return None

    def receive(self):
        length = b""
        while not length.endswith(b":"):
            length += self.socket.recv(1) or sys.exit("Thunderbird hung up")
        body = b""
        while len(body) < int(length[:-1]):
            body += self.socket.recv(65536)
        return json.loads(body)

    def command(self, name, parameters):
        self.count += 1
        body = json.dumps([0, self.count, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(body), body))
        _, _, error, result = self.receive()
        if error:
            sys.exit(f"{name}: {error['error']}: {error['message']}")
        return result

    def run(self, script, **args):
        """Runs JavaScript in Thunderbird; its `return` is the answer."""
        script = (PRELUDE + "(async () => {" + script +
                  "})().then(v => done({ok: v ?? null}), e => done({error: String(e)}));")
        answer = self.command("WebDriver:ExecuteAsyncScript", {
            "script": script, "args": [args], "newSandbox": True, "sandbox": "system",
            "scriptTimeout": 60000})["value"]
        if "error" in answer:
            sys.exit(f"in Thunderbird: {answer['error']}")
        return answer["ok"]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self.screen:
            self.screen.terminate()
            self.screen.wait()


def screen():
    """An X server without a screen, if there is one, and the environment for it."""
    if not shutil.which("Xvfb"):
        return None, {}
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
        pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as said:
        number = said.readline().strip()
    return (server, {"DISPLAY": f":{number}"}) if number else (None, {})


def wait(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.3)
    sys.exit(f"waited in vain for: {what}")


def bring(subject):
    with smtplib.SMTP(ENV["HOST"], int(ENV["SMTP"])) as server:
        server.sendmail("anna@example.net", [ENV["ME"]], (
            f"From: Anna <anna@example.net>\r\nTo: {ENV['ME']}\r\nSubject: {subject}\r\n"
            f"Message-ID: <{subject.replace(' ', '.')}@example.net>\r\n\r\nHello, {subject}\r\n"))


def on_server(mailbox):
    """subject -> flags, as another client sees it."""
    import email
    return {email.message_from_bytes(body)["subject"]: flags
            for _, flags, body in look.messages(look.imap(), mailbox)}


def trust_and_log_in(bird):
    with open(ENV["CA"]) as file:
        certificate = "".join(line for line in file.read().splitlines() if "-----" not in line)
    bird.run("""
        const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
        const overrides = Cc["@mozilla.org/security/certoverride;1"]
            .getService(Ci.nsICertOverrideService);
        const certificate = db.constructX509FromBase64(args.certificate);
        for (const port of args.ports) {
            overrides.rememberValidityOverride("localhost", port, {}, certificate, false);
        }
        for (const scheme of ["imap", "smtp"]) {
            const login = Cc["@mozilla.org/login-manager/loginInfo;1"]
                .createInstance(Ci.nsILoginInfo);
            const origin = scheme + "://localhost";
            login.init(origin, null, origin, args.user, args.password, "", "");
            await Services.logins.addLoginAsync(login);
        }
        """, certificate=certificate, ports=[int(ENV["IMAPS"]), int(ENV["SUBMISSIONS"])],
             user=ENV["LOGIN"], password=ENV["PASSWORD"])


def shown(bird):
    """The subjects in the window's list, as its rows have them."""
    return bird.run("""
        const window = Services.wm.getMostRecentWindow("mail:3pane");
        const pane = window.document.getElementById("tabmail").currentAbout3Pane;
        const view = pane.gDBView;
        if (!view) return [];
        const rows = [...Array(view.rowCount).keys()];
        return rows.map(row => view.cellTextForColumn(row, "subjectCol"));
        """)


SEARCH = """
    const session = Cc["@mozilla.org/messenger/searchSession;1"]
        .createInstance(Ci.nsIMsgSearchSession);
    const scope = args.offline ? Ci.nsMsgSearchScope.offlineMail : Ci.nsMsgSearchScope.onlineMail;
    session.addScopeTerm(scope, inbox());
    const term = session.createTerm();
    const value = term.value;
    term.attrib = value.attrib = Ci.nsMsgSearchAttrib[args.what];
    value.str = args.word;
    term.value = value;
    term.op = Ci.nsMsgSearchOp.Contains;
    term.booleanAnd = true;
    session.appendTerm(term);
    const found = [];
    await new Promise(resolve => {
        session.registerListener({
            QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
            onSearchHit(header) { found.push(header.mime2DecodedSubject); },
            onSearchDone() { resolve(); },
            onNewSearch() {},
        });
        session.search(null);
    });
    return found;
"""


def compose(bird, subject, deliver):
    """Writes a message to oneself; `deliver`: what becomes of it."""
    bird.run("""
        const identity = MailServices.accounts.accounts.find(a => a.key == "account1")
            .defaultIdentity;
        const fields = Cc["@mozilla.org/messengercompose/composefields;1"]
            .createInstance(Ci.nsIMsgCompFields);
        fields.from = fields.to = args.me;
        fields.subject = args.subject;
        fields.body = "Grüße\\r\\n.dot\\r\\n";
        const parameters = Cc["@mozilla.org/messengercompose/composeparams;1"]
            .createInstance(Ci.nsIMsgComposeParams);
        parameters.composeFields = fields;
        parameters.identity = identity;
        parameters.format = Ci.nsIMsgCompFormat.PlainText;
        const compose = MailServices.compose.initCompose(parameters);
        compose.sendMsg(Ci.nsIMsgSend[args.deliver], identity, "account1", null, null);
        """, me=ENV["ME"], subject=subject, deliver=deliver)


def speaks(bird):
    trust_and_log_in(bird)
    bird.run("server.performExpand(null); server.getNewMessages(root, null, null);")
    wait("the mailboxes", lambda: bird.run("return !!inbox() && !!named('Archive')"))
    bird.run("inbox().updateFolder(null);")
    wait("three letters", lambda: sorted(bird.run("return messages(inbox())")) ==
         ["letter 1", "letter 2", "letter 3"])
    print("lists: ok")

    # What a person sees: the rows of the list in the window.
    bird.run("""
        const window = Services.wm.getMostRecentWindow("mail:3pane");
        const pane = window.document.getElementById("tabmail").currentAbout3Pane;
        pane.displayFolder(inbox().URI);
        """)
    wait("the letters in the window", lambda: sorted(shown(bird)) ==
         ["letter 1", "letter 2", "letter 3"])
    print("shows INBOX in its window: ok")

    text = bird.run("""
        const message = find(inbox(), "letter 1");
        const uri = inbox().getUriForMsg(message);
        const service = MailServices.messageServiceFromURI(uri);
        const text = await new Promise((resolve, reject) => {
            let all = "";
            service.streamMessage(uri, {
                QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
                onStartRequest() {},
                onDataAvailable(request, stream, offset, count) {
                    const input = Cc["@mozilla.org/scriptableinputstream;1"]
                        .createInstance(Ci.nsIScriptableInputStream);
                    input.init(stream);
                    all += input.read(count);
                },
                onStopRequest(request, status) { resolve(all); },
            }, null, null, false, "", false);
        });
        inbox().markMessagesRead([message], true);
        inbox().markMessagesFlagged([find(inbox(), "letter 2")], true);
        inbox().addKeywordsToMessages([find(inbox(), "letter 2")], "$label1");
        return text;""")
    assert "Hello, letter 1" in text, text
    wait("flags on the server", lambda: "\\Seen" in on_server("INBOX")["letter 1"] and
         {"\\Flagged", "$label1"} <= set(on_server("INBOX")["letter 2"]))
    print("reads, flags, labels: ok")

    bird.run("""
        await new Promise((resolve, reject) => MailServices.copy.copyMessages(
            inbox(), [find(inbox(), "letter 3")], named("Archive"), true,
            { QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
              onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() {},
              onStopCopy(status) { status ? reject(status) : resolve(); } }, null, false));""")
    wait("a letter in Archive", lambda: "letter 3" in on_server("Archive") and
         "letter 3" not in on_server("INBOX"))
    print("moves: ok")

    bring("letter 4")
    # Nobody asks for it: IDLE brings it, once what is still running has ended.
    wait("new mail in the window", lambda: "letter 4" in shown(bird), 30)
    print("shows new mail by itself: ok")

    bird.run("""
        await new Promise((resolve, reject) => inbox().deleteMessages(
            [find(inbox(), "letter 4")], null, false, false,
            { QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
              onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() {},
              onStopCopy(status) { status ? reject(status) : resolve(); } }, false));""")
    wait("a letter in Trash", lambda: "letter 4" in on_server("Trash") and
         "letter 4" not in on_server("INBOX"))
    wait("it gone from the window", lambda: "letter 4" not in shown(bird))
    print("deletes: ok")

    for where, offline in (("the server", False), ("here", True)):
        assert bird.run(SEARCH, offline=offline, what="Subject", word="letter 2") == \
            ["letter 2"], where
    assert sorted(bird.run(SEARCH, offline=False, what="Body", word="Hello, letter")) == \
        ["letter 1", "letter 2"]
    assert bird.run(SEARCH, offline=False, what="Sender", word="nobody") == []
    print("searches: ok")

    compose(bird, "a draft of Thunderbird", "nsMsgSaveAsDraft")
    wait("the draft", lambda: "\\Draft" in on_server("Drafts").get("a draft of Thunderbird", ()))
    print("writes a draft: ok")

    compose(bird, "by Thunderbird", "nsMsgDeliverNow")
    wait("the letter sent", lambda: "by Thunderbird" in on_server("INBOX"))
    wait("its copy in Sent", lambda: "by Thunderbird" in on_server("Sent"))
    print("sends: ok")


def main():
    if not shutil.which("thunderbird"):
        print("thunderbird is not installed")
        sys.exit(77)
    for n in (1, 2, 3):
        bring(f"letter {n}")
    bird = Thunderbird()
    try:
        speaks(bird)
    finally:
        bird.close()


if __name__ == "__main__":
    main()
