// A model as companies run one, small: it answers every question with the same words, when it is let.

import { createServer } from "node:http";

export class Model {
  /** What it was asked, in order. */
  asked = [];
  words = "";
  fails = false;
  /** Answers wait for this. */
  gate = Promise.resolve();
  #http = createServer((request, response) => void this.#answer(request, response));

  static async start() {
    const model = new Model();
    await new Promise((ready) => model.#http.listen(0, "127.0.0.1", ready));
    return model;
  }

  /** As `beckon.toml` names it. */
  get toml() {
    return `\n[[model]]\nname = "main"\nurl = "http://127.0.0.1:${this.#http.address().port}/v1"\nmodel = "test"\n`;
  }

  stop() {
    this.#http.close();
    this.#http.closeAllConnections();
  }

  async #answer(request, response) {
    let body = "";
    for await (const chunk of request) body += chunk;
    if (request.method !== "POST") return response.writeHead(404).end();
    this.asked.push(JSON.parse(body));
    await this.gate;
    if (this.fails) return response.writeHead(500).end("{}");
    response.writeHead(200, { "content-type": "text/event-stream" });
    const chunk = (delta, finish_reason = null) => `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "test", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
    response.end(`${chunk({ role: "assistant", content: this.words })}${chunk({}, "stop")}data: [DONE]\n\n`);
  }
}
