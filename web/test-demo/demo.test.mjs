// The demo from end to end, as somebody plays it who reads the README: nothing here reaches behind the pages.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PATIENCE, follow, newPage, press, shows, startBrowser, startDemo, widget } from "./stage.mjs";

let demo;
let browser;
const complaints = [];

before(async () => {
  demo = await startDemo();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await demo?.stop();
});

const visit = (size) => newPage(browser, [new URL(demo.shop).origin, new URL(demo.dashboard).origin], complaints, size);

/** A customer whose card was declined twice, with the bubble in view. */
async function declinedTwice() {
  const page = await visit();
  await page.goto(demo.shop);
  await follow(page, ".shelf .tile form button");
  await follow(page, ".summary form button");
  await shows(page, ".card", "Visa ending 0002");
  await page.click(".card input[value$='0002']");
  await follow(page, "form.pay button");
  await shows(page, "#declined", "attempt 1");
  assert.equal(await page.$eval("beckon-widget", (host) => Boolean(host.shadowRoot?.querySelector(".bubble"))).catch(() => false), false, "once is no reason to talk");
  await follow(page, "form.pay button");
  await shows(page, "#declined", "attempt 2");
  await widget(page, (root) => root.querySelector(".bubble"));
  return page;
}

/** An operator, signed in, who looks at the conversation with the latest news. */
async function operator(view) {
  const page = await visit({ width: 1380, height: 860 });
  await page.goto(demo.dashboard);
  await page.type("[name=email]", demo.email);
  await page.type("[name=password]", demo.password);
  await follow(page, "main form button");
  await page.goto(`${demo.dashboard}?view=${view}`);
  await follow(page, "a.row");
  return page;
}

const talk = (page) => page.$eval("beckon-widget", (host) => host.shadowRoot.textContent);
const spine = (page) => page.$$eval("#spine > li", (lines) => lines.map((line) => line.innerText.replace(/\s+/g, " ")));

/** From here on, notes what of a turn is shown while its words arrive. */
async function watchWords(page) {
  await page.$eval("beckon-widget", (host) => {
    window.partsSeen = new Set();
    const look = () => window.partsSeen.add(host.shadowRoot.querySelector(".streaming")?.textContent ?? "");
    new MutationObserver(look).observe(host.shadowRoot, { childList: true, characterData: true, subtree: true });
  });
}

test("a declined card becomes a paid order, charged once, and the goal with its value", { timeout: 240_000 }, async () => {
  const shop = await declinedTwice();
  const number = await shop.$eval(".lede b", (one) => one.textContent);
  const said = await shop.$eval("beckon-widget", (host) => host.shadowRoot.querySelector(".bubble").textContent);
  assert.ok(said.includes(`Your card was declined for order ${number}. Shall I help?`), said);
  for (const choice of ["Try again", "Use another card", "Not now"]) assert.ok(said.includes(choice), `${choice}: ${said}`);
  const covered = await shop.$eval("form.pay button", (button) => {
    button.scrollIntoView({ block: "center" });
    const { left, top, width, height } = button.getBoundingClientRect();
    return !button.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  });
  assert.equal(covered, false, "the bubble lies on the button that pays");

  await press(shop, "Why am I seeing this?");
  await widget(shop, (root) => [...root.querySelectorAll(".reason")].some((one) => !one.hidden && one.textContent === "Because your payment for this order failed."));

  const desk = await operator("all");
  await shows(desk, "#spine", "checkout.payment_failed");
  await watchWords(shop);
  await press(shop, "Use another card");
  const question = `Gladly. Which card shall I use for order ${number}? I ask once more before I charge it.`;
  await widget(shop, (root, question) => [...root.querySelectorAll("ol .text:not(.streaming)")].some((one) => one.textContent === question), question);
  const parts = (await shop.evaluate(() => [...window.partsSeen])).filter((part) => part && part.trim() !== question);
  assert.ok(parts.length > 0, "the words came all at once");
  for (const part of parts) assert.ok(question.startsWith(part.trim()), part);

  await press(shop, "Visa ending 4242");
  await widget(shop, (root, title) => root.querySelector(".confirm .summary")?.textContent === title, `Charge Visa ending 4242 for order ${number}`);
  assert.equal(await shop.$eval("[data-order]", (order) => order.dataset.status), "payment_failed", "nothing is charged before the customer says so");
  await press(shop, "Yes, do it");

  // The shop's page turns by itself, and so do the dashboard's.
  await shows(shop, ".notice.good", "Paid. Thank you.");
  await widget(shop, (root, words) => root.textContent.includes(words), `Order ${number} is paid. Thank you`);
  await shows(desk, "#spine", `Order ${number} is paid. Thank you`);
  await shows(desk, "#outcome", "goal reached, worth ");
  const total = await shop.$eval(".grand dd", (one) => Number(one.textContent.replace(/[^0-9.]/g, "")));
  const worth = await desk.$eval("#outcome", (one) => Number(one.textContent.split("worth ")[1]));
  assert.equal(worth, total);

  const lines = await spine(desk);
  const how = (words) => lines.filter((line) => line.includes(words)).length;
  assert.equal(how("shop.retry_payment done"), 1, lines.join("\n"));
  assert.equal(how("checkout.completed from shop"), 1);
  assert.equal(how("outcome: goal reached"), 1);
  for (const words of ["by the playbook checkout-trouble", "the customer saw it", "shop.list_cards done", "asks before it acts", "approved"]) {
    assert.ok(how(words) > 0, `${words} in\n${lines.join("\n")}`);
  }

  await follow(shop, ".notice.good a");
  await shows(shop, ".state.big", "Paid");
  // Nothing is asked, offered or opened anew on the next page.
  assert.equal(await shop.$$eval("form.pay", (forms) => forms.length), 0);

  // Every event says what became of it: the goal, the opening, and the one that was not enough.
  const customer = await desk.$eval(".side dd.mono", (one) => one.textContent);
  // What was put into the cart is told as well, and is another playbook's.
  const rows = () =>
    desk.$$eval("tbody tr", (rows) => rows.map((row) => row.innerText.replace(/\s+/g, " ")).filter((row) => row.includes("checkout.")));
  let events = [];
  // The list is of the record, which may be a moment behind the conversation.
  for (const until = Date.now() + PATIENCE; events.length < 3 && Date.now() < until; events = await rows()) {
    await desk.goto(`${demo.dashboard}events?customer=${encodeURIComponent(customer)}`);
  }
  assert.equal(events.length, 3, events.join("\n"));
  assert.match(events[0], /checkout\.completed .*goal reached/);
  assert.match(events[1], /checkout\.payment_failed .*checkout-trouble: opened/);
  assert.match(events[2], /checkout\.payment_failed .*checkout-trouble: not matched/);
  const first = await desk.$$eval("tbody tr", (rows) => rows.findLastIndex((row) => row.innerText.includes("checkout.payment_failed")));
  await follow(desk, `tbody tr:nth-child(${first + 1}) a`);
  await shows(desk, ".condition", "event.data.attempt >= 2");

  assert.deepEqual(complaints, []);
});

