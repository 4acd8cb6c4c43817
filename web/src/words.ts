// The widget's own words. One JSON a locale, all with the keys of `locales/en.json`; all but English are loaded.

import { first } from "./locales/en.json";
import type en from "./locales/en.json";
import { hasPart, type Parts } from "./parts";

export type Key = keyof (typeof en)["first"] | keyof (typeof en)["later"];
export type Table = Partial<Record<Key | (string & {}), string>>;
export type Vars = Record<string, string | number>;

const RTL = /^(ar|fa|he|ur|ps|sd|ug|yi|dv|ckb)\b/i;

const languageOf = (locale: string): string => locale.toLowerCase().split("-")[0] ?? "";

/** The words for a locale, English where there are none or they cannot be had now. */
export async function wordsFor(locale: string, parts: Parts): Promise<Words> {
  const part = `words-${languageOf(locale)}`;
  if (!hasPart(part)) return new Words(locale);
  try {
    return new Words(locale, (await parts.load<{ default: Table }>(part)).default);
  } catch {
    return new Words("en");
  }
}

export class Words {
  /** Language of the words, for `lang`: that of the page where there are words in it, else English. */
  readonly language: string;
  readonly #table: Table;
  /** For what `Intl` writes. */
  readonly tag: string;
  // Made when they are needed: the first of each costs a page some milliseconds.
  #plurals: Intl.PluralRules | undefined;
  #clock: Intl.DateTimeFormat | undefined;
  #numbers: Intl.NumberFormat | undefined;

  constructor(locale: string, table?: Table) {
    this.language = table ? languageOf(locale) : "en";
    this.#table = { ...first, ...table };
    this.tag = this.language === languageOf(locale) ? supported(locale) : "en";
  }

  /** English words that were loaded later; those of the locale stand. */
  add(later: Table): void {
    for (const [key, text] of Object.entries(later)) this.#table[key] ??= text;
  }

  t(key: Key, vars: Vars = {}): string {
    return (this.#table[key] ?? "").replace(/\{(\w+)\}/g, (whole, name: string) => String(vars[name] ?? whole));
  }

  /** For keys made of a word from outside: what there is no text for gets that of `otherwise`. */
  named(key: string, otherwise: Key, vars: Vars = {}): string {
    return this.t(Object.hasOwn(this.#table, key) ? (key as Key) : otherwise, vars);
  }

  /** The form of a plural that this language has for a number. */
  counted(key: "unread" | "conversations", count: number): string {
    this.#plurals ??= new Intl.PluralRules(this.tag);
    return this.named(`${key}_${this.#plurals.select(count)}`, `${key}_other`, { count: this.number(count) });
  }

  /** Small whole numbers in usual digits need no formatter, which would cost the page's start a long task. */
  number(count: number): string {
    if (this.#table.digits === "0" && count < 1_000) return String(count);
    return (this.#numbers ??= new Intl.NumberFormat(this.tag)).format(count);
  }

  /** Hour and minute; "" for what is no time. */
  time(at: number | string): string {
    const date = new Date(at);
    if (Number.isNaN(date.getTime())) return "";
    return (this.#clock ??= new Intl.DateTimeFormat(this.tag, { timeStyle: "short" })).format(date);
  }
}

function supported(locale: string): string {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? "en";
  } catch {
    return "en";
  }
}

/** Of this browser. `Temporal` knows it at once; the first formatter that `Intl` makes costs a page ten milliseconds and more. */
export function timeZone(): string {
  const { Temporal } = globalThis as { Temporal?: { Now: { timeZoneId(): string } } };
  return Temporal?.Now.timeZoneId() ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export const writesFromRight = (locale: string): boolean => RTL.test(locale);
