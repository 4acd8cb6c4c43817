// `window.Beckon`: one function, with a queue for the calls that were made before this script was there.

import type { Calls, Events } from "../package/beckon";
import { BeckonElement, defineElement, TAG } from "./element";
import { fromAttributes, merge, defaults, type Options } from "./options";
import type { Token } from "./identity";
import { Fragment, jsx, jsxs } from "preact/jsx-runtime";
import type { Later, make } from "./later";
import { next } from "./next";
import { Parts } from "./parts";
import { openStorages, type Storages } from "./storage";
import { showUnread } from "./title";
import { View } from "./view/model";

type Listener = (detail: unknown) => void;

/** Until the page has a body. */
const body = (): Promise<unknown> => (document.body ? next() : new Promise((ready) => document.addEventListener("DOMContentLoaded", ready, { once: true })));

export class Widget implements Calls {
  #view: View | null = null;
  #element: BeckonElement | null = null;
  #options: Options;
  readonly #listeners = new Map<string, Set<Listener>>();

  readonly #origin: string;
  readonly #parts: Parts;
  #ready!: () => void;
  readonly #whenReady = new Promise<void>((ready) => (this.#ready = ready));

  constructor(origin: string, script: HTMLElement | null) {
    this.#origin = origin;
    this.#parts = new Parts(origin);
    this.#options = merge(defaults, fromAttributes(script));
  }

