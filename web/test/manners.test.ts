// How the widget behaves as a guest: when it speaks up, what it gives way to, and what a page can ask of it.

import assert from "node:assert/strict";
import { after } from "node:test";
import { closeBrowser, play, type Scene, type SceneOptions } from "./browser";

after(closeBrowser);

const OPENING = "Your card was declined for order 1042. Shall I help?";
const opened = (on: Scene): void => void on.chat.open("c1", OPENING, { choices: ["Try again", "Not now"] });
const withOpening: SceneOptions = { before: opened };

/** A field of the page in the corner where a bubble comes up. */
const corner = '<input id="coupon" style="position:fixed;right:60px;bottom:120px;width:120px">';

play("a bubble without choices asks yes or not now, and not now is an event that the engine hears", {}, async (on) => {
  await on.chat.got((f) => f.type === "hello");
  on.chat.open("c1", "Your order is late. Want to see your options?");
  await on.$(".bubble");
  assert.deepEqual(await on.page.evaluate(() => [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll(".bubble .btn") ?? [])].map((b) => b.textContent)), ["Yes, show me", "Not now"]);
  await on.page.evaluate(() => document.addEventListener("beckon:proactive-dismissed", (e) => ((window as any).dismissed = (e as CustomEvent).detail)));
  await on.press("Not now");
  await on.gone(".bubble");
  const { event, properties, client_id } = await on.chat.got((f) => f.type === "track");
  assert.deepEqual([event, properties], ["beckon.dismissed", { conversation_id: "c1", playbook: "checkout-trouble" }]);
  assert.match(client_id, /^[\w-]{22,64}$/);
  assert.deepEqual(await on.page.evaluate(() => (window as any).dismissed), { conversation_id: "c1", playbook: "checkout-trouble" });
  await on.page.reload();
  await on.$(".launcher");
  await on.chat.holds(() => on.chat.hellos.length === 2, "the next page's hello");
  await on.until((root) => root.querySelector(".launcher"));
  assert.equal(await on.has(".panel"), false);
});

play("yes opens the panel at that conversation", {}, async (on) => {
  await on.chat.got((f) => f.type === "hello");
  on.chat.open("c1", "Your order is late. Want to see your options?");
  await on.press("Yes, show me");
  await on.until((root) => root.querySelector(".panel ol .text"));
  assert.deepEqual(await on.log(), ["Your order is late. Want to see your options?"]);
});

play("one bubble in a view of the page, another after the next", withOpening, async (on) => {
  await on.chat.got((f) => f.type === "seen", "seen");
  await on.press("Dismiss");
  await on.gone(".bubble");
  on.chat.open("c2", "And another thing.");
  await on.until((root) => root.querySelector(".launcher")?.getAttribute("aria-label") === "Open chat, 1 unread message");
  assert.equal(await on.has(".bubble"), false);
  await on.call("page", "Checkout", { step: 2 });
  assert.match(await on.text(".bubble"), /And another thing/);
  const { properties } = await on.chat.got((f) => f.event === "segment.page");
  assert.deepEqual([properties.name, properties.step, properties.path, properties.title], ["Checkout", 2, "/", properties.title]);
  on.chat.open("c3", "A third.");
  await on.until((root) => root.querySelector(".badge")?.textContent === "1");
  assert.match(await on.text(".bubble"), /And another thing/);
});

play("it waits while somebody fills in a field where it would lie", { before: (on) => void (on.shop.head = ""), place: "none" }, async (on) => {
  await on.page.evaluate((html) => document.body.insertAdjacentHTML("beforeend", html), corner);
  await on.page.focus("#coupon");
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  await on.chat.got((f) => f.type === "hello");
  await on.page.waitForFunction(() => document.querySelector("beckon-widget"));
  await on.page.evaluate(() => document.addEventListener("beckon:proactive-shown", () => ((window as any).shown = true)));
  opened(on);
  await on.until((root) => root.querySelector(".badge"));
  await on.page.keyboard.type("SALE");
  assert.equal(await on.has(".bubble"), false);
  assert.equal(await on.page.evaluate(() => (window as any).shown), undefined);
  await on.page.focus("#search");
  await on.$(".bubble");
  assert.equal(await on.focused(), "search");
});

