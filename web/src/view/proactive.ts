// Which proactive conversation may show a bubble: one in each view of a page, until it is dealt with, and not again in
// this tab.

import type { Conversation } from "../conversation";
import type { Opening } from "../storage";

const REMEMBERED = 50;

export class Proactive {
  /** For as long as this page is there. */
  #dismissed = new Set<string>();
  #shown = new Set<string>();
  #vetoed = new Set<string>();
  /** The one that this view of the page has had. */
  #here: string | null = null;
  #address = "";
  readonly #storages: Opening;

  constructor(storages: Opening) {
    this.#storages = storages;
  }

  /** Of those that the customer has not answered yet, the latest first. */
  pick(unanswered: Conversation[]): Conversation | null {
    // An address that is another one is another view, also where a single page only seems to be many.
    const address = location.pathname + location.search;
    if (address !== this.#address) this.nextView();
    this.#address = address;
    const candidates = unanswered.filter((c) => this.#may(c));
    return candidates.find(({ id }) => id === this.#here) ?? (this.#here === null ? (candidates[0] ?? null) : null);
  }

  nextView(): void {
    this.#here = null;
  }

  isShown(conversation: Conversation): boolean {
    return this.#shown.has(conversation.id);
  }

  shown(conversation: Conversation): void {
    this.#here = conversation.id;
    this.#shown.add(conversation.id);
  }

  vetoed(conversation: Conversation): void {
    this.#vetoed.add(conversation.id);
  }

  /** The others that wait do not queue up behind it. */
  dismissed(ids: string[]): void {
    for (const id of ids) {
      this.#dismissed.add(id);
      this.met(id);
    }
  }

  /** The customer has opened or dismissed it: on the next page of this tab it is known. False where it was before. */
  met(id: string): boolean {
    const known = this.#known();
    if (known.includes(id)) return false;
    this.#storages().tab.set("met", [...known, id].slice(-REMEMBERED));
    return true;
  }

  forget(): void {
    this.#storages().tab.set("met", null);
    this.#here = null;
    for (const set of [this.#dismissed, this.#shown, this.#vetoed]) set.clear();
  }

  #may({ id, phase, holder }: Conversation): boolean {
    if (phase === "closed" || this.#dismissed.has(id) || this.#vetoed.has(id)) return false;
    return phase === "waiting" || this.#shown.has(id) || (holder === "assistant" && !this.#known().includes(id));
  }

  #known(): string[] {
    return (this.#storages().tab.get("met") as string[] | null) ?? [];
  }
}
