// Several tabs of one customer: one socket, one outbox that outlives them, and all of them say the same.

import assert from "node:assert/strict";
import { after } from "node:test";
import { closeBrowser, play, type Scene, type SceneOptions } from "./browser";

after(closeBrowser);

const OPENING = "Your card was declined for order 1042. Shall I help?";
const opened = (on: Scene): void => void on.chat.open("c1", OPENING, { choices: ["Try again", "Not now"] });
const withOpening: SceneOptions = { before: opened };

/** An open panel with the opening in it. */
async function talking(tab: Scene): Promise<void> {
  await tab.page.bringToFront();
  await tab.click(".launcher");
  await tab.until((root) => root.querySelectorAll("ol .text").length > 0);
}

const unread = (root: ShadowRoot, label: string) => root.querySelector(".launcher")?.getAttribute("aria-label") === label;

play("two tabs have one socket, and each shows what is said in the other", withOpening, async (on) => {
  await talking(on);
  const tab = await on.another();
  await talking(tab);
  await tab.write("from the second");
  await tab.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  await on.page.bringToFront();
  await on.write("from the first");
  for (const index of [0, 1]) on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t", try: 1, index, text: `w${index} ` });
  await tab.page.bringToFront();
  await tab.until((root) => root.querySelector(".streaming")?.textContent === "w0 w1 ");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "w0 w1 done", turn_id: "t", try: 1 });
  for (const one of [on, tab]) {
    await one.until((root) => root.querySelectorAll("ol .text").length === 4 && !root.querySelector(".streaming, .mine.sent, .mine.waiting"));
    assert.deepEqual(await one.log(), [OPENING, "from the second", "from the first", "w0 w1 done"]);
  }
  assert.equal(on.chat.hellos.length, 1);
  await on.chat.holds(() => on.chat.sessions === 1, "one session");
  assert.deepEqual(tab.complaints, []);
});

play("the tab with the socket closes, and another one takes over without a gap", withOpening, async (on) => {
  await on.$(".bubble");
  const tab = await on.another();
  await talking(tab);
  on.chat.hook = (f) => f.type === "say";
  await tab.write("in between");
  await on.chat.got((f) => f.text === "in between");
  on.chat.hook = () => false;
  await on.page.close();
  await tab.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.deepEqual(await tab.log(), [OPENING, "in between"]);
  assert.deepEqual(on.chat.hellos.at(-1)?.resume, { c1: { seq: 1, id: "c1-e1" } });
  const said = on.chat.frames.filter((f) => f.text === "in between").map((f) => f.client_id);
  assert.deepEqual(said, [said[0], said[0]]);
  assert.deepEqual(tab.complaints, []);
});

play("a tab that sleeps with the socket is relieved of it", {
  before: async (on) => {
    opened(on);
    // As in the background of a phone: nothing it would say leaves it.
    await on.page.evaluateOnNewDocument(() => (BroadcastChannel.prototype.postMessage = () => {}));
  },
}, async (on) => {
  await on.$(".bubble");
  const tab = await on.another();
  await talking(tab);
  await tab.write("hello");
  await tab.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal(on.chat.hellos.length, 2);
  await on.chat.holds(() => on.chat.sessions === 1, "one session");
});

play("what was read in one tab is read in the others, and what was dismissed is gone", withOpening, async (on) => {
  await on.$(".bubble");
  const tab = await on.another();
  await tab.$(".bubble");
  await on.chat.got((f) => f.type === "seen", "seen");
  await tab.press("Dismiss");
  await tab.gone(".bubble");
  await on.gone(".bubble");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "And another thing." });
  await on.until(unread, "Open chat, 1 unread message");
  await tab.until(unread, "Open chat, 1 unread message");
  await tab.click(".launcher");
  await on.until(unread, "Open chat");
  await on.chat.got((f) => f.event === "beckon.dismissed", "dismissed");
  assert.equal(on.chat.count((f) => f.event === "beckon.dismissed"), 1);
});

play("logged out in one tab is logged out in all", { ...withOpening, tag: 'data-launcher="always"' }, async (on) => {
  await talking(on);
  const tab = await on.another();
  await talking(tab);
  on.chat.talks.clear();
  await tab.call("reset");
  for (const one of [on, tab]) {
    await one.page.bringToFront();
    await one.until((root) => !root.textContent?.includes("declined"));
  }
  await on.chat.got((f) => f.type === "hello" && f !== on.chat.hellos[0] && f.anonymous_id === undefined, "a hello of nobody");
  // One more hello, by whichever tab holds the socket then, and never the old name again.
  assert.ok(on.chat.hellos.slice(1).every((hello) => hello.anonymous_id !== on.chat.hellos[0]?.anonymous_id || hello.anonymous_id === undefined));
});

play("tabs of two customers do not hear each other", { ...withOpening, tag: 'data-token="ana"' }, async (on) => {
  await on.$(".bubble");
  on.shop.body = on.shop.body.replace("ana", "ben");
  const tab = await on.another();
  await on.chat.got((f) => f.type === "hello" && f.token === "ben", "the hello of Ben");
  assert.deepEqual(on.chat.hellos.map((hello) => hello.token), ["ana", "ben"]);
  await tab.page.close();
});

play("without Web Locks each tab has a socket of its own, and it works all the same", {
  before: async (on) => {
    opened(on);
    await on.page.evaluateOnNewDocument(() => Object.defineProperty(navigator, "locks", { value: undefined }));
  },
}, async (on) => {
  await talking(on);
  const tab = await on.another((page) => page.evaluateOnNewDocument(() => Object.defineProperty(navigator, "locks", { value: undefined })));
  await talking(tab);
  await tab.write("both hear");
  for (const one of [on, tab]) await one.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal(on.chat.hellos.length, 2);
});

play("what was written offline outlives its tab, and is sent once", withOpening, async (on) => {
  const first = await on.another();
  await talking(first);
  on.chat.refuse = () => [4503, "60"];
  on.chat.cut(4503, "60");
  await first.$(".strip");
  await first.write("do not lose me");
  await first.until((root) => root.querySelector(".mine .meta")?.textContent === "Kept until you are online");
  await first.written("do not lose me");
  await first.page.close();
  on.chat.refuse = () => null;
  await on.page.reload();
  await talking(on);
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.deepEqual(await on.log(), [OPENING, "do not lose me"]);
  assert.equal(on.chat.count((f) => f.type === "say"), 1);
});

play("the next page sends what a closed tab had kept", withOpening, async (on) => {
  const first = await on.another();
  await talking(first);
  on.chat.hook = (f) => f.type === "say";
  await first.write("do not lose me");
  const said = await on.chat.got((f) => f.type === "say");
  await first.written("do not lose me");
  on.chat.hook = () => false;
  on.chat.frames.length = 0;
  await first.page.close();
  await on.page.reload();
  const again = await on.chat.got((f) => f.type === "say", "say from the next page");
  assert.equal(again.client_id, said.client_id);
  const third = await on.another();
  await talking(third);
  await third.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal(on.chat.count((f) => f.type === "say"), 1);
});
