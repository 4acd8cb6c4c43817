// Operators at work, in real browsers on a real server. A console error, a breach of the content security policy or a
// request to a stranger fails the test that saw it.

import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PATIENCE, follow, shows, startBrowser } from "../test-demo/stage.mjs";
import { fill } from "./busy.mjs";
import { ADA, Office, RUI, accessible, fits, picture, signIn } from "./office.mjs";

let office;
let browser;
const complaints = [];
const quiet = () => assert.deepEqual(complaints.splice(0), []);

before(async () => {
  office = await Office.open();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await office?.close();
});

const spine = (page) => page.$$eval("#spine > li", (lines) => lines.map((line) => line.innerText.replace(/\s+/g, " ")));
const held = async (page, selector) => await page.waitForFunction((selector) => document.activeElement?.matches(selector), { polling: 50 }, selector);
let customers = 0;

/** A customer whose card was declined twice and who asks for a person. */
async function waiting() {
  const id = `waiting-${(customers += 1)}`;
  const customer = await office.customer(id, { name: `Customer ${customers}` });
  await office.event("payment.declined", id, { order: id, attempt: 2, total: 20 });
  await customer.sees();
  await customer.says("A person, please");
  await customer.hearsWords("queue");
  const conversation = await customer.opened();
  return Object.assign(customer, { id, name: `Customer ${customers}`, path: `conversations/${conversation}?view=needs` });
}

/** Waits until the record lists a conversation, so that its page is there. */
async function listed(page, customer) {
  await page.goto(`${office.address}/operator/?view=needs`);
  await shows(page, "a.row", customer.name);
}

test("every page is in order, light and dark, from both directions, at three widths", { timeout: 300_000 }, async () => {
  const busy = await Office.open();
  try {
    const { pages, rui } = await fill(busy, browser, complaints);
    for (const width of [1440, 768, 320]) {
      const page = await busy.operator(browser, ADA, complaints, { width, height: 800 });
      for (const theme of ["light", "dark"]) {
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
        for (const [name, path] of Object.entries(pages)) {
          await page.goto(`${busy.address}/operator/${path}`);
          await accessible(page, `${name}, ${width} px, ${theme}`);
          await fits(page, `${name}, ${width} px, ${theme}`);
          if (theme === "dark") continue;
          // From right to left nothing is lost either.
          await page.evaluate(() => (document.documentElement.dir = "rtl"));
          await accessible(page, `${name}, ${width} px, from the right`);
          await fits(page, `${name}, ${width} px, from the right`);
        }
      }
      await page.goto(`${busy.address}/operator/${pages.conversation}`);
      const panes = await page.$$eval(".list, #main, aside.side", (all) => all.filter((one) => one.checkVisibility()).length);
      assert.equal(panes, { 1440: 3, 768: 2, 320: 1 }[width], `${width} px`);
      if (width < 1440) {
        await page.click(".top .drawer");
        await shows(page, "aside.side", "All that happened");
        await accessible(page, `the customer beside, ${width} px`);
        await page.click("aside .drawer");
        assert.equal(await page.$eval("aside.side", (aside) => aside.checkVisibility()), false);
      }
      await page.close();
    }
    const page = await busy.operator(browser, ADA, complaints, { path: pages.conversation });
    await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    await page.keyboard.press("?");
    await accessible(page, "the list of keys");
    await page.keyboard.press("Escape");
    await page.keyboard.press("e");
    await accessible(page, "an open menu");
    await page.keyboard.press("Escape");
    await page.close();
    await rui.close();
  } finally {
    await busy.close();
  }
  quiet();
});

