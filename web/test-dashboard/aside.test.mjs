// What operators do beside answering: notes, drafts by the assistant, watching events come; by the clock on their own wall.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { follow, shows, startBrowser } from "../test-demo/stage.mjs";
import { Model } from "./model.mjs";
import { ADA, Office, RUI, accessible, fits } from "./office.mjs";

let model;
let office;
let browser;
const complaints = [];
const quiet = () => assert.deepEqual(complaints.splice(0), []);
/** What a browser says of an answer that is meant to fail. */
const FAILED = /503/;

before(async () => {
  model = await Model.start();
  office = await Office.open({ more: model.toml });
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await office?.close();
  model?.stop();
});

let customers = 0;

/** A customer whose card was declined, and who has seen the opening. */
async function open() {
  const id = `aside-${(customers += 1)}`;
  const customer = await office.customer(id, { name: `Customer ${customers}` });
  await office.event("payment.declined", id, { order: id, attempt: 2, total: 20 });
  await customer.sees();
  const conversation = await customer.opened();
  return Object.assign(customer, { name: `Customer ${customers}`, path: `conversations/${conversation}?view=all` });
}

/** A page at a conversation, as soon as the record lists it. */
async function at(customer, who) {
  const page = await office.operator(browser, who, complaints, { width: 1380 });
  await page.goto(`${office.address}/operator/?view=all`);
  await shows(page, "a.row", customer.name);
  await page.goto(`${office.address}/operator/${customer.path}`);
  return page;
}

const focused = async (page, selector) => await page.waitForFunction((s) => document.activeElement?.matches(s), { polling: 50 }, selector);

/** Lets other news arrive in the moment in which an answer replaces this part of the page, before it is settled. */
const newsWithin = async (page, selector) =>
  await page.evaluate((s) => {
    const target = document.querySelector("#live");
    const swap = () => htmx.swap({ sourceElement: target, target, swap: "none", text: "" });
    new MutationObserver(swap).observe(document.querySelector(s).parentElement, { childList: true });
  }, selector);

test("anybody leaves a note by keys; colleagues see it at once, the customer never", { timeout: 120_000 }, async () => {
  const customer = await open();
  const [rui, ada] = [await at(customer, RUI), await at(customer, ADA)];
  await rui.keyboard.press("n");
  await focused(rui, "#team-note");
  await accessible(rui, "a note being written");
  await rui.keyboard.type("Knows us from the fair.");
  // What was typed survives a page that is loaded anew.
  await rui.reload();
  await rui.waitForFunction(() => document.querySelector("#team-note").value === "Knows us from the fair.");
  await rui.keyboard.press("n");
  await focused(rui, "#team-note");
  await newsWithin(rui, "#noting");
  await rui.keyboard.down("Control");
  await rui.keyboard.press("Enter");
  await rui.keyboard.up("Control");
  for (const page of [rui, ada]) {
    await shows(page, "#spine .note", "Knows us from the fair.");
    await shows(page, "#spine .note", "Note by Rui");
  }
  await focused(rui, "#noting summary");
  await shows(rui, "#hand", "The assistant has the conversation.");
  await rui.reload();
  assert.equal(await rui.$eval("#team-note", (field) => field.value), "", "what was noted is not kept");
  model.words = "All is well.";
  await customer.says("Hello?");
  await customer.hearsWords("All is well.");
  assert.match(JSON.stringify(model.asked.at(-1).messages), /Knows us from the fair/, "the assistant knows of it");
  assert.equal(await customer.heard("Knows us from the fair."), false);
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});

