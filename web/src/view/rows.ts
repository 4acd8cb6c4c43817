// The lines of the panel's log, in order: entries, what is under way, and who is writing.

import type { Conversation } from "../conversation";
import type { Item } from "../outbox";
import type { By, Entry } from "../protocol";

export interface Speaker {
  by: By;
  /** Of an operator; "" where it is not known. */
  name: string;
}

export type Row =
  | { row: "message"; key: string; entry: Entry; speaker: Speaker; first: boolean; last: boolean }
  | { row: "local"; key: string; item: Item; first: boolean }
  | { row: "confirm"; key: string; entry: Entry }
  | { row: "call"; key: string; name: string; state: string }
  | { row: "holder"; key: string; entry: Entry }
  | { row: "closed"; key: string; outcome: string }
  | { row: "stream"; key: string; text: string; cut: boolean; first: boolean; speaker: Speaker }
  | { row: "typing"; key: string; first: boolean; speaker: Speaker; call: string };

export const keyOf = (entry: Entry): string => `e${entry.seq}`;

const same = (a: Speaker | null, b: Speaker): boolean => a?.by === b.by && a.name === b.name;

/** Items that belong to this conversation (undefined: to none yet) and are not in its log. */
export function localsOf(conversation: Conversation | undefined, items: readonly Item[]): Item[] {
  return items.filter(
    ({ frame }) =>
      (frame.type === "say" || frame.type === "choose") &&
      frame.conversation_id === conversation?.id &&
      !conversation?.holds(frame.client_id),
  );
}

/** Whether the other side is at it without visible words: nothing is streamed, or what is streamed has a gap. */
export function writing(conversation: Conversation, now: number): boolean {
  const streams = conversation.streams.list();
  if (streams.some((stream) => stream.next < 0 && !stream.cut)) return true;
  return !streams.length && conversation.typing !== null && conversation.typing.until > now;
}

/** `others` are the rows of entries that are no messages: they are drawn by what comes later. */
export function rowsOf(conversation: Conversation | undefined, items: readonly Item[], now: number, others?: ReadonlyMap<Entry, Row>): Row[] {
  const rows: Row[] = [];
  let speaker: Speaker | null = null;
  let operator = "";

  const speak = (by: By): { speaker: Speaker; first: boolean } => {
    const next = { by, name: by === "operator" ? operator : "" };
    const first = !same(speaker, next);
    speaker = next;
    return { speaker: next, first };
  };

  for (const entry of conversation?.entries ?? []) {
    if (entry.kind === "message") {
      if (entry.by === "operator" && entry.name) operator = entry.name;
      rows.push({ row: "message", key: keyOf(entry), entry, last: true, ...speak(entry.by) });
    } else if (entry.kind === "holder") {
      operator = entry.holder === "operator" ? (entry.name ?? "") : "";
      speaker = null;
    }
    const other = others?.get(entry);
    if (other) rows.push(other);
  }
  for (const item of localsOf(conversation, items)) {
    const { first } = speak("customer");
    rows.push({ row: "local", key: `l${item.frame.client_id}`, item, first });
  }
  if (conversation && conversation.phase !== "closed") {
    for (const stream of conversation.streams.list()) {
      if (stream.text) rows.push({ row: "stream", key: `s${stream.turn}`, text: stream.text, cut: stream.cut, ...speak("assistant") });
    }
    if (writing(conversation, now)) {
      const by = conversation.typing?.by === "operator" ? "operator" : "assistant";
      rows.push({ row: "typing", key: "typing", call: conversation.typing?.call ?? "", ...speak(by) });
    }
  }
  // The time stands under the last message of a run only.
  rows.forEach((row, i) => {
    const next = rows[i + 1];
    if (row.row === "message" && next?.row === "message" && !next.first) row.last = false;
  });
  return rows;
}
