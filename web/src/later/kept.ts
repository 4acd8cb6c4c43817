// Where what was not answered yet survives the page: IndexedDB, one place for each page that is open.
//
// A page holds a lock on its place. A place without a holder was left by a page that is gone, and the next page takes
// over what lies there; sent twice it still counts once.

import { createStore, del, get, keys, set } from "idb-keyval";
import { clientId } from "../protocol";

export interface Place {
  /** Writes what this page has now; null where that is nothing. Rejects where it cannot. */
  save(value: unknown): Promise<void>;
  /** Hands over what pages before this one left, each once. */
  adopt(take: (value: unknown) => void): Promise<void>;
  /** This page is done: what it leaves is anybody's. */
  leave(): void;
}

/** Throws where this page may keep nothing, as in a sandboxed frame. */
export function open(prefix: string): Place {
  const own = clientId();
  const store = createStore(`${prefix}outbox`, "pages");
  let leave = () => {};

  async function lock(place: string, options: LockOptions, held: (free: boolean) => Promise<void>): Promise<void> {
    try {
      await navigator.locks.request(`${prefix}page:${place}`, options, (lock) => held(lock !== null));
    } catch (error) {
      // No locks here: whoever comes first takes over.
      if (place !== own) await held(true);
      else console.debug("Beckon: no locks here.", error);
    }
  }

  void lock(own, {}, () => new Promise<void>((left) => (leave = left)));

  return {
    save: (value) => (value === null ? del(own, store) : set(own, value, store)),
    leave: () => leave(),
    async adopt(take) {
      for (const place of await keys<string>(store)) {
        if (place === own) continue;
        await lock(place, { ifAvailable: true }, async (free) => {
          if (!free) return;
          const value: unknown = await get(place, store);
          if (value !== undefined) take(value);
          await del(place, store);
        });
      }
    },
  };
}
