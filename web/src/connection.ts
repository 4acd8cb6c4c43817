// One WebSocket that is kept up: hello, welcome, pings, and coming back by the rules of `reconnect.ts`.

import { readFrame, type ClientFrame, type Hello, type ServerFrame } from "./protocol";
import { afterClose, backoff, type Plan, type Stop } from "./reconnect";

export type Status = "idle" | "connecting" | "online" | "offline" | "needs_token" | "stopped";

export interface Wiring {
  url: string;
  /** The first frame; null where a token is needed and none can be had. Rejects where it could not be fetched now. */
  hello(renew: boolean): Promise<Hello | null>;
  frame(frame: ServerFrame): void;
  status(status: Status, stop?: Stop): void;
}

const SILENCE_MS = 25_000;
const PONG_MS = 10_000;
const WELCOME_MS = 15_000;
const ERROR_MS = 300;
/** A session that lived this long was a good one: the next failure counts from zero. */
const GOOD_MS = 5_000;
const OPEN = 1;

export class Connection {
  status: Status = "idle";
  #socket: WebSocket | null = null;
  #failures = 0;
  #renew = false;
  #welcomedAt = 0;
  /** Grows with every attempt, so that what an older one still awaits is ignored. */
  #attempt = 0;
  #comeBack: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #told = false;

  readonly #wiring: Wiring;

  constructor(wiring: Wiring) {
    this.#wiring = wiring;
  }

  stop(): void {
    this.#drop();
    this.#set("idle");
  }

  /** Starts, with what is known now (a token, cursors). */
  restart(): void {
    this.#drop();
    this.#failures = 0;
    this.#renew = false;
    void this.#connect();
  }

  /** The log had a hole: come back and read on, but never in a tight loop. */
  reread(): void {
    this.#again(this.#failures);
  }

  /** The network is there again, or the page is looked at: do not wait any longer. An attempt under way is left to it. */
  nudge(): void {
    if (this.#comeBack) void this.#connect();
  }

  /** False where it is not online. */
  send(frame: ClientFrame): boolean {
    if (this.status !== "online" || this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  async #connect(): Promise<void> {
    const mine = ++this.#attempt;
    this.#stay();
    if (this.status !== "offline") this.#set("connecting");
    let hello: Hello | null;
    try {
      hello = await this.#wiring.hello(this.#renew);
    } catch (error) {
      console.warn("Beckon: no token could be fetched, trying again.", error);
      if (mine === this.#attempt) this.#again(this.#failures);
      return;
    }
    if (mine !== this.#attempt) return;
    if (!hello) return this.#set("needs_token");
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.#wiring.url, "beckon.v1");
    } catch (error) {
      console.error("Beckon: this page's CSP needs in connect-src:", this.#wiring.url, error);
      return this.#set("stopped", "forbidden");
    }
    this.#socket = socket;
    this.#welcomedAt = 0;
    let opened = false;
    const closed = (code: number, reason: string): void => {
      if (mine !== this.#attempt) return;
      if (!opened && this.#failures >= 2) this.#tellWhy();
      this.#lost(afterClose(code, reason, this.#failures, Math.random()));
    };
    this.#expect(WELCOME_MS, () => closed(1006, ""));
    socket.onopen = () => {
      opened = true;
      socket.send(JSON.stringify(hello));
    };
    socket.onmessage = ({ data }) => mine === this.#attempt && this.#receive(socket, data);
    socket.onclose = ({ code, reason }) => closed(code, reason);
    // Chromium tells of a socket that a policy forbids by an error alone: no `close` follows.
    socket.onerror = () => mine === this.#attempt && this.#expect(ERROR_MS, () => closed(1006, ""));
  }

  #receive(socket: WebSocket, data: unknown): void {
    const frame = readFrame(data);
    if (frame?.type === "welcome") {
      this.#welcomedAt = Date.now();
      this.#renew = false;
    }
    if (this.#welcomedAt) {
      this.#expect(SILENCE_MS, () => {
        this.send({ type: "ping" });
        // A socket that is dead closes only after its own long timeout: do not wait for its `close`.
        this.#expect(PONG_MS, () => this.#again(0));
      });
    }
    if (!frame) return;
    // What comes with the welcome is taken before anybody hears that the session is online.
    this.#wiring.frame(frame);
    if (frame.type === "welcome" && this.#socket === socket) this.#set("online");
  }

  /** Comes back as after so many failures. */
  #again(failures: number): void {
    this.#lost({ do: "come_back", afterMs: backoff(failures, Math.random()) });
  }

  #lost(plan: Plan): void {
    if (this.#welcomedAt && Date.now() - this.#welcomedAt > GOOD_MS) this.#failures = 0;
    this.#drop();
    if (plan.do === "stop") return this.#set("stopped", plan.why);
    const again = plan.do === "renew" && this.#renew;
    if (plan.do === "renew") this.#renew = true;
    const wait = plan.do === "come_back" ? plan.afterMs : again ? backoff(this.#failures, Math.random()) : 0;
    this.#failures++;
    this.#set("offline");
    this.#comeBack = setTimeout(() => void this.#connect(), wait);
  }

  #drop(): void {
    this.#attempt++;
    this.#stay();
    clearTimeout(this.#watch);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  /** No longer waits to come back. */
  #stay(): void {
    clearTimeout(this.#comeBack);
    this.#comeBack = undefined;
  }

  #expect(within: number, otherwise: () => void): void {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(otherwise, within);
  }

  #set(status: Status, stop?: Stop): void {
    this.status = status;
    this.#wiring.status(status, stop);
  }

  #tellWhy(): void {
    if (this.#told) return;
    this.#told = true;
    console.info(
      `Beckon: ${this.#wiring.url} cannot be reached. [chat] origins needs "${location.origin}", this page's CSP the url in connect-src.`,
    );
  }
}
