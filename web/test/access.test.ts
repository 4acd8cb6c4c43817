// For whoever uses it, and however: what axe finds, a run by keyboard alone, forced colours, focus, targets.

import assert from "node:assert/strict";
import { after } from "node:test";
import { violations } from "./axe";
import { closeBrowser, play, type Scene } from "./browser";
import { LIMITS, drag, pdf, png, svg } from "./samples";

after(closeBrowser);

const OPENING = "Your card was declined for order 1042. Shall I help?";
const html = '<p>Two ways, both <strong>free</strong>:</p><ol><li>wait, <code>€0</code></li></ol><blockquote>quoted</blockquote><p><a href="https://shop.example">your order</a></p>';

const takesFiles = (on: Scene): void => void (on.chat.limits = LIMITS);

/** All that can be on show, one after the other. */
const states: [name: string, reach: (on: Scene) => Promise<void>][] = [
  ["bubble", async (on) => (await on.chat.got((f) => f.type === "hello"), on.chat.open("c1", OPENING, { choices: ["Try again", "Not now"] }), await on.$(".bubble .why"), await on.click(".bubble .why .link"))],
  ["open", async (on) => (await on.click(".launcher"), void (await on.$(".panel .why")))],
  [
    "talk",
    async (on) => {
      const add = (entry: Record<string, unknown>) => on.chat.append("c1", entry);
      add({ by: "customer", kind: "message", text: "Try again", choice: "Try again" });
      add({ by: "system", kind: "call", call_id: "k0", name: "shop.list_cards", state: "done" });
      add({ by: "assistant", kind: "message", text: "Two ways", html });
      add({ by: "system", kind: "call", call_id: "k2", name: "shop.retry_payment", state: "failed" });
      add({ by: "assistant", kind: "confirm", call_id: "k1", summary: "Charge card_1 for order 1042", args: { id: "1042", card: "card_1" } });
      await on.$(".confirm .btn");
    },
  ],
  [
    "files",
    async (on) => {
      await on.pick({ "broken.png": png(600, 300), "receipt-of-the-order-that-came-broken-and-late-in-autumn.pdf": pdf(), "logo.svg": svg });
      await on.until((root) => root.querySelectorAll(".tray li").length === 2 && root.querySelector(".alert")?.textContent);
    },
  ],
  ["files dragged over it", async (on) => (await drag(on, "dragover"), void (await on.$(".drop")))],
  [
    "files that were not taken",
    async (on) => {
      await drag(on, "dragleave");
      await on.gone(".drop");
      on.chat.refusesFile = () => 429;
      await on.click(".send");
      await on.$(".tray .link");
      on.complaints.splice(0);
    },
  ],
  ["files sent", async (on) => (on.chat.refusesFile = () => null, await on.click(".send"), await on.$("ol canvas"), await on.$("ol .file"), await on.gone(".tray"))],
  ["streaming", async (on) => (on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t", try: 1, index: 0, text: "Let me" }), void (await on.$(".streaming")))],
  [
    "offline",
    async (on) => {
      on.chat.refuse = () => [4503, "60"];
      on.chat.cut(4503, "60");
      await on.$(".strip");
      await on.write("kept");
      await on.$(".mine.waiting");
    },
  ],
  [
    "person",
    async (on) => {
      on.chat.refuse = () => null;
      await on.page.evaluate(() => dispatchEvent(new Event("online")));
      await on.gone(".strip");
      on.chat.append("c1", { by: "system", kind: "holder", holder: "operator", name: "Rui" });
      on.chat.append("c1", { by: "operator", kind: "message", text: "Rui here.", name: "Rui" });
      on.chat.send({ type: "typing", conversation_id: "c1", by: "operator" });
      await on.$(".dots");
    },
  ],
  [
    "failed",
    async (on) => {
      on.chat.hook = (f, send) => f.type === "say" && (send({ type: "error", code: "full", message: "", client_id: f.client_id }), true);
      await on.write("refused");
      await on.$(".mine.failed");
    },
  ],
  ["menu", async (on) => (await on.click('.panel [aria-controls="panel-menu"]'), await on.click(".menu > button"), void (await on.$(".sure")))],
  ["rating", async (on) => (await on.click(".sure .btn:last-child"), on.chat.append("c1", { by: "system", kind: "closed", outcome: { kind: "resolved" } }), await on.click(".score:nth-child(4)"), void (await on.$(".comment")))],
  ["ended", async (on) => (await on.click(".rating .btn"), void (await on.$(".thanks")))],
  ["new", async (on) => (await on.click(".after .btn"), void (await on.$("textarea")))],
  ["list", async (on) => (on.chat.open("c2", "A second thing."), await on.click('.panel [aria-controls="panel-menu"]'), await on.click(".menu > button:not([aria-expanded])"), void (await on.$(".list li:nth-child(2)")))],
];

for (const theme of ["light", "dark"]) {
  for (const locale of ["en", "ar"]) {
    play(`axe finds nothing in any state: ${theme}, ${locale}`, { tag: `data-theme="${theme}" data-locale="${locale}" data-launcher="always" data-company="Northwind"`, before: takesFiles }, async (on) => {
      for (const [name, reach] of states) {
        await reach(on);
        assert.deepEqual(await violations(on), [], name);
      }
    });
  }
}

play("axe finds nothing in a sheet of 320 pixels", { tag: 'data-launcher="always"', before: takesFiles, width: 320, height: 640 }, async (on) => {
  for (const [name, reach] of states) {
    await reach(on);
    assert.deepEqual(await violations(on), [], name);
    assert.equal(await on.page.evaluate(() => document.documentElement.scrollWidth), 320, name);
    const small = await on.page.evaluate(() =>
      [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll("button, textarea, .score") ?? [])]
        .filter((element) => element.getClientRects().length && (element.getBoundingClientRect().height < 44 || element.getBoundingClientRect().width < 40))
        .map((element) => element.className || element.tagName),
    );
    assert.deepEqual(small, [], name);
    // Nothing stands beside the sheet, where it is cut off.
    const beside = await on.page.evaluate(() =>
      [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll(".panel button, .panel textarea, .panel canvas") ?? [])]
        .filter((element) => element.getClientRects().length && (element.getBoundingClientRect().left < 0 || element.getBoundingClientRect().right > innerWidth))
        .map((element) => element.className || element.tagName),
    );
    assert.deepEqual(beside, [], name);
  }
});

