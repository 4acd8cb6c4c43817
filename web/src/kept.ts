// What was not answered yet outlives the page: in IndexedDB as soon as that part is there, until then in this tab.

import type { Place } from "./later/kept";
import type { Parts } from "./parts";
import type { Opening } from "./storage";

export class Kept {
  readonly #storages: Opening;
  readonly #take: (value: unknown) => void;
  #place: Place | null = null;
  #latest: unknown = null;
  #looked = false;

  /** `take` gets what earlier pages left, before anything is written over it. */
  constructor(storages: Opening, take: (value: unknown) => void) {
    this.#storages = storages;
    this.#take = take;
  }

  /** Where tabs share nothing, what this tab has is all. */
  async open(parts: Parts): Promise<void> {
    const { shared } = this.#storages();
    this.#look();
    if (shared === null) return;
    try {
      const place = (await parts.load<typeof import("./later/kept")>("kept")).open(shared);
      await place.adopt(this.#take);
      this.#place = place;
      this.save(this.#latest);
    } catch {
      // Denied here, as in a sandboxed frame.
    }
  }

  save(value: unknown): void {
    this.#latest = value;
    if (value) this.#look();
    // Nothing at all, before it was looked what is left, is a customer who left: that is dropped too.
    this.#looked = true;
    // At once here, so that a page that is left in this moment loses nothing; there as soon as that is done.
    const latest = this.#latest;
    const { tab } = this.#storages();
    tab.set("outbox", latest);
    const kept = () => latest === this.#latest && tab.set("outbox", null);
    this.#place?.save(latest).then(kept, () => (this.#place = null));
  }

  #look(): void {
    if (this.#looked) return;
    this.#looked = true;
    const left = this.#storages().tab.get("outbox");
    if (left) this.#take(left);
  }

  leave(): void {
    this.#place?.leave();
  }
}
