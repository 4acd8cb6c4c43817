// The rules that need no browser: deltas, the log, the outbox, links, coming back, colours, words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { accentRules, contrast, textOn } from "../src/later/accent";
import { Conversation } from "../src/conversation";
import { plain } from "../src/plain";
import { Kept } from "../src/kept";
import { Outbox, type Item } from "../src/outbox";
import { choicesOf, clientId, readFrame, type Delta, type Entry } from "../src/protocol";
import { afterClose, backoff } from "../src/reconnect";
import { settlement } from "../src/later/confirmation";
import { isPicture, kindOf, nameOf, sizeOf } from "../src/later/kinds";
import { memory } from "../src/storage";
import { Streams } from "../src/streams";
import { callName, othersOf } from "../src/later/others";
import { rowsOf } from "../src/view/rows";
import ar from "../src/locales/ar.json";
import de from "../src/locales/de.json";
import { first, later } from "../src/locales/en.json";
import { Words, type Table } from "../src/words";

const delta = (index: number, text: string, attempt: Delta["try"] = 1, turn = "t1"): Delta => ({
  type: "delta",
  conversation_id: "c",
  turn_id: turn,
  try: attempt,
  index,
  text,
});

const entry = (seq: number, more: Partial<Entry> = {}): Entry => ({
  seq,
  id: `i${seq}`,
  at: 1_764_000_000_000 + seq,
  by: "assistant",
  kind: "message",
  text: `m${seq}`,
  ...more,
});

const only = (streams: Streams) => streams.list().map(({ text, next }) => ({ text, gap: next < 0 }));

const talk = (...entries: Entry[]): Conversation => {
  const conversation = new Conversation("c");
  for (const one of entries) conversation.apply(one);
  return conversation;
};

test("deltas of one try are joined in order, and a repeated index adds nothing", () => {
  const streams = new Streams();
  for (const d of [delta(0, "Hel"), delta(1, "lo"), delta(1, "lo"), delta(0, "Hel")]) streams.delta(d);
  assert.deepEqual(only(streams), [{ text: "Hello", gap: false }]);
});

test("a higher try clears what was there, a lower one is ignored", () => {
  const streams = new Streams();
  streams.delta(delta(0, "old", 1));
  streams.delta(delta(0, "new", 2));
  streams.delta(delta(1, "er", 1));
  assert.deepEqual(only(streams), [{ text: "new", gap: false }]);
});

test("a delta whose try is no number is skipped", () => {
  const frame = (attempt: unknown) => JSON.stringify({ type: "delta", conversation_id: "c", turn_id: "t", try: attempt, index: 0, text: "" });
  assert.notEqual(readFrame(frame(1)), null);
  for (const attempt of ["1", [1, 2], undefined, -1]) assert.equal(readFrame(frame(attempt)), null);
});

test("after a gap nothing is added until a higher try, and so it is after a start above zero", () => {
  const streams = new Streams();
  streams.delta(delta(0, "a"));
  streams.delta(delta(2, "c"));
  streams.delta(delta(1, "b"));
  assert.deepEqual(only(streams), [{ text: "a", gap: true }]);
  streams.delta(delta(0, "anew", 2));
  assert.deepEqual(only(streams), [{ text: "anew", gap: false }]);
  const late = new Streams();
  late.delta(delta(3, "x"));
  assert.deepEqual(only(late), [{ text: "", gap: true }]);
});

test("an entry replaces the deltas of its turn up to its own try, and late ones do not come back", () => {
  const streams = new Streams();
  streams.delta(delta(0, "words", 2));
  streams.entry(entry(1, { turn_id: "t1", try: 2 }));
  assert.equal(streams.delta(delta(1, "late", 2)), false);
  assert.deepEqual(only(streams), []);
  streams.delta(delta(0, "next step", 3));
  streams.entry(entry(2, { turn_id: "t1", try: 2 }));
  assert.deepEqual(only(streams), [{ text: "next step", gap: false }]);
});

