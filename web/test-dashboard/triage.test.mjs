// How operators judge conversations and find them again: labels, priority, what customers gave, filters, and filters that are saved.

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

/** A customer who waits for a person. */
async function waiting() {
  const name = `Customer ${(customers += 1)}`;
  const id = `waits-${customers}`;
  const customer = await office.customer(id, { name });
  await office.event("payment.declined", id, { order: id, attempt: 2, total: 20 });
  await customer.sees();
  model.fails = true;
  await customer.says("A person, please");
  await customer.hearsWords("queue");
  model.fails = false;
  return Object.assign(customer, { name, path: `conversations/${await customer.opened()}?view=needs` });
}

/** A page at a conversation, as soon as the record lists it. */
async function at(customer, who, size = { width: 1380 }) {
  const page = await office.operator(browser, who, complaints, size);
  await page.goto(`${office.address}/operator/?view=needs`);
  await shows(page, "a.row", customer.name);
  await page.goto(`${office.address}/operator/${customer.path}`);
  return page;
}

const focused = async (page, selector) => await page.waitForFunction((s) => document.activeElement?.matches(s), { polling: 50 }, selector);
const names = (page) => page.$$eval("a.row b", (rows) => rows.map((row) => row.textContent.trim()));
/** Waits until the list has these customers, in this order. */
const lists = async (page, ...wanted) =>
  await page.waitForFunction((wanted) => [...document.querySelectorAll("a.row b")].map((row) => row.textContent.trim()).join() === wanted, { polling: 50 }, wanted.map(({ name }) => name).join());
const counted = (page, tab) => page.$$eval(".tabs a, .saved a", (tabs, tab) => tabs.find((one) => one.textContent.includes(tab))?.querySelector(".count")?.textContent, tab);

/** Judges by the form of a page that has no scripts, or is as good as that. */
async function judge(page, { add = "", priority, off = [] }) {
  await page.click(".triage button[data-key=l]");
  await page.type("#add", add);
  for (const label of off) await page.click(`input[name="keep.${label}"]`);
  if (priority) await page.select("#judged", priority);
  await follow(page, "#judge .btn.pri");
}

test("labels and a priority are given by keys alone; colleagues see them at once, the customer and the assistant never", { timeout: 180_000 }, async () => {
  const customer = await waiting();
  const [rui, ada] = [await at(customer, RUI), await at(customer, ADA)];
  // Ada is in the middle of a label of her own when Rui's come.
  await ada.keyboard.press("l");
  await focused(ada, "#add");
  await ada.keyboard.type("half a lab");
  await rui.keyboard.press("l");
  await focused(rui, "#add");
  await accessible(rui, "labels being given");
  await rui.keyboard.type("Planted  VIP, refund");
  await rui.keyboard.press("Tab");
  await focused(rui, "#judged");
  await rui.keyboard.type("urgent");
  await rui.keyboard.press("Tab");
  await focused(rui, "#judge .btn.pri");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  for (const page of [rui, ada]) {
    await shows(page, "#triage .tags", "planted vip");
    await shows(page, "#triage .tags .prio", "urgent");
    await shows(page, "#spine", "priority urgent; labels put on: planted vip, refund");
    await shows(page, "a.row .tags", "planted vip");
  }
  await accessible(rui, "a conversation with labels");
  await focused(ada, "#add");
  assert.equal(await ada.$eval("#add", (field) => field.value), "half a lab", "what a colleague types stays");
  assert.equal(await ada.$eval("#judge", (form) => form.matches(":popover-open")), true);
  assert.equal(await ada.$$eval("#judge [type=checkbox]", (ticks) => ticks.length), 2, "and can be taken off there");
  await ada.keyboard.type("el");
  await Promise.all([ada.waitForNavigation(), ada.keyboard.press("Enter")]);
  await shows(rui, "#triage .tags", "half a label");
  await rui.keyboard.press("l");
  await focused(rui, "#add");
  await rui.keyboard.press("Escape");
  await focused(rui, "#triage [data-key=l]");
  model.words = "All is well.";
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("a")]);
  await rui.keyboard.press("A");
  await focused(rui, "#note");
  await rui.keyboard.press("Tab");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await customer.says("Hello?");
  await customer.hearsWords("All is well.");
  assert.equal(JSON.stringify(model.asked).includes("planted"), false, "the assistant is not told");
  for (const secret of ["planted", "urgent", "triage"]) assert.equal(await customer.heard(secret), false, secret);
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});