test("who is named in a note finds the conversation among those that need them, live, and is done with it by keys", { timeout: 180_000 }, async () => {
  const customer = await open();
  const ada = await office.operator(browser, ADA, complaints, { width: 1380, path: "?view=needs" });
  const rui = await at(customer, RUI);
  assert.equal(await ada.$$eval("a.row b", (rows, name) => rows.some((row) => row.textContent.includes(name)), customer.name), false);
  const writes = async (words) => {
    await focused(rui, "#team-note");
    await rui.keyboard.type(words);
    if (words.endsWith("@")) await rui.waitForSelector("#picker[open] [role=option]");
  };
  const leaves = async () => {
    await rui.keyboard.down("Control");
    await rui.keyboard.press("Enter");
    await rui.keyboard.up("Control");
  };
  await rui.keyboard.press("n");
  await writes("Is that usual, @");
  await accessible(rui, "colleagues to name");
  await rui.keyboard.type("ad");
  await rui.waitForFunction(() => document.querySelectorAll("#picker [role=option]:not([hidden])").length === 1);
  await rui.keyboard.press("Enter");
  await writes("?");
  await leaves();
  await shows(rui, "#spine .note", "Is that usual, @Ada");
  await shows(ada, "a.row", customer.name);
  await shows(ada, "a.row .why", "Rui names you in a note");
  await ada.keyboard.press("j");
  await Promise.all([ada.waitForNavigation(), ada.keyboard.press("Enter")]);
  await shows(ada, ".mention", "Rui names you in a note.");
  await accessible(ada, "a conversation that names its operator");
  await fits(ada, "a conversation that names its operator");
  assert.equal(await rui.$(".mention"), null, "who names is not named");
  await Promise.all([ada.waitForNavigation(), ada.keyboard.press("m")]);
  await ada.waitForFunction(() => !document.querySelector(".mention"));
  assert.equal(await ada.$("a.row[aria-current]"), null, "it needs nobody any more");

  // On a page that is open it comes by itself; a name that is nobody's is said.
  await rui.keyboard.press("n");
  await writes("Sorry, @");
  await rui.keyboard.press("Escape");
  await writes("ada: and @");
  await rui.keyboard.press("Escape");
  await writes("Adam, at a@shop.example");
  await leaves();
  await shows(ada, ".mention", "Rui names you in a note.");
  await shows(rui, "#noting .notice", "No colleague is called @Adam");
  await accessible(rui, "a note with a name of nobody");
  await ada.setJavaScriptEnabled(false);
  await ada.reload();
  await follow(ada, ".mention .btn");
  assert.equal(await ada.$(".mention"), null);
  assert.equal(await customer.heard("@Ada"), false);
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});

test("a draft is written on asking, stands below what was typed meanwhile, and is not sent by itself", { timeout: 120_000 }, async () => {
  const customer = await open();
  const rui = await at(customer, RUI);
  assert.equal(await rui.$("#suggest"), null, "who does not hold the conversation writes nothing");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("a")]);
  let answer;
  model.gate = new Promise((done) => (answer = done));
  model.words = "I have looked at your order: it is paid.";
  const before = model.asked.length;
  await rui.keyboard.press("d");
  await shows(rui, "#composer .notice", "The assistant writes a draft.");
  await rui.type("#text", "Good morning!");
  answer();
  await rui.waitForFunction(() => document.querySelector("#text").value === "Good morning!\n\nI have looked at your order: it is paid.");
  await shows(rui, "#composer .notice", "Read it, change it, and send it");
  await accessible(rui, "a draft");
  const [asked] = model.asked.slice(before);
  assert.equal(model.asked.length, before + 1);
  assert.match(JSON.stringify(asked.messages), /A colleague has the conversation and asks you for a draft/);
  assert.equal(asked.tools, undefined, "a draft calls nothing");
  assert.equal(await customer.heard("it is paid"), false);
  await rui.reload();
  await rui.waitForFunction(() => document.querySelector("#text").value.endsWith("it is paid."));
  await rui.focus("#text");
  await rui.keyboard.down("Control");
  await rui.keyboard.press("Enter");
  await rui.keyboard.up("Control");
  await customer.hearsWords("Good morning!");
  await rui.waitForFunction(() => document.querySelector("#text").value === "");
  await rui.close();
  quiet();
});

