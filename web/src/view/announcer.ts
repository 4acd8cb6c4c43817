// What a screen reader hears: one line after the other in one persistent `role=status` node, each once.

const LASTS_MS = 1_200;

export class Announcer {
  line = "";
  #queue: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #said = new Set<string>();

  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Says a line. One with a key that was said before is not said again. */
  say(line: string, key?: string): void {
    if (key !== undefined) {
      if (this.#said.has(key)) return;
      this.#said.add(key);
    }
    this.#queue.push(line);
    if (this.#timer === undefined) this.#next();
  }

  clear(): void {
    this.#queue = [];
    this.#said.clear();
    this.line = "";
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #next(): void {
    const line = this.#queue.shift();
    if (line === undefined) {
      this.#timer = undefined;
      return;
    }
    this.line = line;
    this.#changed();
    this.#timer = setTimeout(() => this.#next(), LASTS_MS);
  }
}
