// What others wrote, formatted: made by the server, cleaned by the browser, and never more than words, lists and links.

import assert from "node:assert/strict";
import { after } from "node:test";
import { closeBrowser, play, type Scene, type SceneOptions } from "./browser";

after(closeBrowser);

const OPENING = "Your card was declined for order 1042. Shall I help?";
const opened = (on: Scene): void => void on.chat.open("c1", OPENING, { choices: ["Try again", "Not now"] });
const withOpening: SceneOptions = { before: opened };

const TEXT = "It is **paid**, see [your order](https://shop.example/1042).";
const HTML = '<p>It is <strong>paid</strong>, see <a href="https://shop.example/1042" target="_blank" rel="noopener noreferrer">your order</a>.</p><ol><li>one</li></ol>';
const EVIL =
  '<p onclick="alert(1)" style="position:fixed">a<img src="https://evil.example/x.png" onerror="alert(1)"><script>alert(1)</script><svg onload="alert(1)"></svg></p>' +
  '<iframe src="https://evil.example"></iframe><form action="https://evil.example"><input></form><a href="javascript:alert(1)">x</a> <a href="https://ok.example/a">ok</a><style>*{display:none}</style>';

const shown = (on: Scene) =>
  on.page.evaluate(() => (document.querySelector("beckon-widget")?.shadowRoot?.querySelector("ol .rich") as HTMLElement | null)?.innerHTML ?? "");

/** Everything that must not be in the log, whatever came. */
async function harmless(on: Scene): Promise<void> {
  const found = await on.page.evaluate(() => {
    const log = document.querySelector("beckon-widget")?.shadowRoot?.querySelector(".log > ol");
    const bad = [...(log?.querySelectorAll(".rich :is(img, script, svg, iframe, form, input, style), .rich [onclick], .rich [style]") ?? [])];
    const links = [...(log?.querySelectorAll("a[href]") ?? [])].map((a) => `${a.getAttribute("href")} ${a.getAttribute("rel")} ${a.getAttribute("target")}`);
    return { bad: bad.map((one) => one.outerHTML), links };
  });
  assert.deepEqual(found, { bad: [], links: ["https://ok.example/a noopener noreferrer _blank"] });
}

async function formatted(on: Scene): Promise<void> {
  await on.click(".launcher");
  on.chat.append("c1", { by: "assistant", kind: "message", text: TEXT, html: HTML });
  await on.until((root) => root.querySelector(".rich strong")?.textContent === "paid" && root.querySelector(".rich ol li")?.textContent === "one");
  assert.match(await shown(on), /<a href="https:\/\/shop\.example\/1042"[^>]*>your order<\/a>/);
}

async function evil(on: Scene): Promise<void> {
  await on.click(".launcher");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "words", html: EVIL });
  await on.until((root) => root.querySelector(".rich a[href]"));
  await harmless(on);
}

play("what the server formatted is shown so", withOpening, formatted);
play("what slips through the server is cleaned by the browser", withOpening, evil);

const strict: SceneOptions["headers"] = (chat) => ({
  "content-security-policy": `default-src 'none'; img-src data:; style-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'; script-src ${chat.origin}; connect-src ws://127.0.0.1:${chat.port}`,
});

play("under Trusted Types and without any style-src it is formatted all the same", { ...withOpening, headers: strict }, formatted);
play("under Trusted Types it is cleaned all the same", { ...withOpening, headers: strict }, async (on) => {
  await evil(on);
  // While it parses what never comes from our server, the browser reports what it did not do.
  assert.ok(on.complaints.splice(0).every((text) => /inline|CSP: (script|style)-src/.test(text)));
});

/** Safari, and browsers of yesterday. */
const without = (more: (on: Scene) => void = () => {}): SceneOptions => ({
  before: async (on) => {
    opened(on);
    more(on);
    await on.page.evaluateOnNewDocument(() => delete (Element.prototype as { setHTML?: unknown }).setHTML);
  },
});

play("a browser without setHTML loads a cleaner, once and only when it is needed", without(), async (on) => {
  await on.$(".bubble");
  assert.equal(on.chat.parts.includes("widget/purify.js"), false);
  await formatted(on);
  on.chat.append("c1", { by: "assistant", kind: "message", text: TEXT, html: HTML });
  await on.until((root) => root.querySelectorAll(".rich strong").length === 2);
  assert.equal(on.chat.parts.filter((part) => part === "widget/purify.js").length, 1);
});

play("the loaded cleaner cleans as well", without(), evil);