test("who asks for a person gets one, and the assistant back", { timeout: 240_000 }, async () => {
  const shop = await declinedTwice();
  await press(shop, "Write back");
  await widget(shop, (root) => root.querySelector("textarea"));
  await shop.$eval("beckon-widget", (host) => host.shadowRoot.querySelector("textarea").focus());
  await shop.keyboard.type("Please let me talk to a person");
  await shop.keyboard.press("Enter");
  await widget(shop, (root) => root.textContent.includes("Waiting for a person"));

  const desk = await operator("needs");
  await shows(desk, "#hand", "Waits for a person.");
  await shows(desk, "#spine", "Please let me talk to a person");
  await follow(desk, "#hand form[action$='/claim'] button");
  await shows(desk, "#hand", "You have the conversation.");
  await widget(shop, (root) => root.textContent.includes("Rui joined, a person"));

  await desk.type("#text", "Hello, this is Rui. Which card was it?");
  await desk.click("#composer .btn.pri");
  await widget(shop, (root) => [...root.querySelectorAll(".operator .text")].some((one) => one.textContent === "Hello, this is Rui. Which card was it?"));
  await shows(desk, "#spine", "Hello, this is Rui. Which card was it?");

  // The assistant is silent now: the next to speak is the customer, then Rui.
  await shop.$eval("beckon-widget", (host) => host.shadowRoot.querySelector("textarea").focus());
  await shop.keyboard.type("The one ending 0002");
  await shop.keyboard.press("Enter");
  await shows(desk, "#spine", "The one ending 0002");
  await desk.waitForFunction(() => document.querySelector("#text")?.value === "");
  await desk.type("#text", "Thank you. Our assistant goes on from here.");
  await desk.click("#composer .btn.pri");
  await shows(desk, "#spine", "Our assistant goes on from here.");
  const lines = await spine(desk);
  const since = lines.slice(lines.findIndex((line) => line.includes("Rui, a person, answers from here")));
  assert.equal(since.filter((line) => line.includes("Assistant")).length, 0, since.join("\n"));

  await desk.click("#hand summary");
  await desk.type("#note", "The old card is the trouble.");
  await follow(desk, "#hand form[action$='/release'] button");
  await shows(desk, "#spine", "The old card is the trouble.");
  await shows(desk, "#hand", "The assistant has the conversation.");
  await widget(shop, (root) => root.textContent.includes("The AI assistant is back"));
  assert.ok(!(await talk(shop)).includes("The old card is the trouble."), "a note is for the team");

  await desk.click("#hand details:last-of-type summary");
  await follow(desk, "#hand form[action$='/close'] button");
  await shows(desk, "#hand", "Closed.");
  await shows(desk, "#outcome", "closed by a person");
  await widget(shop, (root) => root.textContent.includes("Conversation ended"));
  // The shop's page is as usable as before.
  assert.equal(await shop.$eval("[data-order]", (order) => order.dataset.status), "payment_failed");

  assert.deepEqual(complaints, []);
});
