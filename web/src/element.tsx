// `<beckon-widget>`: an open shadow root that holds the widget, styled by constructable sheets only.

import { render } from "preact";
import base from "./styles/base.css";
import bubble from "./styles/bubble.css";
import log from "./styles/log.css";
import media from "./styles/media.css";
import panel from "./styles/panel.css";
import { next } from "./next";
import type { View } from "./view/model";
import { Widget, type Focus } from "./view/widget";
import { writesFromRight } from "./words";

export const TAG = "beckon-widget";

export class BeckonElement extends HTMLElement {
  readonly focusing: Focus = {};
  #view: View | null = null;
  #direction: "ltr" | "rtl" = "ltr";
  readonly #base = new CSSStyleSheet();
  readonly #last = new CSSStyleSheet();
  #colours = { of: "", rules: "" };
  readonly #accent = new CSSStyleSheet();
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #draw = () => this.update();

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    this.#base.replaceSync(base + bubble + panel + log);
    this.#last.replaceSync(media);
    root.adoptedStyleSheets = [this.#base, this.#last, this.#accent];
  }

  show(view: View): void {
    this.#view = view;
    this.#dark.addEventListener("change", this.#draw);
    this.update();
  }

  update(): void {
    const { shadowRoot } = this;
    const view = this.#view;
    if (!view || !shadowRoot) return;
    const { theme, accent, dir, locale, zIndex } = view.options;
    if (this.#colours.of !== accent) void this.#paint(accent);
    this.#accent.replaceSync(this.#colours.rules + (zIndex ? `.root{--layer:${zIndex}}` : ""));
    const page = document.documentElement;
    const direction = dir || (writesFromRight(locale) || getComputedStyle(page).direction === "rtl" ? "rtl" : "ltr");
    const shade = theme === "auto" ? (this.#dark.matches ? "dark" : "light") : theme;
    this.#direction = direction;
    render(<Widget view={view} theme={shade} dir={direction} focus={this.focusing} />, shadowRoot);
  }

  /** The company's colour needs arithmetic that most pages do not. */
  async #paint(accent: string): Promise<void> {
    this.#colours = { of: accent, rules: "" };
    if (!accent) return;
    const rules = (await this.#view!.parts.load<typeof import("./later/accent")>("accent")).rulesOf(accent);
    if (this.#colours.of !== accent) return;
    this.#colours = { of: accent, rules };
    this.update();
  }

  /** Looks that are loaded later. */
  add(css: string): void {
    const { shadowRoot } = this;
    if (!shadowRoot) return;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    // Before the last two, which must win: small screens, and the colours of the company.
    shadowRoot.adoptedStyleSheets = [this.#base, sheet, this.#last, this.#accent];
  }

  /** The first use of a font costs a page some milliseconds: those of a bubble get a task each, before it is drawn. */
  async warm(): Promise<void> {
    const probe = document.createElement("span");
    probe.textContent = "a";
    probe.ariaHidden = "true";
    for (const name of ["text", "who", "btn", "link"]) {
      await next();
      probe.className = `hush ${name}`;
      this.shadowRoot?.firstElementChild?.append(probe);
      probe.getClientRects();
    }
    await next();
    probe.remove();
  }

  /** A copy that a page made of its own body, as Turbo does for its previews, is nothing. */
  connectedCallback(): void {
    if (!this.#view) this.remove();
  }

  /** Which side of the screen the chat is on. */
  get side(): "left" | "right" {
    const end = this.#view?.options.position !== "start";
    return end === (this.#direction === "rtl") ? "left" : "right";
  }

  /** A page that swaps its body takes the chat along; only `shutdown` ends it. */
  disconnectedCallback(): void {
    setTimeout(() => this.#view && !this.isConnected && document.body?.append(this), 0);
  }

  /** Takes everything down again. */
  clear(): void {
    this.#dark.removeEventListener("change", this.#draw);
    if (this.shadowRoot) render(null, this.shadowRoot);
    this.#view = null;
  }
}

export function defineElement(): void {
  if (!customElements.get(TAG)) customElements.define(TAG, BeckonElement);
}
