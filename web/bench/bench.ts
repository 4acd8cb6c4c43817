// What a chat costs the page it sits on: bytes, work at the start, and what it does while nobody uses it. Ours beside others
// that npm has: `npm run bench`. Everything is served from this machine; what a chat asks of its own cloud is refused.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import puppeteer, { type Browser, type Page } from "puppeteer-core";
import { ChatServer } from "../test/server";

const RUNS = 3;
/** By then all is there, also four times slower. */
const START_MS = 3_000;
const IDLE_MS = 5_000;
const rivals = new URL("../../bench/rivals/", import.meta.url).pathname;

interface Rival {
  name: string;
  /** Files of its start, by path. */
  files: Map<string, Buffer>;
  /** What a page is given. */
  tag: string;
  /** Something that says that it is there. */
  there: string;
}

const installed = (path: string) => readFileSync(`${rivals}node_modules/${path}`);

async function botpress(): Promise<Rival> {
  const built = await esbuild.build({
    entryPoints: [`${rivals}botpress.jsx`],
    bundle: true,
    minify: true,
    write: false,
    outdir: "/",
    format: "esm",
    define: { "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  const files = new Map(built.outputFiles.map(({ path, contents }) => [path, Buffer.from(contents)] as const));
  const tag = '<script type="module" async src="/botpress.js"></script>';
  return { name: "Botpress webchat 4.5.2, with React 19", files, tag, there: ".bpFab, [class*=Fab]" };
}

function deepChat(): Rival {
  const style = 'style="position:fixed;inset:auto 20px 20px auto"';
  const tag = `<deep-chat demo="true" ${style}></deep-chat><script type="module" async src="/deepChat.bundle.js"></script>`;
  return { name: "deep-chat 2.4.2", files: new Map([["/deepChat.bundle.js", installed("deep-chat/dist/deepChat.bundle.js")]]), tag, there: "deep-chat >>> #container" };
}

/** Times are those of the processor where nothing else is said: what else the machine does is no matter. */
interface Cost {
  work: number;
  longest: number;
  /** Of tasks as the page's visitors feel them: what is over 50 ms. */
  blocking: number;
  shift: number;
  idle: number;
  heap: number;
}

/** A plain shop page with something on it; the chat comes from where `tag` says. */
async function host(tag: string, files: Map<string, Buffer>) {
  const server = createServer((request, response) => {
    const file = files.get(request.url ?? "");
    if (file) return void response.setHeader("content-type", request.url?.endsWith(".css") ? "text/css" : "text/javascript").end(file);
    response.setHeader("content-type", "text/html; charset=utf-8");
    const shelf = Array.from({ length: 60 }, (_, i) => `<li><h2>Lamp ${i}</h2><p>A lamp of brass and glass, made to last.</p></li>`).join("");
    response.end(`<!doctype html><html lang="en"><head><title>Shop</title><link rel="icon" href="data:,"></head><body><h1>Shop</h1><ul>${shelf}</ul>${tag}</body></html>`);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop: () => (server.close(), server.closeAllConnections()) };
}

interface Traced {
  name: string;
  tdur?: number;
  pid: number;
  tid: number;
  args: { name?: string };
}

/** Milliseconds that the main thread of the page worked while `act` went on: all, and the longest task. */
async function worked(page: Page, act: () => Promise<unknown>): Promise<{ all: number; longest: number }> {
  await page.tracing.start({ categories: ["toplevel", "__metadata"] });
  await act();
  const { traceEvents } = JSON.parse(new TextDecoder().decode(await page.tracing.stop())) as { traceEvents: Traced[] };
  const main = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid}:${tid}`);
  const tasks = new Map<string, number[]>(main.map((thread) => [thread, []]));
  for (const { name, tdur, pid, tid } of traceEvents) if (name.includes("RunTask") && tdur) tasks.get(`${pid}:${tid}`)?.push(tdur / 1_000);
  // One page is open: the renderer that worked most is its own.
  const sum = (all: number[]) => all.reduce((total, one) => total + one, 0);
  const own = [...tasks.values()].toSorted((one, other) => sum(other) - sum(one))[0] ?? [];
  return { all: sum(own), longest: Math.max(0, ...own) };
}

async function once(browser: Browser, url: string, there: string | null, slower: number): Promise<Cost> {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setRequestInterception(true);
  page.on("request", (request) => void (/^(http:\/\/127\.0\.0\.1|data:|blob:)/.test(request.url()) ? request.continue() : request.abort()));
  await page.emulateCPUThrottling(slower);
  await page.evaluateOnNewDocument(() => {
    const seen = ((window as any).seen = { blocking: 0, shift: 0 });
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (seen.blocking += duration - 50))).observe({ type: "longtask", buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => (seen.shift += (entry as any).value))).observe({ type: "layout-shift", buffered: true });
  });
  const pause = (ms: number) => page.evaluate((ms) => new Promise((done) => setTimeout(done, ms)), ms);
  const start = await worked(page, async () => {
    await page.goto(url, { waitUntil: "load" });
    // Nothing is looked for meanwhile: what a debugger puts into the page would be counted.
    await pause(START_MS);
  });
  if (there) await page.waitForSelector(there, { timeout: 1_000 });
  const seen = (await page.evaluate(() => (window as any).seen)) as Pick<Cost, "blocking" | "shift">;
  const idle = slower > 1 ? 0 : (await worked(page, () => pause(IDLE_MS))).all / (IDLE_MS / 1_000);
  const heap = ((await page.metrics()).JSHeapUsedSize ?? 0) / 1_048_576;
  await context.close();
  return { work: start.all, longest: start.longest, ...seen, idle, heap };
}

const median = (all: number[]): number => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

/** The median of each figure. */
async function cost(browser: Browser, url: string, there: string | null, slower: number): Promise<Cost> {
  const runs: Cost[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(await once(browser, url, there, slower));
  const of = (name: keyof Cost) => median(runs.map((one) => one[name]));
  return { work: of("work"), longest: of("longest"), blocking: of("blocking"), shift: of("shift"), idle: of("idle"), heap: of("heap") };
}

if (!existsSync(`${rivals}node_modules`)) execFileSync("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: rivals, stdio: "inherit" });

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" "),
});
const chat = await ChatServer.start();
const talking = await ChatServer.start();
talking.open("c1", "Your card was declined for order 1042. Shall I help?", { choices: ["Try again", "Not now"] });
const ours = (origin: string, launcher: string) => `<script async src="${origin}/widget.js" data-launcher="${launcher}"></script>`;
const weigh = (files: Iterable<Buffer>) => [...files].reduce((sum, file) => sum + gzipSync(file, { level: 9 }).length, 0) / 1_024;
const widget = readFileSync(new URL("../../../static/widget.js", import.meta.url));

const all: Rival[] = [
  { name: "the page alone", files: new Map(), tag: "", there: "" },
  { name: "Beckon, launcher", files: new Map([["", widget]]), tag: ours(chat.origin, "always"), there: "beckon-widget >>> .launcher" },
  { name: "Beckon, with a bubble", files: new Map([["", widget]]), tag: ours(talking.origin, "auto"), there: "beckon-widget >>> .bubble" },
  deepChat(),
  await botpress(),
];
console.log("| | kB gzip | work at the start, ms | longest task, ms | four times slower: over 50 ms, ms | layout shift | idle, ms a second | heap, MB |");
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const { name, files, tag, there } of all) {
  const { url, stop } = await host(tag, files);
  const fast = await cost(browser, url, there || null, 1);
  const slow = await cost(browser, url, there || null, 4);
  stop();
  const cells = [weigh(files.values()).toFixed(1), fast.work.toFixed(0), fast.longest.toFixed(1), slow.blocking.toFixed(0), fast.shift.toFixed(3), fast.idle.toFixed(2), fast.heap.toFixed(1)];
  console.log(`| ${[name, ...cells].join(" | ")} |`);
}
await browser.close();
chat.stop();
talking.stop();
