// Compiled, never run: what the published types allow, and what they do not.

import type { Beckon } from "../package/beckon";
import type { ClientFrame, ServerFrame } from "../package/frames";
import type { ClientFrame as Sent, ServerFrame as Read } from "../src/protocol";

/** The widget reads all that the server sends, as the server's own types describe it. */
export const reads = (frame: ServerFrame): Read => frame;
/** What it sends the server knows. */
export const sends = (frame: Exclude<Sent, { type: "choose" | "track" }>): ClientFrame => frame;

export function calls(beckon: Beckon): void {
  beckon("boot", { token: async () => "x", theme: "dark", launcher: false, zIndex: 5, sound: true });
  beckon("identify", "ana", { plan: "pro" }, { token: "x" });
  beckon.track("cart.viewed", { items: 2 });
  const stop: () => void = beckon("on", "csat", ({ score }) => score.toFixed());
  stop();
  const why: string | undefined = beckon.explain()?.why;
  void beckon("ready").then(() => why);
  document.addEventListener("beckon:before-proactive", (event) => event.detail.playbook === "x" && event.preventDefault());
  document.addEventListener("beckon:message-received", (event) => event.detail.conversation_id);
  window.Beckon("page", "Checkout");

  // @ts-expect-error: there is no such theme.
  beckon("boot", { theme: "blue" });
  // @ts-expect-error: there is no such call.
  beckon("explode");
  // @ts-expect-error: a customer is who the token says.
  beckon("identify", "ana");
  // @ts-expect-error: there is no such event.
  beckon("on", "closed", () => {});
}
