// One socket for all tabs of a customer: the tab that has the lock holds it, the others listen and speak through it.
//
// Where a browser has no Web Locks or no BroadcastChannel, where the page keeps nothing, and where nobody knows yet who
// the customer is, each tab has a socket of its own.

import { Connection, type Status, type Wiring } from "./connection";
import { clientId, type ClientFrame, type Cursor, type ServerFrame } from "./protocol";
import type { Stop } from "./reconnect";
import type { Opening } from "./storage";

type Resume = Record<string, Cursor>;

export interface LineWiring extends Wiring {
  /** Tabs with the same key are one customer's; null: not to be shared. */
  key(): Promise<string | null>;
  /** What this tab has of each conversation. */
  resume(): Resume;
  /** The frames that bring another tab up to date. */
  state(resume: Resume): ServerFrame[];
  /** Another tab says what is no frame: something was read, dismissed or forgotten. */
  heard(news: unknown): void;
}

interface Note {
  from: string;
  to?: string;
  ask?: Resume;
  send?: ClientFrame;
  nudge?: true;
  frame?: ServerFrame;
  /** The answer to `ask`; empty where the holder is not online. */
  frames?: ServerFrame[];
  status?: Status;
  stop?: Stop | undefined;
  news?: unknown;
}

/** A holder that says nothing for so long sleeps, as tabs in the background do on phones. */
const SILENT_MS = 2_500;

export class Line {
  status: Status = "idle";
  readonly #me = clientId();
  readonly #storages: Opening;
  readonly #wiring: LineWiring;
  readonly #socket: Connection;
  #role: "none" | "alone" | "holder" | "guest" = "none";
  #lock = "";
  #channel: BroadcastChannel | null = null;
  #ends: AbortController | null = null;
  #release: (() => void) | null = null;
  #watch: ReturnType<typeof setTimeout> | undefined;
  /** Grows with each `#join`: what an older one still awaits is ignored. */
  #joins = 0;

  constructor(storages: Opening, wiring: LineWiring) {
    this.#storages = storages;
    this.#wiring = wiring;
    this.#socket = new Connection({
      url: wiring.url,
      hello: (renew) => wiring.hello(renew),
      frame: (frame) => {
        wiring.frame(frame);
        if (frame.type !== "welcome" && frame.type !== "pong") this.#say({ frame });
      },
      status: (status, stop) => this.#told(status, stop),
    });
  }

  /** Whether the socket is this tab's own. */
  get holds(): boolean {
    return this.#role !== "guest";
  }

  start(): void {
    if (this.#role === "none") void this.#join(false);
  }

  stop(): void {
    this.#leave();
    this.#set("idle");
  }

  /** With what is known now (a token, cursors), from the beginning. Where the holder is stuck, this tab takes over. */
  restart(): void {
    const stuck = this.status === "needs_token" || this.status === "stopped";
    this.#leave();
    void this.#join(stuck);
  }

  reread(): void {
    if (this.holds) this.#socket.reread();
    else this.#ask();
  }

  nudge(): void {
    if (this.holds) return this.#socket.nudge();
    this.#say({ nudge: true });
    this.#ask();
  }

  send(frame: ClientFrame): boolean {
    if (this.holds) return this.#socket.send(frame);
    if (this.status !== "online") return false;
    this.#say({ send: frame });
    return true;
  }

  /** Tells the other tabs. */
  tell(news: unknown): void {
    this.#say({ news });
  }

  async #join(take: boolean): Promise<void> {
    const mine = ++this.#joins;
    this.#role = "guest";
    this.#set("connecting");
    const { shared } = this.#storages();
    const key = shared === null ? null : await this.#wiring.key().catch(() => null);
    if (mine !== this.#joins) return;
    try {
      if (key === null || !navigator.locks) return this.#alone();
      this.#lock = `${shared}line:${key}`;
      this.#channel = new BroadcastChannel(this.#lock);
    } catch {
      return this.#alone();
    }
    this.#channel.onmessage = ({ data }: MessageEvent<Note>) => this.#hear(data);
    this.#want(take);
    this.#ask();
  }

  #alone(): void {
    this.#role = "alone";
    this.#socket.restart();
  }

  #want(take: boolean): void {
    const mine = this.#joins;
    this.#ends?.abort();
    const ends = (this.#ends = new AbortController());
    const options: LockOptions = take ? { steal: true } : { signal: ends.signal };
    const held = () =>
      new Promise<void>((release) => {
        if (mine !== this.#joins) return release();
        this.#release = release;
        clearTimeout(this.#watch);
        this.#role = "holder";
        this.#socket.restart();
      });
    navigator.locks.request(this.#lock, options, held).catch((error: Error) => {
      if (mine !== this.#joins || ends.signal.aborted) return;
      // Denied here, as in a sandboxed frame; or, where this tab slept, another one took the lock away.
      if (error.name !== "AbortError") return this.#alone();
      this.#role = "guest";
      this.#socket.stop();
      this.#want(false);
      this.#ask();
    });
  }

  /** Asks the holder how things are. One that does not answer is replaced. */
  #ask(): void {
    if (this.holds) return;
    this.#say({ ask: this.#wiring.resume() });
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => this.holds || this.#want(true), SILENT_MS);
  }

  #hear(note: Note): void {
    if (note.to !== undefined && note.to !== this.#me) return;
    if (note.news !== undefined) return this.#wiring.heard(note.news);
    if (this.#role === "holder") this.#serve(note);
    else if (this.#role === "guest") this.#follow(note);
  }

  #serve({ from, ask, send, nudge }: Note): void {
    if (ask) {
      const { status } = this;
      this.#say({ to: from, status, frames: status === "online" ? this.#wiring.state(ask) : [] });
    }
    if (send) this.#socket.send(send);
    if (nudge) this.#socket.nudge();
  }

  #follow({ frames, frame, status, stop }: Note): void {
    if (frames && status) {
      clearTimeout(this.#watch);
      for (const one of frames) this.#wiring.frame(one);
      if (status !== this.status) this.#set(status, stop);
    } else if (status === "online") this.#ask();
    else if (status) this.#set(status, stop);
    // Before it was brought up to date a tab would only find holes.
    else if (frame && this.status === "online") this.#wiring.frame(frame);
  }

  #told(status: Status, stop?: Stop): void {
    if (this.#role !== "alone" && this.#role !== "holder") return;
    this.#set(status, stop);
    this.#say({ status, stop });
  }

  #say(note: Omit<Note, "from">): void {
    this.#channel?.postMessage({ from: this.#me, ...note });
  }

  #leave(): void {
    this.#joins++;
    this.#role = "none";
    clearTimeout(this.#watch);
    this.#socket.stop();
    this.#ends?.abort();
    this.#release?.();
    this.#channel?.close();
    this.#channel = this.#release = null;
  }

  #set(status: Status, stop?: Stop): void {
    this.status = status;
    this.#wiring.status(status, stop);
  }
}