for (const accent of ["#ffd400", "white", "#777", "black", "rebeccapurple"]) {
  play(`an accent of ${accent} can be read in both themes`, { tag: `data-accent="${accent}" data-launcher="always"` }, async (on) => {
    await states[0]?.[1](on);
    await on.until((root) => getComputedStyle(root.querySelector(".launcher") as Element).backgroundColor !== "rgb(200, 75, 19)");
    for (const theme of ["light", "dark"]) {
      await on.call("configure", { theme });
      await on.until((root, name) => root.querySelector(`.root.${name}`), theme);
      assert.deepEqual(await violations(on), [], theme);
      // 1.4.11: the shape of the launcher stands out from light and dark pages by its edge.
      const edge = await (await on.$(".launcher")).evaluate((one) => getComputedStyle(one).borderColor);
      assert.match(edge, /^rgb/);
    }
  });
}

play("by keyboard alone: from the bubble to a rating", {}, async (on) => {
  const { keyboard } = on.page;
  const inside = () =>
    on.page.evaluate(() => {
      const active = document.querySelector("beckon-widget")?.shadowRoot?.activeElement;
      return (active?.getAttribute("aria-label") ?? active?.textContent ?? "").trim();
    });
  /** Tabs on until what has the focus is called so; more than twenty stops are a trap. */
  const tabTo = async (label: string, back = false) => {
    for (let stop = 0; stop < 20; stop++) {
      if ((await inside()) === label) return;
      if (back) await keyboard.down("Shift");
      await keyboard.press("Tab");
      if (back) await keyboard.up("Shift");
    }
    assert.equal(await inside(), label);
  };
  await states[0]?.[1](on);
  await on.page.focus("#buy");
  await tabTo("Try again");
  await keyboard.press("Enter");
  await on.until((root) => root.activeElement?.tagName === "TEXTAREA");
  await on.until((root) => root.querySelectorAll("li[class=mine]").length === 1);
  on.chat.append("c1", { by: "assistant", kind: "confirm", call_id: "k1", summary: "Charge card_1", args: { card: "card_1" } });
  await on.$(".confirm");
  await tabTo("Yes, do it", true);
  // The log can be scrolled by keys on the way.
  await keyboard.press("Space");
  assert.equal((await on.chat.got((f) => f.type === "confirm")).approve, true);
  await on.until((root) => root.activeElement?.tagName === "TEXTAREA");
  await keyboard.type("thanks");
  await keyboard.press("Enter");
  await on.chat.got((f) => f.text === "thanks");
  await tabTo("More", true);
  await keyboard.press("Enter");
  await on.$(".menu");
  await tabTo("End this conversation");
  await keyboard.press("Enter");
  await on.$(".sure");
  await tabTo("Keep it");
  await keyboard.press("Escape");
  await on.gone(".menu");
  on.chat.append("c1", { by: "system", kind: "closed", outcome: { kind: "resolved" } });
  await on.$(".rating");
  await tabTo("1, Not at all");
  for (let times = 0; times < 4; times++) await keyboard.press("ArrowRight");
  await on.$(".comment");
  await tabTo("Send");
  await keyboard.press("Enter");
  assert.equal((await on.chat.got((f) => f.type === "rate")).score, 5);
  await keyboard.press("Escape");
  await on.gone(".panel");
  await on.until((root) => root.activeElement?.className === "launcher");
});

