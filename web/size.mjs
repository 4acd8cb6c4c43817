// The gate on the widget's weight: fails when ../static/widget.js, which is all that a page needs until a panel is open and
// a message is sent, is 24 kB gzipped or more. What is loaded later is told, not bounded.
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

/** 24 kB, of a thousand bytes each. */
const limit = 24_000;
const weigh = (name) => gzipSync(readFileSync(new URL(`../static/${name}`, import.meta.url)), { level: 9 }).length;
const kB = (n) => `${(n / 1000).toFixed(1)} kB`;

const bytes = weigh("widget.js");
const parts = readdirSync(new URL("../static/widget", import.meta.url)).map((name) => `${name} ${kB(weigh(`widget/${name}`))}`);
console.log(`widget.js: ${kB(bytes)} gzip (${bytes} of ${limit} bytes); later: ${parts.join(", ")}`);
if (bytes >= limit) process.exit(1);
