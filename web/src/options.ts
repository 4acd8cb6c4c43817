// What a page can set: by attributes of the script tag, and by `Beckon('boot', {...})`, which wins.

import type { Token } from "./identity";

export interface Options {
  token: Token | null;
  locale: string;
  dir: "ltr" | "rtl" | "";
  theme: "auto" | "light" | "dark";
  accent: string;
  position: "end" | "start";
  storage: "local" | "none";
  launcher: "auto" | "always" | "never";
  /** Name of the company, shown above who speaks. */
  company: string;
  /** Of launcher, bubble and panel, as digits; "" for the highest that does no harm. */
  zIndex: string;
  /** The number of unread messages before the page's title. */
  title: "count" | "none";
  /** A dot on the page's icon; its policy must allow `data:` images. */
  favicon: "none" | "dot";
  /** A short tone for what came and is unread. */
  sound: boolean;
}

export const defaults: Options = {
  token: null,
  locale: "",
  dir: "",
  theme: "auto",
  accent: "",
  position: "end",
  storage: "local",
  launcher: "auto",
  company: "",
  zIndex: "",
  title: "count",
  favicon: "none",
  sound: false,
};

/** "" is the default, for every option. */
const allowed: { [K in keyof Options]?: string } = {
  dir: "ltr rtl",
  theme: "auto light dark",
  position: "end start",
  storage: "local none",
  launcher: "auto always never",
  title: "count none",
  favicon: "none dot",
};

/** Takes over what is known and valid of `given`; says on the console what is not. */
export function merge(options: Options, given: unknown): Options {
  const merged: Record<string, unknown> = { ...options };
  for (const [name, value] of Object.entries(given ?? {})) {
    if (!Object.hasOwn(defaults, name)) console.warn(`Beckon: there is no option "${name}".`);
    else if (value === undefined || value === null) merged[name] = defaults[name as keyof Options];
    else if (name === "token" && typeof value === "function") merged[name] = value;
    else if (name === "launcher" && value === false) merged[name] = "never";
    else if (name === "zIndex") merged[name] = /^-?\d{1,10}$/.test(String(value)) ? String(value) : "";
    // The attribute alone says yes.
    else if (name === "sound") merged[name] = ["", "true"].includes(String(value));
    else if (typeof value !== "string" || (value && !(allowed[name as keyof Options]?.split(" ").includes(value) ?? true)))
      console.warn(`Beckon: option "${name}" cannot be`, value);
    else merged[name] = value === "" ? defaults[name as keyof Options] : value;
  }
  return merged as unknown as Options;
}

/** The `data-` attributes that are options; others are none of ours. */
export function fromAttributes(script: HTMLElement | null): Partial<Record<keyof Options, string>> {
  const found: Partial<Record<keyof Options, string>> = {};
  for (const name of Object.keys(defaults) as (keyof Options)[]) {
    const value = script?.dataset[name];
    if (value !== undefined) found[name] = value;
  }
  return found;
}
