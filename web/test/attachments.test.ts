// Files and pictures: picked, pasted or dropped, looked at before they go, sent with words, shown without anything of the page's.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { closeBrowser, PATIENCE, play, type Scene, type SceneOptions } from "./browser";
import { LIMITS, pdf, png, svg } from "./samples";

after(closeBrowser);

const HILL: [number, number, number] = [200, 30, 60];

const taking = (more: SceneOptions = {}): SceneOptions => ({
  tag: 'data-launcher="always"',
  ...more,
  before: async (on) => {
    on.chat.limits = LIMITS;
    on.chat.open("c1", "Your order is late.", { state: "open" });
    await more.before?.(on);
  },
});

async function opened(on: Scene): Promise<void> {
  await on.click(".launcher");
  await on.$('.composer [aria-label="Attach a file"]');
}

const rows = (on: Scene): Promise<string[]> =>
  on.page.evaluate(() => [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll(".tray li .line") ?? [])].map((line) => [...line.children].map(({ textContent }) => textContent).join("; ")));

const waits = (on: Scene, count: number): Promise<void> => on.until((root, many) => root.querySelectorAll(".tray li").length === many, count);
const warned = (on: Scene, text: string): Promise<void> => on.until((root, words) => root.querySelector(".alert")?.textContent?.replace(/[\u2068\u2069]/g, "") === words, text);
const attachButton = '.composer [aria-label="Attach a file"]';

/** Whether the hill is drawn: what the lower right of a canvas shows. */
const drawn = (on: Scene): Promise<void> =>
  on.until((root, hill) => {
    const canvas = root.querySelector("ol canvas") as HTMLCanvasElement | null;
    const seen = canvas?.getContext("2d")?.getImageData(canvas.width - 4, canvas.height - 4, 1, 1).data;
    return seen && hill.every((part: number, i: number) => Math.abs(part - (seen[i] ?? 0)) < 8);
  }, HILL);

/** Drops or pastes, with files and words. */
async function hand(on: Scene, type: "drop" | "paste" | "dragover", files: [name: string, bytes: Buffer][], words = ""): Promise<boolean> {
  const given = files.map(([name, bytes]) => [name, bytes.toString("base64")] as const);
  return await on.page.evaluate(
    (what, list, text) => {
      const data = new DataTransfer();
      for (const [name, base64] of list) data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
      if (text) data.setData("text/plain", text);
      const more = { bubbles: true, cancelable: true, composed: true };
      const event = what === "paste" ? new ClipboardEvent(what, { ...more, clipboardData: data }) : new DragEvent(what, { ...more, dataTransfer: data });
      document.querySelector("beckon-widget")?.shadowRoot?.querySelector(what === "paste" ? "textarea" : ".log")?.dispatchEvent(event);
      return event.defaultPrevented;
    },
    type,
    given,
    words,
  );
}

play("nothing of files is there, or loaded, where the server takes none", { tag: 'data-launcher="always"' }, async (on) => {
  on.chat.open("c1", "Your order is late.", { state: "open" });
  await on.click(".launcher");
  await on.$(".panel .why");
  assert.equal(await on.has("[type=file]"), false);
  assert.equal(await hand(on, "dragover", [["a.png", png(4, 4)]]), false);
  assert.equal(on.chat.parts.includes("widget/attach.js"), false);
});