test("without scripts labels are given, refused with a reason, and taken off", { timeout: 120_000 }, async () => {
  const customer = await waiting();
  const rui = await at(customer, RUI);
  await rui.setJavaScriptEnabled(false);
  await rui.reload();
  await judge(rui, { add: "late, late,, big", priority: "low" });
  await shows(rui, "#triage .tags", "big");
  await shows(rui, "#triage .tags .prio", "low");
  await judge(rui, { add: Array.from({ length: 9 }, (_, n) => `one ${n}`).join(", ") });
  await shows(rui, "#triage .notice", "10 labels at most");
  assert.equal(await rui.$eval("#add", (field) => field.value.startsWith("one 0")), true, "what was typed is there still");
  await fits(rui, "labels that were refused");
  await rui.goto(`${office.address}/operator/${customer.path}`);
  await judge(rui, { off: ["big"], priority: "normal" });
  await shows(rui, "#triage .tags", "late");
  assert.equal(await rui.$eval("#triage .tags", (tags) => /big|low/.test(tags.textContent)), false);
  await rui.close();
  complaints.splice(0, complaints.length, ...complaints.filter((one) => !/409/.test(one)));
  quiet();
});

test("the inbox puts the urgent first, is filtered by label and priority by keys, keeps the filter, and counts live", { timeout: 180_000 }, async () => {
  const [first, second, third] = [await waiting(), await waiting(), await waiting()];
  const ada = await at(third, ADA);
  for (const [customer, given] of [[second, { add: "outage" }], [third, { add: "outage", priority: "high" }]]) {
    await ada.goto(`${office.address}/operator/${customer.path}`);
    await judge(ada, given);
  }
  const rui = await office.operator(browser, RUI, complaints, { width: 1380, path: "?view=needs" });
  await shows(rui, "a.row .tags", "outage");
  await rui.waitForFunction((name) => document.querySelector("a.row b").textContent.includes(name), { polling: 50 }, third.name);
  const order = await names(rui);
  assert.ok(order.indexOf(first.name) < order.indexOf(second.name), `of one priority who waits longest: ${order}`);
  const whole = await rui.$eval("#needs", (pill) => Number.parseInt(pill.textContent, 10));
  assert.ok(whole >= 3);
  await rui.keyboard.press("f");
  await focused(rui, "#with-label");
  await rui.keyboard.type("outage");
  for (const field of ["#with-team", "#with-priority", "#with-rating", ".sieve .btn"]) {
    await rui.keyboard.press("Tab");
    await focused(rui, field);
  }
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await lists(rui, third, second);
  assert.equal(new URL(rui.url()).searchParams.get("label"), "outage");
  await accessible(rui, "a filtered inbox");
  assert.deepEqual([await counted(rui, "Needs me"), await counted(rui, "Assistant")], ["2", "0"], "tabs count within the filter");
  assert.equal(await rui.$eval("#needs", (pill) => Number.parseInt(pill.textContent, 10)), whole, "who needs a person is all of them");

  // The list is live within its filter, and the filter stays over a conversation and an act in it.
  await ada.goto(`${office.address}/operator/${first.path}`);
  await judge(ada, { add: "outage", priority: "urgent" });
  await lists(rui, first, third, second);
  assert.equal(await counted(rui, "Needs me"), "3");
  await rui.keyboard.press("j");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await lists(rui, first, third, second);
  await judge(rui, { off: ["outage"] });
  await lists(rui, third, second);
  assert.equal(new URL(rui.url()).searchParams.get("label"), "outage");
  await rui.goto(`${office.address}/operator/?view=all&label=outage&priority=high&q=person`);
  await lists(rui, third);
  await rui.goto(`${office.address}/operator/?view=closed&label=outage`);
  await shows(rui, ".empty", "Nothing here has all that is looked for.");
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});

