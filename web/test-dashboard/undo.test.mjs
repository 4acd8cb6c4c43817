// A moment to take back: what was sent or closed waits five seconds, and then goes for certain, whatever the page does.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { follow, shows, startBrowser } from "../test-demo/stage.mjs";
import { ADA, Office, RUI, accessible } from "./office.mjs";

let office;
let browser;
let customers = 0;
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

/** A customer who talks, and Rui who has taken over. */
async function talking() {
  const id = `moment-${(customers += 1)}`;
  const customer = await office.customer(id, { name: `Customer ${customers}` });
  await office.event("payment.declined", id, { order: id, attempt: 2, total: 20 });
  await customer.sees();
  const conversation = await customer.opened();
  const rui = await office.operator(browser, RUI, complaints, { width: 1380 });
  await rui.goto(`${office.address}/operator/?view=all`);
  await shows(rui, "a.row", `Customer ${customers}`);
  const path = `${office.address}/operator/conversations/${conversation}?view=all`;
  await rui.goto(path);
  await follow(rui, "#hand form[action$='/claim'] button");
  await shows(rui, "#hand", "You have the conversation.");
  return { customer, rui, path, name: `Customer ${customers}` };
}

const press = async (page, key) => {
  await page.keyboard.down("Control");
  await page.keyboard.press(key);
  await page.keyboard.up("Control");
};
const waits = (page) => page.$eval("#undo", (bar) => !bar.hidden);
const field = (page) => page.$eval("#text", ({ value, readOnly, selectionStart }) => ({ value, readOnly, selectionStart }));
const said = (page, words) => page.$$eval("#spine > li", (lines, words) => lines.filter((line) => line.innerText.includes(words)).length, words);
/** No draft is kept any more: the next page has asked what became of it. */
const forgotten = (page) => page.waitForFunction(() => !Object.keys(localStorage).some((name) => name.startsWith("beckon-draft:")));

test("what was sent is taken back by keys and by hand, and the customer hears nothing of it", { timeout: 120_000 }, async () => {
  const { customer, rui } = await talking();
  await rui.type("#text", "Your parcel is losst");
  for (const back of [() => press(rui, "z"), () => rui.click("#undo button")]) {
    await press(rui, "Enter");
    assert.equal(await waits(rui), true);
    assert.equal((await field(rui)).readOnly, true, "what goes is what stands there");
    await accessible(rui, "words that wait");
    await rui.waitForFunction(() => document.querySelector("#announce").textContent.includes("Control Z takes it back"));
    await back();
    assert.deepEqual(await field(rui), { value: "Your parcel is losst", readOnly: false, selectionStart: 20 });
    assert.equal(await rui.evaluate(() => document.activeElement?.id), "text");
    assert.equal(await waits(rui), false);
  }
  await rui.keyboard.press("Backspace");
  await rui.keyboard.press("Backspace");
  await rui.keyboard.type("t in Porto");
  // The second press sends at once.
  await press(rui, "Enter");
  await press(rui, "Enter");
  await customer.hearsWords("Your parcel is lost in Porto");
  assert.equal(await customer.heard("losst"), false);
  await rui.waitForFunction(() => document.querySelector("#text")?.value === "" && document.querySelector("#undo").hidden);
  assert.equal(await said(rui, "Porto"), 1);
  await rui.close();
  quiet();
});

test("after its moment it goes, once; also where it was switched on again", { timeout: 120_000 }, async () => {
  const { customer, rui } = await talking();
  await rui.click("#show-keys");
  await rui.click("#moment");
  await rui.keyboard.press("Escape");
  await rui.type("#text", "At once");
  await rui.click("#composer .btn.pri");
  assert.equal(await waits(rui), false, "who switched it off does not wait");
  await customer.hearsWords("At once");
  await rui.reload();
  await rui.click("#show-keys");
  assert.equal(await rui.$eval("#moment", (box) => box.checked), false);
  await rui.click("#moment");
  await rui.keyboard.press("Escape");
  await rui.type("#text", "In a moment");
  await rui.click("#composer .btn.pri");
  assert.equal(await waits(rui), true);
  assert.equal(await customer.heard("In a moment"), false);
  await customer.hearsWords("In a moment");
  await rui.waitForFunction(() => document.querySelector("#text")?.value === "");
  assert.equal(await said(rui, "In a moment"), 1);
  await rui.close();
  quiet();
});

