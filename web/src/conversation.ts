// One conversation as this customer sees it: its log, read in order and without holes, and what follows from it.

import {
  choicesOf,
  type Choice,
  type ConversationFrame,
  type Cursor,
  type Entry,
  type Holder,
  type Phase,
} from "./protocol";
import { Streams } from "./streams";

/** `added` and `known` are well; at `hole` something was missed, at `conflict` the log is another than ours. */
export type Applied = "added" | "known" | "hole" | "conflict";

export interface Offer {
  seq: number;
  choices: Choice[];
  locale: string | undefined;
}

export class Conversation {
  readonly id: string;
  playbook = "";
  phase: Phase = "open";
  holder: Holder = "assistant";
  /** Name of the operator who holds it. */
  name = "";
  why = "";
  entries: Entry[] = [];
  readonly streams = new Streams();
  /** `call` is the operation that the assistant waits for. */
  typing: { by: string; until: number; call: string | undefined } | null = null;

  constructor(id: string) {
    this.id = id;
  }

  get lastSeq(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }

  get cursor(): Cursor | null {
    const last = this.entries.at(-1);
    return last ? { seq: last.seq, id: last.id } : null;
  }

  /** Takes what `welcome` or `opened` says; `conflict` or `hole` where the entries do not continue ours. */
  take(frame: ConversationFrame): Applied {
    this.playbook = frame.playbook ?? "";
    this.phase = frame.state;
    this.why = frame.why ?? this.why;
    let result: Applied = "known";
    for (const entry of frame.entries) {
      const applied = this.apply(entry);
      if (applied === "hole" || applied === "conflict") return applied;
      if (applied === "added") result = "added";
    }
    this.holder = frame.holder ?? this.holder;
    return result;
  }

  /** As `welcome` has it, with the entries after `seq`. */
  frame(after: number): ConversationFrame {
    const { id, playbook, phase: state, holder, why, lastSeq: last_seq } = this;
    return { id, playbook, state, holder, why, last_seq, entries: this.entries.filter(({ seq }) => seq > after) };
  }

  apply(entry: Entry): Applied {
    if (entry.seq <= this.lastSeq) {
      const held = this.entries.find((other) => other.seq === entry.seq);
      return held && held.id !== entry.id ? "conflict" : "known";
    }
    if (entry.seq !== this.lastSeq + 1) return "hole";
    this.entries.push(entry);
    this.streams.entry(entry);
    if (entry.by !== "customer" && entry.kind !== "call") this.typing = null;
    if (entry.by === "customer" && this.phase === "waiting") this.phase = "open";
    if (entry.kind === "holder" && entry.holder) {
      this.holder = entry.holder;
      this.name = entry.holder === "operator" ? (entry.name ?? "") : "";
    }
    if (entry.kind === "closed") {
      this.phase = "closed";
      this.streams.clear();
    }
    return "added";
  }

  /** The server's log begins anew. */
  reset(): void {
    this.entries = [];
    this.streams.clear();
    this.typing = null;
  }

  /** What may be chosen: of the latest message with choices, unless one was chosen already. */
  get offer(): Offer | null {
    if (this.phase === "closed") return null;
    for (const entry of [...this.entries].reverse()) {
      if (entry.kind !== "message") continue;
      if (entry.choice !== undefined && entry.choice !== null) return null;
      const choices = choicesOf(entry);
      if (choices.length) return { seq: entry.seq, choices, locale: entry.locale };
    }
    return null;
  }

  /** The customer has written, chosen or answered in it. */
  get answered(): boolean {
    return this.entries.some((entry) => entry.by === "customer");
  }

  /** The latest words of the other side. */
  get latest(): Entry | null {
    return this.entries.findLast((entry) => entry.kind === "message" && entry.by !== "customer") ?? null;
  }

  /** How many messages of the other side came after `seq`. */
  unread(seq: number): number {
    return this.entries.filter((e) => e.seq > seq && e.by !== "customer" && (e.kind === "message" || e.kind === "confirm"))
      .length;
  }

  holds(client: string): boolean {
    return this.entries.some((entry) => entry.client_id === client);
  }

  /** For the order of the list: when its last entry was written, in milliseconds. */
  get at(): number {
    const at = new Date(this.entries.at(-1)?.at ?? 0).getTime();
    return Number.isNaN(at) ? 0 : at;
  }
}
