// What is on show: launcher, bubble or panel, which conversation, and what was said aloud. No markup here.

import type { Status } from "../connection";
import type { Conversation } from "../conversation";
import type { Item } from "../outbox";
import type { Options } from "../options";
import type { Choice, Entry, ErrorFrame } from "../protocol";
import type { Stop } from "../reconnect";
import type { Later } from "../later";
import type { Files } from "../later/files";
import type { Ratings } from "../later/ratings";
import { next } from "../next";
import { plain } from "../plain";
import type { Parts } from "../parts";
import { Session, type News, type Watcher } from "../session";
import type { Opening } from "../storage";
import { wordsFor, Words } from "../words";
import { Announcer } from "./announcer";
import { badMoment, cornerOf } from "./elsewhere";
import { Proactive } from "./proactive";
import { localsOf, writing, type Speaker } from "./rows";

/** Without a key for so long nobody types. */
const TYPING_MS = 3_000;
/** So long a bubble gives way to who types. */
const PATIENCE_MS = 30_000;

export type Emit = (name: string, detail?: unknown) => void;

export interface Surroundings {
  emit: Emit;
  /** Asks the page whether a bubble may come; false is a veto. */
  mayShow(conversation: Conversation): boolean;
  focus(place: "composer" | "launcher"): void;
  /** Brings what an open panel needs. */
  later(): Promise<Later>;
  /** Uses the fonts of a bubble for the first time. */
  warm(): Promise<void>;
  /** How the widget is drawn now. */
  side(): "left" | "right";
}

export class View implements Watcher {
  readonly session: Session;
  readonly announcer = new Announcer(() => this.changed());
  words = new Words("en");
  /** What an open panel needs; null until it is there. */
  later: Later | null = null;
  #coming: Promise<Later> | undefined;
  open = false;
  hidden = false;
  list = false;
  alert = "";
  stopped: Stop | null = null;
  /** What is being written, by conversation ("" for a new one): closing the panel does not lose it. */
  readonly drafts = new Map<string, string>();
  ratings: Ratings | null = null;
  /** Files that wait to be sent; null until the part for them is there. */
  files: Files | null = null;
  /** What was unfolded: "why:ID", "menu", "sure". */
  readonly unfolded = new Set<string>();
  #chosen: string | null = null;
  #fresh = false;
  #nobody = false;
  readonly #proactive: Proactive;
  #typedAt = 0;
  /** Since when a bubble waits for a better moment, by conversation. */
  #held = new Map<string, number>();
  #again: ReturnType<typeof setTimeout> | undefined;
  #wasUnread = 0;
  #wasWriting = false;
  #warm = false;
  #warming: Promise<void> | undefined;
  #renders = new Set<() => void>();
  #queued = false;

  readonly emit: Emit;
  readonly #around: Surroundings;
  readonly #storages: Opening;
  readonly parts: Parts;
  options: Options;

  constructor(url: string, storages: Opening, parts: Parts, options: Options, around: Surroundings) {
    this.options = options;
    this.parts = parts;
    this.#storages = storages;
    this.#proactive = new Proactive(storages);
    this.#around = around;
    this.emit = around.emit;
    this.session = new Session(url, storages, this);
  }

  subscribe(render: () => void): () => void {
    this.#renders.add(render);
    return () => this.#renders.delete(render);
  }

