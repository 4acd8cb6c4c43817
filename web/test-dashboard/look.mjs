// Opens every page and state in a busy office and takes its picture, light and dark, from both directions, at three widths:
// for people to look at. Complaints of axe and of the browser go to standard error.
//
//   node web/test-dashboard/look.mjs FOLDER [PART OF A NAME]
//   node web/test-dashboard/look.mjs --docs     those that the documents show, and all of them small beside

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newPage, shows, startBrowser } from "../test-demo/stage.mjs";
import { Model } from "./model.mjs";
import { ADA, Office, accessible, fits } from "./office.mjs";
import { fill } from "./busy.mjs";

const forDocs = process.argv[2] === "--docs";
const folder = forDocs ? fileURLToPath(new URL("../../docs/pictures/dashboard", import.meta.url)) : (process.argv[2] ?? "pictures");
/** What the documents show. */
const SHOWN = ["story-1440-light", "story-1440-dark", "held-320-light", "inbox-320-dark", "flow-1440-light", "flow-1440-dark", "customer-1440-light", "events-1440-light", "playbook-1440-light", "setup-1440-light", "palette-1440-light"];
const wanted = (name) => forDocs || name.includes(process.argv[3] ?? "");
const all = fileURLToPath(new URL("../../docs/pictures/all/dashboard", import.meta.url));
mkdirSync(forDocs ? all : folder, { recursive: true });
const model = await Model.start();
// Until the office is busy the scripts speak.
model.fails = true;
model.words = "Your bank asked for one more step. I have sent you a new link; it is good for an hour.";
const office = await Office.open({ more: model.toml });
const browser = await startBrowser();
const complaints = [];

const press = async (page, keys) => {
  await page.keyboard.down("Control");
  await page.keyboard.press(keys);
  await page.keyboard.up("Control");
};

/** What pages show only when somebody does something: where, and how to get there; false where the width has none. */
const states = {
  palette: ["conversation", async (page) => {
    await press(page, "k");
    await page.keyboard.type("an");
    await shows(page, "#picker-list", "Ana Duarte");
  }],
  picker: ["held", async (page) => {
    await page.click("#saved");
    await shows(page, "#picker-list", "Refund");
  }],
  keys: ["inbox", async (page) => await page.keyboard.press("?")],
  menu: ["held", async (page) => await page.click("#hand summary")],
  passing: ["held", async (page) => {
    await page.click("#pass-on summary");
    await page.type("#pass-note", "Her bank asks for one more step; she waits.");
    await page.select("#team", "payments");
  }],
  labels: ["conversation", async (page) => await page.click(".triage [data-key=l]")],
  filter: ["filtered", async (page) => await page.click(".narrowed summary")],
  filtering: ["filters", async (page) => await page.click("main details summary")],
  snooze: ["conversation", async (page) => await page.click("#hand details summary")],
  note: ["conversation", async (page) => {
    await page.keyboard.press("n");
    await page.waitForFunction(() => document.activeElement?.id === "team-note", { polling: 50 });
    await page.$eval("#team-note", (field) => { field.value = ""; });
    await page.keyboard.type("She called this morning, too.");
  }],
  naming: ["conversation", async (page) => {
    await page.keyboard.press("n");
    await page.waitForFunction(() => document.activeElement?.id === "team-note", { polling: 50 });
    await page.$eval("#team-note", (field) => { field.value = ""; });
    await page.keyboard.type("Have you seen that before, @");
    await shows(page, "#picker-list", "Rui");
  }],
  draft: ["held", async (page) => {
    // A model that failed rests for some seconds.
    const written = () => page.$eval("#text", (field) => field.value !== "");
    while (!(await written())) {
      await page.click("#suggest");
      await page.waitForFunction(() => !document.querySelector("#suggest[aria-disabled]"), { polling: 50 });
    }
  }],
  drawer: ["conversation", async (page) => {
    if (page.viewport().width > 1180) return false;
    await page.click(".top .drawer");
  }],
  numbers: ["flow", async (page) => await page.click(".numbers summary")],
  reply: ["replies", async (page) => await page.click(".replies summary")],
  undo: ["held", async (page) => {
    await page.$eval("#text", (field) => { field.value = ""; });
    await page.type("#text", "Hello, I am Ada. What can I do for you?");
    await page.click("#composer .btn.pri");
    // What waits must not go while it is looked at.
    await page.evaluate(() => {
      window.fetch = () => new Promise(() => {});
      Storage.prototype.setItem = () => {};
    });
  }],
  takeback: ["outage", async (page) => await page.click(".title summary")],
  away: ["conversation", async (page) => await page.$eval("#away", (notice) => { notice.hidden = false; })],
};

async function take(page, name) {
  if (!forDocs) await page.screenshot({ path: join(folder, `${name}.png`) });
  else if (!name.includes("-768-")) await page.screenshot({ path: join(all, `${name}.webp`), type: "webp", quality: 70 });
  if (forDocs && SHOWN.includes(name)) await page.screenshot({ path: join(folder, `${name}.png`) });
}

async function judge(page, name) {
  for (const check of [accessible, fits]) {
    try {
      await check(page, name);
    } catch (error) {
      console.error(`${name}: ${error.message}\n${(error.actual ?? []).join?.("\n") ?? ""}`);
    }
  }
}

try {
  const { pages } = await fill(office, browser, complaints);
  model.fails = false;
  for (const width of [1440, 768, 320]) {
    const page = await office.operator(browser, ADA, complaints, { width, height: width === 1440 ? 900 : 800 });
    for (const theme of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
      for (const [name, path] of Object.entries(pages)) {
        const picture = `${name}-${width}-${theme}`;
        if (!wanted(picture)) continue;
        await page.goto(`${office.address}/operator/${path}`);
        await take(page, picture);
        await judge(page, picture);
        if (width === 768 || theme === "dark") continue;
        await page.evaluate(() => (document.documentElement.dir = "rtl"));
        await take(page, `${name}-${width}-rtl`);
        await judge(page, `${name}-${width}-rtl`);
      }
      for (const [name, [path, reach]] of Object.entries(states)) {
        const picture = `${name}-${width}-${theme}`;
        if (!wanted(picture)) continue;
        await page.goto(`${office.address}/operator/${pages[path]}`);
        if ((await reach(page)) === false) continue;
        await take(page, picture);
        await judge(page, picture);
      }
    }
    await page.close();
    const stranger = await newPage(browser, [office.address], complaints, { width, height: 800 });
    await stranger.goto(`${office.address}/operator/`);
    await take(stranger, `sign-in-${width}-light`);
    await judge(stranger, `sign-in ${width}`);
    await stranger.close();
  }
} finally {
  await browser.close();
  await office.close();
  model.stop();
}
for (const complaint of new Set(complaints)) console.error(complaint);
