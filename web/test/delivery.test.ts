// What is said arrives, once and in order: streams, cuts, holes, resends, in a real browser.

import assert from "node:assert/strict";

import { after } from "node:test";
import { closeBrowser, play, type Scene, type SceneOptions } from "./browser";

after(closeBrowser);

const CHOICES = ["Try again", "Use another card", "Not now"];
const OPENING = "Your card was declined for order 1042. Shall I help?";

const opened = (on: Scene): void => void on.chat.open("c1", OPENING, { choices: CHOICES });
const withOpening: SceneOptions = { before: opened };

async function write(on: Scene, text: string): Promise<void> {
  await on.click("textarea");
  await on.page.keyboard.type(text);
  await on.page.keyboard.press("Enter");
}

play("deltas stream, and the entry takes their place", withOpening, async (on) => {
  await on.click(".launcher");
  await write(on, "hello");
  await on.chat.got((f) => f.type === "say");
  on.chat.send({ type: "typing", conversation_id: "c1", by: "assistant" });
  await on.$(".dots");
  const delta = (attempt: number, index: number, text: string) => on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t1", try: attempt, index, text });
  delta(1, 0, "Wrong ");
  delta(2, 0, "Which ");
  delta(1, 1, "way");
  delta(2, 1, "card");
  await on.until((root) => root.querySelector(".streaming")?.textContent === "Which card" && !root.querySelector(".dots"));
  delta(2, 3, "lost");
  await on.$(".dots");
  assert.equal(await on.text(".streaming"), "Which card");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "Which card shall I use?", turn_id: "t1", try: 2 });
  await on.until((root) => !root.querySelector(".streaming, .dots"));
  assert.deepEqual(await on.log(), [OPENING, "hello", "Which card shall I use?"]);
});

play("a dropped turn takes its words back", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t1", try: 1, index: 0, text: "I will" });
  await on.$(".streaming");
  on.chat.send({ type: "dropped", conversation_id: "c1", turn_id: "t1" });
  on.chat.append("c1", { by: "system", kind: "holder", holder: "operator", name: "Rui" });
  await on.gone(".streaming");
  await on.until((root) => root.querySelector("h2")?.textContent === "Rui, a person");
  assert.match(await on.text(".rule"), /Rui joined, a person/);
});

play("a cut in mid-stream loses nothing and doubles nothing", withOpening, async (on) => {
  await on.click(".launcher");
  await write(on, "before");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t1", try: 1, index: 0, text: "Half an ans" });
  await on.$(".streaming");
  on.chat.hook = (f) => f.type === "say";
  await write(on, "during");
  await on.chat.got((f) => f.text === "during");
  on.chat.cut();
  on.chat.hook = () => false;
  // While nobody listens, the log grows.
  on.chat.append("c1", { by: "assistant", kind: "message", text: "Half an answer is none.", turn_id: "t1", try: 1 });
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 2);
  assert.deepEqual(await on.log(), [OPENING, "before", "Half an answer is none.", "during"]);
  assert.deepEqual(on.chat.hellos.at(-1)?.resume, { c1: { seq: 2, id: "c1-e2" } });
  const sent = on.chat.frames.filter((f) => f.text === "during");
  assert.equal(sent.length, 2);
  assert.equal(sent[0]?.client_id, sent[1]?.client_id);
  assert.equal(on.chat.talks.get("c1")?.log.filter((entry) => entry.text === "during").length, 1);
});

play("told many times that the network is there, it comes back once", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.refuse = () => [4503, "retry_after=60"];
  on.chat.cut(4503, "retry_after=60");
  await on.$(".strip");
  on.chat.refuse = () => null;
  const before = on.chat.hellos.length;
  await on.page.evaluate(async () => {
    for (let times = 0; times < 20; times++) {
      dispatchEvent(new Event("online"));
      // Each in a task of its own, so that an attempt is under way when the next one comes.
      await new Promise((next) => setTimeout(next));
    }
  });
  await on.gone(".strip");
  await write(on, "back");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal(on.chat.hellos.length, before + 1);
  assert.equal(on.chat.sessions, 1);
});

