// What the customer sent and the server has not answered yet. Each item goes out under one `client_id` until it is.

import type { Answerable, Attachment, ErrorFrame } from "./protocol";

/** `waiting` to be sent, `sent` without an answer, `taken` by the server but not in the log here yet, `failed` for good. */
export type State = "waiting" | "sent" | "taken" | "failed";

export interface Item {
  frame: Answerable;
  /** What is shown for it while it is under way. */
  label: string;
  /** What is known of its files. */
  attachments: Attachment[] | undefined;
  /** Milliseconds since 1970. */
  made: number;
  state: State;
  sentAt: number;
  /** Not to be sent before. */
  notBefore: number;
  /** Of the entry it became, once taken. */
  seq: number;
  code: string;
}

/** Where the outbox survives a change of page. */
export interface Keep {
  save(value: unknown): void;
}

/** Of messages, and as many of tracks: neither can take the other's place. */
const BOUND = 50;
/** Sent and unanswered for this long on a socket that lives: sent again. */
const PATIENCE = 20_000;

export class Outbox {
  #items: Item[] = [];
  #customer: string | null = null;

  readonly #keep: Keep;

  constructor(keep: Keep) {
    this.#keep = keep;
  }

  /** Takes over what an earlier page left unanswered, in the order in which it was said. */
  adopt(value: unknown): void {
    const kept = value as { customer?: unknown; items?: unknown } | null | undefined;
    if (typeof kept?.customer !== "string" || !Array.isArray(kept.items)) return;
    this.#customer ??= kept.customer;
    // Of another customer it is dropped, never sent in a wrong name.
    if (this.#customer !== kept.customer) return;
    const left = kept.items.filter((item: Item) => typeof item?.frame?.client_id === "string" && !this.find(item.frame.client_id));
    for (const item of left as Item[]) if (item.state !== "failed") item.state = "waiting";
    this.#items = [...(left as Item[]), ...this.#items].sort((a, b) => a.made - b.made).slice(-2 * BOUND);
    this.#save();
  }

  get list(): readonly Item[] {
    return this.#items;
  }

  /** False where it is full. */
  add(frame: Answerable, label: string, now: number, attachments?: Attachment[]): boolean {
    const tracks = frame.type === "track";
    if (this.#items.filter((item) => (item.frame.type === "track") === tracks).length >= BOUND) return false;
    this.#items.push({ frame, label, attachments, made: now, state: "waiting", sentAt: 0, notBefore: 0, seq: 0, code: "" });
    this.#save();
    return true;
  }

  /** The session speaks for this customer: what another one left here is dropped, never sent in a wrong name. */
  bind(customer: string): void {
    if (this.#customer !== null && this.#customer !== customer) this.#items = [];
    this.#customer = customer;
    this.#save();
  }

  /** The same customer under a new name. */
  rename(customer: string): void {
    this.#customer = customer;
    this.#save();
  }

  /** What is to be sent now, in order: nothing overtakes an earlier item of its conversation. */
  due(now: number): Item[] {
    const held = new Set<string | undefined>();
    return this.#items.filter((item) => {
      const place = item.frame.conversation_id;
      if (item.state !== "waiting" || held.has(place)) return false;
      if (item.notBefore > now) {
        held.add(place);
        return false;
      }
      return true;
    });
  }

  /** Milliseconds until something is due that is not yet; null where nothing is. */
  wait(now: number): number | null {
    const times = this.#items.flatMap((item) =>
      item.state === "waiting" ? [item.notBefore] : item.state === "sent" ? [item.sentAt + PATIENCE] : [],
    );
    return times.length ? Math.max(0, Math.min(...times) - now) : null;
  }

  sent(item: Item, now: number): void {
    item.state = "sent";
    item.sentAt = now;
  }

  /** Items whose answer is overdue go out again; a track need not be answered, and has been heard by then. */
  overdue(now: number): void {
    this.#items = this.#items.filter((item) => {
      if (item.state !== "sent" || now - item.sentAt < PATIENCE) return true;
      item.state = "waiting";
      return item.frame.type !== "track";
    });
  }

  /** The socket is gone, and with it perhaps the answers: all is sent again, under the same ids. */
  disconnected(): void {
    for (const item of this.#items) if (item.state === "sent") item.state = "waiting";
  }

  /** An `ack`. The item stays to be shown until its entry is in the log. */
  acked(client: string, conversation: string | undefined, seq: number): Item | null {
    const item = this.find(client);
    if (!item) return null;
    item.state = "taken";
    item.seq = seq;
    if (conversation !== undefined) item.frame.conversation_id = conversation;
    if (item.frame.type !== "say" && item.frame.type !== "choose") this.remove(client);
    this.#save();
    return item;
  }

  /** An `error`. With `retry_after` it is no answer; else it is final. */
  refused(error: ErrorFrame, now: number): Item | null {
    const item = error.client_id === undefined ? undefined : this.find(error.client_id);
    if (!item || item.state === "taken") return null;
    if (error.retry_after !== undefined) {
      item.state = "waiting";
      item.notBefore = now + Math.max(0, error.retry_after) * 1000;
      return item;
    }
    item.state = "failed";
    item.code = error.code;
    this.#save();
    return item;
  }

  find(client: string): Item | undefined {
    return this.#items.find((item) => item.frame.client_id === client);
  }

  remove(client: string): void {
    this.#items = this.#items.filter((item) => item.frame.client_id !== client);
    this.#save();
  }

  clear(): void {
    this.#items = [];
    this.#customer = null;
    this.#save();
  }

  #save(): void {
    const items = this.#items.filter((item) => item.state !== "taken");
    this.#keep.save(items.length ? { customer: this.#customer, items } : null);
  }
}