test("the main tasks are done with keys alone", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints, { width: 1380 });
  await rui.goto(`${office.address}/operator/replies`);
  await rui.focus("#name");
  await rui.keyboard.type("Sorry for the wait");
  await rui.keyboard.press("Tab");
  await rui.keyboard.type("Hello {name}, sorry for the wait.");
  await rui.keyboard.press("Tab");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);

  await listed(rui, customer);
  await rui.keyboard.press("j");
  await held(rui, "a.row");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await shows(rui, "#hand", "Waits for a person.");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("a")]);
  await shows(rui, "#hand", "You have the conversation.");
  await customer.hearsWords("Rui");

  await rui.keyboard.press("r");
  await held(rui, "#text");
  await rui.keyboard.press("/");
  await held(rui, "#picker-input");
  await shows(rui, "#picker-list", "Sorry for the wait");
  await accessible(rui, "the saved replies");
  await rui.keyboard.type("sorry");
  await rui.keyboard.press("Enter");
  await held(rui, "#text");
  assert.equal(await rui.$eval("#text", (field) => field.value), `Hello ${customer.name}, sorry for the wait.`);
  await rui.keyboard.down("Control");
  await rui.keyboard.press("Enter");
  await rui.keyboard.up("Control");
  await customer.hearsWords(`Hello ${customer.name}, sorry for the wait.`);
  await rui.waitForFunction(() => document.querySelector("#text")?.value === "");
  await held(rui, "#text");
  await rui.keyboard.type("Once more: ");
  await rui.focus("#saved");
  await rui.keyboard.press("Enter");
  await shows(rui, "#picker-list", "Sorry for the wait");
  await rui.keyboard.type("sorry");
  await rui.keyboard.press("Enter");
  await held(rui, "#text");
  assert.equal(await rui.$eval("#text", (field) => field.value), `Once more: Hello ${customer.name}, sorry for the wait.`);
  await rui.$eval("#text", (field) => field.select());
  await rui.keyboard.press("Backspace");

  await rui.keyboard.press("Escape");
  await rui.keyboard.down("Shift");
  await rui.keyboard.press("A");
  await rui.keyboard.up("Shift");
  await held(rui, "#note");
  await rui.keyboard.type("Be kind");
  await rui.keyboard.press("Tab");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await shows(rui, "#spine", "Be kind");
  await shows(rui, "#hand", "The assistant has the conversation.");
  await rui.keyboard.press("e");
  await held(rui, "#hand form[action$='/close'] .btn");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await shows(rui, "#hand", "Closed.");
  await customer.hearsWords("closed_by_operator");

  for (const [key, path] of [["c", "customers"], ["f", "flow"], ["e", "events"], ["i", ""]]) {
    await rui.keyboard.press("g");
    await Promise.all([rui.waitForNavigation(), rui.keyboard.press(key)]);
    assert.equal(new URL(rui.url()).pathname, `/operator/${path}`);
  }
  await rui.close();
  quiet();
});

test("single keys can be switched off, and the palette finds the way back", { timeout: 60_000 }, async () => {
  const rui = await office.operator(browser, RUI, complaints);
  await rui.keyboard.press("?");
  await shows(rui, "#keys", "Use single keys");
  await rui.click("#single-keys");
  await rui.keyboard.press("Escape");
  await rui.reload();
  await rui.keyboard.press("?");
  assert.equal(await rui.$eval("#keys", (keys) => keys.open), false);
  assert.equal(await rui.$$eval(".keyhint", (hints) => hints.filter((hint) => hint.checkVisibility()).length), 0);

  const palette = async (typed, found) => {
    await rui.keyboard.down("Control");
    await rui.keyboard.press("k");
    await rui.keyboard.up("Control");
    await held(rui, "#picker-input");
    await rui.keyboard.type(typed);
    await shows(rui, "#picker-list [aria-selected=true]", found);
  };
  await palette("switch", "Keys, and the switch");
  await accessible(rui, "the palette");
  await rui.keyboard.press("Enter");
  await rui.click("#single-keys");
  await rui.keyboard.press("Escape");
  await rui.keyboard.press("?");
  assert.equal(await rui.$eval("#keys", (keys) => keys.open), true);
  await rui.keyboard.press("Escape");

  const customer = await waiting();
  await listed(rui, customer);
  await palette(customer.name, customer.name);
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await shows(rui, "h1", customer.name);
  assert.ok(rui.url().includes("/operator/customers/"), rui.url());
  await shows(rui, ".thread", "payment.declined");
  await shows(rui, ".thread", "card-declined: opened");
  await rui.close();
  quiet();
});

