// A day in the office: conversations in every state, so that every page has something to show.

import { randomUUID } from "node:crypto";
import { PATIENCE, follow, shows } from "../test-demo/stage.mjs";
import { ADA, RUI, picture } from "./office.mjs";

/** Fills the office; answers the pages worth seeing by name, and the browser page of Rui, who looks at one of them. */
export async function fill(office, browser, complaints) {
  const ana = await office.customer("ana", { name: "Ana Duarte", plan: "pro", email: "ana@example.com", language: "pt" });
  const omar = await office.customer("omar", { name: "عمر حداد", plan: "free" });
  const mei = await office.customer("mei", { name: "Mei Tanaka" });
  const visitor = await office.visitor();
  for (let n = 0; n < 12; n += 1) await office.event("order.late", `c${n % 5}`, { hours: n * 3, order: `O-${n}` });
  await office.event("payment.declined", "ana", { order: "A-1042", attempt: 1, total: 89.5 });
  const event = await office.event("payment.declined", "ana", { order: "A-1042", attempt: 2, total: 89.5, card: { brand: "Visa", last: "0002" } });
  await office.event("order.late", "omar", { hours: 26 });
  const outage = await office.event("incident.opened", undefined, { id: "I-7", area: "north", customers: ["noor", "ines", "tom"] });
  await office.event("order.late", "mei", { hours: 14 });
  await office.event("cart.updated", "ana", { cart: "C-7", items: 2 });
  for (let n = 0; n < 5; n += 1) await office.event("page.seen", "ana", { path: `/orders/${n}` });
  await ana.sees();
  await ana.attaches({ "screenshot of the shop, after the second try.png": picture(1280, 720), "receipt.pdf": "%PDF-1.7\n" });
  await ana.says("I tried that one already");
  await ana.hearsWords("another card");
  await ana.says("Please let me talk to a person");
  await ana.hearsWords("queue");
  await omar.sees();
  await omar.says("متى يصل الطلب؟");
  await omar.hearsWords("I am looking");
  await mei.opened();
  await visitor.says("Hello, is anybody there?");
  await visitor.hearsWords("queue");
  await office.event("order.kept", "omar", {});
  await omar.rates(2);

  const rui = await office.operator(browser, RUI, complaints, { width: 1380, height: 860 });
  for (const [name, words] of [["Sorry for the wait", "Hello {name}, thank you for waiting. I look at it right now."], ["Refund", "The money is back on your card within three days."]]) {
    await rui.goto(`${office.address}/operator/replies`);
    await rui.type("#name", name);
    await rui.type("#words", words);
    await follow(rui, "form.stack button");
  }
  const visited = await visitor.opened();
  const path = `conversations/${visited}?view=needs`;
  const ada = await office.operator(browser, ADA, complaints, { path });
  await follow(ada, "#hand form[action$='/claim'] button");
  await ada.close();
  await rui.goto(`${office.address}/operator/${path}`);
  await shows(rui, "#hand", "Ada has the conversation.");
  await rui.waitForFunction((event) => fetch(`/operator/events?id=${event}`).then((answer) => answer.ok), { timeout: PATIENCE }, event);
  const conversation = await ana.opened();
  const story = await told(office, rui);
  await judged(office, rui, `conversations/${conversation}?view=needs`);
  await rui.goto(`${office.address}/operator/${path}`);
  await shows(rui, "#hand", "Ada has the conversation.");
  const pages = {
    inbox: "?view=all",
    empty: "?view=closed",
    story: `conversations/${story}?view=all`,
    conversation: `conversations/${conversation}?view=needs`,
    held: path,
    customers: "customers",
    customer: "customers/user%3Aana",
    playbooks: "playbooks",
    playbook: "playbooks/card-declined",
    events: "events",
    event: `events/${event}`,
    outage: `events/${outage}`,
    flow: "flow",
    filtered: "?view=all&label=vip",
    filters: "filters",
    replies: "replies",
    setup: "setup",
  };
  return { pages, rui };
}

/** Labels, a priority, and filters that find them. */
async function judged(office, rui, path) {
  await rui.goto(`${office.address}/operator/${path}`);
  await rui.click(".triage [data-key=l]");
  await rui.type("#add", "vip, card trouble, واجهة, second try");
  await rui.select("#judged", "urgent");
  await follow(rui, "#judge .btn.pri");
  const filtered = `${office.address}/operator/?view=all&label=vip`;
  await rui.goto(filtered);
  await shows(rui, "a.row .tags", "vip");
  const ada = await office.operator(rui.browser(), ADA, []);
  for (const [query, name, shared] of [["view=all&label=vip", "Important to us"], ["view=needs&priority=urgent", "عاجل"], ["view=all&q=card", "About cards", true]]) {
    await ada.goto(`${office.address}/operator/?${query}`);
    await ada.click(".narrowed summary");
    await ada.type("#filter-name", name);
    if (shared) await ada.click(".narrowed [name=shared]");
    await follow(ada, ".narrowed form .btn");
  }
  await ada.close();
}

/** A conversation from its event to its goal, with a person in between; answers its id. */
async function told(office, rui) {
  const jonas = await office.customer("jonas", { name: "Jonas Weber", plan: "pro", since: "2024" });
  await office.event("payment.declined", "jonas", { order: "A-1077", attempt: 2, total: 120 });
  await jonas.sees();
  const conversation = await jonas.opened();
  jonas.send({ type: "choose", client_id: randomUUID(), conversation_id: conversation, choice: "Yes please" });
  await jonas.hearsWords("another card");
  await jonas.says("Both were declined. Can I talk to a person?");
  await jonas.hearsWords("queue");
  const page = `${office.address}/operator/conversations/${conversation}?view=all`;
  await rui.waitForFunction((page) => fetch(page).then((answer) => answer.ok), { timeout: PATIENCE }, page);
  await rui.goto(page);
  await follow(rui, "#hand form[action$='/claim'] button");
  for (const words of ["Hello Jonas, I am Rui. Your bank blocks the shop's country; the new link asks it another way.", "It goes to your e-mail now."]) {
    await rui.type("#text", words);
    await rui.click("#composer .btn.pri");
    await rui.waitForFunction(() => document.querySelector("#text")?.value === "");
  }
  await jonas.says("That worked, thank you");
  await office.event("payment.accepted", "jonas", { order: "A-1077", total: 120 });
  await shows(rui, "#spine", "outcome: goal reached");
  await jonas.rates(5);
  await rui.click("#hand summary");
  await rui.type("#note", "The bank blocked it, not the shop. @");
  await shows(rui, "#picker-list", "Ada");
  await rui.keyboard.press("Enter");
  await rui.waitForFunction(() => document.activeElement?.id === "note", { polling: 50 });
  await rui.keyboard.type("is that new?");
  await follow(rui, "#hand form[action$='/release'] button");
  return conversation;
}