play("a picture and a document are picked, seen, sent with words, and stand in the log", taking(), async (on) => {
  await opened(on);
  const size = await (await on.$(attachButton)).evaluate((button) => [button.getBoundingClientRect().width, button.getBoundingClientRect().height]);
  assert.deepEqual(size, [44, 44]);
  await on.pick({ "broken.png": png(600, 300, HILL), "receipt.pdf": pdf() });
  await waits(on, 2);
  assert.match((await rows(on)).join(" | "), /^broken\.png; PNG · \d+ kB \| receipt\.pdf; PDF · 12 kB$/);
  assert.equal(on.chat.transfers.length, 0, "nothing goes before it is sent");
  await on.write("It came like this");
  const { text, attachments, conversation_id } = await on.chat.got((f) => f.type === "say");
  assert.deepEqual([text, attachments, conversation_id], ["It came like this", ["att_1", "att_2"], "c1"]);
  assert.deepEqual(on.chat.transfers, ["broken.png", "receipt.pdf"].map((name) => `POST /v1/chat/attachments?name=${name} anonymous-secret-of-this-browser`));
  assert.deepEqual(on.chat.files.get("att_1")?.bytes, png(600, 300, HILL));
  await on.gone(".tray");
  await on.until((root) => root.querySelectorAll("li[class=mine] .files li").length === 2);
  await drawn(on);
  const canvas = await (await on.$("ol canvas")).evaluate((one) => [one.getAttribute("role"), one.getAttribute("aria-label"), one.getBoundingClientRect().width, one.getBoundingClientRect().height]);
  assert.deepEqual(canvas, ["img", "broken.png", 220, 110]);
  assert.equal(await on.text("ol .file"), "Download: receipt.pdfPDF · 12 kB");
  assert.deepEqual(on.chat.transfers.filter((one) => one.startsWith("GET")), [], "what was sent from here is not fetched");
  await on.until((root) => (root.querySelector("textarea") as HTMLTextAreaElement).value === "");
});

play("files go without words, also where they begin the conversation", { ...taking(), before: (on) => void (on.chat.limits = LIMITS) }, async (on) => {
  await opened(on);
  await on.pick({ "receipt.pdf": pdf() });
  await waits(on, 1);
  await on.click(".send");
  const frame = await on.chat.got((f) => f.type === "say");
  assert.deepEqual([frame.text, frame.attachments, frame.conversation_id], ["", ["att_1"], undefined]);
  await on.until((root) => root.querySelector("li[class=mine] .file"));
  assert.equal(await on.has("li[class=mine] .slip"), false, "no empty slip stands above it");
});

/** A message with files, sent from another page. */
const sentBefore = (on: Scene, picture: Buffer): void => {
  const files = [on.chat.keep(picture, "broken.png"), on.chat.keep(pdf(), "receipt.pdf")];
  on.chat.append("c1", { by: "customer", kind: "message", text: "", attachments: files, client_id: "of-another-page" });
};

play("on another page pictures are fetched by who sent them, move nothing, and documents are downloaded", taking({ before: (on) => sentBefore(on, png(600, 300, HILL)) }), async (on) => {
  const devtools = await on.page.createCDPSession();
  const folder = mkdtempSync(join(tmpdir(), "beckon-downloads-"));
  await devtools.send("Page.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  // Where things lie in the log, however the panel itself comes up.
  const places = () => on.page.evaluate(() => [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll<HTMLElement>(".log li, .log canvas") ?? [])].map((one) => [one.offsetTop, one.offsetWidth, one.offsetHeight].join()));
  let before: string[] = [];
  on.chat.refusesFile = async () => ((before = await places()), null);
  await on.click(".launcher");
  await drawn(on);
  assert.deepEqual(await places(), before);
  assert.equal(before.length, 5);
  assert.deepEqual(on.chat.transfers, ["GET /v1/chat/attachments/att_1 anonymous-secret-of-this-browser"]);
  await on.click("ol .file");
  const path = join(folder, "receipt.pdf");
  const until = Date.now() + PATIENCE;
  while (!existsSync(path) && Date.now() < until) await new Promise((later) => setTimeout(later, 30));
  assert.deepEqual(readFileSync(path), pdf());
});

play("a picture that cannot be read is a file to download", taking({ before: (on) => sentBefore(on, png(600, 300).subarray(0, 60)) }), async (on) => {
  await on.click(".launcher");
  await on.until((root) => root.querySelectorAll("ol .file").length === 2 && !root.querySelector("ol canvas"));
  assert.match(await on.text("ol li li:first-child .file"), /broken\.png/);
});

play("what is too large, of another kind than its name says, or too much is refused with a sentence, before it goes anywhere", taking(), async (on) => {
  await opened(on);
  await on.pick({ "logo.png": svg });
  await warned(on, "logo.png cannot be sent. These can: PNG, JPEG, GIF, WebP, PDF.");
  await on.pick({ "film.pdf": pdf(5_242_881) });
  await warned(on, "film.pdf is too large. A file may have up to 5.2 MB.");
  assert.equal(await on.has(".tray"), false);
  await on.pick({ "1.pdf": pdf(), "2.pdf": pdf(), "3.pdf": pdf(), "4.pdf": pdf() });
  await waits(on, 3);
  await warned(on, "Files in one message: at most 3.");
  await on.press("Remove 2.pdf");
  await waits(on, 2);
  await on.focusOn("textarea");
  await on.press("Remove 1.pdf");
  await on.press("Remove 3.pdf");
  await on.gone(".tray");
  assert.deepEqual(on.chat.transfers, []);
});