test("a dropped turn is gone, and its next try may come", () => {
  const streams = new Streams();
  streams.delta(delta(0, "half", 1));
  streams.dropped("t1");
  assert.equal(streams.delta(delta(1, " more", 1)), false);
  assert.equal(streams.delta(delta(0, "again", 2)), true);
});

test("a turn that a cut left half told lapses, one that goes on stays", () => {
  const streams = new Streams();
  streams.delta(delta(0, "half"));
  streams.interrupted();
  streams.delta(delta(0, "whole", 1, "t2"));
  streams.lapse();
  assert.deepEqual(only(streams), [{ text: "whole", gap: false }]);
});

test("a log takes entries once and in order, and tells of holes and of another log", () => {
  const conversation = talk();
  assert.equal(conversation.apply(entry(1)), "added");
  assert.equal(conversation.apply(entry(1)), "known");
  assert.equal(conversation.apply(entry(3)), "hole");
  assert.equal(conversation.apply(entry(1, { id: "other" })), "conflict");
  assert.deepEqual(conversation.cursor, { seq: 1, id: "i1" });
  conversation.reset();
  assert.equal(conversation.cursor, null);
});

test("only the latest choices are on offer, until one is chosen", () => {
  const conversation = talk(entry(1, { choices: ["A", "B"] }), entry(2, { choices: [{ label: "One", value: 1 }] }));
  assert.deepEqual(conversation.offer, { seq: 2, choices: [{ label: "One", value: 1 }], locale: undefined });
  conversation.apply(entry(3, { by: "customer", text: "hm" }));
  assert.equal(conversation.offer?.seq, 2);
  conversation.apply(entry(4, { by: "customer", choice: 1 }));
  assert.equal(conversation.offer, null);
  assert.deepEqual(choicesOf(entry(1)), []);
});

test("a confirmation is asked, then answered or lapsed", () => {
  const ask = entry(1, { kind: "confirm", call_id: "k", summary: "Charge", args: {} });
  assert.equal(settlement(talk(ask), "k"), "asked");
  assert.equal(settlement(talk(ask, entry(2, { kind: "confirmed", by: "customer", call_id: "k", approve: true })), "k"), "approved");
  assert.equal(settlement(talk(ask, entry(2, { kind: "confirmed", by: "customer", call_id: "k", approve: false })), "k"), "declined");
  assert.equal(settlement(talk(ask, entry(2, { kind: "call", call_id: "k", state: "refused" })), "k"), "lapsed");
});

test("a later state of a call stands for the earlier one, and a lapsed question is said once", () => {
  const call = (seq: number, id: string, state: string) => entry(seq, { kind: "call", call_id: id, name: "shop.retry_payment", state });
  const rows = (of: Conversation) => rowsOf(of, [], 0, othersOf(of));
  assert.deepEqual(rows(talk(call(1, "a", "unknown"), call(2, "a", "done"))), [{ row: "call", key: "e2", name: "retry payment", state: "done" }]);
  const asked = talk(entry(1, { kind: "confirm", call_id: "k" }), call(2, "k", "refused"));
  assert.deepEqual(rows(asked).map(({ row }) => row), ["confirm"]);
  assert.equal(callName("shop__get_order"), "get order");
});

const kept = () => {
  let value: unknown = null;
  return { left: () => structuredClone(value), save: (next: unknown) => void (value = structuredClone(next)) };
};

const say = (id: string, conversation = "c") => ({ type: "say" as const, client_id: id, conversation_id: conversation, text: id });

test("an item is sent again under its id after the socket was lost, and goes with its ack", () => {
  const outbox = new Outbox(kept());
  outbox.add(say("m1"), "m1", 0);
  outbox.bind("user:1");
  const [first] = outbox.due(0);
  assert.ok(first);
  outbox.sent(first, 0);
  assert.deepEqual(outbox.due(1), []);
  outbox.disconnected();
  assert.deepEqual(outbox.due(1).map(({ frame }) => frame.client_id), ["m1"]);
  outbox.acked("m1", "c", 4);
  assert.deepEqual(outbox.due(2), []);
  assert.equal(outbox.find("m1")?.state, "taken");
});