test("a draft that cannot be had leaves the words alone and says why; without scripts it comes with the page", { timeout: 120_000 }, async () => {
  const customer = await open();
  const rui = await at(customer, RUI);
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("a")]);
  await rui.type("#text", "My own words.");
  model.gate = Promise.resolve();
  model.fails = true;
  await rui.click("#suggest");
  await shows(rui, "#composer .notice.bad", "No model wrote a draft just now.");
  assert.equal(await rui.$eval("#text", (field) => field.value), "My own words.");
  model.fails = false;
  model.words = "Words of the model.";
  await rui.setJavaScriptEnabled(false);
  await rui.reload();
  await rui.type("#text", "Typed before.");
  await follow(rui, "#suggest");
  assert.equal(await rui.$eval("#text", (field) => field.value), "Typed before.\n\nWords of the model.");
  await shows(rui, "#composer .notice", "Read it, change it");
  await rui.click("#noting summary");
  await rui.type("#team-note", "By hand.");
  await follow(rui, "#noting form .btn");
  await shows(rui, "#spine .note", "By hand.");
  await rui.close();
  complaints.splice(0, complaints.length, ...complaints.filter((one) => !FAILED.test(one)));
  quiet();
});

test("events come as they happen, to those looked for too, and hold still while somebody reads", { timeout: 120_000 }, async () => {
  const ada = await office.operator(browser, ADA, complaints, { path: "events?kind=order.late" });
  await ada.waitForSelector("#found");
  await office.event("order.late", "late-1", { hours: 13 }, "first-of-them");
  await shows(ada, "#found", "first-of-them");
  await office.event("payment.declined", "late-1", { order: "x", attempt: 1, total: 1 }, "not-looked-for");
  await office.event("order.late", "late-2", { hours: 1 }, "second-of-them");
  await shows(ada, "#found", "second-of-them");
  assert.equal(await ada.$eval("#found", (found) => found.innerText.includes("not-looked-for")), false);
  await accessible(ada, "live events");
  await ada.keyboard.press("Space");
  await ada.waitForSelector('#pause[aria-pressed="true"]');
  await office.event("order.late", "late-3", { hours: 1 }, "third-of-them");
  const other = await office.operator(browser, RUI, complaints, { path: "events?kind=order.late" });
  await shows(other, "#found", "third-of-them");
  assert.equal(await ada.$eval("#found", (found) => found.innerText.includes("third-of-them")), false);
  await Promise.all([ada.waitForNavigation(), ada.click("#pause")]);
  await shows(ada, "#found", "third-of-them");
  await Promise.all([ada.close(), other.close()]);
  quiet();
});

test("times are those of the operator's own clock, also of what arrives; without scripts they are UTC", { timeout: 120_000 }, async () => {
  const customer = await open();
  const rui = await at(customer, RUI);
  await rui.emulateTimezone("Asia/Tokyo");
  await rui.reload();
  await shows(rui, "#zone", "Times are Asia/Tokyo");
  await customer.says("Is it paid?");
  await shows(rui, "#spine", "Is it paid?");
  const all = () => rui.$$eval("#spine time", (times) => times.map((time) => [time.dateTime, time.textContent, time.title]));
  const times = await all();
  assert.ok(times.length > 2);
  for (const [utc, shown, title] of times) {
    const tokyo = new Date(new Date(utc.replace(" ", "T")).getTime() + 9 * 3_600_000).toISOString();
    assert.equal(shown, tokyo.slice(11, 19));
    assert.equal(title, `${tokyo.slice(0, 19).replace("T", " ")}, ${utc.slice(0, 19)} UTC`);
  }
  await rui.setJavaScriptEnabled(false);
  await rui.reload();
  await shows(rui, "#zone", "Times are UTC");
  for (const [utc, shown] of await all()) assert.equal(shown, utc.slice(11, 19));
  await rui.close();
  quiet();
});

