// What a conversation ended in.

import type { Conversation } from "../conversation";

/** The kind of an outcome, written as a word or as `{kind, value, at}`; "" where it has not ended. */
export function outcomeOf({ entries }: Conversation): string {
  const outcome: unknown = entries.findLast((entry) => entry.kind === "closed")?.outcome;
  const kind = typeof outcome === "object" ? (outcome as { kind?: unknown } | null)?.kind : outcome;
  return typeof kind === "string" ? kind : "";
}