  /** Starts, or changes the options of what runs. */
  boot(given?: unknown): void {
    const before = this.#options;
    this.#options = merge(before, given);
    if (!this.#view) return this.#start();
    const element = this.#element;
    void this.#view.configure(this.#options).then(() => element?.update());
    element?.update();
    if (this.#options.token !== before.token) this.#view.session.identify(this.#options.token);
  }

  /** Changes options without starting anything. */
  configure(given?: unknown): void {
    if (this.#view) this.boot(given);
    else this.#options = merge(this.#options, given);
  }

  /** Resolves when the widget is on the page; calls back as well where that is wanted. */
  ready(then?: unknown): Promise<void> {
    if (typeof then === "function") void this.#whenReady.then(() => then());
    return this.#whenReady;
  }

  shutdown(): void {
    showUnread(0);
    const view = this.#view;
    if (view) {
      // What is still under way shows nothing any more.
      view.hidden = true;
      view.announcer.stop();
      view.session.stop();
    }
    this.#element?.clear();
    this.#element?.remove();
    this.#view = this.#element = null;
  }

  open(conversation?: string): void {
    this.#view?.show(typeof conversation === "string" ? conversation : undefined);
  }

  openConversation(conversation: unknown): void {
    this.open(String(conversation));
  }

  /** Opens the panel with these words written, for the customer to send. */
  compose(text?: unknown): void {
    this.#view?.compose(typeof text === "string" ? text : "");
  }

  close(): void {
    this.#view?.close();
  }

  toggle(): void {
    if (this.#view?.open) this.#view.close();
    else this.#view?.show();
  }

  hide(): void {
    this.#view?.setHidden(true);
  }

  show(): void {
    this.#view?.setHidden(false);
  }

  /** Who this is follows from the token alone, and its traits are the ones that count: an id or traits without one are only words. */
  identify(_userId: unknown, _traits?: unknown, given?: { token?: Token }): void {
    const token = given?.token;
    if (token === undefined) {
      console.warn("Beckon: identify needs { token }.");
      return;
    }
    this.boot({ token });
  }

  /** On logout: another person may sit here next. */
  reset(): void {
    this.#options = { ...this.#options, token: null };
    void this.#view?.configure(this.#options);
    this.#view?.reset();
  }

  track(event: unknown, properties?: unknown): void {
    if (typeof event !== "string" || !event) console.warn("Beckon: track needs a name.");
    else this.#view?.session.track(event, typeof properties === "object" && !Array.isArray(properties) ? { ...properties } : {});
  }

  /** A page was looked at: an event, and another bubble may come. */
  page(name?: unknown, properties?: unknown): void {
    const more = typeof properties === "object" ? properties : null;
    const { pathname: path, search, href: url } = location;
    const seen = { ...(typeof name === "string" ? { name } : {}), path, search, url, title: document.title, referrer: document.referrer };
    this.#view?.session.track("segment.page", { ...seen, ...more });
    this.#view?.nextView();
  }

  /** Listens; the answer stops it again. */
  on<Name extends keyof Events>(name: Name, listening: (detail: Events[Name]) => void): () => void {
    const listener = listening as Listener;
    const those = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, those.add(listener));
    if (name === "ready" && this.#listening && this.#element) queueMicrotask(() => listener(undefined));
    return () => those.delete(listener);
  }

  /** Why the conversation on show is there; null where there is none. */
  explain(): { conversation_id: string; playbook: string; why: string } | null {
    const shown = this.#view?.bubble ?? this.#view?.current;
    return shown ? { conversation_id: shown.id, playbook: shown.playbook, why: shown.why } : null;
  }

  #start(): void {
    defineElement();
    const url = `${this.#origin.replace(/^http/, "ws")}/v1/chat`;
    let storages: Storages | undefined;
    const opening = () => (storages ??= openStorages(this.#options.storage, this.#origin));
    const view = new View(url, opening, this.#parts, this.#options, {
      emit: (name, detail) => this.#emit(name, detail),
      later: () => this.#later(),
      side: () => this.#element?.side ?? "right",
      warm: async () => this.#element?.warm(),
      mayShow: ({ id, playbook, why }) => this.#ask("before-proactive", { conversation_id: id, playbook, why }),
      // After the picture that the call asked for.
      focus: (place) => setTimeout(() => this.#element?.focusing[place]?.(), 0),
    });
    this.#view = view;
    view.session.identify(this.#options.token);
    void this.#appear(view);
  }

  /** Step by step: each is a short task, however slow the machine. */
  async #appear(view: View): Promise<void> {
    const gone = () => this.#view !== view;
    await view.configure(this.#options);
    await body();
    if (gone()) return;
    const element = document.createElement(TAG) as BeckonElement;
    this.#element = element;
    await next();
    if (gone()) return;
    element.show(view);
    await next();
    if (gone()) return;
    document.body.append(element);
    this.#listen();
    this.#ready();
    this.#emit("ready");
    await next();
    if (gone()) return;
    view.session.start(this.#parts);
  }

  /** The parts of an open panel, drawn with the same Preact. */
  async #later(): Promise<Later> {
    const part = await this.#parts.load<{ make: typeof make }>("later");
    const later = part.make({ jsx, jsxs, Fragment });
    this.#element?.add(later.css);
    await next();
    return later;
  }

  /** What is unread is told outside of the chat too. */
  #mark(count: number): void {
    const { title, favicon, accent } = this.#options;
    if (title === "count") showUnread(count);
    if (favicon === "dot") this.#part<typeof import("./later/favicon")>("favicon", ({ mark }) => mark(count > 0, accent));
  }

  /** Does something with a part without which all else goes on. */
  #part<T>(name: string, then: (part: T) => unknown): void {
    this.#parts.load<T>(name).then(then).catch(() => undefined);
  }

  #listening = false;

  #listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    const nudge = () => document.hidden || this.#view?.session.connection.nudge();
    addEventListener("online", nudge);
    addEventListener("pageshow", nudge);
    addEventListener("offline", () => this.#view?.changed());
    document.addEventListener("visibilitychange", nudge);
  }

  #emit(name: string, detail?: unknown): void {
    if (name === "unread") this.#mark((detail as { count: number }).count);
    if (name === "message:received" && this.#options.sound) this.#part<typeof import("./later/sound")>("sound", ({ ring }) => this.#view && ring(this.#view));
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(detail);
      } catch (error) {
        console.error(`Beckon: a listener of "${name}" failed.`, error);
      }
    }
    this.#ask(name.replace(/[:_]/g, "-"), detail);
  }

  /** The same as a DOM event; false where a listener prevented it. */
  #ask(name: string, detail: unknown): boolean {
    return document.dispatchEvent(new CustomEvent(`beckon:${name}`, { detail, bubbles: true, cancelable: true }));
  }
}
