// What the page has under its keyboard's focus: nothing of the chat may lie over it.

const FIELDS = "input,textarea,select,[contenteditable],[role=textbox],[role=combobox]";

/** A place on the screen, as `getBoundingClientRect` has it. */
export type Box = Pick<DOMRect, "left" | "top" | "right" | "bottom">;

/** The element of the page that has the focus; null where that is nothing, or the chat itself. */
export function focusedOutside(): Element | null {
  const element = document.activeElement;
  const nothing = !element || element === document.body || element === document.documentElement;
  return nothing || element.localName === "beckon-widget" ? null : element;
}

export const overlap = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Where a bubble comes up: as wide and high as it mostly is, at the side where the chat lives. */
export function cornerOf(side: "left" | "right"): Box {
  const [width, height] = [384, 360];
  const left = side === "left" ? 0 : innerWidth - width;
  return { left, right: left + width, top: innerHeight - height, bottom: innerHeight };
}

/** What makes this a bad moment for something to come up in this place; "" for a good one. */
export function badMoment(place: Box, typing: boolean): "hidden" | "card" | "covered" | "typing" | "" {
  if (document.hidden) return "hidden";
  const element = focusedOutside();
  if (!element?.matches(FIELDS)) return "";
  if (overlap(element.getBoundingClientRect(), place)) return "covered";
  return (element as HTMLInputElement).autocomplete?.startsWith("cc-") ? "card" : typing ? "typing" : "";
}
