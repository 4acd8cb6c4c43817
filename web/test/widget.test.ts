// The widget in a real browser, against the server's side of the protocol.

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

play("a proactive opening shows a bubble that takes no focus and opens no panel", {}, async (on) => {
  await on.page.focus("#search");
  await on.page.keyboard.type("sho");
  assert.equal(await on.has(".launcher"), false);
  await on.chat.got((f) => f.type === "hello");
  await on.until((root) => root.querySelector("[role=status]"));
  await on.page.evaluate(() => {
    const node = document.querySelector("beckon-widget")?.shadowRoot?.querySelector("[role=status]");
    const heard: string[] = ((window as any).heard = []);
    new MutationObserver(() => heard.push(node?.textContent ?? "")).observe(node as Node, { childList: true, characterData: true, subtree: true });
  });
  opened(on);
  await on.$(".bubble");
  await on.page.keyboard.type("es");
  assert.equal(await on.focused(), "search");
  assert.equal(await on.page.$eval("#search", (input) => (input as HTMLInputElement).value), "shoes");
  assert.equal(await on.has(".panel"), false);
  assert.match(await on.text(".bubble"), /declined for order 1042/);
  const seen = await on.chat.got((f) => f.type === "seen", "seen");
  assert.deepEqual(seen, { type: "seen", conversation_id: "c1", seq: 1 });
  await on.page.waitForFunction(() => (window as any).heard.some(Boolean));
  assert.deepEqual(await on.page.evaluate(() => (window as any).heard.filter(Boolean)), [`AI assistant: ${OPENING}`]);
  // Seen is not met: it stays until it is dealt with.
  assert.equal(await on.has(".bubble"), true);
});

play("the bubble is one Tab behind the launcher, says why, and can be dismissed", withOpening, async (on) => {
  await on.$(".bubble");
  await on.page.focus("#buy");
  await on.page.keyboard.press("Tab");
  assert.match(await on.focused(), /launcher/);
  await on.page.keyboard.press("Tab");
  assert.match(await on.focused(), /icon/);
  await on.press("Why am I seeing this?");
  assert.match(await on.text(".bubble .reason:not([hidden])"), /Because your payment for this order failed/);
  await on.press("Dismiss");
  await on.gone(".bubble");
  await on.until((root) => root.activeElement?.className === "launcher");
  assert.equal(on.chat.count((f) => f.type === "close"), 0);
  assert.deepEqual(await on.page.evaluate(() => (window as any).Beckon("explain")), {
    conversation_id: "c1",
    playbook: "checkout-trouble",
    why: "Because your payment for this order failed.",
  });
});

