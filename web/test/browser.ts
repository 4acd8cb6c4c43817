// One Chromium for all browser tests, a page with a chat server and a shop for each.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import puppeteer, { type Browser, type ElementHandle, type Page } from "puppeteer-core";
import { written } from "./samples";
import { ChatServer, HostSite } from "./server";

/** How long anything may take on a machine that is slow and busy, in milliseconds: reached only by what fails. */
export const PATIENCE = 40_000;

const flags =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

let browser: Browser | undefined;

async function chromium(): Promise<Browser> {
  browser ??= await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: flags.split(" "),
    protocolTimeout: 3 * PATIENCE,
    timeout: PATIENCE,
    env: { ...process.env, HOME: process.env.HOME ?? tmpdir() },
  });
  return browser;
}

export async function closeBrowser(): Promise<void> {
  await browser?.close();
}

export interface SceneOptions {
  /** Attributes of the script tag. */
  tag?: string;
  /** Where the tag stands; none: the test puts it there itself. */
  place?: "head" | "body" | "none";
  headers?: (chat: ChatServer) => Record<string, string>;
  before?: (scene: Scene) => Promise<void> | void;
  width?: number;
  height?: number;
}

export class Scene {
  readonly requests: string[] = [];
  readonly complaints: string[] = [];

  constructor(
    readonly page: Page,
    readonly chat: ChatServer,
    readonly shop: HostSite,
    private readonly done: () => Promise<void>,
  ) {}

  get tag(): string {
    return `<script async src="${this.chat.origin}/widget.js"></script>`;
  }

  /** An element of the widget, as soon as it is there. */
  async $(selector: string): Promise<ElementHandle<HTMLElement>> {
    const found = await this.page.waitForSelector(`beckon-widget >>> ${selector}`, { timeout: PATIENCE });
    return found as ElementHandle<HTMLElement>;
  }

  async gone(selector: string): Promise<void> {
    await this.page.waitForSelector(`beckon-widget >>> ${selector}`, { hidden: true, timeout: PATIENCE });
  }

  /** Waits until a predicate over the shadow root holds. */
  async until(what: (root: ShadowRoot, arg: any) => unknown, arg?: unknown, within = PATIENCE): Promise<void> {
    await this.page.waitForFunction(
      `(() => { const root = document.querySelector("beckon-widget")?.shadowRoot; return root && (${what.toString()})(root, ${JSON.stringify(arg ?? null)}); })()`,
      { timeout: within, polling: 30 },
    );
  }

  async text(selector: string): Promise<string> {
    return await (await this.$(selector)).evaluate((element) => element.textContent ?? "");
  }

  /** Waits until words of the customer are in IndexedDB: only then may a test take the page away. */
  async written(words: string): Promise<void> {
    const found = async (text: string) => {
      const [name] = (await indexedDB.databases()).map((base) => base.name ?? "");
      if (!name) return false;
      const open = indexedDB.open(name);
      const base = await new Promise<IDBDatabase>((done) => (open.onsuccess = () => done(open.result)));
      const all = base.transaction("pages").objectStore("pages").getAll();
      const kept = await new Promise<unknown[]>((done) => (all.onsuccess = () => done(all.result)));
      base.close();
      return JSON.stringify(kept).includes(text);
    };
    await this.page.waitForFunction(found, { timeout: PATIENCE }, words);
  }

  /** Waits until the focus in the widget is on what a selector names: keys pressed before go elsewhere. */
  async focusOn(selector: string): Promise<void> {
    await this.until((root, wanted) => root.activeElement?.matches(wanted), selector);
  }

