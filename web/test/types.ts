// Compiled, never run: what the published types allow, and what they do not.

import type { Beckon } from "../package/beckon";

export function calls(beckon: Beckon): void {
  beckon("boot", { token: async () => "x", theme: "dark", launcher: false, zIndex: 5 });
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
