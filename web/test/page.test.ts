// The widget as a guest on other people's pages: strict policies, no storage, tokens, two tags, looks and access.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { violations } from "./axe";
import { closeBrowser, play, scene, type Scene, type SceneOptions } from "./browser";

after(closeBrowser);

const OPENING = "Your card was declined for order 1042. Shall I help?";
const opened = (on: Scene): void => void on.chat.open("c1", OPENING, { choices: ["Try again", "Not now"] });
const withOpening: SceneOptions = { before: opened };

/** A conversation with one of everything that the log can show. */
function everything(on: Scene): void {
  opened(on);
  const add = (entry: Record<string, unknown>) => on.chat.append("c1", entry);
  add({ by: "customer", kind: "message", text: "Try again", choice: "Try again" });
  add({ by: "system", kind: "call", call_id: "k0", name: "shop.list_cards", state: "done" });
  add({ by: "assistant", kind: "message", text: "Details: https://shop.example/orders/1042" });
  add({ by: "assistant", kind: "confirm", call_id: "k1", summary: "Charge card_1 for order 1042", args: { id: "1042", card: "card_1" } });
  add({ by: "system", kind: "call", call_id: "k2", name: "shop.retry_payment", state: "failed" });
  add({ by: "system", kind: "holder", holder: "operator", name: "Rui" });
  add({ by: "operator", kind: "message", text: "Hi Ana, Rui here. I can book it now.", choices: ["Please do", "Wait"] });
}

const strict = (chat: { origin: string; port: number }) => ({
  "content-security-policy":
    `default-src 'none'; img-src data:; style-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'; ` +
    `script-src ${chat.origin}; connect-src ws://127.0.0.1:${chat.port}`,
});

play("a page with the strictest policy shows it whole", { before: everything, headers: strict }, async (on) => {
  await on.click(".launcher");
  await on.until((root) => root.querySelectorAll("ol > li").length === 8);
  const panel = await on.$(".panel");
  const style = await panel.evaluate((element) => {
    const { position, display, inlineSize } = getComputedStyle(element);
    return { position, display, inlineSize };
  });
  assert.deepEqual(style, { position: "fixed", display: "flex", inlineSize: "392px" });
  await on.click("textarea");
  await on.page.keyboard.type("hello");
  await on.page.keyboard.press("Enter");
  await on.chat.got((f) => f.type === "say");
});

test("a policy that forbids the socket leaves the page as it is, and the console says what is missing", async () => {
  const listen = "const info = console.info; console.info = (text) => { window.told = text.includes('connect-src'); info(text) }";
  const on = await scene({ before: async (s) => (opened(s), void (await s.page.evaluateOnNewDocument(listen))), headers: (chat) => ({ "content-security-policy": `script-src ${chat.origin}; connect-src ${chat.origin}` }) });
  try {
    while (!on.complaints.some((text) => text.includes("violates the following Content"))) await new Promise((done) => on.page.once("console", done));
    await on.page.waitForFunction(() => (window as any).told);
    assert.equal(await on.has(".launcher"), false);
    assert.equal(on.chat.hellos.length, 0);
  } finally {
    await on.close();
  }
});

play("an accent given as any CSS colour is readable", { ...withOpening, tag: 'data-accent="gold"' }, async (on) => {
  await on.until((root) => {
    const launcher = root.querySelector(".launcher");
    const { backgroundColor, color } = launcher ? getComputedStyle(launcher) : { backgroundColor: "", color: "" };
    return backgroundColor === "rgb(255, 215, 0)" && color === "rgb(23, 33, 30)";
  });
});

play("without any storage it works all the same", { place: "none" }, async (on) => {
  await on.page.evaluate(() => {
    for (const kind of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, kind, {
        get() {
          throw new DOMException("denied", "SecurityError");
        },
      });
  });
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  opened(on);
  await on.press("Not now");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  on.chat.cut();
  await on.chat.got((f) => f.type === "hello" && f.anonymous_id === "anonymous-secret-of-this-browser", "hello with the remembered id");
});

