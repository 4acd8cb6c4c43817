// The customer's own accent colour, made readable: text on it, and an edge where it is too faint for its ground.

type Rgb = readonly [number, number, number];

const INK = "#17211e";
const BLACK = "#000000";
const WHITE = "#ffffff";
const GROUNDS = { light: "#faf7f1", dark: "#101614" };
/** WCAG 1.4.11 for the shape of a control, 1.4.3 for text. */
const SHAPE = 3;
const TEXT = 4.5;

/** Of `#rgb` and `#rrggbb`; null for anything else. */
export function rgb(hex: string): Rgb | null {
  const found = /^#(?:([0-9a-f]{3})|([0-9a-f]{6}))$/i.exec(hex.trim());
  if (!found) return null;
  const digits = found[2] ?? [...(found[1] ?? "")].map((digit) => digit + digit).join("");
  const value = Number.parseInt(digits, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function luminance(colour: Rgb): number {
  const [r, g, b] = colour.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function contrast(a: string, b: string): number {
  const [one, other] = [rgb(a), rgb(b)];
  if (!one || !other) return 1;
  const [dark, light] = [luminance(one), luminance(other)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** Ink or white, whichever is better; where neither is enough, black. One of the three always is. */
export function textOn(accent: string): string {
  const best = contrast(accent, WHITE) >= contrast(accent, INK) ? WHITE : INK;
  return contrast(accent, best) >= TEXT ? best : BLACK;
}

/** Rules for a constructable style sheet, or "" where the colour cannot be read. */
export function accentRules(accent: string): string {
  if (!rgb(accent)) return "";
  const themed = (["light", "dark"] as const).map((theme) => {
    const against = contrast(accent, GROUNDS[theme]);
    const edge = against >= SHAPE ? accent : "var(--ink)";
    const words = against >= TEXT ? accent : "var(--ink)";
    return `.root.${theme}{--accent:${accent};--on-accent:${textOn(accent)};--accent-edge:${edge};--accent-text:${words}}`;
  });
  return themed.join("");
}

/** As `#rrggbb`, whatever way CSS has of writing it; "" where it is no opaque colour. */
export function asHex(colour: string): string {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return colour;
  context.fillStyle = "#010203";
  context.fillStyle = colour;
  const found = String(context.fillStyle);
  return found !== "#010203" && /^#[0-9a-f]{6}$/.test(found) ? found : "";
}

/** Rules for a colour in any writing; says on the console where it is none. */
export function rulesOf(accent: string): string {
  const rules = accentRules(asHex(accent));
  if (!rules) console.warn(`Beckon: accent "${accent}" is no opaque colour.`);
  return rules;
}
