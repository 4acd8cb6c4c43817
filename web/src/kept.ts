// What was not answered yet outlives the page: in IndexedDB as soon as that part is there, until then in this tab.

import type { Place } from "./later/kept";
import type { Parts } from "./parts";
import type { Store } from "./storage";

export class Kept {
  readonly #tab: Store;
  #place: Place | null = null;
  #latest: unknown = null;

  constructor(tab: Store) {
    this.#tab = tab;
  }

  /** Hands over what earlier pages left. Without a `prefix`, or where nothing may be kept, that is what this tab has. */
  async open(prefix: string | null, parts: Parts, take: (value: unknown) => void): Promise<void> {
    const left = this.#tab.get("outbox");
    if (left) take(left);
    if (prefix === null) return;
    try {
      const place = (await parts.load<typeof import("./later/kept")>("kept")).open(prefix);
      await place.adopt(take);
      this.#place = place;
      this.save(this.#latest);
    } catch {
      // Denied here, as in a sandboxed frame.
    }
  }

  save(value: unknown): void {
    this.#latest = value;
    // At once here, so that a page that is left in this moment loses nothing; there as soon as that is done.
    this.#tab.set("outbox", value);
    const kept = () => value === this.#latest && this.#tab.set("outbox", null);
    this.#place?.save(value).then(kept, () => (this.#place = null));
  }

  leave(): void {
    this.#place?.leave();
  }
}
