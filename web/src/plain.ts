// The words of an entry without any markup, for where only text can be.

import type { Entry } from "./protocol";

const SIGNS: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: " " };

export function plain(entry: Entry): string {
  if (!entry.html) return entry.text ?? "";
  const words = entry.html.replace(/<[^>]*>/g, " ").replace(/&(\w+);/g, (whole, name: string) => SIGNS[name] ?? whole);
  return words.replace(/\s+([.,:;!?])/g, "$1").replace(/\s+/g, " ").trim();
}
