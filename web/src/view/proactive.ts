// Which proactive conversation may show a bubble: one at a time, until it is dealt with, and not again in this tab.

import type { Conversation } from "../conversation";
import type { Store } from "../storage";

const REMEMBERED = 50;

export class Proactive {
  /** For as long as this page is there. */
  #dismissed = new Set<string>();
  #shown = new Set<string>();
  #vetoed = new Set<string>();
  readonly #tab: Store;

  constructor(tab: Store) {
    this.#tab = tab;
  }

  /** Of those that the customer has not answered yet, the latest first. */
  pick(unanswered: Conversation[]): Conversation | null {
    const candidates = unanswered.filter((c) => this.#may(c));
    return candidates.find(({ id }) => this.#shown.has(id)) ?? candidates[0] ?? null;
  }

  isShown(conversation: Conversation): boolean {
    return this.#shown.has(conversation.id);
  }

  shown(conversation: Conversation): void {
    this.#shown.add(conversation.id);
  }

  vetoed(conversation: Conversation): void {
    this.#vetoed.add(conversation.id);
  }

  /** The others that wait do not queue up behind it. */
  dismissed(conversation: Conversation, others: Conversation[]): void {
    for (const { id } of [conversation, ...others]) this.#dismissed.add(id);
    this.met(conversation.id);
  }

  /** The customer has opened or dismissed it: on the next page of this tab it is known. */
  met(id: string): void {
    const known = this.#known();
    if (!known.includes(id)) this.#tab.set("met", [...known, id].slice(-REMEMBERED));
  }

  forget(): void {
    this.#tab.set("met", null);
    for (const set of [this.#dismissed, this.#shown, this.#vetoed]) set.clear();
  }

  #may({ id, phase, holder }: Conversation): boolean {
    if (phase === "closed" || this.#dismissed.has(id) || this.#vetoed.has(id)) return false;
    return phase === "waiting" || this.#shown.has(id) || (holder === "assistant" && !this.#known().includes(id));
  }

  #known(): string[] {
    return (this.#tab.get("met") as string[] | null) ?? [];
  }
}
