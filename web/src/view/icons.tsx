// The few signs of the widget, drawn: font glyphs are not there on every system.

const stroke = {
  fill: "none",
  stroke: "currentColor",
  "stroke-linecap": "round",
  "stroke-linejoin": "round",
  "aria-hidden": "true",
} as const;

export const line = (path: string, size = 20, weight = 2) => (
  <svg width={size} height={size} viewBox="0 0 24 24" {...stroke} stroke-width={weight}>
    <path d={path} />
  </svg>
);

/** The signal flag of the launcher. */
export const Flag = () => line("M6 21V4M6 5c5-3 8 3 14 0v8c-6 3-9-3-14 0", 26);
export const Down = () => line("M6 9l6 6 6-6");
export const Close = () => line("M6 6l12 12M18 6L6 18");
export const Send = () => line("M12 19V5M6 11l6-6 6 6");

/** Who speaks, by shape and colour: a disc for the assistant, a square for a person, a ring for the system. */
export const Glyph = ({ by }: { by: string }) => (
  <svg class={`glyph ${by}`} width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
    {by === "operator" ? (
      <rect x="1" y="1" width="8" height="8" rx="1.5" />
    ) : by === "assistant" ? (
      <circle cx="5" cy="5" r="4.2" />
    ) : (
      <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" stroke-width="1.6" />
    )}
  </svg>
);
