// Where the widget remembers: localStorage, else sessionStorage, else this page's memory. Denied storage is no error.

export interface Store {
  get(key: string): unknown;
  set(key: string, value: unknown): void;
}

export function memory(): Store {
  const values = new Map<string, unknown>();
  return {
    get: (key) => values.get(key) ?? null,
    set: (key, value) => void (value === null ? values.delete(key) : values.set(key, value)),
  };
}

type Kind = "localStorage" | "sessionStorage";

/** Null where even touching it throws, as in a sandboxed frame, or where nothing can be written. */
function web(kind: Kind, prefix: string): Store | null {
  try {
    const area = window[kind];
    const probe = `${prefix}probe`;
    area.setItem(probe, "1");
    area.removeItem(probe);
    const fallback = memory();
    return {
      get(key) {
        try {
          return JSON.parse(area.getItem(prefix + key) ?? "null") ?? fallback.get(key);
        } catch {
          return fallback.get(key);
        }
      },
      set(key, value) {
        try {
          if (value === null) area.removeItem(prefix + key);
          else area.setItem(prefix + key, JSON.stringify(value));
          fallback.set(key, null);
        } catch {
          // Full, or taken away meanwhile: this page still remembers.
          fallback.set(key, value);
        }
      },
    };
  } catch {
    return null;
  }
}

export interface Storages {
  /** For who this browser is: as long as the browser keeps it. */
  lasting: Store;
  /** For what is under way: as long as this tab lives. */
  tab: Store;
  /** Begins the names of what tabs share; null where they share nothing. */
  shared: string | null;
}

/** Opens them with their first use: the first touch costs a page some milliseconds. */
export type Opening = () => Storages;

/** Keys are kept apart by the server's origin: a page may talk to more than one over time. */
export function openStorages(mode: "local" | "none", origin: string): Storages {
  const prefix = `beckon:${origin}:`;
  if (mode === "none") return { lasting: memory(), tab: memory(), shared: null };
  const tab = web("sessionStorage", prefix);
  const lasting = web("localStorage", prefix);
  // Where tabs do not share who they are, they are not one customer either.
  return { lasting: lasting ?? tab ?? memory(), tab: tab ?? memory(), shared: lasting && prefix };
}