test("retry_after is no answer: the item waits, and later ones of its conversation do not overtake it", () => {
  const outbox = new Outbox(kept());
  outbox.add(say("m1"), "m1", 0);
  outbox.add(say("m2"), "m2", 0);
  outbox.add(say("other", "d"), "other", 0);
  for (const item of outbox.due(0)) outbox.sent(item, 0);
  outbox.refused({ type: "error", code: "away", message: "", client_id: "m1", retry_after: 3 }, 1000);
  outbox.disconnected();
  assert.deepEqual(outbox.due(2000).map(({ frame }) => frame.client_id), ["other"]);
  assert.equal(outbox.wait(2000), 0);
  assert.deepEqual(outbox.due(4000).map(({ frame }) => frame.client_id), ["m1", "m2", "other"]);
});

test("an error without retry_after is final", () => {
  const outbox = new Outbox(kept());
  outbox.add(say("m1"), "m1", 0);
  assert.equal(outbox.refused({ type: "error", code: "closed", message: "", client_id: "m1" }, 0)?.state, "failed");
  assert.deepEqual(outbox.due(99), []);
  assert.deepEqual(outbox.list.map(({ state }) => state), ["failed"], "it stays to be seen");
});

test("the outbox survives a change of page, and is never sent for another customer", () => {
  const keep = kept();
  const outbox = new Outbox(keep);
  outbox.bind("anon:a");
  outbox.add(say("m1"), "m1", 0);
  const next = new Outbox(kept());
  next.add(say("m2"), "m2", 1);
  next.adopt(keep.left());
  next.bind("anon:a");
  assert.deepEqual(next.due(0).map(({ frame }) => frame.client_id), ["m1", "m2"]);
  next.adopt(keep.left());
  assert.equal(next.list.length, 2, "taken over once");
  next.bind("user:1");
  assert.deepEqual(next.due(0), []);
  next.adopt(keep.left());
  assert.deepEqual(next.due(0), [], "of another customer");
});

test("what a page says before it looked what earlier pages left takes nothing of that away; a customer who leaves takes it all", () => {
  const left = new Outbox(kept());
  left.bind("anon:a");
  left.add(say("m1"), "m1", 0);
  const page = () => {
    const tab = memory();
    tab.set("outbox", { customer: "anon:a", items: structuredClone(left.list) });
    const outbox: Outbox = new Outbox(new Kept(() => ({ lasting: memory(), tab, shared: null }), (value) => outbox.adopt(value)));
    return { outbox, lies: () => ((tab.get("outbox") as { items: Item[] } | null)?.items ?? []).map(({ frame }) => frame.client_id) };
  };
  const early = page();
  early.outbox.add({ type: "track", client_id: "t1", event: "cart.viewed", properties: {} }, "", 1);
  assert.deepEqual(early.outbox.list.map(({ frame }) => frame.client_id), ["m1", "t1"]);
  assert.deepEqual(early.lies(), ["m1", "t1"]);
  const gone = page();
  gone.outbox.clear();
  assert.deepEqual([gone.outbox.list, gone.lies()], [[], []]);
  gone.outbox.add(say("m2"), "m2", 2);
  assert.deepEqual(gone.lies(), ["m2"]);
});

test("an unanswered item goes out again after a while on a living socket", () => {
  const outbox = new Outbox(kept());
  outbox.add(say("m1"), "m1", 0);
  const [item] = outbox.due(0);
  assert.ok(item);
  outbox.sent(item, 0);
  assert.equal(outbox.wait(5_000), 15_000);
  outbox.overdue(20_000);
  assert.equal(outbox.due(20_000).length, 1);
});