test("two operators see each other, and only one gets the conversation", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  const ada = await office.operator(browser, ADA, complaints);
  await listed(rui, customer);
  for (const page of [rui, ada]) await page.goto(`${office.address}/operator/${customer.path}`);
  await shows(rui, "#presence", "Ada looks on");
  await shows(ada, "#presence", "Rui looks on");

  // Both press in the same moment: what one sees is no longer so when it arrives.
  const claim = "#hand form[action$='/claim'] button";
  // The loser's answer is a 409: a page, and a line in the console that is not a fault.
  await Promise.all([follow(rui, claim), follow(ada, claim)]);
  const said = await Promise.all([rui, ada].map((page) => page.$eval("#main", (main) => main.innerText)));
  const winners = said.filter((text) => text.includes("You have the conversation."));
  assert.equal(winners.length, 1, said.join("\n----\n"));
  const [winner, loser, name] = said[0] === winners[0] ? [rui, ada, "Rui"] : [ada, rui, "Ada"];
  await shows(loser, "#composer", `The conversation changed hands meanwhile. ${name} has it now.`);
  await shows(loser, "#hand", `${name} has the conversation.`);
  assert.equal(await loser.$$eval("#text", (fields) => fields.length), 0, "who does not hold it cannot write");
  assert.deepEqual(complaints.splice(0).filter((one) => !one.includes("409")), []);

  await winner.type("#text", "Hello");
  await shows(loser, "#presence", `${name} writes`);
  await customer.hears((frame) => frame.type === "typing" && frame.by === "operator");
  customer.writes();
  await shows(winner, "#presence", `${customer.name} writes`);
  await customer.says("I am here");
  await shows(winner, "#spine", "I am here");
  await winner.waitForFunction((name) => !document.querySelector("#presence").textContent.includes(`${name} writes`), {}, customer.name);
  await winner.close();
  await loser.waitForFunction((name) => !document.querySelector("#presence").textContent.includes(name), {}, name);
  await loser.close();
  quiet();
});

test("a takeover by somebody else leaves unsent words where they can be copied", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  const ada = await office.operator(browser, ADA, complaints);
  await listed(rui, customer);
  await rui.goto(`${office.address}/operator/${customer.path}`);
  await follow(rui, "#hand form[action$='/claim'] button");
  await rui.type("#text", "What I had begun to say");
  await ada.goto(`${office.address}/operator/${customer.path}`);
  await shows(ada, "#hand", "Rui has the conversation.");
  await follow(ada, "#hand form[action$='/claim'] button");
  await shows(ada, "#hand", "You have the conversation.");
  await shows(rui, "#hand", "Ada has the conversation.");
  await rui.waitForFunction(() => document.querySelector("#draft")?.checkVisibility() && document.querySelector("#draft").value === "What I had begun to say");
  await rui.close();
  await ada.close();
  quiet();
});

test("a session that ended keeps the draft, and leads back to it", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  await listed(rui, customer);
  await rui.goto(`${office.address}/operator/${customer.path}`);
  await follow(rui, "#hand form[action$='/claim'] button");
  const words = "A long answer that nobody wants to type twice";
  await rui.type("#text", words);
  // The session ends as it would after seven days: the cookie is worth nothing any more.
  await rui.browserContext().deleteCookie(...(await rui.browserContext().cookies()));
  await Promise.all([rui.waitForNavigation(), rui.click("#composer .btn.pri")]);
  await shows(rui, "h1", "Sign in");
  assert.deepEqual(complaints.splice(0).filter((one) => !one.includes("401")), []);
  await signIn(rui, RUI);
  await shows(rui, "h1", customer.name);
  assert.equal(await rui.$eval("#text", (field) => field.value), words);
  await rui.click("#composer .btn.pri");
  await customer.hearsWords(words);
  await rui.waitForFunction(() => document.querySelector("#text")?.value === "");
  assert.equal((await spine(rui)).filter((line) => line.includes(words)).length, 1);

  await rui.type("#text", "Something for nobody's eyes");
  await Promise.all([rui.waitForNavigation(), rui.click("#sign-out button")]);
  assert.deepEqual(await rui.evaluate(() => Object.keys(localStorage).filter((name) => name.includes("draft"))), [], "who signs out leaves nothing behind");
  await rui.close();
  quiet();
});

