// The words of a turn while they arrive: deltas are put together by try and index until their entry comes.

import type { Delta, Entry } from "./protocol";

export interface Stream {
  turn: string;
  try: number;
  text: string;
  /** The index that comes next; -1 after a gap: nothing more is added, and typing is shown until the entry. */
  next: number;
  /** The socket was cut while it went on: what is there stays, and is shown as interrupted. */
  cut: boolean;
}

const REMEMBERED = 50;

/** The unfinished turns of one conversation. */
export class Streams {
  #open = new Map<string, Stream>();
  /** Up to which try a turn is settled: deltas that come later than their entry must not reappear. */
  #settled = new Map<string, number>();

  list(): Stream[] {
    return [...this.#open.values()];
  }

  /** Adds a delta; false where it changed nothing. */
  delta({ turn_id: turn, try: attempt, index, text }: Delta): boolean {
    if (attempt <= (this.#settled.get(turn) ?? -1)) return false;
    let stream = this.#open.get(turn);
    if (stream && attempt < stream.try) return false;
    if (!stream || attempt > stream.try) {
      stream = { turn, try: attempt, text: "", next: 0, cut: false };
      this.#open.set(turn, stream);
    }
    if (stream.next < 0 || index < stream.next) return false;
    if (index > stream.next) {
      stream.next = -1;
      return true;
    }
    stream.text += text;
    stream.next++;
    return true;
  }

  /** An entry stands in place of the deltas of its turn, up to its own try. */
  entry(entry: Entry): void {
    if (entry.turn_id === undefined || entry.by === "customer") return;
    const stream = this.#open.get(entry.turn_id);
    const upTo = entry.try ?? stream?.try;
    if (upTo === undefined) return;
    this.#settle(entry.turn_id, upTo);
  }

  dropped(turn: string): void {
    const stream = this.#open.get(turn);
    if (stream) this.#settle(turn, stream.try);
  }

  /** The socket is gone: what was sent meanwhile is missed. */
  interrupted(): void {
    for (const stream of this.#open.values()) Object.assign(stream, { next: -1, cut: true });
  }

  /** Forgets the turns that a cut left half told: their `dropped` may be missed, and a turn that goes on says so. */
  lapse(): void {
    for (const [turn, stream] of this.#open) if (stream.next < 0) this.#open.delete(turn);
  }

  clear(): void {
    this.#open.clear();
  }

  #settle(turn: string, upTo: number): void {
    this.#settled.set(turn, Math.max(upTo, this.#settled.get(turn) ?? 0));
    const stream = this.#open.get(turn);
    if (stream && stream.try <= upTo) this.#open.delete(turn);
    const oldest = this.#settled.keys().next();
    if (this.#settled.size > REMEMBERED && !oldest.done) this.#settled.delete(oldest.value);
  }
}
