// The chat makes room for what has the page's focus (WCAG 2.4.11): it goes to the other side, and as a sheet it goes away.

import { focusedOutside, overlap } from "../view/elsewhere";
import type { View } from "../view/model";

/** Small screens show the panel as a sheet over all. */
const SHEET = "(max-width: 480px)";

/** Looks at where `own`, panel or bubble, lies; `flip` puts it on the other side. */
export function giveWay(own: Element, view: View, flip: () => void): void {
  const element = focusedOutside();
  if (!element) return;
  if (view.open && matchMedia(SHEET).matches) return view.close(false);
  const [theirs, ours] = [element.getBoundingClientRect(), own.getBoundingClientRect()];
  const mirrored = { left: innerWidth - ours.right, right: innerWidth - ours.left, top: ours.top, bottom: ours.bottom };
  if (overlap(theirs, ours) && !overlap(theirs, mirrored)) flip();
}
