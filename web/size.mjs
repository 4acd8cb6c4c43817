// The gate on the widget's weight: fails when ../static/widget.js is over 24 kB gzipped.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const limit = 24 * 1024;
const bytes = gzipSync(readFileSync(new URL("../static/widget.js", import.meta.url)), { level: 9 }).length;
const kB = (n) => `${(n / 1024).toFixed(1)} kB`;
console.log(`widget.js: ${kB(bytes)} gzip, limit ${kB(limit)}`);
if (bytes > limit) process.exit(1);