test("who leaves the page has sent it, once, and finds no draft of it", { timeout: 120_000 }, async () => {
  const { customer, rui, path } = await talking();
  await rui.type("#text", "On my way out");
  await press(rui, "Enter");
  await rui.goto(`${office.address}/operator/customers`);
  await customer.hearsWords("On my way out");
  await forgotten(rui);
  await rui.goto(path);
  assert.equal((await field(rui)).value, "");
  assert.equal(await said(rui, "On my way out"), 1);

  // Handing back comes after what was said before it.
  await rui.type("#text", "The assistant goes on");
  await press(rui, "Enter");
  await rui.click("#hand summary");
  await follow(rui, "#hand form[action$='/release'] button");
  await shows(rui, "#hand", "The assistant has the conversation.");
  assert.equal(await said(rui, "The assistant goes on"), 1);
  await forgotten(rui);

  // So does signing out.
  await follow(rui, "#hand form[action$='/claim'] button");
  await rui.type("#text", "Good night");
  await press(rui, "Enter");
  await follow(rui, "#sign-out button");
  await customer.hearsWords("Good night");
  await rui.close();
  quiet();
});

test("words that did not arrive as the page was left are kept, and the next page says so", { timeout: 120_000 }, async () => {
  const { customer, rui, path, name } = await talking();
  await rui.type("#text", "Into the void");
  await press(rui, "Enter");
  await rui.setRequestInterception(true);
  const cut = (request) => (request.url().endsWith("/say") ? request.abort() : request.continue());
  rui.on("request", cut);
  await rui.goto(`${office.address}/operator/customers`);
  await shows(rui, ".missed", `What you wrote to ${name} may not have been sent.`);
  await accessible(rui, "words that did not arrive");
  rui.off("request", cut);
  await rui.setRequestInterception(false);
  await Promise.all([rui.waitForNavigation(), rui.click(".missed a")]);
  assert.equal(rui.url(), path);
  assert.equal((await field(rui)).value, "Into the void");
  await rui.focus("#text");
  await press(rui, "Enter");
  await press(rui, "Enter");
  await customer.hearsWords("Into the void");
  await rui.close();
  // The one of what was cut is told a moment later.
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(complaints.splice(0).filter((one) => !one.includes("ERR_FAILED")), []);
});

test("a takeover in that moment leaves the words unsent, where they can be copied", { timeout: 120_000 }, async () => {
  const { customer, rui, path } = await talking();
  const ada = await office.operator(browser, ADA, complaints, {});
  await ada.goto(path);
  await rui.type("#text", "Too late, Rui");
  await press(rui, "Enter");
  await follow(ada, "#hand form[action$='/claim'] button");
  await shows(rui, "#hand", "Ada has the conversation.");
  await rui.waitForFunction(() => document.querySelector("#undo").hidden && document.querySelector("#draft")?.value === "Too late, Rui");
  await rui.waitForFunction(() => document.querySelector("#announce").textContent.includes("Your words are kept"));
  await ada.type("#text", "Ada here");
  await ada.click("#composer .btn.pri");
  await customer.hearsWords("Ada here");
  assert.equal(await customer.heard("Too late"), false);
  for (const page of [rui, ada]) await page.close();
  quiet();
});

test("closing waits too: it is taken back, given up by who writes on, and done for certain by who leaves", { timeout: 120_000 }, async () => {
  const { customer, rui, path } = await talking();
  const close = async () => {
    await rui.click("#hand details:last-of-type summary");
    await rui.click("#hand form[action$='/close'] .btn");
    assert.equal(await waits(rui), true);
  };
  await close();
  await accessible(rui, "a conversation that is to be closed");
  await press(rui, "z");
  assert.equal(await waits(rui), false);
  assert.equal(await rui.evaluate(() => document.activeElement?.dataset.key), "e");

  await close();
  await rui.type("#text", "One more thing");
  await press(rui, "Enter");
  await press(rui, "Enter");
  await customer.hearsWords("One more thing");
  await shows(rui, "#hand", "You have the conversation.");

  await close();
  await rui.goto(`${office.address}/operator/customers`);
  await customer.hearsWords('"kind":"closed"');
  await rui.goto(path);
  await shows(rui, "#composer", "This conversation is closed.");
  await rui.close();
  quiet();
});
