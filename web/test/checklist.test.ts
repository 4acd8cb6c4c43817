// The list of what people see names places and tests: all of them are there.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../../", import.meta.url);
const spans = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, span]) => span ?? "");

test("every row of the list names where it is built, and a test that is there", () => {
  const page = readFileSync(new URL("docs/ui-checklist.md", root), "utf8");
  const rows = page.split("\n").filter((line) => line.startsWith("| ") && !/^\| (what|---) \|/.test(line));
  const wrong: string[] = [];
  for (const row of rows) {
    const [what = "", where = "", held = "", ...more] = row.slice(2, -2).split(" | ");
    if (more.length || !spans(where).length || !/^`[^`]+`: "/.test(held)) wrong.push(`a place and a test: ${row}`);
    for (const place of spans(where)) if (![place, `web/src/${place}`].some((path) => existsSync(new URL(path, root)))) wrong.push(`${what}: no ${place}`);
    // A file, and the names of tests in it; a name may hold a semicolon.
    for (const [, file = "", names = ""] of held.matchAll(/`([^`]+)`: ((?:"[^"]+"(?:, )?)+)/g)) {
      const path = new URL(file, root);
      const text = existsSync(path) ? readFileSync(path, "utf8") : "";
      for (const [, name = ""] of names.matchAll(/"([^"]+)"/g)) if (!['"', "`"].some((quote) => text.includes(quote + name))) wrong.push(`${file}: no test "${name}"`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(rows.length > 50, `${rows.length} rows`);
});
