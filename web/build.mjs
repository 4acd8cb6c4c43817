// Builds the widget into ../static/widget.js, or with the argument `tests` the tests into test/.out.
import { readFile, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const preact = JSON.parse(await readFile(join(here, "node_modules/preact/package.json"), "utf8")).version;

// A style sheet is imported as a minified string: it goes into a constructable sheet, never into a <style>.
const sheets = {
  name: "sheets",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const shared = {
  absWorkingDir: here,
  bundle: true,
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  plugins: [sheets],
  logLevel: "warning",
  charset: "utf8",
};

if (process.argv[2] === "tests") {
  const out = join(here, "test/.out");
  await rm(out, { recursive: true, force: true });
  const files = (await readdir(join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
  await esbuild.build({
    ...shared,
    entryPoints: files.map((name) => join("test", name)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    packages: "external",
    sourcemap: "inline",
  });
} else {
  await esbuild.build({
    ...shared,
    entryPoints: ["src/main.ts"],
    outfile: join(here, "../static/widget.js"),
    format: "iife",
    minify: true,
    legalComments: "none",
    banner: {
      js: `/*! Beckon chat widget, MIT OR Apache-2.0. Contains Preact ${preact}, MIT, (c) Jason Miller. Sources: web/ */`,
    },
  });
}