test("a conversation is passed on by keys to a team and a colleague, who find it by their team, live; the customer waits", { timeout: 180_000 }, async () => {
  const [customer, other] = [await waiting(), await waiting()];
  const ada = await office.operator(browser, ADA, complaints, { width: 1380, path: "?view=needs&team=first+line" });
  await shows(ada, ".empty", "Nothing here has all that is looked for.");
  const rui = await at(customer, RUI);
  await shows(rui, "#hand", "for payments");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("a")]);
  await customer.hearsWords("Rui");
  await rui.keyboard.press("p");
  await focused(rui, "#pass-note");
  await accessible(rui, "a conversation being passed on");
  await fits(rui, "a conversation being passed on");
  await rui.keyboard.type("She wants to talk to @");
  await rui.waitForSelector("#picker[open] [role=option]");
  await rui.keyboard.press("Enter");
  await focused(rui, "#pass-note");
  // What a colleague does meanwhile takes nothing from what is typed.
  await ada.goto(`${office.address}/operator/${customer.path}`);
  await ada.keyboard.press("s");
  await focused(ada, "#put-off form .btn");
  await Promise.all([ada.waitForNavigation(), ada.keyboard.press("Enter")]);
  await shows(rui, "#hand .snoozed", "Put off by Ada");
  await focused(rui, "#pass-note");
  await rui.keyboard.type("again.");
  await rui.keyboard.press("Tab");
  await focused(rui, "#team");
  await rui.keyboard.type("first");
  await rui.keyboard.press("Tab");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  await shows(rui, "#hand", "Waits for a person. Rui passed it on to first line");
  await shows(rui, "#spine .note", "She wants to talk to @Ada again.");
  await accessible(rui, "a conversation that was passed on");
  await shows(ada, ".mention", "Rui names you in a note.");

  await ada.goto(`${office.address}/operator/?view=needs`);
  await ada.focus("#with-team");
  await ada.keyboard.type("first");
  assert.equal(await ada.$eval("#with-team", (field) => field.selectedOptions[0].textContent), "first line");
  await ada.keyboard.press("Tab");
  await follow(ada, ".sieve .btn");
  await lists(ada, customer);
  assert.equal(await counted(ada, "Needs me"), "1");
  assert.equal(new URL(ada.url()).searchParams.get("team"), "first line");
  await ada.goto(`${office.address}/operator/?view=needs&team=payments`);
  assert.equal(await ada.$eval("#with-team", (field) => field.selectedOptions[0].textContent), "payments (yours)");
  await shows(ada, "a.row", other.name);
  assert.equal((await names(ada)).some((name) => name.includes(customer.name)), false);
  await accessible(ada, "an inbox of a team");
  await fits(ada, "an inbox of a team");

  // Without scripts too; nobody passes on what they do not hold.
  await ada.goto(`${office.address}/operator/${customer.path}`);
  await Promise.all([ada.waitForNavigation(), ada.keyboard.press("a")]);
  await ada.setJavaScriptEnabled(false);
  await ada.reload();
  await ada.click("[data-key=p]");
  await ada.select("#team", "payments");
  await follow(ada, "#hand form[action$='/pass'] .btn");
  await shows(ada, "#hand", "Ada passed it on to payments");
  assert.equal(await ada.$("[data-key=p]"), null);
  assert.equal(await customer.heard("She wants"), false, "a note is the team's");
  assert.equal(await customer.heard("payments"), false, "and so is the team");
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});