test("a page that slept catches up where it was, and never says you hold what you do not", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  const ada = await office.operator(browser, ADA, complaints);
  await listed(rui, customer);
  await rui.goto(`${office.address}/operator/${customer.path}`);
  await follow(rui, "#hand form[action$='/claim'] button");
  await shows(rui, "#hand", "You have the conversation.");
  await ada.goto(`${office.address}/operator/${customer.path}`);
  await shows(ada, "#presence", "Rui looks on");

  const sleep = (hidden) => rui.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await sleep(true);
  await ada.waitForFunction(() => !document.querySelector("#presence").textContent.includes("Rui"));
  await customer.says("While you slept");
  await shows(ada, "#spine", "While you slept");
  await follow(ada, "#hand form[action$='/claim'] button");
  await shows(ada, "#hand", "You have the conversation.");
  await ada.type("#text", "I took it from here");
  await ada.click("#composer .btn.pri");
  await shows(ada, "#spine", "I took it from here");
  assert.ok(!(await spine(rui)).some((line) => line.includes("While you slept")), "it sleeps");

  await sleep(false);
  await shows(rui, "#hand", "Ada has the conversation.");
  await shows(rui, "#spine", "I took it from here");
  assert.deepEqual(await spine(rui), await spine(ada), "every line once, in order");
  assert.equal(await rui.$$eval("#text", (fields) => fields.length), 0);
  await rui.close();
  await ada.close();
  quiet();
});

test("while the server is away the page says so, and afterwards nothing is missing", { timeout: 180_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  await listed(rui, customer);
  await rui.goto(`${office.address}/operator/${customer.path}`);
  const before = await spine(rui);
  await office.stop();
  await shows(rui, "#away", "Not live.");
  await office.start();
  const again = await office.customer(customer.id);
  await again.opened();
  await again.says("Are you still there?");
  await shows(rui, "#spine", "Are you still there?");
  await rui.waitForFunction(() => document.querySelector("#away").hidden);
  const lines = await spine(rui);
  assert.deepEqual(lines.slice(0, before.length), before);
  assert.equal(lines.filter((line) => line.includes("Are you still there?")).length, 1);
  complaints.splice(0, complaints.length, ...complaints.filter((one) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|net::ERR|network error|Failed to fetch/.test(one)));
  await rui.close();
  quiet();
});

test("words that got no answer stay, and count once when they are sent again", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  await listed(rui, customer);
  await rui.goto(`${office.address}/operator/${customer.path}`);
  await follow(rui, "#hand form[action$='/claim'] button");
  const words = "Said twice, heard once";
  await rui.type("#text", words);
  // The first try arrives, and its answer is lost on the way back.
  await rui.setRequestInterception(true);
  const lose = async (request) => {
    if (!request.url().endsWith("/say")) return await request.continue();
    rui.off("request", lose);
    const cookie = (await rui.browserContext().cookies()).map((one) => `${one.name}=${one.value}`).join("; ");
    const sent = await fetch(request.url(), { method: "POST", headers: { ...request.headers(), cookie }, body: request.postData() });
    assert.equal(sent.status, 200);
    await request.abort();
    await rui.setRequestInterception(false);
  };
  rui.on("request", lose);
  await rui.click("#composer .btn.pri");
  await shows(rui, "#composer [role=alert]", "No answer came");
  assert.equal(await rui.$eval("#text", (field) => field.value), words);
  await accessible(rui, "words that got no answer");
  await rui.click("#composer .btn.pri");
  await rui.waitForFunction(() => document.querySelector("#text")?.value === "");
  await customer.hearsWords(words);
  assert.equal((await spine(rui)).filter((line) => line.includes(words)).length, 1);
  assert.deepEqual(complaints.splice(0).filter((one) => !/net::ERR_FAILED|htmx:error/.test(one)), []);
  await rui.close();
});

test("the inbox is live: who needs a person comes, and goes with its count", { timeout: 120_000 }, async () => {
  const rui = await office.operator(browser, RUI, complaints, { path: "?view=needs" });
  const count = () => rui.$eval("#needs", (one) => parseInt(one.textContent, 10));
  const before = await count();
  const customer = await waiting();
  await shows(rui, "a.row", customer.name);
  await shows(rui, ".row", "m left · payments");
  assert.equal(await count(), before + 1);
  await rui.waitForFunction((now) => document.title === `(${now}) Inbox · Beckon`, {}, before + 1);
  await rui.type("#q", "half-typed");
  const other = await waiting();
  await shows(rui, "a.row", other.name);
  assert.equal(await rui.$eval("#q", (field) => field.value), "half-typed", "news does not disturb who types");
  const aside = await office.operator(browser, ADA, complaints, { path: "events" });
  await customer.says("Never mind");
  for (const one of [customer, other]) {
    await aside.goto(`${office.address}/operator/${one.path}`);
    await aside.click("#hand details:last-of-type summary");
    await follow(aside, "#hand form[action$='/close'] button");
  }
  await rui.waitForFunction((before) => parseInt(document.querySelector("#needs").textContent, 10) === before, {}, before);
  assert.equal(await rui.$$eval("a.row", (rows, names) => rows.filter((row) => names.some((name) => row.innerText.startsWith(`${name}\n`))).length, [customer.name, other.name]), 0);
  await rui.close();
  await aside.close();
  quiet();
});

