// The widget's own words. One JSON file a locale, all with the keys of `locales/en.json`.

import en from "./locales/en.json";

export type Key = keyof typeof en;
export type Vars = Record<string, string | number>;

const locales: Record<string, Record<Key, string>> = { en };
const RTL = /^(ar|fa|he|ur|ps|sd|ug|yi|dv|ckb)\b/i;

export class Words {
  /** Language of the words, for `lang`: that of the page where there is a file for it, else English. */
  readonly language: string;
  readonly #table: Record<Key, string>;
  readonly #plurals: Intl.PluralRules;
  readonly #clock: Intl.DateTimeFormat;

  constructor(locale: string) {
    const base = locale.toLowerCase().split("-")[0] ?? "";
    this.language = Object.hasOwn(locales, base) ? base : "en";
    this.#table = locales[this.language] ?? en;
    const tag = this.language === base ? supported(locale) : "en";
    this.#plurals = new Intl.PluralRules(tag);
    this.#clock = new Intl.DateTimeFormat(tag, { hour: "2-digit", minute: "2-digit" });
  }

  t(key: Key, vars: Vars = {}): string {
    return this.#table[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(vars[name] ?? whole));
  }

  /** For keys made of a word from outside: what there is no text for gets that of `otherwise`. */
  named(key: string, otherwise: Key, vars: Vars = {}): string {
    return this.t(Object.hasOwn(this.#table, key) ? (key as Key) : otherwise, vars);
  }

  unread(count: number): string {
    return this.named(`unread_${this.#plurals.select(count)}`, "unread_other", { count });
  }

  /** Hour and minute; "" for what is no time. */
  time(at: number | string): string {
    const date = new Date(at);
    return Number.isNaN(date.getTime()) ? "" : this.#clock.format(date);
  }
}

function supported(locale: string): string {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? "en";
  } catch {
    return "en";
  }
}

export const writesFromRight = (locale: string): boolean => RTL.test(locale);
