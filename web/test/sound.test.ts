// A tone for what is unread: where the page asks for it, seldom, in one tab, and only where the browser lets it sound.

import assert from "node:assert/strict";
import { after } from "node:test";
import { closeBrowser, play, type Scene, type SceneOptions } from "./browser";

after(closeBrowser);

/** So long after a message nothing more can come of it: the tone waits less. */
const AFTER_MS = 1_500;

/** Notes that were begun, and in which state the audio was. */
const listening = `
  window.tones = [];
  const start = AudioScheduledSourceNode.prototype.start;
  AudioScheduledSourceNode.prototype.start = function (...when) { tones.push(this.context.state); return start.apply(this, when); };
  // The clock stands still, however slow the machine is, until the test sets it forward.
  window.ahead = 0;
  performance.now = () => 10_000 + ahead;
`;

/** A conversation that the customer has answered: no bubble shows what comes in it. */
const talked = (on: Scene): void => {
  on.chat.open("c1", "Your order is late.", { state: "open" });
  on.chat.append("c1", { by: "customer", kind: "message", text: "When does it come?" });
};

const sounding = (more: SceneOptions = {}): SceneOptions => ({
  tag: "data-sound",
  ...more,
  before: async (on) => {
    talked(on);
    await on.page.evaluateOnNewDocument(listening);
    await more.before?.(on);
  },
});

const tones = (on: Scene): Promise<string[]> => on.page.evaluate(() => (window as any).tones);
const still = (on: Scene): Promise<void> => on.page.evaluate((ms) => new Promise<void>((done) => setTimeout(done, ms)), AFTER_MS);
const heard = async (on: Scene, notes: number): Promise<void> => void (await on.page.waitForFunction((count) => (window as any).tones.length === count, { polling: 50 }, notes));
const answer = (on: Scene, text: string): void => void on.chat.append("c1", { by: "assistant", kind: "message", text });

/** The customer has read all, and touched the page: from then on browsers let it sound. */
async function read(on: Scene): Promise<void> {
  await on.click(".launcher");
  await on.chat.got((f) => f.type === "seen" && f.seq === 2, "seen");
  await on.click(".panel > header .icon:last-child");
  await on.gone(".panel");
}

play("a short tone tells of what is unread, and not again within seconds", sounding(), async (on) => {
  await read(on);
  answer(on, "Tomorrow.");
  await heard(on, 2);
  answer(on, "Before noon.");
  await still(on);
  assert.deepEqual(await tones(on), ["running", "running"]);
  await on.page.evaluate(() => ((window as any).ahead = 6_000));
  answer(on, "At your door.");
  await heard(on, 4);
});

play("it is off by default, and can be switched on and off by the page", { ...sounding(), tag: "" }, async (on) => {
  await read(on);
  answer(on, "Tomorrow.");
  await still(on);
  assert.deepEqual([await tones(on), on.chat.parts.includes("widget/sound.js")], [[], false]);
  await on.call("configure", { sound: true });
  answer(on, "Before noon.");
  await heard(on, 2);
  await on.call("configure", { sound: false });
  await on.page.evaluate(() => ((window as any).ahead = 6_000));
  answer(on, "At your door.");
  await still(on);
  assert.equal((await tones(on)).length, 2);
});

play("what the customer reads as it comes makes no sound, nor do the customer's own words", sounding(), async (on) => {
  await read(on);
  on.chat.append("c1", { by: "customer", kind: "message", text: "Said on my other device." });
  await still(on);
  await on.click(".launcher");
  await on.$(".panel");
  answer(on, "Tomorrow.");
  await on.chat.got((f) => f.type === "seen" && f.seq === 4, "seen");
  await still(on);
  assert.deepEqual(await tones(on), []);
});

play("before anybody has touched the page it keeps silent, also on the console", sounding(), async (on) => {
  const said: string[] = [];
  on.page.on("console", (message) => said.push(message.text()));
  const devtools = await on.page.createCDPSession();
  // What the tests ask for otherwise counts as a touch.
  const ask = async (expression: string): Promise<unknown> => (await devtools.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true })).result.value;
  await on.chat.got((f) => f.type === "hello");
  await ask("new Promise((done) => { const look = setInterval(() => document.querySelector('beckon-widget')?.shadowRoot.querySelector('.launcher') && (clearInterval(look), done()), 30) })");
  answer(on, "Tomorrow.");
  await ask(`new Promise((done) => setTimeout(done, ${AFTER_MS}))`);
  assert.equal(await ask("navigator.userActivation.hasBeenActive"), false);
  assert.deepEqual([await ask("tones.join()"), await ask("document.title"), said], ["", "(2) Shop", []]);
});

play("of several tabs one sounds, and none for what is read in another", sounding(), async (on) => {
  await read(on);
  const tab = await on.another((page) => page.evaluateOnNewDocument(listening));
  await tab.page.bringToFront();
  await tab.page.click("#buy");
  await tab.$(".launcher");
  answer(on, "Tomorrow.");
  await tab.until((root) => root.querySelector(".badge"));
  await heard(on, 2);
  await still(tab);
  assert.deepEqual(await tones(tab), []);
  await on.page.evaluate(() => ((window as any).ahead = 6_000));
  await tab.click(".launcher");
  await tab.$(".panel");
  await on.until((root) => !root.querySelector(".badge"));
  answer(on, "Before noon.");
  await tab.until((root) => [...root.querySelectorAll("ol .text")].at(-1)?.textContent === "Before noon.");
  await still(on);
  assert.deepEqual([(await tones(on)).length, (await tones(tab)).length], [2, 0]);
  assert.deepEqual(tab.complaints, []);
});

play("the strictest policy of a page lets it sound", sounding({
  headers: (chat) => ({ "content-security-policy": `default-src 'none'; img-src data:; style-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'; script-src ${chat.origin}; connect-src ws://127.0.0.1:${chat.port}` }),
}), async (on) => {
  await read(on);
  answer(on, "Tomorrow.");
  await heard(on, 2);
});
