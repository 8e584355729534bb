// jmap-jam (npm): JMAP with a bearer token, relying on absolute URLs in the session: lists, reads,
// flags, uploads and imports.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

const { HOST, HTTP, STORE, WITNESS_BIN, ME } = process.env;

let JamClient;
try {
  ({ default: JamClient } = await import("jmap-jam"));
} catch (error) {
  if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  console.log("jmap-jam is not installed");
  process.exit(77);
}

const token = execFileSync(WITNESS_BIN, ["token", "add", "jam", "--db", STORE]).toString().trim();
const jam = new JamClient({
  sessionUrl: `http://${HOST}:${HTTP}/.well-known/jmap`,
  bearerToken: token.split(/\s+/).at(-1),
});
const accountId = await jam.getPrimaryAccount();

const [boxes] = await jam.api.Mailbox.get({ accountId });
const inbox = boxes.list.find((box) => box.role === "inbox");
assert.ok(inbox);
console.log("lists: ok");

const source = `From: ${ME}\r\nTo: ${ME}\r\nSubject: by jam\r\n\r\nHello jam\r\n`;
const blob = await jam.uploadBlob(accountId, new Blob([source], { type: "message/rfc822" }));
const [imported] = await jam.api.Email.import({
  accountId,
  emails: { one: { blobId: blob.blobId, mailboxIds: { [inbox.id]: true }, keywords: {} } },
});
const { id } = imported.created.one;
console.log("uploads, imports: ok");

const [answers] = await jam.requestMany((t) => {
  const found = t.Email.query({ accountId, filter: { inMailbox: inbox.id }, sort: [
    { property: "receivedAt", isAscending: false }] });
  const got = t.Email.get({ accountId, ids: found.$ref("/ids"),
    properties: ["subject", "keywords", "bodyValues", "textBody", "blobId"],
    fetchTextBodyValues: true });
  return { found, got };
});
const [email] = answers.got.list;
assert.equal(email.id, id);
assert.equal(email.subject, "by jam");
assert.match(Object.values(email.bodyValues)[0].value, /^Hello jam/);
const raw = await jam.downloadBlob({
  accountId, blobId: email.blobId, mimeType: "message/rfc822", fileName: "x.eml" });
assert.equal(await raw.text(), source);
console.log("reads, downloads: ok");

const [set] = await jam.api.Email.set({ accountId, update: { [id]: { "keywords/$seen": true } } });
assert.ok(id in set.updated);
const [again] = await jam.api.Email.get({ accountId, ids: [id], properties: ["keywords"] });
assert.deepEqual(again.list[0].keywords, { $seen: true });
console.log("flags: ok");

// Move, search, compose, send, follow, hear.
const role = (name) => boxes.list.find((box) => box.role === name).id;
const [moved] = await jam.api.Email.set({ accountId, update: { [id]: {
  [`mailboxIds/${inbox.id}`]: null, [`mailboxIds/${role("archive")}`]: true } } });
assert.ok(id in moved.updated);
const [hits] = await jam.api.Email.query({ accountId, filter: { text: "hello", inMailbox: role("archive") } });
assert.deepEqual(hits.ids, [id]);
const [snippets] = await jam.api.SearchSnippet.get({ accountId, filter: { text: "hello" }, emailIds: [id] });
assert.match(snippets.list[0].preview, /^<mark>Hello<\/mark> jam/);
console.log("moves, searches: ok");

const stream = await fetch((await jam.session).eventSourceUrl.replace("{types}", "Email")
  .replace("{closeafter}", "state").replace("{ping}", "0"), { headers: { Authorization: jam.authHeader } });
const [{ list: [me] }] = await jam.api.Identity.get({ accountId, ids: null });
const [drafted] = await jam.api.Email.set({ accountId, create: { d: {
  mailboxIds: { [role("drafts")]: true }, keywords: { $draft: true }, from: [{ email: me.email, name: "Me" }],
  to: [{ email: me.email }], subject: "to myself", bodyValues: { 1: { value: "Hello me" } },
  textBody: [{ partId: "1", type: "text/plain" }] } } });
const draft = drafted.created.d.id;
const [sent] = await jam.api.EmailSubmission.set({ accountId,
  create: { s: { emailId: draft, identityId: me.id } }, onSuccessDestroyEmail: ["#s"] });
assert.ok(sent.created.s.id);
let found = [];
for (let n = 0; n < 100 && !found.length; n++) {
  await new Promise((done) => setTimeout(done, 100));
  const [query] = await jam.api.Email.query({ accountId, filter: { inMailbox: inbox.id } });
  found = query.ids;
}
const [changes] = await jam.api.Email.changes({ accountId, sinceState: drafted.oldState });
assert.deepEqual(changes.created, found);
const [{ list: [copy] }] = await jam.api.Email.get({ accountId, ids: found, properties: ["subject"] });
assert.equal(copy.subject, "to myself");
console.log("composes, sends, syncs: ok");
assert.match(await stream.text(), /event: state\n(.*\n)*data: .*"Email"/);
console.log("is told: ok");