play("where the cleaner may not work, the words stand there as written", {
  ...without((on) => void on.page.evaluateOnNewDocument(() => document.addEventListener("securitypolicyviolation", () => ((window as any).denied = true)))),
  headers: strict,
}, async (on) => {
  await on.click(".launcher");
  on.chat.append("c1", { by: "assistant", kind: "message", text: TEXT, html: HTML });
  await on.until((root, text) => root.querySelector(".rich")?.textContent === text, TEXT);
  await on.page.waitForFunction(() => (window as any).denied);
  assert.equal(await on.has(".rich strong"), false);
  assert.ok(on.complaints.splice(0).every((text) => /trusted-types|TrustedTypePolicy/i.test(text)));
});

play("a policy that names ours lets the cleaner work", {
  ...without(),
  headers: (chat) => ({ "content-security-policy": `require-trusted-types-for 'script'; trusted-types beckon; script-src ${chat.origin}` }),
}, formatted);

play("an opening is formatted in its bubble, and read out without its signs", {}, async (on) => {
  await on.chat.got((f) => f.type === "hello");
  const talk = on.chat.open("c1", TEXT, { html: HTML });
  assert.equal(talk.log.length, 1);
  await on.until((root) => root.querySelector(".bubble .rich strong"));
  await on.until((root) => root.querySelector("[role=status]")?.textContent === "AI assistant: It is paid, see your order. one");
});

play("streamed words are plain until the message is there", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t", try: 1, index: 0, text: "It is **pa" });
  await on.until((root) => root.querySelector(".streaming")?.textContent === "It is **pa");
  on.chat.append("c1", { by: "assistant", kind: "message", text: TEXT, html: HTML, turn_id: "t", try: 1 });
  await on.until((root) => root.querySelector(".rich strong") && !root.querySelector(".streaming"));
});

play("what a customer writes stays as it was written", withOpening, async (on) => {
  await on.click(".launcher");
  await on.write("**not** <b>bold</b>");
  on.chat.append("c1", { by: "customer", kind: "message", text: "from elsewhere", html: "<b>no</b>" });
  await on.until((root) => root.querySelectorAll("li.mine").length === 2);
  assert.deepEqual(await on.log(), [OPENING, "**not** <b>bold</b>", "from elsewhere"]);
});

play("a message says its language and its direction", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "مرحبًا", locale: "ar" });
  await on.until((root) => root.querySelector('.text[lang="ar"][dir="auto"]')?.textContent === "مرحبًا");
  assert.equal(await (await on.$('.text[lang="ar"]')).evaluate((one) => getComputedStyle(one).direction), "rtl");
});

for (const [locale, open, direction] of [["de", "Chat öffnen", "ltr"], ["ar-EG", "فتح المحادثة", "rtl"], ["xx", "Open chat", "ltr"]] as const) {
  play(`it speaks ${locale}`, { ...withOpening, tag: `data-locale="${locale}"` }, async (on) => {
    const launcher = await on.$(".launcher");
    assert.ok((await launcher.evaluate((one) => one.getAttribute("aria-label")))?.startsWith(open));
    const root = await on.$(".root");
    assert.deepEqual(await root.evaluate((one) => [one.getAttribute("lang"), one.getAttribute("dir")]), [locale === "xx" ? "en" : locale.slice(0, 2), direction]);
    assert.equal(on.chat.parts.filter((part) => part.startsWith("widget/words-")).length, locale === "xx" ? 0 : 1);
  });
}

play("an empty field reads from the side of the panel; what is written, from its own", { ...withOpening, tag: 'data-locale="ar"' }, async (on) => {
  await on.click(".launcher");
  const field = await on.$("textarea");
  const direction = () => field.evaluate((one) => getComputedStyle(one).direction);
  assert.equal(await direction(), "rtl");
  await field.type("Hello");
  assert.equal(await direction(), "ltr");
  for (const _ of "Hello") await on.page.keyboard.press("Backspace");
  assert.equal(await direction(), "rtl", "it is empty again");
  await field.type("\u0645\u0631\u062d\u0628\u064b\u0627");
  assert.equal(await direction(), "rtl");
});

play("where the words of a language cannot be had, it speaks English", { ...withOpening, tag: 'data-locale="de"', before: (on) => ((on.chat.withholds = true), opened(on)) }, async (on) => {
  await on.$(".bubble");
  assert.match((await (await on.$(".launcher")).evaluate((one) => one.getAttribute("aria-label"))) ?? "", /^Open chat/);
  // The browser itself says that a module was not there.
  assert.ok(on.complaints.splice(0).every((text) => /404|CORS|Failed to load/.test(text)));
});
