// What a file is by its first bytes, whatever its name says, and how names and sizes are written.

import type { Attachment } from "../protocol";

/** So many bytes tell. */
export const HEAD = 12;

interface Kind {
  type: string;
  label: string;
  /** What stands at which byte. */
  signs: [at: number, text: string][][];
  picture: boolean;
}

const KINDS: Kind[] = [
  { type: "image/png", label: "PNG", picture: true, signs: [[[0, "\x89PNG\r\n\x1a\n"]]] },
  { type: "image/jpeg", label: "JPEG", picture: true, signs: [[[0, "\xff\xd8\xff"]]] },
  { type: "image/gif", label: "GIF", picture: true, signs: [[[0, "GIF87a"]], [[0, "GIF89a"]]] },
  { type: "image/webp", label: "WebP", picture: true, signs: [[[0, "RIFF"], [8, "WEBP"]]] },
  { type: "application/pdf", label: "PDF", picture: false, signs: [[[0, "%PDF-"]]] },
];

const LONGEST_NAME = 200;
/** More pixels are not laid open only to be shown small. */
const MOST_PIXELS = 50_000_000;

/** The media type that the first bytes show; "" for what is not known here. */
export function kindOf(head: Uint8Array): string {
  const text = String.fromCharCode(...head.subarray(0, HEAD));
  return KINDS.find(({ signs }) => signs.some((all) => all.every(([at, sign]) => text.startsWith(sign, at))))?.type ?? "";
}

/** A short name for a media type. */
export const labelOf = (type: string): string => KINDS.find((kind) => kind.type === type)?.label ?? type;

/** Whether it can be drawn: a picture of known size that is not beyond all measure. */
export function isPicture({ type, width = 0, height = 0 }: Attachment): boolean {
  const known = KINDS.some((kind) => kind.picture && kind.type === type);
  return known && Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0 && width * height <= MOST_PIXELS;
}

/** A name as the server takes it: of one line, no path, and nothing that turns the letters around. */
export function nameOf(name: string): string {
  const clean = name.replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "").replace(/[/\\]/g, "-").trim() || "file";
  const letters = Array.from(clean);
  if (letters.length <= LONGEST_NAME) return clean;
  const ending = /\.[^.]{1,16}$/u.exec(clean)?.[0] ?? "";
  return letters.slice(0, LONGEST_NAME - Array.from(ending).length).join("") + ending;
}

/** Among other words, in whichever direction these run. */
export const isolated = (name: string): string => `\u2068${name}\u2069`;

/** Bytes, as people read them. */
export function sizeOf(bytes: number, tag: string): string {
  const large = bytes >= 999_500;
  const count = large ? bytes / 1_000_000 : Math.max(1, Math.round(bytes / 1000));
  const form = { style: "unit", unit: large ? "megabyte" : "kilobyte", maximumFractionDigits: large ? 1 : 0 } as const;
  return new Intl.NumberFormat(tag, form).format(count);
}
