// Pictures of every state of the widget, for people to look at: `npm run gallery [folder]`; with `--docs` small ones for the
// documents.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { closeBrowser, scene, type Scene } from "../test/browser";
import { LIMITS, drag, pdf, png, svg } from "../test/samples";

const forDocs = process.argv[2] === "--docs";
const folder = forDocs ? "../docs/pictures/all/widget" : (process.argv[2] ?? "gallery/.out");
mkdirSync(folder, { recursive: true });

const say: Record<string, { opening: string; choices: string[]; more: string; html: string; mine: string; person: string; broken: string; receipt: string; summary: string; why: string }> = {
  en: {
    opening: "Hi Ana, your card was declined for order A1042. Shall I help?",
    choices: ["Try again", "Use another card", "Not now"],
    more: "Two ways to fix it",
    html: "<p>Two ways to fix it, both <strong>free</strong>:</p><ol><li>a <em>replacement</em> from the Lisbon shop, tomorrow before 12</li><li>your money back, <code>€59.90</code></li></ol><p>See <a href=\"https://shop.example/orders/A1042\">your order</a>.</p>",
    mine: "Wednesday is too late, it is a present",
    person: "Hi Ana, Rui here. I can book the replacement now.",
    broken: "it came like this.png",
    receipt: "receipt A1042 of 3 November, as it was in the parcel.pdf",
    summary: "Send a replacement for order A1042",
    why: "Because your payment for this order failed.",
  },
  ar: {
    opening: "مرحبًا عمر، تعذّر الدفع لطلبك A1042. هل أساعدك؟",
    choices: ["إعادة المحاولة", "استخدام بطاقة أخرى", "ليس الآن"],
    more: "هناك حلّان",
    html: "<p>هناك حلّان، كلاهما <strong>مجاني</strong>:</p><ol><li>بديل من متجر لشبونة غدًا قبل الساعة 12</li><li>استرداد المبلغ <code>€59.90</code></li></ol>",
    mine: "الأربعاء متأخر جدًا، إنها هدية",
    person: "مرحبًا عمر، معك ليلى. يمكنني حجز البديل الآن.",
    broken: "هكذا وصلت.png",
    receipt: "إيصال A1042.pdf",
    summary: "إرسال بديل للطلب A1042",
    why: "لأن عملية الدفع لهذا الطلب فشلت.",
  },
};

const take = (on: Scene, name: string) =>
  forDocs
    ? on.page.screenshot({ path: join(folder, `${name}.webp`) as `${string}.webp`, type: "webp", quality: 75 })
    : on.page.screenshot({ path: join(folder, `${name}.png`) as `${string}.png` });

/** Answers the upload that waits. */
let answer = (_status: number): void => {};

type Step = [name: string, act: (on: Scene, words: (typeof say)[string]) => Promise<void>];

const idle = (on: Scene) =>
  on.page.evaluate(async () => {
    await new Promise((drawn) => setTimeout(drawn, 120));
    const root = document.querySelector("beckon-widget")?.shadowRoot;
    for (const animation of root?.getAnimations() ?? []) if (animation.effect?.getComputedTiming().iterations !== Infinity) animation.finish();
  });