play("a bubble does not come up in a hidden page, and is not seen there", { place: "none" }, async (on) => {
  await on.page.evaluate(() => Object.defineProperty(document, "hidden", { value: true, configurable: true }));
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  opened(on);
  await on.until((root) => root.querySelector(".launcher")?.getAttribute("aria-label") === "Open chat, 1 unread message");
  const { properties } = await on.chat.got((f) => f.event === "beckon.held", "held");
  assert.deepEqual(properties, { conversation_id: "c1", playbook: "checkout-trouble", moment: "hidden" });
  assert.equal(await on.has(".bubble"), false);
  assert.equal(on.chat.count((f) => f.type === "seen"), 0);
  await on.page.evaluate(() => {
    Object.defineProperty(document, "hidden", { value: false, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await on.$(".bubble");
  await on.chat.got((f) => f.type === "seen", "seen");
  assert.equal(on.chat.count((f) => f.event === "beckon.held"), 1, "said once");
});

play("a bubble waits for who types, until they pause", { place: "none" }, async (on) => {
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  await on.chat.got((f) => f.type === "hello");
  // The clock of the page stands still, so that nobody pauses before the test says so.
  await on.page.evaluate(() => {
    const now = Date.now();
    Date.now = () => now + ((window as any).later ?? 0);
  });
  await on.page.focus("#search");
  await on.page.keyboard.type("shoes");
  opened(on);
  const { properties } = await on.chat.got((f) => f.event === "beckon.held", "held");
  assert.equal(properties.moment, "typing");
  assert.equal(await on.has(".bubble"), false);
  await on.page.evaluate(() => ((window as any).later = 3_100));
  await on.$(".bubble");
  assert.equal(await on.focused(), "search");
});

play("a bubble waits for who pays, half a minute and no longer", { place: "none" }, async (on) => {
  await on.page.evaluate(() => {
    document.querySelector("main")?.insertAdjacentHTML("beforeend", '<label>Card <input id="card" autocomplete="cc-number"></label>');
    // The clock of the page: half a minute is over when the test says so.
    const now = Date.now();
    Date.now = () => now + ((window as any).later ?? 0);
  });
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  await on.chat.got((f) => f.type === "hello");
  await on.page.focus("#card");
  opened(on);
  assert.equal((await on.chat.got((f) => f.event === "beckon.held", "held")).properties.moment, "card");
  await on.page.evaluate(() => ((window as any).later = 29_000));
  await on.page.evaluate(() => document.dispatchEvent(new Event("focusout")));
  await on.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(await on.has(".bubble"), false);
  await on.page.evaluate(() => ((window as any).later = 31_000));
  await on.$(".bubble");
  assert.equal(await on.focused(), "card");
});

play("a page can veto a bubble", { place: "none" }, async (on) => {
  await on.page.evaluate(() => document.addEventListener("beckon:before-proactive", (event) => event.preventDefault()));
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  opened(on);
  await on.until((root) => root.querySelector(".launcher")?.getAttribute("aria-label") === "Open chat, 1 unread message");
  assert.equal(await on.has(".bubble"), false);
});

play("a choice in the bubble is sent once and opens the panel with its answer", withOpening, async (on) => {
  await on.press("Use another card");
  await on.$(".panel");
  await on.until((root) => root.querySelectorAll(".mine").length === 1 && root.querySelector(".mine .meta")?.textContent?.startsWith("Sent"));
  const choose = await on.chat.got((f) => f.type === "choose");
  assert.equal(choose.choice, "Use another card");
  assert.match(choose.client_id, /^[\w-]{22,64}$/);
  assert.equal(on.chat.count((f) => f.type === "choose"), 1);
  assert.deepEqual(await on.log(), [OPENING, "Use another card"]);
  await on.until((root) => !root.querySelector(".log .btn"));
  await on.focusOn("textarea");
});

play("only the latest choices can be chosen, by value, and a stale one says so", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "Which card?", choices: [{ label: "Visa 4242", value: "card_1" }] });
  await on.until((root) => [...root.querySelectorAll(".log .btn")].map((b) => b.textContent).join() === "Visa 4242");
  on.chat.hook = (f, send) => f.type === "choose" && (send({ type: "error", code: "choice_gone", message: "", client_id: f.client_id, conversation_id: "c1" }), true);
  await on.press("Visa 4242");
  assert.equal((await on.chat.got((f) => f.type === "choose")).choice, "card_1");
  await on.until((root) => root.querySelector("[role=alert]")?.textContent === "That choice is no longer open.");
  assert.deepEqual(await on.log(), [OPENING, "Which card?"]);
});

play("a confirmation shows what would be done, and asks once", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.append("c1", { by: "assistant", kind: "confirm", call_id: "k1", summary: "Charge card_1 for order 1042", args: { id: "1042", card: "card_1" } });
  assert.match(await on.text(".confirm"), /Charge card_1 for order 1042.*id1042cardcard_1/);
  await on.press("Yes, do it");
  const confirm = await on.chat.got((f) => f.type === "confirm");
  assert.equal(confirm.approve, true);
  assert.equal(confirm.call_id, "k1");
  await on.until((root) => root.querySelector(".confirm .settled")?.textContent === "You said yes");
  on.chat.append("c1", { by: "system", kind: "call", call_id: "k1", name: "shop.retry_payment", state: "done" });
  assert.match(await on.text(".call"), /Done: retry payment/);
  on.chat.append("c1", { by: "assistant", kind: "confirm", call_id: "k2", summary: "Again", args: {} });
  await on.press("No");
  await on.until((root) => [...root.querySelectorAll(".settled")].at(-1)?.textContent === "You said no");
  on.chat.append("c1", { by: "assistant", kind: "confirm", call_id: "k3", summary: "Third", args: {} });
  await on.until((root) => root.querySelectorAll(".confirm .btn").length === 2);
  on.chat.append("c1", { by: "system", kind: "call", call_id: "k3", name: "shop.retry_payment", state: "refused" });
  await on.until((root) => [...root.querySelectorAll(".settled")].at(-1)?.textContent?.startsWith("No longer open"));
  assert.equal(on.chat.count((f) => f.type === "confirm"), 2);
});

play("Escape closes and gives the focus back to the launcher; Enter sends, Shift+Enter breaks", withOpening, async (on) => {
  await on.click(".launcher");
  await on.until((root) => root.activeElement?.tagName === "TEXTAREA");
  await on.page.keyboard.type("one");
  await on.page.keyboard.down("Shift");
  await on.page.keyboard.press("Enter");
  await on.page.keyboard.up("Shift");
  await on.page.keyboard.type("two");
  assert.equal(on.chat.count((f) => f.type === "say"), 0);
  await on.page.evaluate(() => {
    const field = document.querySelector("beckon-widget")?.shadowRoot?.querySelector("textarea");
    field?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true }));
  });
  assert.equal(on.chat.count((f) => f.type === "say"), 0);
  await on.page.keyboard.press("Escape");
  await on.gone(".panel");
  await on.until((root) => root.activeElement?.className === "launcher");
  await on.page.keyboard.press("Enter");
  await on.until((root) => root.activeElement instanceof HTMLTextAreaElement && root.activeElement.value === "one\ntwo");
  await on.page.keyboard.press("Enter");
  assert.equal((await on.chat.got((f) => f.type === "say")).text, "one\ntwo");
});

