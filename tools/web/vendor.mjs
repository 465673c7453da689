// Copies what the website vendors out of node_modules, and writes down what it
// is: name, version, licence, SHA-256.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const web = new URL("../../web/", import.meta.url).pathname;
const modules = new URL("node_modules/", import.meta.url).pathname;
const version = (name) => JSON.parse(readFileSync(join(modules, name, "package.json"))).version;
const sum = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
const rows = [];

function vendor(pkg, from, to, licence) {
  copyFileSync(join(modules, pkg, from), join(web, to));
  rows.push([to, pkg, version(pkg), licence]);
}

mkdirSync(join(web, "testdata"), { recursive: true });
vendor("htmx.org", "dist/htmx.min.js", "static/htmx.js", "0BSD");
vendor("htmx.org", "dist/ext/hx-sse.min.js", "static/hx-sse.js", "0BSD");
vendor("htmx.org", "dist/ext/hx-csp.min.js", "static/hx-csp.js", "0BSD");
vendor("axe-core", "axe.min.js", "testdata/axe.min.js", "MPL-2.0 (tests only, not in the binary)");
rows.push(["static/app.css", "basecoat-css", version("basecoat-css"), "MIT, in parts; the rest is ours"]);
rows.push(["static/app.css", "tailwindcss", version("tailwindcss"), "MIT, in parts; the rest is ours"]);

// Icons: every name in templates ({{icon "x"}}) and Go files (Icon: "x" and the like).
const wanted = new Set();
const words = new Set(["text", "menu", "layout", "history", "code", "type", "group", "link", "table", "file", "tickets"]); // of Go, not icons
for (const [dir, suffix, pattern] of [["templates", ".html", /icon "([a-z0-9-]+)"/g], [".", ".go", /"([a-z][a-z0-9-]+)"/g]]) {
  for (const file of readdirSync(join(web, dir)).filter((f) => f.endsWith(suffix) && !f.endsWith("_test.go"))) {
    for (const m of readFileSync(join(web, dir, file), "utf8").matchAll(pattern)) {
      if (existsSync(join(modules, "lucide-static/icons", m[1] + ".svg")) && !words.has(m[1])) wanted.add(m[1]);
    }
  }
}
for (const name of ["server", "cloud", "cloud-cog", "key-round"]) wanted.add(name); // that kinds of target may name
rmSync(join(web, "icons"), { recursive: true, force: true });
mkdirSync(join(web, "icons"));
for (const name of [...wanted].sort()) vendor("lucide-static", `icons/${name}.svg`, `icons/${name}.svg`, "ISC");

const licence = (pkg, file) => readFileSync(join(modules, pkg, file), "utf8").trim().split("\n").map((l) => "    " + l).join("\n");
writeFileSync(
  join(web, "static/VENDORED.md"),
  `# Files of others

Written by \`tools/web/vendor.mjs\`; a Go test compares the sums.

| File | From | Version | Licence | SHA-256 |
|---|---|---|---|---|
${rows.map(([f, p, v, l]) => `| ${f} | ${p} | ${v} | ${l} | ${sum(join(web, f))} |`).join("\n")}

## htmx

${licence("htmx.org", "LICENSE")}

## Basecoat

${licence("basecoat-css", "LICENSE.md")}

## Tailwind CSS

${licence("tailwindcss", "LICENSE")}

## Lucide

${licence("lucide-static", "LICENSE")}

## axe-core

${licence("axe-core", "LICENSE").split("\n").slice(0, 20).join("\n")}

The whole text of the Mozilla Public License 2.0 is in \`web/testdata/LICENSE-axe-core\`.
`,
);
copyFileSync(join(modules, "axe-core/LICENSE"), join(web, "testdata/LICENSE-axe-core"));