play("a turn that ended while nobody listened leaves no half words on show", withOpening, async (on) => {
  await on.click(".launcher");
  const half = (turn: string, index: number) => on.chat.send({ type: "delta", conversation_id: "c1", turn_id: turn, try: 1, index, text: "Half an ans" });
  half("t1", 0);
  await on.$(".streaming");
  const back = on.chat.hellos.length + 1;
  on.chat.cut();
  await on.page.evaluate(() => dispatchEvent(new Event("online")));
  await on.chat.holds(() => on.chat.hellos.length >= back, "the next hello");
  await on.gone(".streaming");
  await on.gone(".dots");
  // One that goes on says so by its next words: they are not the first, so that only dots are shown.
  half("t1", 7);
  await on.until((root) => root.querySelector(".dots") && !root.querySelector(".streaming"));
  on.chat.append("c1", { by: "assistant", kind: "message", text: "Half an answer is none.", turn_id: "t1", try: 1 });
  await on.until((root) => !root.querySelector(".dots") && root.querySelectorAll("ol .text").length === 2);
  assert.deepEqual(await on.log(), [OPENING, "Half an answer is none."]);
});

/** How often the socket is cut; `CUTS=1000 npm test` for a long night. */
const CUTS = Number(process.env.CUTS ?? 30);

play("however often the socket is cut, the log read is the log written, and each message is in it once", withOpening, async (on) => {
  await on.click(".launcher");
  await on.click("textarea");
  // Chance with a seed, so that a failure comes back.
  let seed = 20261;
  const chance = (n: number) => ((seed = (seed * 48_271) % 2_147_483_647) >>> 8) % n;
  for (let round = 0; round < CUTS; round++) {
    const hellos = on.chat.hellos.length;
    const losesAnswer = chance(2) === 0;
    on.chat.hook = (f) => f.type === "say" && !on.chat.talks.get("c1")?.log.some((entry) => entry.client_id === f.client_id) && (losesAnswer ? (on.chat.append("c1", { by: "customer", kind: "message", text: f.text, client_id: f.client_id }), on.chat.cut(), true) : false);
    await on.page.keyboard.type(`m${round}`);
    await on.page.keyboard.press("Enter");
    for (let index = chance(2); index < chance(4); index++) on.chat.send({ type: "delta", conversation_id: "c1", turn_id: `t${round}`, try: 1, index, text: "word " });
    if (chance(3) > 0) on.chat.append("c1", { by: "assistant", kind: "message", text: `a${round}`, turn_id: `t${round}`, try: 1 });
    await on.chat.got((f) => f.text === `m${round}`, `m${round}`);
    on.chat.hook = (f, send) => {
      const there = f.type === "say" && on.chat.talks.get("c1")?.log.find((entry) => entry.client_id === f.client_id);
      if (there) send({ type: "ack", client_id: f.client_id, conversation_id: "c1", seq: there.seq });
      return Boolean(there);
    };
    on.chat.cut();
    if (chance(2)) on.chat.append("c1", { by: "assistant", kind: "message", text: `b${round}` });
    for (;;) {
      await on.page.evaluate(() => dispatchEvent(new Event("online")));
      if (on.chat.hellos.length > hellos && on.chat.sessions) break;
    }
  }
  for (let round = 0; round < CUTS; round++) on.chat.send({ type: "dropped", conversation_id: "c1", turn_id: `t${round}` });
  const written = on.chat.talks.get("c1")?.log.map((entry) => entry.text) ?? [];
  // So many cuts in a row make it wait long: it is told that the network is there.
  await on.until((root, n) => dispatchEvent(new Event("online")) && root.querySelectorAll("ol .text").length === n && !root.querySelector(".mine.waiting, .mine.sent, .mine.taken"), written.length, 40_000 + CUTS * 100);
  assert.deepEqual(await on.log(), written);
  for (let round = 0; round < CUTS; round++) assert.equal(written.filter((text) => text === `m${round}`).length, 1, `m${round}`);
});

play("a hole in the numbers is read again, and a reset begins anew", withOpening, async (on) => {
  await on.click(".launcher");
  const talk = on.chat.talks.get("c1");
  assert.ok(talk);
  talk.log.push({ seq: 2, id: "c1-e2", at: Date.now(), by: "assistant", kind: "message", text: "missed" });
  on.chat.append("c1", { by: "assistant", kind: "message", text: "third" });
  await on.until((root) => root.querySelectorAll("ol .text").length === 3);
  assert.deepEqual(await on.log(), [OPENING, "missed", "third"]);
  // A store that went back: the same numbers, other entries.
  talk.log.length = 1;
  on.chat.append("c1", { id: "other-2", by: "assistant", kind: "message", text: "another second" });
  await on.until((root) => [...root.querySelectorAll("ol .text")].at(-1)?.textContent === "another second");
  assert.deepEqual(await on.log(), [OPENING, "another second"]);
});