test("the flow shows the same numbers as picture and as table, and counts on", { timeout: 120_000 }, async () => {
  const own = await Office.open();
  const rui = await own.operator(browser, RUI, complaints, { path: "flow", width: 1380 });
  try {
    await shows(rui, "#flow", "No event in the last 24 h.");
    await shows(rui, "#tail", "No event yet.");
    const customer = await own.customer("flow", {});
    await own.event("payment.declined", "flow", { order: "1", attempt: 1, total: 5 });
    await own.event("payment.declined", "flow", { order: "1", attempt: 2, total: 5 });
    await own.event("page.seen", "flow", {});
    await customer.sees();
    const counts = (words) => rui.waitForFunction((words) => document.querySelector("svg.flow")?.textContent.includes(words), {}, words);
    // Seen and paid come by two doors: an opening that is paid for unseen would expire.
    await counts("the assistant alone to still open: 1");
    await own.event("payment.accepted", "flow", { order: "1", total: 5 });
    await counts("the assistant alone to goal reached: 1");
    await shows(rui, "#flow", "4 events, last 24 h");
    const titles = await rui.$$eval("svg.flow title", (all) => all.map((one) => one.textContent).sort());
    await rui.click(".numbers summary");
    const table = await rui.$$eval(".numbers tbody tr", (rows) => rows.map((row) => `${row.children[1].textContent} to ${row.children[2].textContent}: ${row.children[3].firstChild.firstChild?.textContent ?? row.children[3].textContent}`).sort());
    assert.deepEqual(titles, table);
    for (const wanted of ["shop to payment.declined: 2", "page.seen to no playbook: 1", "payment.accepted to a goal reached: 1", "card-declined to not matched: 1", "opened to the assistant alone: 1", "the assistant alone to goal reached: 1"]) {
      assert.ok(titles.includes(wanted), `${wanted} in\n${titles.join("\n")}`);
    }
    await accessible(rui, "the flow with numbers");

    // Paused, nothing moves; going on shows what was missed.
    await rui.click("#pause");
    await own.event("page.seen", "flow", {});
    const events = await own.operator(browser, ADA, complaints, { path: "flow" });
    await shows(events, "#flow", "5 events, last 24 h");
    assert.ok(await rui.$eval("#flow", (flow) => flow.innerText.includes("4 events")));
    await Promise.all([rui.waitForNavigation(), rui.click("#pause")]);
    await shows(rui, "#flow", "5 events, last 24 h");

    await rui.goto(`${own.address}/operator/events?playbook=card-declined&verdict=not_matched`);
    assert.equal(await rui.$$eval("tbody tr", (rows) => rows.length), 1);
    await rui.type("#q", "PAGE.SE");
    await rui.select("#verdict", "");
    await rui.$eval("#playbook", (field) => { field.value = ""; });
    await follow(rui, "form.lookup .btn");
    assert.equal(await rui.$$eval("tbody tr", (rows) => rows.length), 2);
    await shows(rui, "tbody", "nothing");
    await events.close();
  } finally {
    await rui.close();
    await own.close();
  }
  quiet();
});

