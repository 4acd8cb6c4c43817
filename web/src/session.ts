// The chat behind the pictures: conversations, what is under way, and the socket that keeps both true.

import type { Status } from "./connection";
import { Conversation } from "./conversation";
import { Identity, type Token } from "./identity";
import { Kept } from "./kept";
import { Line } from "./line";
import { Outbox, type Item } from "./outbox";
import { next } from "./next";
import type { Parts } from "./parts";
import {
  clientId,
  type Answerable,
  type Attachment,
  type Choice,
  type Cursor,
  type Entry,
  type ErrorFrame,
  type Limits,
  type ServerFrame,
} from "./protocol";
import type { Stop } from "./reconnect";
import type { Opening } from "./storage";
import { timeZone } from "./words";

/** What a session tells whoever shows it. */
export interface Watcher {
  changed(): void;
  /** An entry that is new on this page. */
  entry(conversation: Conversation, entry: Entry): void;
  /** The words of an item are in a conversation now. */
  taken(item: Item): void;
  /** A final refusal; null where it belongs to no item. */
  refused(item: Item | null, error: ErrorFrame): void;
  status(status: Status, stop?: Stop): void;
  /** Another customer sits here now: nothing of the one before may stay on show. */
  forgotten(): void;
  /** Another tab says what became of a bubble or a rating. */
  heard(news: News): void;
}

/** What tabs tell each other beside frames. */
export interface News {
  seen?: [conversation: string, seq: number];
  /** Bubbles that were dealt with. */
  met?: string[];
  /** A mark of `Ratings`: what was rated, or whether a message helped. */
  rated?: string;
  reset?: true;
}

const TYPING_EVERY_MS = 3_000;
/** An operator's typing lapses soon; the assistant's turn may take its 20 s. */
const TYPING_LASTS_MS = { operator: 6_000, assistant: 25_000 };

export class Session {
  readonly conversations = new Map<string, Conversation>();
  readonly outbox: Outbox;
  readonly identity: Identity;
  readonly connection: Line;
  /** Once online on this page: before that, being offline is only being slow to arrive. */
  lostOnce = false;
  /** What files may be sent; undefined where none may. */
  limits: Limits | undefined;
  #seen: Record<string, number> = {};
  #typedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lapse: ReturnType<typeof setTimeout> | undefined;

  readonly #storages: Opening;
  readonly #kept: Kept;
  readonly #watcher: Watcher;

