// The gate on the widget's weight: fails when ../static/widget.js, which is all that a page needs until a panel is open and
// a message is sent, is over 24 kB gzipped. What is loaded later is told, not bounded.
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const limit = 24 * 1024;
const weigh = (name) => gzipSync(readFileSync(new URL(`../static/${name}`, import.meta.url)), { level: 9 }).length;
const kB = (n) => `${(n / 1024).toFixed(1)} kB`;

const bytes = weigh("widget.js");
const parts = readdirSync(new URL("../static/widget", import.meta.url)).map((name) => `${name} ${kB(weigh(`widget/${name}`))}`);
console.log(`widget.js: ${kB(bytes)} gzip (${bytes} of ${limit} bytes); later: ${parts.join(", ")}`);
if (bytes > limit) process.exit(1);