test("what is put off leaves the list by keys, comes back when the customer writes, or is woken", { timeout: 120_000 }, async () => {
  const id = `aside-${(customers += 1)}`;
  const customer = await office.customer(id, { name: `Customer ${customers}` });
  await office.event("payment.declined", id, { order: id, attempt: 2, total: 20 });
  await customer.sees();
  model.fails = true;
  await customer.says("A person, please");
  await customer.hearsWords("queue");
  const path = `conversations/${await customer.opened()}?view=needs`;
  Object.assign(customer, { name: `Customer ${customers}`, path });
  const rui = await at(customer, RUI);
  const list = async (view, is) => {
    await rui.goto(`${office.address}/operator/?view=${view}`);
    await rui.waitForFunction((name, is) => [...document.querySelectorAll("a.row")].some((row) => row.innerText.includes(name)) === is, { polling: 50 }, customer.name, is);
  };
  const putOff = async () => {
    await rui.goto(`${office.address}/operator/${path}`);
    await rui.keyboard.press("s");
    await focused(rui, "#hand form .btn");
    await accessible(rui, "putting off");
    await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
    await shows(rui, "#hand", "Put off by Rui until");
  };
  await list("needs", true);
  const ada = await at(customer, ADA);
  await putOff();
  await shows(ada, "#hand", "Put off by Rui until");
  await accessible(rui, "put off");
  await list("needs", false);
  await list("snoozed", true);
  await customer.says("Are you there?");
  // The list is live: it comes back by itself.
  await list("needs", true);
  await putOff();
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("s")]);
  assert.equal(await rui.$eval("#hand", (hand) => hand.innerText.includes("Put off")), false);
  await list("needs", true);
  model.fails = false;
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});

test("what is told to many is taken back by keys, from who has not seen it; who talks goes on", { timeout: 120_000 }, async () => {
  const [noor, ines] = [await office.customer("noor", {}), await office.customer("ines", {})];
  const event = await office.event("incident.opened", undefined, { id: "I-1", customers: ["noor", "ines", "tom"] });
  await noor.sees();
  await ines.opened();
  const path = `events/${event}`;
  const rui = await office.operator(browser, RUI, complaints, { path });
  await shows(rui, "#became", "waiting 2");
  assert.equal(await rui.$(".title summary"), null, "an operator may not");
  const ada = await office.operator(browser, ADA, complaints, { path });
  await ada.focus(".title summary");
  await ada.keyboard.press("Enter");
  await ada.keyboard.press("Tab");
  await focused(ada, "#reason");
  await accessible(ada, "an event being taken back");
  await ada.keyboard.type("it was a drill");
  await ada.keyboard.press("Enter");
  // The page of what takes it back counts as it goes on.
  await shows(ada, "#became", "as Ada asked: \u201cit was a drill\u201d");
  await shows(ada, "#became", "withdrawn 2");
  await shows(ada, "#became", "joined 1");
  await accessible(ada, "what takes an event back");
  // Who looks on sees it, without loading the page again.
  await shows(rui, "#became", "Ada took it back: it was a drill");
  await shows(rui, "#became", "opened 1");
  await follow(ada, "#became a[href$='" + event + "']");
  await shows(ada, "#became", "Ada took it back");
  assert.equal(await ada.$(".title summary"), null, "once is enough");
  // Ids and code read from the left, whatever the page's direction; an id stands where other values do.
  await ada.evaluate(() => (document.documentElement.dir = "rtl"));
  const reads = (selector) => ada.$eval(selector, (node) => [getComputedStyle(node).direction, getComputedStyle(node).textAlign]);
  assert.deepEqual([await reads("pre.payload"), await reads("dd.mono")], [["ltr", "left"], ["ltr", "right"]]);
  await office.event("incident.updated", undefined, { id: "I-1", news: "It was a drill. Everything works." });
  await noor.hearsWords("It was a drill. Everything works.");
  await ines.hearsWords('"kind":"closed"');
  assert.equal(await ines.heard("It was a drill."), false, "whose opening waited has none");
  for (const page of [rui, ada]) await page.close();
  quiet();
});
