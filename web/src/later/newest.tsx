// The way back to the end of a log that was scrolled up.

import { Down } from "../view/icons";
import type { View } from "../view/model";

export const Newest = ({ view, go }: { view: View; go: () => void }) => (
  <button type="button" class="newest" onClick={go}>
    <Down /> {view.words.t("newest")}
  </button>
);
