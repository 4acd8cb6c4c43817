// `<beckon-widget>`: an open shadow root that holds the widget, styled by constructable sheets only.

import { render } from "preact";
import { accentRules } from "./accent";
import base from "./styles/base.css";
import bubble from "./styles/bubble.css";
import log from "./styles/log.css";
import media from "./styles/media.css";
import panel from "./styles/panel.css";
import type { View } from "./view/model";
import { Widget, type Focus } from "./view/widget";
import { writesFromRight } from "./words";

export const TAG = "beckon-widget";

/** As `#rrggbb`, whatever way CSS has of writing it; "" where it is no opaque colour. */
function asHex(colour: string): string {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return colour;
  context.fillStyle = "#010203";
  context.fillStyle = colour;
  const found = String(context.fillStyle);
  return found !== "#010203" && /^#[0-9a-f]{6}$/.test(found) ? found : "";
}

export class BeckonElement extends HTMLElement {
  readonly focusing: Focus = {};
  #view: View | null = null;
  readonly #base = new CSSStyleSheet();
  readonly #accent = new CSSStyleSheet();
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #draw = () => this.update();

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    this.#base.replaceSync(base + bubble + panel + log + media);
    root.adoptedStyleSheets = [this.#base, this.#accent];
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
    const { theme, accent, dir, locale } = view.options;
    const hex = accent ? asHex(accent) : "";
    if (accent && !hex) console.warn(`Beckon: accent "${accent}" is no opaque colour.`);
    this.#accent.replaceSync(accentRules(hex));
    const page = document.documentElement;
    const direction = dir || (writesFromRight(locale) || getComputedStyle(page).direction === "rtl" ? "rtl" : "ltr");
    const shade = theme === "auto" ? (this.#dark.matches ? "dark" : "light") : theme;
    render(<Widget view={view} theme={shade} dir={direction} focus={this.focusing} />, shadowRoot);
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