play("data-storage=none leaves nothing behind", { ...withOpening, tag: 'data-storage="none"' }, async (on) => {
  await on.press("Not now");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal(await on.page.evaluate(() => localStorage.length + sessionStorage.length), 0);
});

play("the tag may stand in the head, before there is a body", { ...withOpening, place: "head" }, async (on) => {
  await on.$(".bubble");
  assert.equal(await on.page.evaluate(() => document.querySelector("beckon-widget")?.parentElement?.tagName), "BODY");
});

play("twice on a page it is there once", withOpening, async (on) => {
  await on.$(".bubble");
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  assert.equal(await on.page.evaluate(() => document.querySelectorAll("beckon-widget").length), 1);
  assert.equal(on.chat.hellos.length, 1);
});

const queued = (calls: string) => async (on: Scene) => {
  on.shop.head = `<script>window.Beckon = window.Beckon || function () { (Beckon.q = Beckon.q || []).push(arguments) };window.heard = [];${calls}</script>`;
  opened(on);
};

play(
  "calls made before it was loaded are kept",
  {
    before: queued(`Beckon('track', 'cart.viewed', { items: 2 }); Beckon('on', 'ready', function () { heard.push('ready') });
      Beckon('on', 'proactive:shown', function (d) { heard.push('shown ' + d.conversation_id) }); Beckon('boot', { token: 'ana', launcher: 'never' }); Beckon('open')`),
  },
  async (on) => {
    await on.$(".panel");
    await on.chat.got((f) => f.type === "hello", "hello");
    assert.equal(on.chat.hellos[0]?.token, "ana");
    assert.equal(on.chat.hellos[0]?.anonymous_id, undefined);
    const track = await on.chat.got((f) => f.type === "track");
    assert.deepEqual([track.event, track.properties], ["cart.viewed", { items: 2 }]);
    assert.equal(await on.has(".launcher"), false);
    await on.page.waitForFunction(() => (window as any).heard.length > 0);
    assert.deepEqual(await on.page.evaluate(() => (window as any).heard), ["ready"]);
  },
);

play("calls made as soon as it was loaded count as those before: the first connection is made with them", { place: "none", before: opened }, async (on) => {
  const there = await on.page.evaluate(async (src) => {
    const heard: string[] = [];
    const script = Object.assign(document.createElement("script"), { async: true, src });
    const answers = await new Promise((done) => {
      script.onload = () => {
        const beckon = (window as any).Beckon;
        const stop = beckon.on("ready", () => heard.push("never"));
        beckon.on("open", () => heard.push("open"));
        beckon.configure({ launcher: "never" });
        beckon("identify", "ana", {}, { token: "ana" });
        beckon.compose("Where is my order?");
        stop();
        done([beckon.explain(), beckon.nothing, typeof stop]);
      };
      document.body.append(script);
    });
    await (window as any).Beckon.ready();
    return { answers, heard };
  }, `${on.chat.origin}/widget.js`);
  assert.deepEqual(there, { answers: [null, null, "function"], heard: ["open"] });
  await on.until((root) => (root.querySelector("textarea") as HTMLTextAreaElement | null)?.value === "Where is my order?");
  assert.equal(await on.has(".launcher"), false);
  assert.deepEqual(on.chat.hellos.map((hello) => hello.token), ["ana"]);
  // The opening has come meanwhile; the words were for a conversation of their own.
  await on.click("textarea");
  await on.page.keyboard.press("Enter");
  assert.equal((await on.chat.got((f) => f.type === "say")).conversation_id, undefined);
});

play("opened by the page without a launcher, Escape gives the focus back to where it was", { ...withOpening, tag: 'data-launcher="never"' }, async (on) => {
  await on.$(".bubble");
  await on.page.focus("#buy");
  await on.page.evaluate(() => (window as any).Beckon("open"));
  await on.until((root) => root.activeElement?.tagName === "TEXTAREA");
  await on.page.keyboard.press("Escape");
  await on.gone(".panel");
  await on.page.waitForFunction(() => document.activeElement?.id === "buy");
});