play("an open chat moves aside for what has the focus behind it", withOpening, async (on) => {
  await on.page.evaluate((html) => document.body.insertAdjacentHTML("beforeend", html), corner);
  await on.click(".launcher");
  await on.$(".panel .why");
  await on.page.focus("#coupon");
  await on.until((root) => {
    const panel = root.querySelector(".panel")?.getBoundingClientRect();
    const field = document.querySelector("#coupon")?.getBoundingClientRect();
    return panel && field && panel.right < field.left;
  });
  assert.equal(await on.focused(), "coupon");
});

play("a sheet goes away when the focus leaves it, and does not take it back", { ...withOpening, width: 320, height: 640 }, async (on) => {
  await on.click(".launcher");
  await on.$(".panel .why");
  await on.page.focus("#buy");
  await on.gone(".panel");
  assert.equal(await on.focused(), "buy");
});

play("it keeps to itself while it is hidden, and what is unread stands before the title", withOpening, async (on) => {
  await on.chat.got((f) => f.type === "seen", "seen");
  await on.press("Dismiss");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "One." });
  await on.page.waitForFunction(() => document.title === "(1) Shop");
  // The page changes its own title meanwhile.
  await on.page.evaluate(() => (document.title = "Basket"));
  on.chat.append("c1", { by: "assistant", kind: "message", text: "Two." });
  await on.page.waitForFunction(() => document.title === "(2) Basket");
  await on.click(".launcher");
  await on.page.waitForFunction(() => document.title === "Basket");
  await on.call("hide");
  await on.gone(".launcher");
  await on.call("show");
  await on.$(".launcher");
});

play("the page's icon gets a dot where the page asks for one", { tag: 'data-favicon="dot"', before: (on) => void opened(on) }, async (on) => {
  await on.press("Dismiss");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "One." });
  const icon = () => (document.querySelector('link[rel~="icon"]') as HTMLLinkElement).href;
  await on.page.waitForFunction(() => (document.querySelector('link[rel~="icon"]') as HTMLLinkElement).href.startsWith("data:image/png"));
  await on.click(".launcher");
  await on.page.waitForFunction(() => (document.querySelector('link[rel~="icon"]') as HTMLLinkElement).href === "data:,");
  assert.equal(await on.page.evaluate(icon), "data:,");
});

play("typing is told at most every three seconds, and an operator's is shown until the words come", withOpening, async (on) => {
  await on.click(".launcher");
  await on.click("textarea");
  const began = Date.now();
  await on.page.keyboard.type("a rather long sentence");
  await on.chat.got((f) => f.type === "typing");
  await on.page.keyboard.press("Enter");
  await on.chat.got((f) => f.type === "say");
  assert.ok(on.chat.count((f) => f.type === "typing") <= 1 + (Date.now() - began) / 3_000);
  on.chat.append("c1", { by: "system", kind: "holder", holder: "operator", name: "Rui" });
  await on.until((root) => root.querySelector("h2")?.textContent === "Rui, a person");
  on.chat.send({ type: "typing", conversation_id: "c1", by: "operator" });
  await on.until((root) => root.querySelector(".dots .hush")?.textContent === "Rui is writing");
  on.chat.append("c1", { by: "operator", kind: "message", text: "Hello.", name: "Rui" });
  await on.gone(".dots");
});

play("an operator who stopped typing is not shown typing for long", {
  before: async (on) => {
    opened(on);
    // Six seconds take a tenth of it here.
    await on.page.evaluateOnNewDocument("{ const real = setTimeout, now = Date.now, start = now(); Date.now = () => start + (now() - start) * 10; window.setTimeout = (f, ms, ...more) => real(f, ms >= 5000 && ms < 7000 ? ms / 10 : ms, ...more) }");
  },
}, async (on) => {
  await on.click(".launcher");
  await on.$(".panel .why");
  // They may be gone before a look from outside finds them.
  await on.page.evaluate(() => {
    const root = document.querySelector("beckon-widget")?.shadowRoot as ShadowRoot;
    new MutationObserver(() => root.querySelector(".dots") && ((window as any).written = true)).observe(root, { childList: true, subtree: true });
  });
  on.chat.send({ type: "typing", conversation_id: "c1", by: "operator" });
  await on.until((root) => (window as any).written && !root.querySelector(".dots"));
});

play("words that a cut stopped stay, and say so", withOpening, async (on) => {
  await on.click(".launcher");
  on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t", try: 1, index: 0, text: "Half an ans" });
  await on.$(".streaming");
  on.chat.refuse = () => [4503, "60"];
  on.chat.cut(4503, "60");
  await on.until((root) => root.querySelector(".cut")?.textContent === "Half an ans" && root.querySelector(".cut + .meta")?.textContent?.startsWith("Interrupted"));
  on.chat.append("c1", { by: "assistant", kind: "message", text: "Half an answer is none.", turn_id: "t", try: 1 });
  on.chat.refuse = () => null;
  await on.click(".cut + .meta .link");
  await on.until((root) => !root.querySelector(".cut"));
  assert.deepEqual(await on.log(), [OPENING, "Half an answer is none."]);
});

