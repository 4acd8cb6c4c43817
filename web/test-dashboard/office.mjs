// A server as a company runs it, with two operators and customers on sockets; nothing here reaches behind its doors.

import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync } from "node:zlib";
import WebSocket from "ws";
import { PATIENCE, follow, newPage } from "../test-demo/stage.mjs";

const PASSWORD = "correct horse battery";
export const RUI = "rui@shop.example";
export const ADA = "ada@shop.example";

function binary() {
  const target = fileURLToPath(new URL("../../target/", import.meta.url));
  const found = [process.env.BECKON_BIN, `${target}debug/beckon`, `${target}release/beckon`].find((path) => path && existsSync(path));
  if (!found) throw new Error("no beckon to start: run cargo build, or set BECKON_BIN");
  return found;
}

export class Office {
  #child;
  #folder;
  #env;
  #keys = { BECKON_API_KEY: randomUUID(), BECKON_IDENTITY_KEY: randomUUID() };
  #sockets = [];
  address = "";
  workspace = "";
  said = "";

  /** `more` is added to its `beckon.toml`. */
  static async open({ more = "" } = {}) {
    const office = new Office();
    office.#folder = mkdtempSync(join(tmpdir(), "beckon-office-"));
    office.workspace = join(office.#folder, "workspace");
    cpSync(fileURLToPath(new URL("workspace", import.meta.url)), office.workspace, { recursive: true });
    appendFileSync(join(office.workspace, "beckon.toml"), more);
    office.#env = { ...process.env, ...office.#keys, BECKON__LOG__LEVEL: "warn" };
    for (const [email, name, role, team] of [[RUI, "Rui", "operator", "first line"], [ADA, "Ada", "admin", "payments"]]) {
      const args = ["operator", "add", email, "--name", name, "--role", role, "--team", team, "--password-stdin", ...office.#where()];
      execFileSync(binary(), args, { env: office.#env, input: PASSWORD });
    }
    await office.start();
    return office;
  }

  #where() {
    return ["--workspace", this.workspace, "--data", join(this.#folder, "data")];
  }

  /** Starts the server; at the port it had, where it ran before. */
  async start() {
    const listen = this.address ? new URL(this.address).host : "127.0.0.1:0";
    const child = spawn(binary(), ["serve", "--listen", listen, ...this.#where()], { env: this.#env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    process.once("exit", () => child.kill("SIGKILL"));
    this.address = await new Promise((resolve, reject) => {
      let said = "";
      const read = (chunk) => {
        said += chunk;
        this.said = said;
        const found = /^listening at (\S+)$/m.exec(said);
        if (found) resolve(found[1]);
      };
      child.stdout.setEncoding("utf8").on("data", read);
      child.stderr.setEncoding("utf8").on("data", read);
      child.once("close", (code) => reject(new Error(`the server ended with ${code}:\n${said}`)));
      setTimeout(() => reject(new Error(`the server printed no address:\n${said}`)), PATIENCE).unref();
    });
  }

  /** Ends the server; all it accepted stays. */
  async stop() {
    const child = this.#child;
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(late);
  }

  async close() {
    for (const socket of this.#sockets) socket.terminate();
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Sends an event of the company. */
  async event(type, customer, data, id = randomUUID()) {
    const answer = await fetch(`${this.address}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#keys.BECKON_API_KEY}`, "content-type": "application/cloudevents+json" },
      body: JSON.stringify({ specversion: "1.0", id, source: "shop", type, subject: customer, data }),
    });
    assert.equal(answer.status, 202, await answer.clone().text());
    return (await answer.json()).results[0].event;
  }

  /** A customer on the company's site, known by a token. */
  async customer(id, traits) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const head = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: id, exp: Math.floor(Date.now() / 1000) + 3600, traits })}`;
    const token = `${head}.${createHmac("sha256", this.#keys.BECKON_IDENTITY_KEY).update(head).digest("base64url")}`;
    return await this.#session({ token });
  }

  /** A customer nobody knows. */
  async visitor() {
    return await this.#session({});
  }

  async #session(hello) {
    const socket = new WebSocket(`${this.address.replace("http", "ws")}/v1/chat`, "beckon.v1");
    this.#sockets.push(socket);
    const customer = new Customer(socket, this.address, hello.token);
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    customer.send({ type: "hello", resume: {}, ...hello });
    await customer.hears((frame) => frame.type === "welcome");
    return customer;
  }

  /** An operator's browser, signed in and at a page. */
  async operator(browser, email, complaints, { path = "", ...size } = {}) {
    const page = await newPage(browser, [new URL(this.address).origin], complaints, size);
    await page.goto(`${this.address}/operator/`);
    await signIn(page, email);
    if (path) await page.goto(`${this.address}/operator/${path}`);
    return page;
  }
}

export async function signIn(page, email) {
  await page.type("[name=email]", email);
  await page.type("[name=password]", PASSWORD);
  await follow(page, "main form button");
}

/** The other end: a socket that remembers all it heard. */
class Customer {
  #socket;
  #heard = [];
  #waiting = [];
  conversation = "";

  #address;
  #token;

  constructor(socket, address, token) {
    this.#socket = socket;
    this.#address = address;
    this.#token = token;
    socket.on("message", (data) => {
      const frame = JSON.parse(data.toString());
      const opened = frame.type === "opened" ? frame.conversation : frame.type === "welcome" ? frame.conversations[0] : null;
      if (opened) this.conversation = opened.id;
      if (frame.type === "ack" && frame.conversation_id) this.conversation ||= frame.conversation_id;
      this.#heard.push(frame);
      for (const one of this.#waiting.splice(0)) one();
    });
  }

  send(frame) {
    this.#socket.send(JSON.stringify(frame));
  }

  /** Waits for a frame; one that came before counts. */
  async hears(wanted) {
    const until = Date.now() + PATIENCE;
    for (;;) {
      const found = this.#heard.find(wanted);
      if (found) return found;
      const left = until - Date.now();
      if (left <= 0) throw new Error(`not heard among ${JSON.stringify(this.#heard)}`);
      await new Promise((resolve) => {
        this.#waiting.push(resolve);
        setTimeout(resolve, left).unref();
      });
    }
  }

  async hearsWords(words) {
    return await this.hears((frame) => JSON.stringify(frame).includes(words));
  }

  /** Whether words came by now. */
  async heard(words) {
    const pong = this.#heard.filter((frame) => frame.type === "pong").length;
    this.send({ type: "ping" });
    await this.hears(() => this.#heard.filter((frame) => frame.type === "pong").length > pong);
    return JSON.stringify(this.#heard).includes(words);
  }

  async opened() {
    await this.hears(() => this.conversation !== "");
    return this.conversation;
  }

  async sees() {
    const conversation = await this.opened();
    this.send({ type: "seen", conversation_id: conversation, seq: 1 });
  }

  async says(text) {
    const client_id = randomUUID();
    const frame = { type: "say", client_id, text };
    if (this.conversation) frame.conversation_id = this.conversation;
    this.send(frame);
    return await this.hears((heard) => heard.client_id === client_id && ["ack", "error"].includes(heard.type));
  }

  /** Rates the conversation; "ack" or "error". */
  async rates(score) {
    const client_id = randomUUID();
    this.send({ type: "rate", client_id, conversation_id: this.conversation, score });
    const answered = (heard) => heard.client_id === client_id && ["ack", "error"].includes(heard.type);
    return (await this.hears(answered)).type;
  }

  /** Sends files, by name, with a message that names them. */
  async attaches(files, text = "") {
    const ids = [];
    for (const [name, bytes] of Object.entries(files)) {
      const door = `${this.#address}/v1/chat/attachments?name=${encodeURIComponent(name)}`;
      const answer = await fetch(door, { method: "POST", headers: { authorization: `Bearer ${this.#token}` }, body: bytes });
      assert.equal(answer.status, 201, await answer.clone().text());
      ids.push((await answer.json()).id);
    }
    const client_id = randomUUID();
    this.send({ type: "say", client_id, conversation_id: this.conversation, text, attachments: ids });
    const answered = await this.hears((heard) => heard.client_id === client_id && ["ack", "error"].includes(heard.type));
    assert.equal(answered.type, "ack", JSON.stringify(answered));
  }

  writes() {
    this.send({ type: "typing", conversation_id: this.conversation });
  }
}

/** A picture that a browser can show: a PNG of one colour. */
export function picture(width, height) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [data.length, crc32(body)].map((number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(number);
      return bytes;
    });
    return Buffer.concat([length, body, check]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 0, 0, 0, 0], 8); // Eight bits of grey.
  const rows = Buffer.alloc((width + 1) * height, 0);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Nothing that axe finds, by the rules of WCAG 2.2 AA and best practice. */
export async function accessible(page, what) {
  // Evaluated through the debugger: the page's own policy allows no script of ours, which is as it should be.
  await page.evaluate(`${AXE}; null`);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(" | ")}`);
  });
  assert.deepEqual(found, [], what);
}

/** Nothing sticks out of the page sideways. */
export async function fits(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${what}: ${wide} px too wide`);
}
