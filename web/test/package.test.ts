// The npm package: its loader on a page, and that everything it names is there.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { closeBrowser, play } from "./browser";

after(closeBrowser);

const read = (name: string) => readFileSync(new URL(`../../package/${name}`, import.meta.url), "utf8");

play("the package loads the widget once, and boots it with the page's options", { place: "none", before: (on) => void on.shop.scripts.set("/beckon.js", read("index.js")) }, async (on) => {
  on.chat.open("c1", "Hello.");
  const same = await on.page.evaluate(async (origin) => {
    const { load } = await import(/* @vite-ignore */ `${location.origin}/beckon.js`);
    const [one, other] = await Promise.all([load(origin, { theme: "dark", launcher: "always" }), load(origin, { position: "start" })]);
    return one === other && one === (window as any).Beckon;
  }, on.chat.origin);
  assert.equal(same, true);
  await on.until((root) => root.querySelector(".root.dark.start .launcher"));
  assert.equal(on.requests.filter((url) => url.endsWith("/widget.js")).length, 1);
});

play("where the widget cannot be loaded the package says so, and can be asked again", { place: "none", before: (on) => void on.shop.scripts.set("/beckon.js", read("index.js")) }, async (on) => {
  const said = await on.page.evaluate(async (origin) => {
    const { load } = await import(/* @vite-ignore */ `${location.origin}/beckon.js`);
    // Nothing listens on port 9 of this machine.
    const failed = await load("http://127.0.0.1:9", {}).catch((error: Error) => error.message);
    await load(origin, { launcher: "always" });
    return failed;
  }, on.chat.origin);
  assert.match(said, /could not be loaded/);
  await on.$(".launcher");
  assert.ok(on.complaints.splice(0).every((text) => /127\.0\.0\.1:9|Failed to load/.test(text)));
});

test("what the package names is there", () => {
  const { files, main, types, exports } = JSON.parse(read("package.json")) as { files: string[]; main: string; types: string; exports: Record<string, Record<string, string>> };
  const named = [...files, main, types, ...Object.values(exports).flatMap((one) => Object.values(one))];
  for (const name of named) assert.ok(read(name).length > 0, name);
});
