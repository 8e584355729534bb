// imapflow (npm), the library behind many web mail services: CONDSTORE and QRESYNC, LIST-STATUS,
// SPECIAL-USE, MOVE, IDLE; and nodemailer to send, if it is here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const { HOST, ME, LOGIN, PASSWORD, CA, IMAP, IMAPS, SUBMISSION, SUBMISSIONS } = process.env;
const tls = { ca: readFileSync(CA), servername: "localhost" };

const load = async (name) => {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.log(`${name} is not installed`);
    process.exit(77);
  }
};
const { ImapFlow } = await load("imapflow");
const { default: nodemailer } = await load("nodemailer");

const connect = async (port, secure) => {
  const client = new ImapFlow({
    host: HOST, port, secure, tls, logger: false, qresync: true,
    auth: { user: LOGIN, pass: PASSWORD },
  });
  await client.connect();
  return client;
};

const until = async (what, condition) => {
  for (let tries = 0; tries < 100; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail(`waited in vain for ${what}`);
};

const send = async (port, secure, subject) => {
  const transport = nodemailer.createTransport({
    host: HOST, port, secure, requireTLS: true, tls, auth: { user: LOGIN, pass: PASSWORD },
  });
  const info = await transport.sendMail({
    from: ME, to: ME, subject, text: "Grüße\n.\n..dots", html: "<p>Grüße</p>",
    attachments: [{ filename: "ü.bin", content: Buffer.alloc(100000, 7) }],
  });
  assert.deepEqual(info.accepted, [ME]);
};

await send(SUBMISSION, false, "eins");
await send(SUBMISSIONS, true, "zwei");
console.log("nodemailer sends: ok");

const wrong = new ImapFlow({
  host: HOST, port: IMAPS, secure: true, tls, logger: false, auth: { user: LOGIN, pass: "wrong" },
});
await assert.rejects(wrong.connect(), (error) => error.authenticationFailed === true);
wrong.close();

const box = await connect(IMAPS, true);
const other = await connect(IMAP, false);

const folders = await box.list({ statusQuery: { messages: true, unseen: true, uidNext: true } });
const byUse = Object.fromEntries(folders.map((f) => [f.specialUse ?? f.path, f]));
for (const use of ["\\Inbox", "\\Sent", "\\Drafts", "\\Trash", "\\Junk", "\\Archive"]) {
  assert.ok(byUse[use], `no ${use} in ${Object.keys(byUse)}`);
}
assert.equal(byUse["\\Inbox"].status.messages, 2);

await box.mailboxOpen("INBOX");
await other.mailboxOpen("INBOX");
const seen = [];
for await (const message of box.fetch("1:*", {
  uid: true, flags: true, envelope: true, bodyStructure: true, size: true, internalDate: true,
  source: true, threadId: true,
})) {
  seen.push(message);
  assert.equal(message.source.length, message.size);
  assert.equal(message.bodyStructure.type, "multipart/mixed");
}
assert.deepEqual(seen.map((m) => m.envelope.subject), ["eins", "zwei"]);
const { content } = await box.download(seen[0].uid, "2", { uid: true });
let size = 0;
for await (const chunk of content) size += chunk.length;
assert.equal(size, 100000);
console.log("lists, fetches: ok");

const told = [];
other.on("flags", (event) => told.push(event));
assert.ok(await box.messageFlagsAdd({ uid: seen[0].uid }, ["\\Flagged", "$later"], { uid: true }));
await until("the other session hears of flags", async () => {
  await other.noop();
  return told.some((event) => event.flags.has("\\Flagged") && event.flags.has("$later"));
});
assert.deepEqual(await other.search({ keyword: "$later" }, { uid: true }), [seen[0].uid]);
console.log("flags, seen by the other session: ok");

const { uid: appended } = await box.append("Drafts", "Subject: entwurf\r\n\r\nx\r\n", ["\\Draft"]);
assert.ok(appended);
await box.mailboxCreate("Reisen/Süd & Ost");
assert.ok((await other.list()).some((f) => f.path === "Reisen/Süd & Ost"));
// With QRESYNC it keeps no count by itself: VANISHED is an event (RFC 7162 §3.2.10).
const gone = [];
other.on("expunge", (event) => gone.push(event.uid));
const moved = await box.messageMove({ uid: seen[1].uid }, "Reisen/Süd & Ost", { uid: true });
assert.ok(moved.uidMap.has(seen[1].uid));
await until("the other session sees it go", async () => {
  await other.noop();
  return other.mailbox.exists === 1 || gone.includes(seen[1].uid);
});
await box.messageCopy({ uid: seen[0].uid }, "Archive", { uid: true });
await box.messageDelete({ uid: seen[0].uid }, { uid: true });
assert.equal((await box.status("INBOX", { messages: true })).messages, 0);
assert.equal((await box.status("Archive", { messages: true })).messages, 1);
console.log("appends, creates, moves, copies, deletes: ok");

const arrived = new Promise((resolve) => other.once("exists", resolve));
const idling = other.idle();
await send(SUBMISSIONS, true, "drei");
assert.equal((await arrived).count, 1);
await box.noop();
assert.equal((await box.status("INBOX", { messages: true })).messages, 1);
console.log("idle: ok");

await other.logout();
await idling.catch(() => {});
await box.mailboxDelete("Reisen/Süd & Ost");
await box.logout();
