// The rows of a log that are no messages.

import type { Conversation } from "../conversation";
import type { Entry } from "../protocol";
import { outcomeOf } from "./outcome";
import { keyOf, type Row } from "../view/rows";

/** `shop.list_cards` reads "list cards". */
export const callName = (name: string | undefined): string => (name ?? "").replace(/^.*?(\.|__)/, "").replace(/[_-]+/g, " ");

/** By their entries; those that are not shown are not in it. */
export function othersOf(conversation: Conversation): Map<Entry, Row> {
  const { entries } = conversation;
  const asked = new Set(entries.filter((entry) => entry.kind === "confirm").map((entry) => entry.call_id));
  const latestCall = new Map(entries.filter((e) => e.kind === "call").map((e) => [e.call_id, e.seq] as const));
  const rows = new Map<Entry, Row>();
  for (const entry of entries) {
    const key = keyOf(entry);
    if (entry.kind === "confirm" || entry.kind === "holder") rows.set(entry, { row: entry.kind, key, entry });
    else if (entry.kind === "closed") rows.set(entry, { row: "closed", key, outcome: outcomeOf(conversation) });
    else if (entry.kind === "call") {
      const shownByItsQuestion = asked.has(entry.call_id) && entry.state === "refused";
      if (!shownByItsQuestion && latestCall.get(entry.call_id) === entry.seq)
        rows.set(entry, { row: "call", key, name: callName(entry.name), state: entry.state ?? "" });
    }
  }
  return rows;
}