test("what customers gave stands in the list and finds them, kept as a filter too; live", { timeout: 180_000 }, async () => {
  const [content, cross] = [await waiting(), await waiting()];
  const ada = await at(cross, ADA);
  const rui = await office.operator(browser, RUI, complaints, { width: 1380, path: "?view=all" });
  await rui.focus("#with-rating");
  await rui.keyboard.type("rated 1");
  await rui.keyboard.press("Tab");
  await Promise.all([rui.waitForNavigation(), rui.keyboard.press("Enter")]);
  assert.equal(new URL(rui.url()).searchParams.get("rated"), "unhappy");
  await shows(rui, ".empty", "Nothing here has all that is looked for.");
  assert.equal(await content.rates(5), "ack");
  assert.equal(await cross.rates(2), "ack");
  await lists(rui, cross);
  await shows(rui, "a.row .tags", "rated 2 of 5");
  await accessible(rui, "an inbox of the unhappy");
  await rui.click(".narrowed summary");
  await rui.type("#filter-name", "Unhappy");
  await follow(rui, ".narrowed form .btn");
  await shows(rui, ".saved a[aria-current]", "Unhappy");
  assert.equal(await counted(rui, "Unhappy"), "1");
  await rui.goto(`${office.address}/operator/filters`);
  await shows(rui, "main", "All, rated 1 or 2");
  await rui.click("main details summary");
  await follow(rui, "main details [formaction$='/remove']");
  await rui.goto(`${office.address}/operator/?view=all&rated=happy`);
  await lists(rui, content);
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});

test("a filter is saved, counted live, renamed and removed without scripts; an admin shares one", { timeout: 180_000 }, async () => {
  const [one, two] = [await waiting(), await waiting()];
  const ada = await at(two, ADA);
  await ada.goto(`${office.address}/operator/${one.path}`);
  await judge(ada, { add: "fair" });
  const rui = await office.operator(browser, RUI, complaints, { width: 1380, path: "?view=needs&label=fair" });
  await lists(rui, one);
  await rui.setJavaScriptEnabled(false);
  await rui.reload();
  await rui.click(".narrowed summary");
  assert.equal(await rui.$(".narrowed [name=shared]"), null, "who is no admin shares nothing");
  await rui.type("#filter-name", "From the fair");
  await follow(rui, ".narrowed form .btn");
  await shows(rui, ".saved a[aria-current]", "From the fair");
  assert.equal(await counted(rui, "From the fair"), "1");
  await rui.setJavaScriptEnabled(true);
  await rui.goto(`${office.address}/operator/?view=all`);
  await accessible(rui, "an inbox with a saved filter");
  await ada.goto(`${office.address}/operator/${two.path}`);
  assert.equal(await ada.$(".saved"), null, "a filter is its operator's own");
  await judge(ada, { add: "fair" });
  await rui.waitForFunction(() => document.querySelector(".saved .count")?.textContent === "2", { polling: 50 });
  await follow(rui, ".saved li a");
  await lists(rui, one, two);

  await ada.goto(`${office.address}/operator/?view=all&q=person`);
  await ada.click(".narrowed summary");
  await ada.type("#filter-name", "<b>Asked for a person</b>");
  await ada.click(".narrowed [name=shared]");
  await follow(ada, ".narrowed form .btn");
  await rui.goto(`${office.address}/operator/`);
  await shows(rui, ".saved", "<b>Asked for a person</b>");
  await rui.goto(`${office.address}/operator/filters`);
  await accessible(rui, "saved filters");
  await rui.goto(`${office.address}/operator/`);
  await rui.setJavaScriptEnabled(false);
  await follow(rui, ".saved .edit");
  await shows(rui, "main", "an admin changes it");
  assert.equal(await rui.$$eval("main details", (rows) => rows.length), 1);
  await rui.click("main details summary");
  await rui.$eval("main details [name=name]", (field) => { field.value = ""; });
  await rui.type("main details [name=name]", "Fair");
  await follow(rui, "main details form .btn");
  await shows(rui, "main", "Fair");
  await rui.click("main details summary");
  await follow(rui, "main details [formaction$='/remove']");
  assert.equal(await rui.$("main details"), null);
  await Promise.all([rui.close(), ada.close()]);
  quiet();
});
