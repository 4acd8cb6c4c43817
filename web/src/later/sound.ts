// A short, quiet tone for what came and stays unread. Only where the page asks for it, and where the browser lets it sound.

import type { View } from "../view/model";

/** Whoever reads along, in this tab or another, has marked it as read by then. */
const MOMENT_MS = 600;
const RARELY_MS = 5_000;
const LOUD = 0.06;
/** Two notes, the second higher: hertz, and when each begins, in seconds. */
const NOTES = [
  [659.25, 0],
  [880, 0.14],
] as const;
const NOTE_S = 0.32;

let context: AudioContext | null = null;
/** By the clock of the page, which nobody sets back. */
let rangAt = -RARELY_MS;
let waiting = false;

/** To be called for each message of the other side. */
export function ring(view: View): void {
  if (waiting) return;
  waiting = true;
  setTimeout(() => {
    waiting = false;
    if (!isDue(view)) return;
    rangAt = performance.now();
    void play().catch(() => undefined);
  }, MOMENT_MS);
}

function isDue(view: View): boolean {
  if (!view.options.sound || view.hidden || !view.unread || performance.now() - rangAt < RARELY_MS) return false;
  // All tabs hear of it, one sounds.
  if (!view.session.connection.holds) return false;
  // Before anybody has touched the page browsers refuse, and say so on the console.
  return (document.hidden || !view.open) && navigator.userActivation?.hasBeenActive === true;
}

async function play(): Promise<void> {
  const audio = (context ??= new AudioContext());
  await audio.resume();
  const notes = NOTES.map(([hertz, after]) => note(audio, hertz, audio.currentTime + after));
  // A device that is held open costs a phone its battery.
  notes.at(-1)?.addEventListener("ended", () => void audio.suspend());
}

/** Swells at once and dies away. */
function note(audio: AudioContext, hertz: number, begins: number): OscillatorNode {
  const tone = new OscillatorNode(audio, { type: "sine", frequency: hertz });
  const loudness = new GainNode(audio, { gain: 0 });
  loudness.gain.setValueAtTime(0, begins);
  loudness.gain.linearRampToValueAtTime(LOUD, begins + 0.015);
  loudness.gain.exponentialRampToValueAtTime(LOUD / 100, begins + NOTE_S);
  tone.connect(loudness).connect(audio.destination);
  tone.start(begins);
  tone.stop(begins + NOTE_S);
  return tone;
}
