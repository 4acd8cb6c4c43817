// Finds addresses in plain text. What is returned is text: nothing here ever makes markup.

export interface Piece {
  text: string;
  /** Present for `http`, `https` and `mailto` only. */
  href?: string;
}

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`{}|\\^\u0000-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+|\bmailto:[^\s<>"'`]+@[^\s<>"'`]+/gi;
const LONGEST = 2048;
const MATES: Record<string, string> = { ")": "(", "]": "[" };

const count = (text: string, sign: string): number => text.split(sign).length - 1;

/** Without the punctuation that belongs to the sentence, not to the address. */
function trimmed(address: string): string {
  let end = address;
  for (;;) {
    const last = end.at(-1) ?? "";
    const mate = MATES[last];
    if (mate ? count(end, last) > count(end, mate) : /[.,:;!?…»”’*_~]/.test(last)) end = end.slice(0, -1);
    else return end;
  }
}

function safe(address: string): string | null {
  if (address.length > LONGEST) return null;
  try {
    const url = new URL(address);
    if (url.protocol === "mailto:") return url.href;
    const web = url.protocol === "https:" || url.protocol === "http:";
    // A user name before the host is how an address pretends to be another one.
    return web && url.hostname && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}

export function linkify(text: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = trimmed(found[0]);
    const href = safe(address);
    if (href === null) continue;
    if (found.index > from) pieces.push({ text: text.slice(from, found.index) });
    pieces.push({ text: address, href });
    from = found.index + address.length;
  }
  if (from < text.length) pieces.push({ text: text.slice(from) });
  return pieces;
}