play("files are pasted and dropped; words that are pasted stay words", taking(), async (on) => {
  await opened(on);
  assert.equal(await hand(on, "paste", [["image.png", png(8, 8)]]), true);
  await waits(on, 1);
  assert.equal(await hand(on, "paste", [["table.png", png(8, 8)]], "a table"), false);
  assert.equal(await hand(on, "dragover", [["receipt.pdf", pdf()]]), true);
  assert.equal(await on.text(".drop"), "Drop files here to attach them");
  assert.equal(await hand(on, "drop", [["receipt.pdf", pdf()]]), true);
  await waits(on, 2);
  assert.equal(await on.has(".drop"), false);
  assert.equal(await hand(on, "dragover", [], "only words"), false);
});

play("how far it is is told, and a failure keeps files and words to try again", taking(), async (on) => {
  await opened(on);
  await on.page.evaluate(() => {
    const node = document.querySelector("beckon-widget")?.shadowRoot?.querySelector("[role=status]") as Element;
    const said: string[] = ((window as any).said = []);
    new MutationObserver(() => said.push((node.textContent ?? "").replace(/[\u2068\u2069]/g, ""))).observe(node, { childList: true, characterData: true, subtree: true });
  });
  await on.pick({ "receipt.pdf": pdf(), "again.pdf": pdf() });
  await waits(on, 2);
  let go = (): void => {};
  const held = new Promise<void>((let_) => (go = let_));
  on.chat.refusesFile = (transfer) => (transfer.includes("again") ? held.then(() => 503) : null);
  await on.write("See here");
  await on.until((root) => root.querySelector(".tray li:first-child .meta")?.textContent === "Ready" && /^Sending, \d+ %$/.test(root.querySelector(".tray li:last-child .meta")?.textContent ?? ""));
  assert.deepEqual(await on.page.evaluate(() => {
    const root = document.querySelector("beckon-widget")?.shadowRoot;
    return [(root?.querySelector("textarea") as HTMLTextAreaElement).readOnly, root?.querySelector(".send")?.getAttribute("aria-disabled")];
  }), [true, "true"], "what is on its way is not changed");
  go();
  await warned(on, "The files were not sent. They are still here, and you can try again.");
  assert.equal(await (await on.$("textarea")).evaluate((field) => (field as HTMLTextAreaElement).value), "See here");
  assert.equal(on.chat.count((f) => f.type === "say"), 0);
  on.chat.refusesFile = () => null;
  await on.press("Try again");
  const { text, attachments } = await on.chat.got((f) => f.type === "say");
  assert.deepEqual([text, attachments], ["See here", ["att_1", "att_2"]]);
  assert.equal(on.chat.transfers.filter((one) => one.includes("receipt")).length, 1, "what the server has is not sent again");
  await on.gone(".tray");
  await on.until((root) => root.querySelector(".alert")?.textContent === "");
  await on.page.waitForFunction(() => (window as any).said.some((line: string) => /^Sending again\.pdf, \d+ %$/.test(line)));
  assert.ok((await on.page.evaluate(() => (window as any).said as string[])).includes("Attached: receipt.pdf"));
  assert.ok(on.complaints.splice(0).every((text) => /503/.test(text)));
});

for (const [status, sentence] of [
  [404, "Files cannot be sent here at the moment."],
  [415, "A file was not taken: it is too large, or not what its name says."],
  [429, "There is no room for more of your files."],
] as const) {
  play(`an upload that is refused with ${status} says why`, taking(), async (on) => {
    on.chat.refusesFile = () => status;
    await opened(on);
    await on.pick({ "receipt.pdf": pdf() });
    await waits(on, 1);
    await on.click(".send");
    await warned(on, sentence);
    await waits(on, 1);
    on.complaints.length = 0;
  });
}

