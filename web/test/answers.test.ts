// What the customer can do about an answer: see what it waits for, stop it, say whether it helped. And its language.

import assert from "node:assert/strict";
import { after } from "node:test";
import { violations } from "./axe";
import { closeBrowser, play, type Scene } from "./browser";

after(closeBrowser);

const withTalk = { before: (on: Scene) => void on.chat.open("c1", "Shall I help?", { state: "open" }) };
const answer = (on: Scene, text: string, turn: string) => on.chat.append("c1", { by: "assistant", kind: "message", text, turn_id: turn, try: 1 });

play("what the assistant waits for is named, and after a while it can be stopped by keyboard", withTalk, async (on) => {
  await on.click(".launcher");
  await on.write("Where is my order?");
  await on.$("li[class=mine]");
  const looking = () => on.chat.send({ type: "typing", conversation_id: "c1", by: "assistant", call: "shop.get_order" });
  looking();
  // Not before it takes long: both are read in one moment.
  await on.until((root) => root.querySelector(".dots")?.textContent?.includes("Looking it up: get order") && !root.querySelector(".stop"));
  const stopping = await on.$(".stop .btn");
  // It goes on, and says so: what is said once is forgotten after 20 seconds.
  looking();
  const box = await stopping.boundingBox();
  assert.ok(box && box.height < 60 && box.width > box.height, "a button below the log");
  assert.deepEqual(await violations(on), []);
  await on.page.focus("beckon-widget >>> textarea");
  await on.page.keyboard.down("Shift");
  await on.page.keyboard.press("Tab");
  await on.page.keyboard.up("Shift");
  await on.focusOn(".stop .btn");
  await on.page.keyboard.press("Enter");
  const stop = await on.chat.got((f) => f.type === "stop", "stop");
  assert.equal(stop.conversation_id, "c1");
  assert.match(stop.client_id, /^[\w-]{22,64}$/);
  on.chat.send({ type: "dropped", conversation_id: "c1", turn_id: "t1" });
  await on.until((root) => !root.querySelector(".stop, .dots"));
});

play("words that come for long can be stopped, an operator's cannot", withTalk, async (on) => {
  await on.click(".launcher");
  on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t1", try: 1, index: 0, text: "Let me tell you " });
  await on.press("Stop");
  await on.chat.got((f) => f.type === "stop", "stop");
  on.chat.append("c1", { by: "operator", kind: "holder", holder: "operator", name: "Rui" });
  on.chat.send({ type: "dropped", conversation_id: "c1", turn_id: "t1" });
  await on.gone(".stop");
  on.chat.send({ type: "typing", conversation_id: "c1", by: "operator" });
  await on.until((root) => root.querySelector(".dots") && !root.querySelector(".stop"));
});

play("whether an answer helped is asked below the latest, said once, may be changed, and is not asked again", withTalk, async (on) => {
  await on.click(".launcher");
  await on.$(".theirs");
  assert.equal(await on.has(".helped"), false, "an opening is no answer");
  await on.write("Where is my order?");
  await on.chat.got((f) => f.type === "say", "say");
  answer(on, "Let me look.", "t1");
  answer(on, "It comes tomorrow.", "t1");
  // The question moves to the latest answer once that is shown.
  await on.until((root) => root.querySelector(".log")?.textContent?.includes("tomorrow") && root.querySelectorAll(".helped").length === 1);
  assert.deepEqual(await violations(on), []);
  await on.press("No, this did not help");
  const no = await on.chat.got((f) => f.type === "helped", "helped");
  assert.deepEqual({ ...no, client_id: "" }, { type: "helped", client_id: "", conversation_id: "c1", seq: 4, helped: false });
  await on.until((root) => root.querySelector('.helped [aria-pressed="true"]')?.getAttribute("aria-label") === "No, this did not help");
  await on.press("No, this did not help");
  await on.press("Yes, this helped");
  await on.chat.got((f) => f.type === "helped" && f.helped, "a change of mind");
  assert.equal(on.chat.count((f) => f.type === "helped"), 2, "the same again says nothing new");
  answer(on, "Anything else?", "t2");
  await on.until((root) => root.querySelectorAll(".helped").length === 2);
  await on.page.reload();
  await on.click(".launcher");
  await on.until((root) => root.querySelector('.helped [aria-pressed="true"]')?.getAttribute("aria-label") === "Yes, this helped");
});

play("what was said of an answer in one tab is known in the next, and forgotten on logout", withTalk, async (on) => {
  const other = await on.another();
  for (const tab of [on, other]) await tab.call("open");
  answer(on, "It comes tomorrow.", "t1");
  await other.until((root) => root.querySelector(".helped") !== null);
  await on.page.bringToFront();
  await on.press("Yes, this helped");
  await other.until((root) => root.querySelector('.helped [aria-pressed="true"]') !== null);
  assert.deepEqual(other.complaints, []);
  await other.close();
  await on.page.waitForFunction(() => JSON.stringify(localStorage).includes("c1#2=y"));
  await on.call("reset");
  await on.page.waitForFunction(() => !JSON.stringify(localStorage).includes("c1#2=y"));
});

play("words carry their own language, and those around them that of the page", {}, async (on) => {
  on.chat.open("c1", "Votre carte a été refusée.", { choices: ["Réessayer"], locale: "fr-CA" });
  await on.$(".bubble");
  const language = (selector: string) => on.until((root, s) => root.querySelector(s)?.getAttribute("lang") === "fr-CA", selector);
  await language(".bubble .text");
  await language(".bubble .choices .btn");
  await on.click(".launcher");
  await language(".log .text");
  await language(".log .choices .btn");
  assert.equal(await on.page.evaluate(() => document.querySelector("beckon-widget")?.shadowRoot?.querySelector(".who")?.closest("[lang]")?.getAttribute("lang")), "en");
  assert.deepEqual(await violations(on), []);
});

play("the server is told the browser's time zone", { before: (on) => on.page.emulateTimezone("Asia/Kolkata") }, async (on) => {
  const hello = await on.chat.got((f) => f.type === "hello", "hello");
  // Engines differ in which of its two names they give.
  assert.match(hello.timezone, /^Asia\/(Kolkata|Calcutta)$/);
});