  /** Many changes of one moment are one picture. */
  changed(): void {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      const draw = () => this.#renders.forEach((render) => render());
      // A new bubble is work for two tasks.
      if (this.#settle()) void next().then(draw);
      else draw();
    });
  }

  /** Takes these options; resolves when the words of their locale are there. */
  async configure(options: Options): Promise<void> {
    this.options = options;
    this.changed();
    const words = await wordsFor(options.locale || document.documentElement.lang || "en", this.parts);
    if (this.options !== options) return;
    if (this.later) words.add(this.later.words);
    this.words = words;
    this.changed();
  }

  /** What an open panel needs is loaded with it; where that fails, with the next thing that is done. */
  fetchLater(then?: (later: Later) => void): void {
    if (this.later) return then?.(this.later);
    // Whoever asks meanwhile waits for the same: it is made, and its looks are added, once.
    this.#coming ??= this.#around.later().then((later) => {
      this.later = later;
      this.ratings = new later.Ratings(this.session, this.#storages().lasting);
      this.words.add(later.words);
      this.changed();
      return later;
    });
    this.#coming.then(then, () => {
      this.#coming = undefined;
      console.warn("Beckon: a part could not be loaded.");
    });
  }

  // What is on show

  /** Conversations with something to read, the latest first. */
  get conversations(): Conversation[] {
    return [...this.session.conversations.values()].filter((c) => c.entries.length > 0).sort((a, b) => b.at - a.at);
  }

  /** The one in the panel; undefined for a new one. */
  get current(): Conversation | undefined {
    if (this.#fresh) return undefined;
    const chosen = this.#chosen === null ? undefined : this.session.conversations.get(this.#chosen);
    return chosen ?? this.conversations[0];
  }

  get unread(): number {
    return this.conversations.reduce((sum, conversation) => sum + this.session.unread(conversation), 0);
  }

  get launcher(): boolean {
    if (this.hidden || this.options.launcher === "never") return false;
    return this.options.launcher === "always" || this.open || this.conversations.length > 0;
  }

  /** Whether a new conversation can be tried. */
  get mayBegin(): boolean {
    return !this.#nobody;
  }

  /** Something is between the customer and the server. */
  get trouble(): "offline" | "needs_token" | "stopped" | null {
    const { status } = this.session.connection;
    if (status === "stopped" || status === "needs_token") return status;
    return status !== "online" && (this.session.lostOnce || !navigator.onLine) ? "offline" : null;
  }

  /** The proactive conversation whose opening is shown beside the launcher. One at a time, and it stays until it is dealt with. */
  get bubble(): Conversation | null {
    if (this.open || this.hidden) return null;
    const picked = this.#proactive.pick(this.#unanswered());
    if (!picked || this.#proactive.isShown(picked)) return picked;
    if (!this.#warm) {
      this.#warming ??= this.#around.warm().then(() => {
        this.#warm = true;
        this.changed();
      });
      return null;
    }
    const moment = badMoment(cornerOf(this.#around.side()), Date.now() - this.#typedAt < TYPING_MS);
    return moment && this.#waits(picked, moment) ? null : picked;
  }

  /** What may not be covered is left alone as long as that lasts; who types or pays, for a while. */
  #waits({ id, playbook }: Conversation, moment: string): boolean {
    const since = this.#held.get(id);
    if (since === undefined) {
      this.#held.set(id, Date.now());
      // Why it comes late is for the company to know.
      this.session.track("beckon.held", { conversation_id: id, playbook, moment });
    }
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.changed(), TYPING_MS);
    return moment === "hidden" || moment === "covered" || since === undefined || Date.now() - since < PATIENCE_MS;
  }

  /** Somebody types on the page. */
  typed(): void {
    this.#typedAt = Date.now();
  }

  /** A new page, or what a single-page application takes for one: another bubble may come. */
  nextView(): void {
    this.#proactive.nextView();
    this.changed();
  }

  #unanswered(): Conversation[] {
    const { list } = this.session.outbox;
    return this.conversations.filter((c) => c.latest !== null && !c.answered && !localsOf(c, list).length);
  }

  speakerOf(conversation: Conversation | undefined, entry?: Entry): Speaker {
    const by = entry?.by ?? (conversation?.holder === "operator" ? "operator" : "assistant");
    return { by, name: by === "operator" ? entry?.name || conversation?.name || "" : "" };
  }

  nameOf(speaker: Speaker): string {
    if (speaker.by === "operator") return speaker.name || this.words.t("a_person");
    return this.words.t(speaker.by === "customer" ? "you" : speaker.by === "system" ? "notice" : "assistant");
  }

  // What the customer does

  fold(what: string, open = !this.unfolded.has(what)): void {
    if (open) this.unfolded.add(what);
    else this.unfolded.delete(what);
    if (what === "menu") this.unfolded.delete("sure");
    this.changed();
  }

  show(conversation?: string): void {
    if (this.hidden) this.hidden = false;
    this.fetchLater();
    const newest = () => this.bubble?.id ?? this.conversations.find((c) => this.session.unread(c) > 0)?.id;
    const target = conversation ?? (this.open ? undefined : newest());
    if (target !== undefined) this.select(target);
    if (!this.open) {
      this.open = true;
      this.emit("open");
    }
    this.#meet();
    this.changed();
    this.#around.focus("composer");
  }

  /** What is open in one tab need not come up in another. */
  #meet(): void {
    const { current } = this;
    if (current && this.#proactive.met(current.id)) this.session.connection.tell({ met: [current.id] } satisfies News);
  }

  /** Opens where a message can be written, and begins it. */
  compose(text: string): void {
    this.show();
    if (this.current?.phase === "closed") this.select(null);
    this.write(text);
  }

  /** What is written stays in sight: where there was no conversation yet, one that comes meanwhile does not take its place. */
  write(text: string): void {
    const { current } = this;
    this.#fresh = !current;
    this.drafts.set(current?.id ?? "", text);
    this.changed();
  }

  /** Without `andFocus` the customer has gone elsewhere, and the focus stays there. */
  close(andFocus = true): void {
    if (!this.open) return;
    this.open = this.list = false;
    this.alert = "";
    this.fold("menu", false);
    this.emit("close");
    this.changed();
    if (andFocus) this.#around.focus("launcher");
  }

  select(conversation: string | null): void {
    this.#chosen = conversation;
    this.#fresh = conversation === null;
    this.list = false;
    this.alert = "";
    this.fold("menu", false);
    if (this.open) this.#meet();
    this.changed();
  }

  say(text: string): boolean {
    const { current } = this;
    return this.sent(this.session.say(current?.id, text), { conversation_id: current?.id, text });
  }

  choose(conversation: Conversation, choice: Choice): void {
    if (!this.sent(this.session.choose(conversation.id, choice), { conversation_id: conversation.id, choice: choice.value })) return;
    if (!this.open) this.show(conversation.id);
  }

  dismiss(conversation: Conversation): void {
    const { id, playbook } = conversation;
    const ids = [id, ...this.#unanswered().map((other) => other.id)];
    this.#proactive.dismissed(ids);
    this.session.connection.tell({ met: ids } satisfies News);
    // The engine hears of it as of any event of the page.
    this.session.track("beckon.dismissed", { conversation_id: id, playbook });
    this.emit("proactive:dismissed", { conversation_id: id, playbook });
    this.changed();
    this.#around.focus("launcher");
  }

  setHidden(hidden: boolean): void {
    this.hidden = hidden;
    if (hidden) this.open = false;
    this.changed();
  }

  /** After a picture was drawn: what is really in view has been seen. */
  looked(inView: boolean): void {
    if (!inView || document.hidden) return;
    const conversation = this.open && !this.list ? this.current : this.bubble;
    if (conversation?.lastSeq) this.session.sawUpTo(conversation, conversation.lastSeq);
  }

  reset(): void {
    this.open = false;
    this.session.reset();
    this.changed();
  }

  forgotten(): void {
    this.list = this.#fresh = this.#nobody = false;
    this.#chosen = null;
    this.alert = "";
    this.#proactive.forget();
    this.#storages().lasting.set("rated", null);
    this.unfolded.clear();
    this.drafts.clear();
    this.files?.clear();
    this.announcer.clear();
    this.changed();
  }

  /** After an act of the customer: says so where it could not be taken. */
  sent(fits: boolean, detail?: unknown): boolean {
    this.alert = fits ? "" : this.words.t("outbox_full");
    if (fits && detail) this.emit("message:sent", detail);
    this.changed();
    return fits;
  }

  // What the session tells

  entry(conversation: Conversation, entry: Entry): void {
    if (entry.kind === "holder") this.emit("handover", { conversation_id: conversation.id, holder: entry.holder });
    if (entry.by === "customer") return;
    if (entry.kind === "message") this.emit("message:received", { conversation_id: conversation.id, text: entry.text });
    // A bubble is announced when it is shown, not when it might be.
    if (!this.open && conversation.phase === "waiting") return;
    if (this.hidden) return;
    const say = (line: string) => line && this.announcer.say(line, `${conversation.id}:${entry.seq}:${entry.id}`);
    if (entry.kind === "message") say(this.said(conversation, entry));
    else this.fetchLater(({ lineOf }) => say(lineOf(this, conversation, entry)));
  }

  taken(item: Item): void {
    if (item.frame.type === "rate") this.ratings?.given(item.frame.conversation_id);
    const place = item.frame.conversation_id;
    if (item.frame.type === "say" && !this.current && place !== undefined) this.select(place);
  }

  refused(item: Item | null, error: ErrorFrame): void {
    this.emit("error", { code: error.code, message: error.message });
    if (error.code === "no_conversation") this.#nobody = true;
    if (item) this.alert = this.words.named(`error_${error.code}`, "error_other");
    this.changed();
  }

  status(status: Status, stop?: Stop): void {
    this.stopped = stop ?? null;
    this.emit("connection", { status });
    if (status === "needs_token") this.emit("token_expired");
    if (stop && stop !== "forbidden") console.error(`Beckon: the server ended the chat (${stop}), it does not come back by itself.`);
  }

  heard(news: News): void {
    if (news.met) this.#proactive.dismissed(news.met);
    if (news.rated) this.ratings?.given(news.rated);
    this.changed();
  }

  /** A message as it is read out. */
  said(conversation: Conversation, entry: Entry): string {
    return this.words.t("said", { who: this.nameOf(this.speakerOf(conversation, entry)), text: plain(entry) });
  }

  /** What follows from the state, once for each picture; true where a bubble came up. */
  #settle(): boolean {
    const { current, unread } = this;
    let news = false;
    if (this.open) this.#meet();
    let { bubble } = this;
    while (bubble && !this.#proactive.isShown(bubble)) {
      news = this.#around.mayShow(bubble);
      if (news) this.#bubbleShown(bubble);
      else this.#proactive.vetoed(bubble);
      ({ bubble } = this);
    }
    if (this.open || bubble) this.fetchLater();
    if (unread !== this.#wasUnread) this.emit("unread", { count: unread });
    this.#wasUnread = unread;
    const isWriting = this.open && current !== undefined && (writing(current, Date.now()) || current.streams.list().length > 0);
    if (isWriting && !this.#wasWriting) {
      const who = this.nameOf(this.speakerOf(current));
      this.announcer.say(this.words.t("typing", { who }));
    }
    this.#wasWriting = isWriting;
    return news;
  }

  #bubbleShown(conversation: Conversation): void {
    this.#proactive.shown(conversation);
    this.emit("proactive:shown", { conversation_id: conversation.id, playbook: conversation.playbook });
    const { latest } = conversation;
    if (latest) this.announcer.say(this.said(conversation, latest), `${conversation.id}:${latest.seq}:${latest.id}`);
  }
}
