// When to come back after a socket closed, and when not to.

/** The first three are the server's word, `forbidden` is the page's own policy. */
export type Stop = "bad_token" | "protocol" | "flood" | "forbidden";

export type Plan =
  | { do: "come_back"; afterMs: number }
  /** Fetch another token first. */
  | { do: "renew" }
  | { do: "stop"; why: Stop };

const FIRST_MS = 500;
const MOST_MS = 30_000;
const LONGEST_DRAIN_S = 120;

const stops: Record<number, Stop> = { 4501: "bad_token", 4504: "protocol", 4509: "flood" };

/** Seconds that a draining server asks for: its reason holds the number, bare, in words or as JSON. */
export function retryAfter(reason: string): number | null {
  const found = /\d+(\.\d+)?/.exec(reason);
  return found ? Math.min(Number(found[0]), LONGEST_DRAIN_S) : null;
}

/** `failures` counts sockets that closed since the last good one; `chance` is in [0, 1). */
export function afterClose(code: number, reason: string, failures: number, chance: number): Plan {
  if (code === 4401) return { do: "renew" };
  const why = stops[code];
  if (why) return { do: "stop", why };
  const asked = code === 4503 ? retryAfter(reason) : null;
  if (asked !== null) return { do: "come_back", afterMs: Math.round(asked * 1000 + chance * 1000) };
  return { do: "come_back", afterMs: backoff(failures, chance) };
}

/** Grows twofold up to half a minute, and is spread over its upper half so that not all come back at once. */
export function backoff(failures: number, chance: number): number {
  const top = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(failures, 10));
  return Math.round(top * (0.5 + chance / 2));
}