play("who speaks is said in the header at all times, under the company's name", { ...withOpening, tag: 'data-company="Northwind"' }, async (on) => {
  await on.click(".launcher");
  const says = (text: string) => on.until((root, wanted) => root.querySelector(".title")?.textContent === wanted, text);
  await says("NorthwindAI assistant");
  on.chat.append("c1", { by: "system", kind: "holder", holder: "queue" });
  await says("NorthwindWaiting for a person");
  on.chat.append("c1", { by: "system", kind: "holder", holder: "operator", name: "Rui" });
  await says("NorthwindRui, a person");
  on.chat.append("c1", { by: "system", kind: "holder", holder: "assistant" });
  await says("NorthwindAI assistant");
  await on.until((root) => root.querySelector(".rule:last-child")?.textContent?.includes("The AI assistant is back"));
});

play("every event reaches listeners and the document", { before: opened, place: "none" }, async (on) => {
  const names = ["ready", "open", "close", "message:sent", "message:received", "unread", "handover", "csat", "proactive:shown", "proactive:dismissed", "connection", "error"];
  await on.page.evaluate((all) => {
    const heard = ((window as any).heard = { listener: [] as string[], document: [] as string[] });
    const page = window as any;
    page.Beckon = function () { (page.Beckon.q ??= []).push(arguments); };
    for (const name of all) {
      page.Beckon("on", name, () => heard.listener.push(name));
      document.addEventListener(`beckon:${name.replace(":", "-")}`, () => heard.document.push(name));
    }
  }, names);
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  await on.press("Dismiss");
  await on.call("open");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "Hello?" });
  await on.until((root) => root.querySelectorAll("ol .text").length === 2);
  await on.write("hi");
  await on.chat.got((f) => f.type === "say");
  on.chat.append("c1", { by: "system", kind: "holder", holder: "operator", name: "Rui" });
  on.chat.hook = (f, send) => f.type === "say" && (send({ type: "error", code: "full", message: "", client_id: f.client_id }), true);
  await on.write("refused");
  await on.$(".mine.failed");
  on.chat.append("c1", { by: "system", kind: "closed", outcome: { kind: "resolved" } });
  await on.click(".score:nth-child(5)");
  await on.press("Send");
  await on.$(".thanks");
  await on.call("close");
  await on.page.waitForFunction((all) => all.every((name) => (window as any).heard.document.includes(name)), {}, names);
  const heard = await on.page.evaluate(() => (window as any).heard);
  assert.deepEqual([...new Set(heard.listener)].sort(), [...names].sort());
  assert.deepEqual(heard.document, heard.listener);
});

play("a page composes, configures, waits until it is ready, and opens one conversation", { ...withOpening, tag: 'data-launcher="always"' }, async (on) => {
  on.chat.open("c2", "A second.");
  assert.equal(await on.page.evaluate(async () => (await (window as any).Beckon("ready"), document.querySelectorAll("beckon-widget").length)), 1);
  await on.call("configure", { theme: "dark", position: "start", zIndex: 42, company: "Northwind" });
  await on.until((root) => root.querySelector(".root.dark.start"));
  assert.equal(await (await on.$(".launcher")).evaluate((one) => getComputedStyle(one).zIndex), "42");
  await on.call("openConversation", "c1");
  await on.until((root, text) => root.querySelector("ol .text")?.textContent === text, OPENING);
  await on.call("compose", "I would like to");
  await on.until((root) => root.querySelector("textarea")?.value === "I would like to");
  assert.equal(on.chat.count((f) => f.type === "say"), 0);
  assert.deepEqual(await on.call("explain"), { conversation_id: "c1", playbook: "checkout-trouble", why: "Because your payment for this order failed." });
  await on.call("toggle");
  await on.gone(".panel");
});

play("the same token again costs no new connection", { ...withOpening, tag: 'data-token="ana"' }, async (on) => {
  await on.$(".bubble");
  await on.call("identify", "ana", {}, { token: "ana" });
  await on.call("boot", { token: "ana", theme: "dark" });
  await on.until((root) => root.querySelector(".root.dark"));
  assert.equal(on.chat.hellos.length, 1);
});