  /** All texts of the log's messages, as shown. */
  async log(): Promise<string[]> {
    return await this.page.evaluate(() =>
      [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll("ol .text") ?? [])].map((node) => node.textContent ?? ""),
    );
  }

  async has(selector: string): Promise<boolean> {
    return await this.page.evaluate((s) => Boolean(document.querySelector("beckon-widget")?.shadowRoot?.querySelector(s)), selector);
  }

  /** What has the focus: inside the widget its class and tag, outside its id or tag. */
  async focused(): Promise<string> {
    return await this.page.evaluate(() => {
      const outer = document.activeElement;
      const inner = outer?.shadowRoot?.activeElement;
      return inner ? `widget:${inner.tagName.toLowerCase()}.${inner.className}` : outer?.id || (outer?.tagName.toLowerCase() ?? "");
    });
  }

  async click(selector: string): Promise<void> {
    await (await this.$(selector)).click();
  }

  /** Clicks the button that reads so. */
  async press(label: string): Promise<void> {
    await this.until((root, name) => [...root.querySelectorAll("button")].some((b) => (b.getAttribute("aria-label") ?? b.textContent ?? "").trim() === name), label);
    const handle = await this.page.evaluateHandle(
      (name) => [...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll("button") ?? [])].find((b) => (b.getAttribute("aria-label") ?? b.textContent ?? "").trim() === name),
      label,
    );
    await (handle as ElementHandle<HTMLElement>).click();
  }

  /** The same browser's next tab: the same storage, the same servers. */
  async another(before?: (page: Page) => Promise<unknown>): Promise<Scene> {
    const page = await this.page.browserContext().newPage();
    page.setDefaultTimeout(PATIENCE);
    page.setDefaultNavigationTimeout(PATIENCE);
    await page.setViewport(this.page.viewport() ?? { width: 1100, height: 760 });
    const tab = new Scene(page, this.chat, this.shop, () => page.close());
    await watch(tab);
    await before?.(page);
    await page.goto(this.shop.url, { waitUntil: "load" });
    return tab;
  }

  /** Writes into the composer and sends it. */
  async write(text: string): Promise<void> {
    await this.click("textarea");
    await this.page.keyboard.type(text);
    await this.page.keyboard.press("Enter");
  }

  /** Picks files as the file dialog does. */
  async pick(files: Record<string, Buffer>): Promise<void> {
    const input = (await this.$(".composer input[type=file]")) as unknown as ElementHandle<HTMLInputElement>;
    await input.uploadFile(...written(files));
  }

  /** A call of the page. */
  async call(...args: unknown[]): Promise<unknown> {
    return await this.page.evaluate((all) => (window as any).Beckon(...(all as [string])), args);
  }

  async close(): Promise<void> {
    await this.done();
  }
}

/** Listens to what a page asks for and complains about. */
async function watch(set: Scene): Promise<void> {
  const { page, chat, shop } = set;
  page.on("console", (message) => message.type() === "error" && set.complaints.push(message.text()));
  page.on("pageerror", (error) => set.complaints.push(String(error)));
  // A policy that only reports would say so on the console alone, one that a frame breaks nowhere else.
  await page.evaluateOnNewDocument(() => document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`)));
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    set.requests.push(request.url());
    const url = request.url();
    const own = [chat.origin, shop.url.slice(0, -1)].some((origin) => url.startsWith(origin)) || /^(data|about|blob):/.test(url);
    if (own) void request.continue();
    else {
      set.complaints.push(`request to a third party: ${url}`);
      void request.abort();
    }
  });
}

export async function scene(options: SceneOptions = {}): Promise<Scene> {
  const { tag = "", place = "body", width = 1100, height = 760 } = options;
  const context = await (await chromium()).createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.setDefaultNavigationTimeout(PATIENCE);
  await page.setViewport({ width, height });
  const [chat, shop] = await Promise.all([ChatServer.start(), HostSite.start()]);
  const set = new Scene(page, chat, shop, async () => {
    await context.close();
    chat.stop();
    shop.stop();
  });
  const script = `<script ${place === "head" ? "" : "async"} src="${chat.origin}/widget.js" ${tag}></script>`;
  if (place === "head") shop.head = script;
  if (place === "body") shop.body = script;
  shop.headers = options.headers?.(chat) ?? {};
  await watch(set);
  await options.before?.(set);
  await page.goto(shop.url, { waitUntil: "load" });
  return set;
}

/** A test with a page of its own; afterwards nothing went to a third party, and nothing was complained about. */
export function play(name: string, options: SceneOptions, body: (on: Scene) => Promise<void>): void {
  test(name, async () => {
    const on = await scene(options);
    try {
      await body(on);
      assert.deepEqual(on.complaints, []);
    } finally {
      await on.close();
    }
  });
}