  constructor(
    url: string,
    storages: Opening,
    watcher: Watcher,
  ) {
    this.#storages = storages;
    this.#watcher = watcher;
    this.identity = new Identity(storages);
    this.#kept = new Kept(storages, (left) => {
      this.outbox.adopt(left);
      this.#pump();
      watcher.changed();
    });
    this.outbox = new Outbox(this.#kept);
    this.connection = new Line(storages, {
      url,
      key: () => this.identity.key(),
      resume: () => this.#resume(),
      state: (resume) => this.#state(resume),
      heard: (news) => this.#heard(news as News),
      hello: (renew) => this.#hello(renew),
      frame: (frame) => this.#frame(frame),
      status: (status, stop) => this.#status(status, stop),
    });
  }

  /** Connects, and takes over what earlier pages left unsent. */
  start(parts: Parts): void {
    this.#seen = (this.#storages().lasting.get("seen") as Record<string, number> | null) ?? {};
    this.connection.start();
    void this.#kept.open(parts);
  }

  identify(token: Token | null): void {
    if (this.identity.use(token) && this.connection.status !== "idle") this.connection.restart();
  }

  /** Forgets who this was and all that was said. */
  reset(): void {
    this.connection.tell({ reset: true } satisfies News);
    this.#reset();
  }

  #reset(): void {
    this.identity.forget();
    this.#forgetTalk();
    this.outbox.clear();
    if (this.connection.status !== "idle") this.connection.restart();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#lapse);
    this.connection.stop();
    this.#kept.leave();
  }

  say(conversation: string | undefined, text: string): boolean {
    const frame: Answerable = { type: "say", client_id: clientId(), text };
    return this.post(conversation === undefined ? frame : { ...frame, conversation_id: conversation }, text);
  }

  choose(conversation: string, choice: Choice): boolean {
    return this.post({ type: "choose", client_id: clientId(), conversation_id: conversation, choice: choice.value }, choice.label);
  }

  track(event: string, properties: object): void {
    this.post({ type: "track", client_id: clientId(), event, properties });
  }

  typing(conversation: string): void {
    const now = Date.now();
    if (now - this.#typedAt < TYPING_EVERY_MS) return;
    if (this.connection.send({ type: "typing", conversation_id: conversation })) this.#typedAt = now;
  }

  /** The customer has had this in view. */
  sawUpTo(conversation: Conversation, seq: number): void {
    if (seq <= this.seenIn(conversation) || !this.connection.send({ type: "seen", conversation_id: conversation.id, seq })) return;
    this.connection.tell({ seen: [conversation.id, seq] } satisfies News);
    this.#saw(conversation.id, seq);
  }

  #saw(id: string, seq: number): void {
    this.#seen[id] = Math.max(seq, this.#seen[id] ?? 0);
    const conversation = this.conversations.get(id);
    if (conversation?.phase === "waiting") conversation.phase = "open";
    this.#storages().lasting.set("seen", this.#seen);
    this.#watcher.changed();
  }

  #heard(news: News): void {
    if (news.seen) this.#saw(...news.seen);
    if (news.reset) this.#reset();
    this.#watcher.heard(news);
  }

  seenIn(conversation: Conversation): number {
    return this.#seen[conversation.id] ?? 0;
  }

  unread(conversation: Conversation): number {
    return conversation.unread(this.seenIn(conversation));
  }

  /** Sends what is answered, as soon as that can be; false where too much waits already. */
  post(frame: Answerable, label = "", attachments?: Attachment[]): boolean {
    const fits = this.outbox.add(frame, label, Date.now(), attachments);
    this.#pump();
    this.#watcher.changed();
    return fits;
  }

  /** Sends what is due, and wakes itself for what is due later. */
  #pump(): void {
    clearTimeout(this.#timer);
    if (this.connection.status !== "online") return;
    const now = Date.now();
    this.outbox.overdue(now);
    for (const item of this.outbox.due(now)) if (this.connection.send(item.frame)) this.outbox.sent(item, now);
    const wait = this.outbox.wait(now);
    if (wait !== null) this.#timer = setTimeout(() => this.#pump(), Math.max(wait, 50));
  }

  async #hello(renew: boolean) {
    const token = await this.identity.token(renew);
    if (token === null) return null;
    const anonymous = this.identity.anonymous;
    const who = token !== undefined ? { token } : anonymous !== undefined ? { anonymous_id: anonymous } : {};
    await next();
    const timezone = timeZone();
    await next();
    return { type: "hello" as const, ...who, timezone, resume: this.#resume() };
  }

  #resume(): Record<string, Cursor> {
    const resume: Record<string, Cursor> = {};
    for (const { id, cursor } of this.conversations.values()) if (cursor) resume[id] = cursor;
    return resume;
  }

  /** What the server would tell another tab of this customer, from what this one has. */
  #state(resume: Record<string, Cursor>): ServerFrame[] {
    const frames: ServerFrame[] = [];
    const conversations = [...this.conversations.values()].map((one) => {
      const cursor = resume[one.id];
      const known = cursor !== undefined && one.entries[cursor.seq - 1]?.id === cursor.id;
      if (cursor && !known) frames.push({ type: "reset", conversation_id: one.id });
      return one.frame(known ? cursor.seq : 0);
    });
    return [...frames, { type: "welcome", customer: this.identity.customer ?? "", conversations, attachments: this.limits }];
  }

  #status(status: Status, stop?: Stop): void {
    if (status === "online") {
      this.lostOnce = false;
      this.#pump();
    } else {
      if (status !== "connecting" && status !== "idle") this.lostOnce = true;
      clearTimeout(this.#timer);
      this.outbox.disconnected();
      for (const conversation of this.conversations.values()) conversation.streams.interrupted();
    }
    this.#watcher.status(status, stop);
    this.#watcher.changed();
  }

  #frame(frame: ServerFrame): void {
    if (frame.type === "welcome") this.#welcome(frame);
    else if (frame.type === "opened") this.#take(frame.conversation, true);
    else if (frame.type === "entry") this.#entry(frame.conversation_id, frame);
    else if (frame.type === "ack") this.#ack(frame.client_id, frame.conversation_id, frame.seq ?? 0);
    else if (frame.type === "error") this.#error(frame);
    else if (frame.type === "moved") {
      this.identity.customer = frame.customer;
      this.outbox.rename(frame.customer);
    } else if (frame.type !== "pong") this.#passing(frame);
    this.#watcher.changed();
  }

  /** Frames about what is not durable. */
  #passing(frame: Extract<ServerFrame, { conversation_id: string; type: "delta" | "dropped" | "typing" | "reset" }>): void {
    const conversation = this.conversations.get(frame.conversation_id);
    if (!conversation) return;
    if (frame.type === "delta") conversation.streams.delta(frame);
    else if (frame.type === "dropped") {
      conversation.streams.dropped(frame.turn_id);
      conversation.typing = null;
    } else if (frame.type === "reset") conversation.reset();
    else if (frame.by !== "customer") {
      const lasts = frame.by === "operator" ? TYPING_LASTS_MS.operator : TYPING_LASTS_MS.assistant;
      conversation.typing = { by: frame.by, until: Date.now() + lasts, call: frame.call };
      clearTimeout(this.#lapse);
      this.#lapse = setTimeout(() => this.#watcher.changed(), lasts + 20);
    }
  }

  #welcome(frame: Extract<ServerFrame, { type: "welcome" }>): void {
    if (this.identity.customer !== null && this.identity.customer !== frame.customer) this.#forgetTalk();
    this.identity.welcomed(frame.customer, frame.anonymous_id);
    this.outbox.bind(frame.customer);
    this.limits = frame.attachments;
    const listed = new Set(frame.conversations.map(({ id }) => id));
    for (const id of this.conversations.keys()) if (!listed.has(id)) this.conversations.delete(id);
    this.#seen = Object.fromEntries(Object.entries(this.#seen).filter(([id]) => listed.has(id)));
    for (const conversation of frame.conversations) this.#take(conversation, this.conversations.has(conversation.id));
    // What goes on is told by its next delta; what ended while nobody listened is told by nothing.
    for (const { streams } of this.conversations.values()) streams.lapse();
  }

  #take(frame: Parameters<Conversation["take"]>[0], news: boolean): void {
    const conversation = this.conversations.get(frame.id) ?? new Conversation(frame.id);
    this.conversations.set(frame.id, conversation);
    const before = conversation.lastSeq;
    const result = conversation.take(frame);
    if (result === "conflict" || result === "hole") {
      conversation.reset();
      return this.connection.reread();
    }
    for (const entry of conversation.entries) if (entry.seq > before) this.#arrived(conversation, entry, news);
  }

  #entry(id: string, entry: Entry): void {
    let conversation = this.conversations.get(id);
    if (!conversation) {
      conversation = new Conversation(id);
      this.conversations.set(id, conversation);
    }
    const result = conversation.apply(entry);
    if (result === "added") this.#arrived(conversation, entry, true);
    if (result === "conflict") conversation.reset();
    if (result === "conflict" || result === "hole") this.connection.reread();
  }

  #arrived(conversation: Conversation, entry: Entry, news: boolean): void {
    if (entry.client_id !== undefined) {
      const item = this.outbox.find(entry.client_id);
      if (item) {
        item.frame.conversation_id = conversation.id;
        this.#watcher.taken(item);
        // Its `ack` may still come; an item that is gone is not missed by it.
        this.outbox.remove(entry.client_id);
      }
    }
    if (news) this.#watcher.entry(conversation, entry);
  }

  #ack(client: string, conversation: string | undefined, seq: number): void {
    const item = this.outbox.acked(client, conversation, seq);
    if (!item) return;
    // Where the `ack` comes before `opened`, the words already have a place to stand.
    if (conversation !== undefined && !this.conversations.has(conversation)) this.conversations.set(conversation, new Conversation(conversation));
    this.#watcher.taken(item);
    const place = conversation === undefined ? undefined : this.conversations.get(conversation);
    if (place && (place.holds(client) || seq <= place.lastSeq)) this.outbox.remove(client);
    this.#pump();
  }

  #error(frame: ErrorFrame): void {
    // Of what another tab did.
    if (frame.client_id !== undefined && !this.outbox.find(frame.client_id)) return;
    const item = this.outbox.refused(frame, Date.now());
    this.#pump();
    if (item?.state === "waiting") return;
    if (item && item.frame.type !== "say") this.outbox.remove(item.frame.client_id);
    // What the customer did not do is no matter for the customer.
    const act = item?.frame.type === "track" ? null : item;
    if (!act) console.warn(`Beckon: ${frame.code}: ${frame.message}`);
    this.#watcher.refused(act, frame);
  }

  #forgetTalk(): void {
    this.conversations.clear();
    this.#seen = {};
    this.#storages().lasting.set("seen", null);
    this.#watcher.forgotten();
  }
}