play("the panel holds nobody: Tab leads out of it, to the page", { tag: 'data-launcher="always"' }, async (on) => {
  await on.click(".launcher");
  const panel = await on.$(".panel");
  await on.focusOn("textarea");
  assert.deepEqual(await panel.evaluate((one) => [one.getAttribute("role"), one.getAttribute("aria-modal"), one.hasAttribute("aria-labelledby")]), ["dialog", "false", true]);
  for (let stop = 0; stop < 8 && (await on.focused()).startsWith("widget:"); stop++) await on.page.keyboard.press("Tab");
  assert.equal((await on.focused()).startsWith("widget:"), false);
});

play("in forced colours every control has an edge, and who speaks keeps a shape", {}, async (on) => {
  const devtools = await on.page.createCDPSession();
  await devtools.send("Emulation.setEmulatedMedia", { features: [{ name: "forced-colors", value: "active" }] });
  for (const [name, reach] of states.slice(0, 3)) {
    await reach(on);
    const bare = await on.page.evaluate(() =>
      [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll(".launcher, .btn, .bubble, .panel, textarea, .slip") ?? [])]
        .filter((one) => one.getClientRects().length && getComputedStyle(one).borderTopStyle === "none")
        .map((one) => one.className),
    );
    assert.deepEqual(bare, [], name);
  }
  assert.equal(await on.page.evaluate(() => matchMedia("(forced-colors: active)").matches), true);
});

play("no key is taken from the page, and no letter opens anything", {}, async (on) => {
  await states[0]?.[1](on);
  await on.page.focus("#buy");
  for (const key of ["c", "h", "?", "/"] as const) await on.page.keyboard.press(key);
  assert.equal(await on.has(".panel"), false);
});

play("the log is a labelled region with a list inside, silent, and one node speaks", { tag: 'data-launcher="always"' }, async (on) => {
  await on.click(".launcher");
  const log = await on.$("[role=log]");
  assert.deepEqual(await log.evaluate((one) => [one.localName, one.getAttribute("aria-live"), one.getAttribute("tabindex"), one.querySelector(":scope > ol") !== null]), ["div", "off", "0", true]);
  const live = await on.page.evaluate(() => document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll('[role=status], [role=alert], [aria-live]:not([aria-live="off"])').length);
  assert.equal(live, 2);
});
