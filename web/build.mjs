// Builds the widget: `../static/widget.js` with all that is needed at first, and in `../static/widget/` the parts that
// it asks for later. With the argument `tests`, `gallery` or `bench` those into test/.out.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../static");
const version = async (name) => JSON.parse(await readFile(join(here, `node_modules/${name}/package.json`), "utf8")).version;

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

const small = { ...shared, minify: true, legalComments: "none" };

/** Writes one part and answers with its name and the hash of its content. */
async function part(name, banner, options) {
  const built = await esbuild.build({ ...small, ...options, format: "esm", write: false, ...(banner ? { banner: { js: banner } } : {}) });
  const code = built.outputFiles[0].contents;
  await writeFile(join(out, `widget/${name}.js`), code);
  return [name, createHash("sha256").update(code).digest("hex").slice(0, 8)];
}

async function parts() {
  await rm(join(out, "widget"), { recursive: true, force: true });
  await mkdir(join(out, "widget"), { recursive: true });
  const locales = (await readdir(join(here, "src/locales"))).filter((name) => name !== "en.json").sort();
  const made = [
    // Drawn with the Preact of the widget that loads it.
    await part("later", "", { entryPoints: ["src/later/index.ts"], alias: { "preact/jsx-runtime": "./src/later/kit.ts" } }),
    await part("attach", "", { entryPoints: ["src/later/attach.tsx"], alias: { "preact/jsx-runtime": "./src/later/kit.ts" } }),
    await part("accent", "", { entryPoints: ["src/later/accent.ts"] }),
    await part("favicon", "", { entryPoints: ["src/later/favicon.ts"] }),
    await part("sound", "", { entryPoints: ["src/later/sound.ts"] }),
    await part("kept", `/*! idb-keyval ${await version("idb-keyval")}, Apache-2.0, (c) Jake Archibald */`, { entryPoints: ["src/later/kept.ts"] }),
    await part("purify", `/*! DOMPurify ${await version("dompurify")}, MPL-2.0 OR Apache-2.0, (c) Cure53 */`, { entryPoints: ["src/later/purify.ts"] }),
  ];
  for (const name of locales) {
    const { first, later } = JSON.parse(await readFile(join(here, "src/locales", name), "utf8"));
    const contents = `export default ${JSON.stringify({ ...first, ...later })}`;
    made.push(await part(`words-${basename(name, ".json")}`, "", { stdin: { contents, loader: "js" } }));
  }
  return Object.fromEntries(made);
}

const [what] = process.argv.slice(2);
if (["tests", "gallery", "bench"].includes(what)) {
  const into = join(here, "test/.out");
  await rm(into, { recursive: true, force: true });
  const tests = (await readdir(join(here, "test"))).filter((name) => name.endsWith(".test.ts"));
  await esbuild.build({
    ...shared,
    entryPoints: what === "tests" ? tests.map((name) => join("test", name)) : [`${what}/${what}.ts`],
    outdir: into,
    outExtension: { ".js": ".mjs" },
    define: { PARTS: "{}" },
    format: "esm",
    platform: "node",
    packages: "external",
    sourcemap: "inline",
  });
} else {
  const built = await esbuild.build({
    ...small,
    entryPoints: ["src/main.ts"],
    write: false,
    define: { PARTS: JSON.stringify(await parts()) },
    format: "iife",
    banner: {
      js: `/*! Beckon chat widget, MIT OR Apache-2.0. Contains Preact ${await version("preact")}, MIT, (c) Jason Miller. Sources: web/ */`,
    },
  });
  // Once more: what terser names and joins packs better, by some 400 bytes of the 24 kB that a page may be asked for.
  const { code } = await minify(built.outputFiles[0].text, { compress: { passes: 3 }, format: { comments: /^!/ } });
  await writeFile(join(out, "widget.js"), code);
}