play("offline, files are not kept, and it says so", taking(), async (on) => {
  await opened(on);
  await on.pick({ "receipt.pdf": pdf() });
  await waits(on, 1);
  on.chat.refuse = () => [4503, "60"];
  on.chat.cut(4503, "60");
  await on.$(".strip");
  await on.write("See here");
  await warned(on, "You are offline. Files are not kept: send them when you are online again.");
  assert.deepEqual(on.chat.transfers, []);
  on.chat.refuse = () => null;
  await on.page.evaluate(() => dispatchEvent(new Event("online")));
  await on.gone(".strip");
  await on.click(".send");
  assert.equal((await on.chat.got((f) => f.type === "say")).text, "See here");
});

play("with a token it is the token that says whose a file is, and one that ran out is fetched anew", { ...taking(), place: "none" }, async (on) => {
  await on.page.evaluate(() => {
    let count = 0;
    (window as any).Beckon = Object.assign(() => {}, { q: [["boot", { launcher: "always", token: async () => `t${++count}` }]] });
  });
  await on.page.addScriptTag({ url: `${on.chat.origin}/widget.js` });
  on.chat.refusesFile = (transfer) => (transfer.endsWith("t1") ? 401 : null);
  await opened(on);
  await on.pick({ "receipt.pdf": pdf() });
  await waits(on, 1);
  await on.click(".send");
  await on.chat.got((f) => f.type === "say");
  assert.deepEqual(on.chat.transfers, ["t1", "t2"].map((token) => `POST /v1/chat/attachments?name=receipt.pdf Bearer ${token}`));
  on.complaints.length = 0;
});

play("where a message's files are gone, words and files come back to be sent anew", taking(), async (on) => {
  await opened(on);
  await on.pick({ "receipt.pdf": pdf() });
  await waits(on, 1);
  on.chat.hook = (f, send) => f.type === "say" && (send({ type: "error", code: "attachment_gone", message: "", client_id: f.client_id, conversation_id: "c1" }), true);
  await on.write("See here");
  await on.$(".mine.failed .file");
  await warned(on, "A file of your message is no longer there. Try again to attach it anew.");
  on.chat.hook = () => false;
  await on.press("Try again");
  await waits(on, 1);
  assert.equal(await on.has(".mine.failed"), false);
  await on.click(".send");
  const { text, attachments } = await on.chat.got((f) => f.type === "say" && f.attachments[0] === "att_2");
  assert.deepEqual([text, attachments], ["See here", ["att_2"]]);
});

play("a customer who is forgotten leaves no file behind", taking(), async (on) => {
  await opened(on);
  await on.pick({ "receipt.pdf": pdf() });
  await waits(on, 1);
  await on.call("reset");
  await on.gone(".panel");
  await opened(on);
  assert.equal(await on.has(".tray"), false);
});

play("a tab without the socket sends files too", taking(), async (on) => {
  await opened(on);
  const tab = await on.another();
  await tab.page.bringToFront();
  await opened(tab);
  await tab.pick({ "broken.png": png(60, 30, HILL) });
  await waits(tab, 1);
  await tab.click(".send");
  await on.chat.got((f) => f.type === "say");
  await drawn(tab);
  assert.equal(on.chat.hellos.length, 1);
  await on.page.bringToFront();
  await drawn(on);
  assert.deepEqual(tab.complaints, []);
});

const policy = (connect: (origin: string) => string): NonNullable<SceneOptions["headers"]> => (chat) => ({
  "content-security-policy": `default-src 'none'; img-src data:; style-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'; script-src ${chat.origin}; connect-src ${connect(chat.origin)}`,
});

play("the strictest policy of a page shows pictures all the same", taking({ headers: policy((origin) => `${origin} ${origin.replace("http", "ws")}`), before: (on) => sentBefore(on, png(600, 300, HILL)) }), async (on) => {
  await opened(on);
  await drawn(on);
  await on.pick({ "receipt.pdf": pdf() });
  await waits(on, 1);
  await on.click(".send");
  await on.chat.got((f) => f.type === "say");
});

play("a policy that forbids the upload costs a sentence and nothing else", taking({ headers: policy(() => "ws:") }), async (on) => {
  await opened(on);
  await on.pick({ "receipt.pdf": pdf() });
  await waits(on, 1);
  await on.write("See here");
  await warned(on, "The files were not sent. They are still here, and you can try again.");
  await waits(on, 1);
  on.complaints.length = 0;
});
