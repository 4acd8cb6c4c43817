// The demo as people start it, and a browser that complains aloud: a console error, a breach of a content security
// policy or a request to a stranger fails the test that saw it.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

/** How long anything may take on a slow machine with two cores, in milliseconds. */
export const PATIENCE = 45_000;

const FLAGS =
  "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

function binary() {
  const target = fileURLToPath(new URL("../../target/", import.meta.url));
  const found = [process.env.BECKON_BIN, `${target}debug/beckon`, `${target}release/beckon`].find((path) => path && existsSync(path));
  if (!found) throw new Error("no beckon to start: run cargo build, or set BECKON_BIN");
  return found;
}

/** Starts `beckon demo` on free ports and reads what it prints. */
export async function startDemo() {
  const child = spawn(binary(), ["demo", "--listen", "127.0.0.1:0", "--shop-listen", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "pipe"] });
  // However the tests end, no demo stays behind.
  process.once("exit", () => child.kill("SIGKILL"));
  let said = "";
  const ended = new Promise((resolve) => child.once("close", resolve));
  const printed = new Promise((resolve, reject) => {
    const read = (chunk) => {
      said += chunk;
      const shop = /^shop\s+(\S+)/m.exec(said)?.[1];
      const signIn = /^dashboard\s+(\S+)\s+e-mail (\S+)\s+password (\S+)$/m.exec(said);
      if (shop && signIn) resolve({ shop, dashboard: signIn[1], email: signIn[2], password: signIn[3] });
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`the demo ended with ${code}:\n${said}`)));
    setTimeout(() => reject(new Error(`the demo printed no addresses:\n${said}`)), PATIENCE).unref();
  });
  const stop = async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
    await ended;
    clearTimeout(late);
  };
  try {
    return { ...(await printed), stop, said: () => said };
  } catch (error) {
    await stop();
    throw error;
  }
}

export async function startBrowser() {
  return await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS.split(" "),
    env: { ...process.env, HOME: process.env.HOME ?? tmpdir() },
  });
}

/** A page of somebody's own: no cookies of others. `complaints` collects what must not happen. */
export async function newPage(browser, own, complaints, { width = 1100, height = 760 } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.setDefaultNavigationTimeout(PATIENCE);
  await page.setViewport({ width, height });
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && complaints.push(`console: ${message.text()} at ${page.url()}`));
  page.on("pageerror", (error) => complaints.push(`script: ${error} at ${page.url()}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && !own.includes(url.origin)) complaints.push(`request to a third party: ${url}`);
  });
  page.on("response", (response) => response.status() >= 400 && complaints.push(`${response.status()} for ${response.url()}`));
  await page.exposeFunction("breachSeen", (what) => void complaints.push(`content security policy: ${what}`));
  await page.evaluateOnNewDocument(() => {
    document.addEventListener("securitypolicyviolation", (breach) => window.breachSeen(`${breach.violatedDirective} ${breach.blockedURI} at ${location.href}`));
  });
  return page;
}

/** Waits until `what` holds over the widget's shadow root. */
export async function widget(page, what, arg = null) {
  await page.waitForFunction(
    `(() => { const root = document.querySelector("beckon-widget")?.shadowRoot; return root && (${what})(root, ${JSON.stringify(arg)}); })()`,
    { polling: 50 },
  );
}

/** Presses the widget's button that reads so, as soon as it is there. */
export async function press(page, label) {
  const wanted = JSON.stringify(label);
  const button = await page.waitForFunction(
    `[...(document.querySelector("beckon-widget")?.shadowRoot?.querySelectorAll("button") ?? [])]
      .find((one) => (one.getAttribute("aria-label") ?? one.textContent ?? "").trim() === ${wanted} && !one.disabled)`,
    { polling: 50 },
  );
  await button.click();
}

/** Waits until the page itself shows these words. */
export async function shows(page, selector, words) {
  await page.waitForFunction(
    (selector, words) => [...document.querySelectorAll(selector)].some((one) => one.checkVisibility() && (one.innerText ?? "").includes(words)),
    { polling: 50 },
    selector,
    words,
  );
}

/** Clicks a button or link of the page that leads to another page. */
export async function follow(page, selector) {
  const button = await page.waitForSelector(selector, { visible: true });
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), button.click()]);
}
