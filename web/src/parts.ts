// What is loaded when it is needed: modules beside the widget, each under the hash of its content.

/** Name to hash, put here by the build. */
declare const PARTS: Record<string, string>;

export const hasPart = (name: string): boolean => Object.hasOwn(PARTS, name);

export class Parts {
  /** Of the server. */
  readonly origin: string;
  readonly #loading = new Map<string, Promise<unknown>>();
  #failures = 0;

  constructor(origin: string) {
    this.origin = origin;
  }

  /** Rejects where it cannot be had now; asked again it is fetched again. */
  load<T>(name: string): Promise<T> {
    const under = this.#loading.get(name);
    if (under) return under as Promise<T>;
    // Browsers remember that a module failed by its address.
    const again = this.#failures ? `&again=${this.#failures}` : "";
    const loading: Promise<T> = import(`${this.origin}/widget/${name}.js?v=${PARTS[name]}${again}`);
    this.#loading.set(name, loading);
    loading.catch(() => {
      this.#failures++;
      this.#loading.delete(name);
    });
    return loading;
  }
}