play("a token that ran out is fetched anew where the page gave a function", {
  before: async (on) => {
    let made = 0;
    await on.page.exposeFunction("mint", () => `token-${++made}`);
    await queued(`Beckon('boot', { token: function () { return mint() } })`)(on);
    on.chat.refuse = (hello) => (hello.token === "token-1" ? [4401, "expired"] : null);
  },
}, async (on) => {
  await on.$(".bubble");
  assert.deepEqual(on.chat.hellos.map((hello) => hello.token), ["token-1", "token-2"]);
});

play("a token in the tag that ran out asks the page, which identifies anew", {
  tag: 'data-token="old"',
  before: async (on) => {
    on.shop.head = "<script>document.addEventListener('beckon:token-expired', function () { Beckon('identify', 'ana', {}, { token: 'new' }) })</script>";
    opened(on);
    on.chat.refuse = (hello) => (hello.token === "old" ? [4401, ""] : null);
  },
}, async (on) => {
  await on.$(".bubble");
  assert.deepEqual(on.chat.hellos.map((hello) => hello.token), ["old", "new"]);
});

play("a token that runs out in mid-conversation costs nothing that was written", { ...withOpening, tag: 'data-token="old"' }, async (on) => {
  await on.click(".launcher");
  on.chat.refuse = (hello) => (hello.token === "old" ? [4401, ""] : null);
  on.chat.cut(4401);
  await on.until((root) => root.querySelector(".strip")?.textContent?.startsWith("Your sign-in has expired"));
  await on.click("textarea");
  await on.page.keyboard.type("kept");
  await on.page.keyboard.press("Enter");
  // The same customer under a new token: here the server names customers after tokens.
  on.chat.refuse = () => null;
  await on.page.evaluate(() => (window as any).Beckon("identify", "old", {}, { token: () => "old" }));
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
});

play("what was not answered under one token is sent again under the next", { ...withOpening, tag: 'data-token="ana"' }, async (on) => {
  await on.click(".launcher");
  on.chat.hook = (f) => f.type === "say";
  await on.click("textarea");
  await on.page.keyboard.type("once");
  await on.page.keyboard.press("Enter");
  await on.chat.got((f) => f.type === "say");
  on.chat.hook = () => false;
  // The same customer: here the server names customers after tokens.
  await on.page.evaluate(() => (window as any).Beckon("identify", "ana", {}, { token: () => "ana" }));
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  assert.equal(new Set(on.chat.frames.filter((f) => f.type === "say").map((f) => f.client_id)).size, 1);
});

play("another customer sees and sends nothing of the one before", { ...withOpening, tag: 'data-token="ana"' }, async (on) => {
  await on.click(".launcher");
  on.chat.hook = (f) => f.type === "say";
  await on.click("textarea");
  await on.page.keyboard.type("my secret");
  await on.page.keyboard.press("Enter");
  await on.chat.got((f) => f.type === "say");
  on.chat.hook = () => false;
  on.chat.talks.clear();
  await on.page.evaluate(() => (window as any).Beckon("identify", "ben", {}, { token: "ben" }));
  await on.until((root) => !root.textContent?.includes("my secret") && !root.textContent?.includes("declined"));
  on.chat.open("c9", "Hello Ben.");
  await on.until((root) => root.querySelectorAll("ol .text").length === 1);
  assert.equal(on.chat.count((f) => f.type === "say"), 1);
  assert.deepEqual(on.chat.hellos.at(-1)?.resume, { c1: { seq: 1, id: "c1-e1" } });
});

play("shutdown takes all away, boot brings it back, reset forgets who it was", withOpening, async (on) => {
  await on.$(".bubble");
  await on.page.evaluate(() => (window as any).Beckon("shutdown"));
  assert.equal(await on.page.evaluate(() => document.querySelector("beckon-widget")), null);
  await on.page.evaluate(() => (window as any).Beckon("boot"));
  await on.$(".bubble");
  on.chat.talks.clear();
  await on.page.evaluate(() => (window as any).Beckon("reset"));
  await on.gone(".bubble");
  await on.page.waitForFunction(() => !document.querySelector("beckon-widget")?.shadowRoot?.querySelector(".launcher"));
  await on.chat.holds(() => on.chat.hellos.length === 3, "the hello of nobody");
  assert.deepEqual(on.chat.hellos.map((hello) => hello.anonymous_id), [undefined, "anonymous-secret-of-this-browser", undefined]);
});

