// HTML that the server made of Markdown and cleaned: cleaned once more by the browser, and only then shown.

import type { Parts } from "../parts";
import type { Entry } from "../protocol";

const TAGS = ["p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "hr", "a"];
const ATTRIBUTES = ["href", "start"];

interface Sanitizing {
  setHTML?(html: string, options: { sanitizer: { elements: string[]; attributes: string[] } }): void;
}

interface Purify {
  clean(html: string, tags: string[], attributes: string[]): DocumentFragment;
}

/** Links lead to where a link may lead, and tell nobody where they were followed. */
function secure(place: HTMLElement): void {
  for (const link of place.querySelectorAll("a")) {
    if (/^(https?|mailto):$/.test(link.protocol)) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
    else link.removeAttribute("href");
  }
}

/** Shows an entry's HTML. Where that cannot be done safely its words stand there as they are. */
export function fill(place: HTMLElement, entry: Entry, parts: Parts): void {
  const html = entry.html ?? "";
  const native = place as Sanitizing;
  if (native.setHTML) {
    native.setHTML(html, { sanitizer: { elements: TAGS, attributes: ATTRIBUTES } });
    return secure(place);
  }
  place.textContent = entry.text ?? "";
  const show = ({ clean }: Purify) => {
    place.replaceChildren(clean(html, TAGS, ATTRIBUTES));
    secure(place);
  };
  parts.load<Purify>("purify").then(show).catch(() => undefined);
}