test("a track goes out again after a cut, but not for want of an answer, and takes no message's place", () => {
  const outbox = new Outbox(kept());
  for (let i = 0; i < 60; i++) outbox.add({ type: "track", client_id: `t${i}`, event: "e", properties: {} }, "", 0);
  assert.equal(outbox.list.length, 50);
  assert.equal(outbox.add(say("m1"), "m1", 0), true);
  for (const item of outbox.due(0)) outbox.sent(item, 0);
  outbox.disconnected();
  assert.equal(outbox.due(1).length, 51);
  for (const item of outbox.due(1)) outbox.sent(item, 1);
  outbox.overdue(30_000);
  assert.deepEqual(outbox.list.map(({ frame }) => frame.client_id), ["m1"]);
});

test("client ids are long, random and URL-safe", () => {
  const ids = new Set(Array.from({ length: 500 }, clientId));
  assert.equal(ids.size, 500);
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{22,64}$/);
});

test("words without markup say the same as the formatted ones", () => {
  const html = '<p>Order <strong>1042</strong>, is &lt;b&gt; &amp; paid.</p><ul><li>one</li></ul>';
  assert.equal(plain(entry(1, { kind: "message", html })), "Order 1042, is <b> & paid. one");
  assert.equal(plain(entry(1, { kind: "message", text: "**a**" })), "**a**");
});

test("close codes say whether to come back, and when", () => {
  assert.deepEqual(afterClose(4401, "", 0, 0), { do: "renew" });
  for (const code of [4501, 4504, 4509]) assert.equal(afterClose(code, "", 0, 0).do, "stop");
  for (const code of [1000, 1001, 1006, 1011, 4408, 4999]) assert.equal(afterClose(code, "", 0, 0).do, "come_back");
  assert.deepEqual(afterClose(4503, "retry_after=3", 5, 0), { do: "come_back", afterMs: 3000 });
  assert.deepEqual(afterClose(4503, '{"retry_after":1.5}', 5, 0), { do: "come_back", afterMs: 1500 });
  const far = afterClose(4503, "retry_after=999999", 0, 0);
  assert.ok(far.do === "come_back" && far.afterMs <= 120_000);
});

test("waiting grows, is bounded and is spread", () => {
  const waits = [0, 1, 2, 3, 20].map((failures) => backoff(failures, 0));
  assert.deepEqual(waits, [250, 500, 1000, 2000, 15_000]);
  assert.equal(backoff(20, 0.999999), 30_000);
});

test("what is no frame is skipped", () => {
  for (const bad of ["", "[]", "{", '{"type":"nothing"}', '{"type":"constructor"}', '{"type":"entry","conversation_id":"c","seq":0}', 7, null])
    assert.equal(readFrame(bad), null);
  assert.equal(readFrame('{"type":"pong"}')?.type, "pong");
});

