// What axe finds wrong with a page and the chat on it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Scene } from "./browser";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function violations(on: Scene): Promise<string[]> {
  await on.page.evaluate(axe);
  return await on.page.evaluate(async () => {
    // The colours of a fade are nobody's: wait until it is over.
    const root = document.querySelector("beckon-widget")?.shadowRoot;
    for (const animation of document.getAnimations().concat(root?.getAnimations() ?? []))
      if (animation.effect?.getComputedTiming().iterations !== Infinity) animation.finish();
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const result = await (window as any).axe.run(document, { runOnly: tags });
    return result.violations.flatMap((v: any) => v.nodes.map((n: any) => `${v.id}: ${n.html}`));
  });
}
