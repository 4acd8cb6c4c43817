// The server's side of `beckon.v1`, small: logs with dense numbers, answers kept by client_id, deltas on demand.

import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

// Frames are read loosely here: what is tested is the other side.
type Json = Record<string, any>;

export interface Talk {
  id: string;
  playbook: string;
  state: "waiting" | "open" | "closed";
  holder: string;
  why: string;
  log: Json[];
}

const built = (name: string) => readFileSync(new URL(`../../../static/${name}`, import.meta.url));

async function listen(server: Server): Promise<number> {
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return (server.address() as AddressInfo).port;
}

export class ChatServer {
  readonly talks = new Map<string, Talk>();
  /** Every frame of every session, in order. */
  readonly frames: Json[] = [];
  readonly hellos: Json[] = [];
  /** Answers a frame in place of the server; true where it did. */
  hook: (frame: Json, send: (frame: Json) => void) => boolean = () => false;
  /** A close code for a hello, or null where it is welcome. */
  refuse: (hello: Json) => [number, string] | null = () => null;
  playbook = "help";
  port = 0;
  #http = createServer((request, response) => {
    if (request.url === "/widget.js") response.setHeader("content-type", "text/javascript").end(built("widget.js"));
    else if (request.url?.startsWith("/widget/")) this.#part(request.url, response);
    else if (request.url?.startsWith("/v1/chat/attachments")) void this.#attachments(request, response);
    else response.writeHead(404).end();
  });
  #sockets = new Set<WebSocket>();
  #wss = new WebSocketServer({ server: this.#http, path: "/v1/chat", handleProtocols: (all) => (all.has("beckon.v1") ? "beckon.v1" : false) });
  #answers = new Map<string, Json>();
  readonly #changes = new Set<() => void>();
  #waiting: { wants: (frame: Json) => boolean; found: (frame: Json) => void }[] = [];

  /** Parts that were asked for; `withholds` answers them with 404. */
  readonly parts: string[] = [];
  withholds = false;

  #part(url: string, response: ServerResponse): void {
    const name = url.slice(1).split("?")[0] ?? "";
    this.parts.push(name);
    if (this.withholds) response.writeHead(404).end();
    else response.setHeader("content-type", "text/javascript").setHeader("access-control-allow-origin", "*").end(built(name));
  }

  /** What `welcome` says of files; none where they are off. */
  limits: Json | undefined;
  readonly files = new Map<string, { meta: Json; bytes: Buffer; used: boolean }>();
  /** Every upload and every fetch: the path with its query, and whose it was. */
  readonly transfers: string[] = [];
  /** A status for an upload in place of the answer; null where it is taken. */
  refusesFile: (transfer: string) => number | null | Promise<number | null> = () => null;

  /** Files as the contract has them: who asks is told by a header, a preflight comes before. */
  async #attachments(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers, url = "" } = request;
    response.setHeader("access-control-allow-origin", headers.origin ?? "").setHeader("vary", "origin");
    if (method === "OPTIONS") {
      response.setHeader("access-control-allow-methods", "POST, GET").setHeader("access-control-allow-headers", "authorization, x-beckon-anonymous, content-type");
      return void response.writeHead(204).end();
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const transfer = `${method} ${url} ${headers.authorization ?? headers["x-beckon-anonymous"] ?? "nobody"}`;
    this.transfers.push(transfer);
    const refused = await this.refusesFile(transfer);
    if (refused !== null) return void response.writeHead(refused, { "content-type": "application/json" }).end(JSON.stringify({ error: "refused" }));
    if (method === "GET") {
      const file = this.files.get(url.split("/").at(-1) ?? "");
      if (!file) return void response.writeHead(404).end();
      response.setHeader("content-type", file.meta.type).setHeader("content-disposition", "attachment").setHeader("x-content-type-options", "nosniff");
      return void response.setHeader("cache-control", "private, max-age=3600, immutable").end(file.bytes);
    }
    const meta = this.keep(Buffer.concat(chunks), new URL(url, this.origin).searchParams.get("name") ?? "");
    response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify(meta));
  }

  /** Keeps a file as an upload does. Pictures are PNG here, which say their size first. */
  keep(bytes: Buffer, name: string): Json {
    const id = `att_${this.files.size + 1}`;
    const picture = bytes.subarray(1, 4).toString() === "PNG";
    const size = picture ? { type: "image/png", width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) } : { type: "application/pdf" };
    const meta = { id, name, size: bytes.length, ...size };
    this.files.set(id, { meta, bytes, used: false });
    return meta;
  }

  static async start(): Promise<ChatServer> {
    const server = new ChatServer();
    server.port = await listen(server.#http);
    server.#wss.on("connection", (socket) => server.#session(socket));
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get sessions(): number {
    return this.#sockets.size;
  }

  stop(): void {
    for (const socket of this.#wss.clients) socket.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  /** Opens a conversation, as a playbook does: the first words, its choices. */
  open(id: string, text: string, more: Partial<Talk> & { choices?: unknown[]; html?: string; locale?: string } = {}): Talk {
    const { choices, html, locale, ...rest } = more;
    const talk: Talk = { id, playbook: "checkout-trouble", state: "waiting", holder: "assistant", why: "Because your payment for this order failed.", log: [], ...rest };
    this.talks.set(id, talk);
    this.#log(talk, { by: "assistant", kind: "message", text, ...(choices ? { choices } : {}), ...(html ? { html } : {}), ...(locale ? { locale } : {}) });
    this.send({ type: "opened", conversation: this.#shown(talk, 0) });
    return talk;
  }

  append(id: string, entry: Json): Json {
    const talk = this.talks.get(id);
    if (!talk) throw new Error(`no conversation ${id}`);
    const line = this.#log(talk, entry);
    if (entry.kind === "holder") talk.holder = entry.holder;
    if (entry.kind === "closed") talk.state = "closed";
    this.send({ type: "entry", conversation_id: id, ...line });
    return line;
  }

  /** To every session. */
  send(frame: Json | string): void {
    const text = typeof frame === "string" ? frame : JSON.stringify(frame);
    for (const socket of this.#sockets) socket.send(text);
  }

  /** Ends every session: with a close code, or as a cut cable does. */
  cut(code?: number, reason = ""): void {
    for (const socket of this.#sockets) code ? socket.close(code, reason) : socket.terminate();
    this.#sockets.clear();
  }

  count(wants: (frame: Json) => boolean): number {
    return this.frames.filter(wants).length;
  }

  /** The first frame that is as wanted, come or still to come. */
  async got(wants: (frame: Json) => boolean, what = "frame", within = 40_000): Promise<Json> {
    const there = this.frames.find(wants);
    if (there) return there;
    return await new Promise<Json>((found, failed) => {
      const timer = setTimeout(() => failed(new Error(`no ${what}; frames: ${JSON.stringify(this.frames.slice(-8))}`)), within);
      this.#waiting.push({ wants, found: (frame) => (clearTimeout(timer), found(frame)) });
    });
  }

  /** Waits until something holds that changes with what clients do: a frame, a session that ends. */
  async holds(what: () => boolean, name: string, within = 40_000): Promise<void> {
    if (what()) return;
    await new Promise<void>((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`not so: ${name}`)), within);
      const look = () => what() && (clearTimeout(timer), this.#changes.delete(look), done());
      this.#changes.add(look);
    });
  }

  #log(talk: Talk, entry: Json): Json {
    const seq = talk.log.length + 1;
    const line = { seq, id: `${talk.id}-e${seq}`, at: Date.now(), ...entry };
    talk.log.push(line);
    return line;
  }

  #shown(talk: Talk, after: number): Json {
    const { log, ...rest } = talk;
    return { ...rest, last_seq: log.length, entries: log.slice(after) };
  }

  #session(socket: WebSocket): void {
    const send = (frame: Json) => socket.send(JSON.stringify(frame));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      for (const look of [...this.#changes]) look();
    });
    socket.on("message", (data) => {
      const frame = JSON.parse(String(data)) as Json;
      this.frames.push(frame);
      if (frame.type === "hello") this.#hello(socket, frame, send);
      else if (!this.hook(frame, send)) this.#answer(frame, send);
      for (const one of this.#waiting.filter(({ wants }) => wants(frame))) {
        this.#waiting.splice(this.#waiting.indexOf(one), 1);
        one.found(frame);
      }
      for (const look of [...this.#changes]) look();
    });
  }

  #hello(socket: WebSocket, hello: Json, send: (frame: Json) => void): void {
    this.hellos.push(hello);
    const refused = this.refuse(hello);
    if (refused) return socket.close(...refused);
    const conversations: Json[] = [];
    for (const talk of this.talks.values()) {
      const cursor = hello.resume?.[talk.id];
      if (talk.state === "closed" && !cursor) continue;
      const known = cursor && talk.log[cursor.seq - 1]?.id === cursor.id;
      if (cursor && !known) send({ type: "reset", conversation_id: talk.id });
      conversations.push(this.#shown(talk, known ? cursor.seq : 0));
    }
    const who = hello.token ? { customer: `user:${hello.token}` } : { customer: "anon:x", anonymous_id: hello.anonymous_id ?? "anonymous-secret-of-this-browser" };
    send({ type: "welcome", ...who, conversations, ...(this.limits ? { attachments: this.limits } : {}) });
    this.#sockets.add(socket);
  }

  #answer(frame: Json, send: (frame: Json) => void): void {
    if (frame.type === "ping") return send({ type: "pong" });
    if (frame.type === "seen") {
      const talk = this.talks.get(frame.conversation_id);
      if (talk?.state === "waiting") talk.state = "open";
    }
    if (!["say", "choose", "confirm", "rate", "helped", "stop", "close", "track"].includes(frame.type)) return;
    const before = this.#answers.get(frame.client_id);
    if (before) return send(before);
    const answer = this.#take(frame);
    this.#answers.set(frame.client_id, answer);
    send(answer);
  }

  #take(frame: Json): Json {
    const { client_id, conversation_id, type } = frame;
    const error = (code: string) => ({ type: "error", code, message: code, client_id, conversation_id });
    const files = (frame.attachments ?? []).map((id: string) => this.files.get(id));
    if (files.some((file: { used: boolean } | undefined) => !file || file.used)) return error("attachment_gone");
    for (const file of files) file.used = true;
    const attachments = files.length ? { attachments: files.map(({ meta }: { meta: Json }) => meta) } : {};
    if (type === "say" && !conversation_id) {
      if (!this.playbook) return error("no_conversation");
      const id = `c-${client_id.slice(0, 6)}`;
      const talk: Talk = { id, playbook: this.playbook, state: "open", holder: "assistant", why: "", log: [] };
      this.talks.set(id, talk);
      this.#log(talk, { by: "customer", kind: "message", text: frame.text, client_id, ...attachments });
      this.send({ type: "opened", conversation: this.#shown(talk, 0) });
      return { type: "ack", client_id, conversation_id: id, seq: 1 };
    }
    if (type === "track") return { type: "ack", client_id, seq: 0 };
    const talk = this.talks.get(conversation_id);
    if (!talk) return error("unknown_conversation");
    if (type === "rate" || type === "helped") return { type: "ack", client_id, conversation_id, seq: talk.log.length };
    if (talk.state === "closed") return error("closed");
    if (type === "stop") return { type: "ack", client_id, conversation_id, seq: talk.log.length };
    talk.state = "open";
    const offered = talk.log.findLast((entry) => entry.choices)?.choices ?? [];
    const label = offered.find((c: Json | string) => (typeof c === "string" ? c : c.value) === frame.choice);
    if (type === "choose" && label === undefined) return error("choice_gone");
    const entry =
      type === "say" ? { kind: "message", text: frame.text, client_id, ...attachments }
      : type === "choose" ? { kind: "message", text: typeof label === "string" ? label : label.label, choice: frame.choice, client_id }
      : type === "confirm" ? { kind: "confirmed", call_id: frame.call_id, approve: frame.approve, client_id }
      : { kind: "closed", outcome: { kind: "abandoned" } };
    const { seq } = this.append(conversation_id, { by: type === "close" ? "system" : "customer", ...entry });
    return { type: "ack", client_id, conversation_id, seq };
  }
}

/** The company's own page, on another origin than the chat. */
export class HostSite {
  port = 0;
  body = "";
  head = "";
  headers: Record<string, string> = {};
  /** Scripts of the page, by path. */
  readonly scripts = new Map<string, string>();
  #http = createServer((request, response) => {
    const script = this.scripts.get(request.url ?? "");
    if (script !== undefined) return void response.setHeader("content-type", "text/javascript").end(script);
    for (const [name, value] of Object.entries(this.headers)) response.setHeader(name, value);
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><head><title>Shop</title><link rel="icon" href="data:,">${this.head}</head><body><main><h1>Shop</h1><label>Search <input id="search"></label><button id="buy">Buy</button></main>${this.body}</body></html>`);
  });

  static async start(): Promise<HostSite> {
    const site = new HostSite();
    site.port = await listen(site.#http);
    return site;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  stop(): void {
    this.#http.close();
    this.#http.closeAllConnections();
  }
}