play("messages written offline are kept, shown as kept, and sent once", withOpening, async (on) => {
  await on.click(".launcher");
  // So long that it does not come back before it is told to.
  on.chat.refuse = () => [4503, "retry_after=60"];
  on.chat.cut(4503, "retry_after=60");
  await on.until((root) => root.querySelector(".strip")?.textContent?.startsWith("Offline, your message is kept"));
  await write(on, "first");
  await write(on, "second");
  await on.until((root) => [...root.querySelectorAll(".mine .meta")].map((m) => m.textContent).join("|") === "Kept until you are online|Kept until you are online");
  on.chat.refuse = () => null;
  await on.press("Try now");
  await on.gone(".strip");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 2);
  assert.deepEqual(await on.log(), [OPENING, "first", "second"]);
  assert.equal(on.chat.count((f) => f.type === "say"), 2);
});

play("what was not answered is sent again from the next page", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.hook = (f) => f.type === "say";
  await write(on, "do not lose me");
  const first = await on.chat.got((f) => f.type === "say");
  await on.written("do not lose me");
  on.chat.hook = () => false;
  on.chat.frames.length = 0;
  await on.page.reload();
  const again = await on.chat.got((f) => f.type === "say", "say after the reload");
  assert.equal(again.client_id, first.client_id);
  assert.equal(on.chat.hellos.at(-1)?.anonymous_id, "anonymous-secret-of-this-browser");
});

play("retry_after is waited for, a refusal is shown and can be tried again", withOpening, async (on) => {
  await on.click(".launcher");
  let refusals = 0;
  on.chat.hook = (f, send) => {
    if (f.type !== "say" || refusals++) return false;
    send({ type: "error", code: "busy", message: "", client_id: f.client_id, retry_after: 0.3 });
    return true;
  };
  await write(on, "patience");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal(on.chat.count((f) => f.type === "say"), 2);
  on.chat.hook = (f, send) => f.type === "say" && (send({ type: "error", code: "full", message: "", client_id: f.client_id }), true);
  await write(on, "refused");
  await on.$(".mine.failed");
  await on.until((root) => root.querySelector("[role=alert]")?.textContent?.includes("full"));
  on.chat.hook = () => false;
  await on.click(".mine.failed .link");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 2);
  const ids = on.chat.frames.filter((f) => f.text === "refused").map((f) => f.client_id);
  assert.equal(new Set(ids).size, 2);
});

play("an ack that comes before its conversation leaves no gap", { tag: 'data-launcher="always"' }, async (on) => {
  on.chat.hook = (f, send) => f.type === "say" && (send({ type: "ack", client_id: f.client_id, conversation_id: "late", seq: 1 }), true);
  await on.click(".launcher");
  await write(on, "Anyone?");
  await on.$(".mine.taken");
  assert.deepEqual(await on.log(), ["Anyone?"]);
  const said = await on.chat.got((f) => f.type === "say");
  const entry = { seq: 1, id: "l1", at: Date.now(), by: "customer", kind: "message", text: "Anyone?", client_id: said.client_id };
  on.chat.send({ type: "opened", conversation: { id: "late", playbook: "help", state: "open", holder: "assistant", why: "", last_seq: 1, entries: [entry] } });
  await on.$("li[class=mine]");
  assert.deepEqual(await on.log(), ["Anyone?"]);
});

play("a silent socket is asked, and left where it does not answer", {
  before: async (on) => {
    opened(on);
    // Half a minute takes half a second here.
    await on.page.evaluateOnNewDocument("{ const real = setTimeout; window.setTimeout = (f, ms, ...more) => real(f, ms >= 10000 ? ms / 50 : ms, ...more) }");
    on.chat.hook = (f) => f.type === "ping" && on.chat.hellos.length < 2;
  },
}, async (on) => {
  await on.chat.got((f) => f.type === "ping", "ping");
  await on.chat.holds(() => on.chat.hellos.length === 2, "second hello");
  await on.chat.holds(() => on.chat.count((f) => f.type === "ping") >= 3, "pings that are answered");
  assert.equal(on.chat.hellos.length, 2);
});

play("a session that was moved keeps what it holds", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.send({ type: "moved", customer: "user:42" });
  await write(on, "still me");
  await on.$("li[class=mine]");
  assert.deepEqual(await on.log(), [OPENING, "still me"]);
  assert.equal(on.chat.hellos.length, 1);
});