test("a customer's picture is shown small, any other file is saved, and neither runs", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  await listed(rui, customer);
  await rui.goto(`${office.address}/operator/${customer.path}`);
  // It comes to the open page, as words do.
  await customer.attaches({ "my screen.png": picture(1280, 720), "receipt.pdf": "%PDF-1.7\n<script>document.title = 'ran'</script>" });
  const shown = await rui.waitForFunction(() => {
    const img = document.querySelector("#spine img");
    return img?.complete && img.naturalWidth > 0 && [img.alt, img.naturalWidth, img.offsetWidth, img.offsetHeight];
  }, { timeout: PATIENCE });
  assert.deepEqual(await shown.jsonValue(), ["Picture: my screen.png", 1280, 240, 135]);
  const links = await rui.$$eval("#spine .files a", (all) => all.map((link) => [link.innerText, link.download]));
  assert.deepEqual(links, [["my screen.png", "my screen.png"], ["receipt.pdf", "receipt.pdf"]]);
  await accessible(rui, "a conversation with files");
  const paper = await rui.$eval("#spine .files a[download='receipt.pdf']", (link) => link.href);
  const told = await rui.evaluate(async (paper) => {
    const answer = await fetch(paper);
    return [answer.status, answer.headers.get("content-type"), answer.headers.get("content-disposition").split(";")[0]];
  }, paper);
  assert.deepEqual(told, [200, "application/pdf", "attachment"]);
  quiet();
  await rui.close();
});

test("a playbook is read with what a check says of its file as it lies there", { timeout: 120_000 }, async () => {
  const own = await Office.open();
  try {
    const ada = await own.operator(browser, ADA, complaints, { path: "playbooks/help" });
    await shows(ada, "main", "The files check clean, and are in force.");
    await shows(ada, "pre", "playbook: help");
    await shows(ada, "main", "prompts/help.md");
    appendFileSync(join(own.workspace, "playbooks", "help.yaml"), "opne: {}\n");
    await ada.reload();
    await shows(ada, ".check.bad pre", "playbooks/help.yaml:");
    await shows(ada, ".check.bad pre", "opne");
    assert.ok(await ada.$eval("pre.payload", (pre) => !pre.textContent.includes("opne")), "what is in force is shown, not what lies there");
    await follow(ada, ".state form button");
    await shows(ada, "tbody tr:nth-child(3)", "paused");
    await ada.close();
  } finally {
    await own.close();
  }
  quiet();
});

test("the setup page sees events and pages, and names what is missing", { timeout: 120_000 }, async () => {
  const own = await Office.open();
  try {
    const ada = await own.operator(browser, ADA, complaints, { path: "setup" });
    await shows(ada, ".steps li:nth-child(1)", "not yet");
    await own.event("order.late", "setup", { hours: 1 });
    await fetch(`${own.address}/widget.js`, { headers: { origin: "https://shop.example" } });
    const until = Date.now() + PATIENCE;
    for (;;) {
      await ada.reload();
      if ((await ada.$eval(".steps li:nth-child(1)", (step) => step.innerText)).includes("order.late from shop") || Date.now() > until) break;
    }
    await shows(ada, ".steps li:nth-child(1)", "The latest is order.late from shop");
    await shows(ada, ".steps li:nth-child(2)", "Last by https://shop.example");
    await shows(ada, ".steps", `script-src ${own.address}; connect-src ${own.address}`);
    await shows(ada, "#models", "None is configured");
    await ada.close();
  } finally {
    await own.close();
  }
  quiet();
});

test("a page works without scripts, down to the words that a lost session would have cost", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await office.operator(browser, RUI, complaints);
  await listed(rui, customer);
  await rui.setJavaScriptEnabled(false);
  await rui.goto(`${office.address}/operator/${customer.path}`);
  await Promise.all([rui.waitForNavigation(), rui.click("#hand form[action$='/claim'] button")]);
  await rui.type("#text", "Said without a script");
  await Promise.all([rui.waitForNavigation(), rui.click("#composer .btn.pri")]);
  await customer.hearsWords("Said without a script");
  assert.ok((await rui.content()).includes("Said without a script"));
  await rui.type("#text", "Not said yet");
  await rui.browserContext().deleteCookie(...(await rui.browserContext().cookies()));
  await Promise.all([rui.waitForNavigation(), rui.click("#composer .btn.pri")]);
  assert.ok((await rui.content()).includes("Not said yet</textarea>"));
  assert.deepEqual(complaints.splice(0).filter((one) => !one.includes("401")), []);
  await signIn(rui, RUI);
  assert.equal(new URL(rui.url()).pathname, `/operator/${customer.path.split("?")[0]}`);
  await rui.close();
  quiet();
});