play("keys typed in the chat are not heard by the page", withOpening, async (on) => {
  await on.page.evaluate(() => document.addEventListener("keydown", () => ((window as any).heard = true)));
  await on.click(".launcher");
  await write(on, "j");
  await on.chat.got((f) => f.type === "say");
  assert.equal(await on.page.evaluate(() => (window as any).heard), undefined);
});

play("the customer ends it from the menu, and rates it where it was resolved", withOpening, async (on) => {
  await on.click(".launcher");
  await on.press("More");
  await on.press("End this conversation");
  await on.press("End it");
  await on.chat.got((f) => f.type === "close");
  await on.until((root) => root.querySelector(".rule.end") && !root.querySelector("textarea") && root.querySelector("h2")?.textContent === "Conversation ended");
  on.chat.open("c2", "Another thing.", { choices: [] });
  await on.press("More");
  await on.press("2 conversations");
  await on.press("Another thing.".concat(await on.text(".list li:first-child .meta")));
  on.chat.append("c2", { by: "system", kind: "closed", outcome: { kind: "resolved" } });
  // A group of radio buttons, as the keyboard knows them.
  await on.$(".after [type=radio]");
  await on.page.evaluate(() => (document.querySelector("beckon-widget")?.shadowRoot?.querySelector(".after [type=radio]") as HTMLElement).focus());
  assert.equal(await on.page.evaluate(() => document.querySelector("beckon-widget")?.shadowRoot?.activeElement?.getAttribute("aria-label")), "1, Not at all");
  for (let times = 0; times < 3; times++) await on.page.keyboard.press("ArrowRight");
  await on.$(".comment");
  await on.page.keyboard.press("Tab");
  await on.page.keyboard.type("Quick and kind");
  await on.page.keyboard.press("Tab");
  await on.page.keyboard.press("Enter");
  const rate = await on.chat.got((f) => f.type === "rate");
  assert.deepEqual([rate.score, rate.comment], [4, "Quick and kind"]);
  await on.until((root) => root.querySelector(".thanks")?.textContent === "Thank you");
  // Once, whatever page comes next: the conversation is asked for by its cursor.
  assert.equal(on.chat.count((f) => f.type === "rate"), 1);
  assert.equal(await on.has(".rating"), false);
});

play("who writes first starts a conversation", { tag: 'data-launcher="always"' }, async (on) => {
  await on.click(".launcher");
  await on.until((root) => root.querySelector("h2")?.textContent === "Write to us");
  await write(on, "Is it in stock?");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal((await on.chat.got((f) => f.type === "say")).conversation_id, undefined);
  await write(on, "In blue?");
  const second = await on.chat.got((f) => f.text === "In blue?");
  assert.equal(second.conversation_id, [...on.chat.talks.keys()][0]);
  assert.deepEqual(await on.log(), ["Is it in stock?", "In blue?"]);
});

play("a button that was used and is gone leaves the focus in the panel", withOpening, async (on) => {
  await on.click(".launcher");
  await on.focusOn("textarea");
  await on.$(".log .btn");
  await on.page.keyboard.down("Shift");
  await on.page.keyboard.press("Tab");
  await on.page.keyboard.up("Shift");
  assert.equal(await on.focused(), "widget:button.btn");
  await on.page.keyboard.press("Enter");
  await on.$("li[class=mine]");
  await on.focusOn("textarea");
});

play("a page that swaps its body keeps the chat", withOpening, async (on) => {
  await on.click(".launcher");
  await on.click("textarea");
  await on.page.keyboard.type("half a sent");
  await on.page.evaluate(() => document.documentElement.replaceChild(document.createElement("body"), document.body));
  await on.until((root) => root.querySelector("textarea")?.value === "half a sent");
  assert.equal(on.chat.hellos.length, 1);
});

play("where nobody answers who writes first, it is said", { tag: 'data-launcher="always"' }, async (on) => {
  on.chat.playbook = "";
  await on.click(".launcher");
  await write(on, "Hello?");
  await on.$(".mine.failed");
  await on.until((root) => root.querySelector("[role=alert]")?.textContent === "Nobody can be reached here at the moment.");
});

play("words of others stay words", withOpening, async (on) => {
  await on.click(".launcher");
  const evil = '<img src=x onerror=alert(1)><script>alert(1)</script> ![x](https://evil.example/x.png) javascript:alert(1) https://ok.example/a';
  on.chat.append("c1", { by: "assistant", kind: "message", text: evil });
  await on.until((root) => root.querySelectorAll("ol .text").length === 2);
  assert.deepEqual(await on.log(), [OPENING, evil]);
  assert.equal(await on.page.evaluate(() => document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll("img, script, style, iframe, [style]").length), 0);
});
