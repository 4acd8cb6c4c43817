// Who speaks from here: a sign and a name above the first line of a run.

import { Glyph } from "./icons";
import type { View } from "./model";
import type { Speaker } from "./rows";

export const Who = ({ view, speaker }: { view: View; speaker: Speaker }) => (
  <p class={`who ${speaker.by}`}>
    <Glyph by={speaker.by} /> <bdi>{view.nameOf(speaker)}</bdi>
  </p>
);