test("text on any accent can be read, and a faint accent gets an edge", () => {
  for (const accent of ["#0b6b63", "#ffd400", "#ffffff", "#000000", "#777777"]) assert.ok(contrast(accent, textOn(accent)) >= 4.5, accent);
  assert.match(accentRules("#ffff66"), /\.root\.light\{[^}]*--accent-edge:var\(--ink\)/);
  assert.match(accentRules("#0b6b63"), /--accent-edge:#0b6b63/);
  assert.equal(accentRules("red}*{display:none"), "");
});

test("a file is what its first bytes say", () => {
  const head = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  for (const [bytes, type] of [
    ["\x89PNG\r\n\x1a\nIHDR", "image/png"],
    ["\xff\xd8\xff\xe0JFIF", "image/jpeg"],
    ["GIF87a", "image/gif"],
    ["GIF89a", "image/gif"],
    ["RIFF\x10\x00\x00\x00WEBP", "image/webp"],
    ["%PDF-1.7", "application/pdf"],
    ["RIFF\x10\x00\x00\x00WAVE", ""],
    ["\x89PNG\n", ""],
    ["<svg xmlns=", ""],
    ["<!doctype ht", ""],
    [" %PDF-1.7", ""],
    ["", ""],
  ] as const) assert.equal(kindOf(head(bytes)), type, bytes);
});

test("a picture is drawn only where its size is known and not beyond all measure", () => {
  const file = { id: "att_1", name: "a", type: "image/png", size: 1, width: 800, height: 600 };
  assert.equal(isPicture(file), true);
  for (const other of [{ type: "image/svg+xml" }, { type: "application/pdf" }, { width: 0 }, { height: 1.5 }, { width: 100_000, height: 100_000 }]) assert.equal(isPicture({ ...file, ...other }), false, JSON.stringify(other));
  assert.equal(isPicture({ id: "att_1", name: "a", type: "image/png", size: 1 }), false);
});

test("names of files are of one line, no path, as long as a server takes, and turn nothing around", () => {
  assert.equal(nameOf("receipt.pdf"), "receipt.pdf");
  assert.equal(nameOf("a\u0000b\n\u202egpj.exe"), "abgpj.exe");
  assert.equal(nameOf("../../etc\\passwd"), "..-..-etc-passwd");
  assert.equal(nameOf("إيصال.pdf"), "إيصال.pdf");
  assert.equal(nameOf(" \u2066 "), "file");
  const long = nameOf(`${"😀".repeat(300)}.jpeg`);
  assert.equal(Array.from(long).length, 200);
  assert.match(long, /😀\.jpeg$/);
});

test("sizes are written as people read them", () => {
  for (const [bytes, text] of [[1, "1 kB"], [12_345, "12 kB"], [999_499, "999 kB"], [999_500, "1 MB"], [5_242_880, "5.2 MB"]] as const) assert.equal(sizeOf(bytes, "en"), text);
  assert.equal(sizeOf(5_242_880, "de"), "5,2 MB");
});

test("words count, and an unknown locale speaks English", () => {
  const words = new Words("xx-YY");
  assert.equal(words.language, "en");
  assert.equal(words.counted("unread", 1), "1 unread message");
  assert.equal(words.counted("unread", 3), "3 unread messages");
  assert.equal(words.time("no time"), "");
  words.add({ ...later, yes: "Yes" });
  assert.equal(words.t("yes"), "Yes");
  assert.equal(words.t("said", { who: "{text}", text: "{who}" }), "{text}: {who}");
});

test("every locale has every word, the same blanks, and each plural that its language knows", () => {
  const names = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort().join();
  const whole = ({ first, later }: { first: Table; later: Table }): Table => ({ ...first, ...later });
  const english = whole({ first, later });
  for (const [locale, file] of Object.entries({ de, ar })) {
    const table = whole(file);
    for (const [key, text] of Object.entries(english)) {
      assert.ok(table[key], `${locale} lacks ${key}`);
      if (!/_(one|two|zero)$/.test(key)) assert.equal(names(table[key] ?? ""), names(text ?? ""), `${locale} ${key}`);
    }
    for (const form of new Intl.PluralRules(locale).resolvedOptions().pluralCategories)
      for (const key of ["unread", "conversations"]) assert.ok(table[`${key}_${form}`], `${locale} lacks ${key}_${form}`);
  }
  const words = new Words("ar-EG", whole(ar));
  assert.equal(words.language, "ar");
  assert.equal(words.counted("unread", 2), "رسالتان غير مقروءتين");
  assert.match(words.counted("unread", 5), /رسائل/);
});

test("numbers are those of the language, with a formatter or without", () => {
  const number = (locale: string, count: number, table?: Table) => new Words(locale, table).number(count);
  assert.deepEqual([number("en", 7), number("en", 999), number("en", 1_000)], ["7", "999", "1,000"]);
  assert.deepEqual([number("de", 99, de.first), number("de", 1_234, de.first)], ["99", "1.234"]);
  assert.deepEqual([number("ar-EG", 7, ar.first), number("ar-MA", 7, ar.first)], ["٧", "7"]);
});