for (const code of [4501, 4504, 4509]) {
  test(`after ${code} it does not come back, and says so`, async () => {
    const on = await scene(withOpening);
    try {
      await on.click(".launcher");
      on.chat.cut(code);
      await on.until((root) => root.querySelector(".strip")?.textContent === "The chat is not available at the moment");
      await on.page.evaluate(() => dispatchEvent(new Event("online")));
      await on.page.evaluate(() => new Promise((done) => setTimeout(done, 900)));
      assert.equal(on.chat.hellos.length, 1);
      assert.match(on.complaints.join(), /does not come back by itself/);
    } finally {
      await on.close();
    }
  });
}

play("in 320 pixels it is a sheet, with targets of 44", { before: everything, width: 320, height: 640 }, async (on) => {
  await on.click(".launcher");
  const panel = await on.$(".panel");
  await panel.evaluate((element) => Promise.all(element.getAnimations().map(({ finished }) => finished)));
  const box = await panel.evaluate((element) => element.getBoundingClientRect().toJSON());
  assert.deepEqual([box.x, box.y, box.width, box.height], [0, 0, 320, 640]);
  const small = await on.page.evaluate(() =>
    [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll("button, textarea") ?? [])]
      .filter((element) => element.getClientRects().length && (element.getBoundingClientRect().height < 44 || element.getBoundingClientRect().width < 44))
      .map((element) => element.className || element.tagName),
  );
  assert.deepEqual(small, []);
  assert.equal(await on.page.evaluate(() => document.documentElement.scrollWidth), 320);
  assert.deepEqual(await violations(on), []);
});

play("with reduced motion nothing moves", withOpening, async (on) => {
  await on.page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
  await on.click(".launcher");
  on.chat.send({ type: "typing", conversation_id: "c1", by: "assistant" });
  await on.$(".dots");
  const moving = () => on.page.evaluate(() => (document.querySelector("beckon-widget")?.shadowRoot as any).getAnimations({ subtree: true }).length);
  assert.equal(await moving(), 0);
});

play("a finished message is read out once, while its words stream silently", withOpening, async (on) => {
  await on.click(".launcher");
  await on.page.evaluate(() => {
    const root = document.querySelector("beckon-widget")?.shadowRoot;
    const heard: string[] = ((window as any).heard = []);
    const status = root?.querySelector("[role=status]");
    new MutationObserver(() => heard.push(status?.textContent ?? "")).observe(status as Node, { childList: true, characterData: true, subtree: true });
  });
  for (const [index, text] of ["It ", "is ", "paid."].entries())
    on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t", try: 1, index, text });
  await on.$(".streaming");
  on.chat.append("c1", { by: "assistant", kind: "message", text: "It is paid.", turn_id: "t", try: 1 });
  await on.page.waitForFunction(() => (window as any).heard.at(-1)?.includes("It is paid."));
  on.chat.cut();
  await on.chat.got((f) => f.type === "hello" && f.resume.c1?.seq === 2, "hello again");
  await on.until((root) => root.querySelectorAll("ol .text").length === 2);
  const heard: string[] = await on.page.evaluate(() => (window as any).heard);
  assert.deepEqual(heard.filter((line) => line.includes("paid")), ["AI assistant: It is paid."]);
  const log = await on.$("[role=log]");
  assert.equal(await log.evaluate((element) => element.getAttribute("aria-live")), "off");
});

play("who comes is read out, also where no panel was open and nothing of one is loaded", {
  before: (on) => {
    opened(on);
    on.chat.append("c1", { by: "customer", kind: "message", text: "A person, please" });
  },
}, async (on) => {
  await on.$(".launcher");
  assert.equal(on.chat.parts.includes("widget/later.js"), false);
  on.chat.append("c1", { by: "system", kind: "holder", holder: "operator", name: "Rui" });
  await on.until((root) => root.querySelector("[role=status]")?.textContent === "Rui joined, a person");
  assert.equal(await on.has(".panel, .bubble"), false);
});