const steps: Step[] = [
  ["1-bubble", async (on, w) => void (on.chat.open("c1", w.opening, { choices: w.choices, why: w.why }), await on.$(".bubble"))],
  ["2-open", async (on) => (await on.click(".launcher"), await on.click(".why .link"))],
  [
    "3-talk",
    async (on, w) => {
      const add = (entry: Record<string, unknown>) => on.chat.append("c1", entry);
      add({ by: "customer", kind: "message", text: w.choices[1], choice: w.choices[1] });
      add({ by: "system", kind: "call", call_id: "k0", name: "shop.get_order", state: "done" });
      add({ by: "assistant", kind: "message", text: w.more, html: w.html });
      add({ by: "customer", kind: "message", text: w.mine });
      add({ by: "system", kind: "call", call_id: "k2", name: "shop.find_courier", state: "failed" });
      add({ by: "assistant", kind: "confirm", call_id: "k1", summary: w.summary, args: { order: "A1042", address: "Rua Augusta 12" } });
      await on.$(".confirm");
    },
  ],
  ["4-streaming", async (on, w) => {
    on.chat.append("c1", { by: "customer", kind: "confirmed", call_id: "k1", approve: true });
    for (const [index, text] of w.person.split(" ").slice(0, 4).entries()) on.chat.send({ type: "delta", conversation_id: "c1", turn_id: "t", try: 1, index, text: `${text} ` });
    await on.$(".streaming");
  }],
  ["4b-lookup", async (on) => {
    on.chat.send({ type: "dropped", conversation_id: "c1", turn_id: "t" });
    on.chat.send({ type: "typing", conversation_id: "c1", by: "assistant", call: "shop.find_courier" });
    await on.$(".stop");
  }],
  ["4c-helped", async (on, w) => {
    on.chat.append("c1", { by: "assistant", kind: "message", text: w.more, turn_id: "t", try: 1 });
    await on.click(".helped .thumb");
  }],
  ["5-offline", async (on, w) => {
    on.chat.refuse = () => [4503, "60"];
    on.chat.cut(4503, "60");
    await on.$(".strip");
    await on.click("textarea");
    await on.page.keyboard.type(w.mine);
    await on.page.keyboard.press("Enter");
    await on.$(".mine.waiting");
  }],
  ["6-person", async (on, w) => {
    on.chat.refuse = () => null;
    await on.page.evaluate(() => dispatchEvent(new Event("online")));
    await on.gone(".strip");
    on.chat.append("c1", { by: "system", kind: "holder", holder: "operator", name: "Rui" });
    on.chat.append("c1", { by: "operator", kind: "message", text: w.person, name: "Rui" });
    on.chat.send({ type: "typing", conversation_id: "c1", by: "operator" });
    await on.$(".dots");
  }],
  ["7-failed", async (on, w) => {
    on.chat.hook = (f, send) => f.type === "say" && (send({ type: "error", code: "full", message: "", client_id: f.client_id }), true);
    await on.click("textarea");
    await on.page.keyboard.type(w.mine);
    await on.page.keyboard.press("Enter");
    await on.$(".mine.failed");
  }],
  ["8-menu", async (on) => {
    await on.click(".panel > header .icon");
    await on.click(".menu > button");
    await on.$(".sure");
  }],
  ["9-rating", async (on) => {
    await on.click(".sure .btn:last-child");
    on.chat.append("c1", { by: "system", kind: "closed", outcome: { kind: "resolved" } });
    await on.click(".score:nth-child(4)");
    await on.$(".comment");
  }],
  ["10-list", async (on, w) => {
    on.chat.open("c2", w.person, { choices: [] });
    await on.click(".panel > header .icon");
    await on.click(".menu > button");
    await on.$(".list li:nth-child(2)");
  }],
  ["11-files", async (on, w) => {
    // Files are off by default: from here on this server takes them.
    on.chat.limits = LIMITS;
    on.chat.hook = () => false;
    on.chat.cut();
    await on.click(".list li:first-child button");
    await on.pick({ [w.broken]: png(900, 600), [w.receipt]: pdf(), "logo.svg": svg });
    await on.until((root) => root.querySelectorAll(".tray li").length === 2 && root.querySelector(".alert")?.textContent);
  }],
  ["11b-drop", async (on) => (await drag(on, "dragover"), void (await on.$(".drop")))],
  ["11c-sending", async (on, w) => {
    await drag(on, "dragleave");
    on.chat.refusesFile = () => new Promise((answered) => (answer = answered));
    await on.write(w.mine);
    await on.until((root) => /100|١٠٠/.test(root.querySelector(".tray .meta")?.textContent ?? ""));
  }],
  ["11d-not-taken", async (on) => {
    answer(503);
    await on.$(".tray .link");
  }],
  ["11e-sent", async (on) => {
    on.chat.refusesFile = () => null;
    await on.click(".tray .link");
    await on.$("ol .file");
    await on.gone(".tray");
  }],
];

async function shoot(name: string, locale: string, theme: string, width: number, height: number, only?: string[]): Promise<void> {
  const on = await scene({ tag: `data-locale="${locale}" data-theme="${theme}" data-company="Northwind" data-launcher="always"`, width, height });
  await on.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
  if (theme === "dark") await on.page.addStyleTag({ content: "html{background:#0b0d0c;color:#ddd}" });
  const words = say[locale] ?? say.en;
  await on.$(".launcher");
  if (!only) {
    await on.click(".launcher");
    await idle(on);
    await take(on, `${name}-0-empty`);
    await on.page.keyboard.press("Escape");
    await on.gone(".panel");
  }
  for (const [step, act] of steps) {
    await act(on, words as NonNullable<typeof words>);
    await idle(on);
    if (!only || only.includes(step)) await take(on, `${name}-${step}`);
  }
  await on.close();
}

await shoot("light", "en", "light", 470, 720);
await shoot("dark", "en", "dark", 470, 720);
await shoot("rtl", "ar", "light", 470, 720);
await shoot("rtl-dark", "ar", "dark", 470, 720);
await shoot("phone", "en", "light", 320, 640, ["1-bubble", "2-open", "3-talk", "9-rating", "11-files", "11d-not-taken", "11e-sent"]);
await closeBrowser();