play("a copy that the page made of its body, as Turbo does, is thrown away", withOpening, async (on) => {
  await on.$(".bubble");
  await on.page.evaluate(() => {
    const copy = document.body.cloneNode(true) as HTMLElement;
    document.documentElement.replaceChild(copy, document.body);
  });
  await on.page.waitForFunction(() => document.querySelectorAll("beckon-widget").length === 1 && document.querySelector("beckon-widget")?.shadowRoot?.querySelector(".bubble"));
  // The tag of the copied body runs again, and finds that it is there.
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  assert.equal(await on.page.evaluate(() => document.querySelectorAll("beckon-widget").length), 1);
  assert.equal(on.chat.hellos.length, 1);
});

play("in a sandboxed frame without any storage it works", { place: "none" }, async (on) => {
  on.chat.open("c1", OPENING);
  await on.page.evaluate((src) => {
    const frame = Object.assign(document.createElement("iframe"), { srcdoc: `<!doctype html><html lang="en"><title>in</title><body><script src="${src}"></script>`, width: 500, height: 700 });
    frame.setAttribute("sandbox", "allow-scripts");
    document.body.append(frame);
  }, `${on.chat.origin}/widget.js`);
  const frame = await on.page.waitForFrame((one) => one.url() === "about:srcdoc");
  const launcher = await frame.waitForSelector("beckon-widget >>> .launcher");
  await launcher?.click();
  const field = await frame.waitForSelector("beckon-widget >>> textarea");
  await field?.type("from inside");
  await field?.press("Enter");
  await on.chat.got((f) => f.text === "from inside");
  await frame.waitForSelector("beckon-widget >>> li[class=mine]");
});

play("what it keeps is the page's own, so that blocked third-party cookies matter to nobody", withOpening, async (on) => {
  await on.click(".launcher");
  await on.write("hello");
  await on.$("li[class=mine]");
  const kept = await on.page.evaluate(async () => [Object.keys(localStorage).length > 0, document.cookie]);
  assert.deepEqual(kept, [true, ""]);
  assert.deepEqual(await on.page.cookies(on.chat.origin, on.shop.url), []);
});

play("its start moves nothing and, four times slower than here, holds nothing up", {
  place: "none",
  before: async (on) => {
    opened(on);
    await on.page.evaluateOnNewDocument(() => {
      (window as any).shift = 0;
      // The first formatter of a page is a long task by itself, on a slow machine.
      (window as any).formatters = [];
      for (const name of ["DateTimeFormat", "NumberFormat"]) {
        const made = (Intl as any)[name];
        (Intl as any)[name] = function (...given: unknown[]) {
          (window as any).formatters.push(name);
          return new made(...given);
        };
      }
      new PerformanceObserver((list) => list.getEntries().forEach((entry) => ((window as any).shift += (entry as any).value))).observe({ type: "layout-shift" });
    });
  },
}, async (on) => {
  const src = `${on.chat.origin}/widget.js`;
  const longest: number[] = [];
  // By the time of the processor: what else this machine does is no matter.
  for (let times = 0; times < 7; times++) {
    await on.page.goto(on.shop.url);
    const seen = on.chat.hellos.length;
    await on.page.tracing.start({ categories: ["toplevel", "devtools.timeline"] });
    await on.page.evaluate((url) => document.body.append(Object.assign(document.createElement("script"), { async: true, src: url })), src);
    await on.$(".bubble");
    await on.chat.holds(() => on.chat.hellos.length > seen, "the next hello");
    type Traced = { name: string; tdur?: number; pid: number; tid: number; args: { data?: { url?: string } } };
    const { traceEvents } = JSON.parse(new TextDecoder().decode(await on.page.tracing.stop())) as { traceEvents: Traced[] };
    const main = traceEvents.find((event) => event.name === "EvaluateScript" && event.args.data?.url === src);
    assert.ok(main, "the widget is in the trace");
    const tasks = traceEvents.filter((event) => event.pid === main.pid && event.tid === main.tid && event.name.includes("RunTask"));
    longest.push(Math.max(...tasks.map((event) => (event.tdur ?? 0) / 1000)));
  }
  const median = longest.toSorted((a, b) => a - b)[3] ?? 0;
  assert.ok(median * 4 < 50, `${longest.join(", ")} ms of processor time in the longest task`);
  assert.deepEqual(await on.page.evaluate(() => [(window as any).shift, (window as any).formatters]), [0, []]);
});
