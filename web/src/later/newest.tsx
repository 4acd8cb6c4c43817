// The way back to the end of a log that was scrolled up.

import { Down } from "../view/icons";
import type { View } from "../view/model";

function toEnd(button: HTMLElement): void {
  const log = button.parentElement?.querySelector(".log");
  log?.scrollTo(0, log.scrollHeight);
  (log as HTMLElement | null)?.focus();
}

export const Newest = ({ view }: { view: View }) => (
  <button type="button" class="newest" onClick={({ currentTarget }) => toEnd(currentTarget)}>
    <Down /> {view.words.t("newest")}
  </button>
);
