// Copies what the page needs of the installed packages to static/vendor, from where the site serves it: `npm run vendor`.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const HERE = fileURLToPath(new URL(".", import.meta.url))
const from = (path) => join(HERE, "node_modules", path)
const text = (path) => readFileSync(from(path), "utf8").replace(/^\/\/# sourceMappingURL=.*\n?/m, "")

const FONTS = "katex/dist/fonts"

const files = {
  "marked.js": text("marked/lib/marked.esm.js"),
  "highlight.js": text("@highlightjs/cdn-assets/es/highlight.min.js"),
  "katex.js": asModule(text("katex/dist/katex.min.js"), "katex"),
  "katex/katex.css": onlyWoff2(text("katex/dist/katex.min.css")),
  "mermaid.js": text("mermaid/dist/mermaid.min.js"),
}
for (const font of readdirSync(from(FONTS)).filter((name) => name.endsWith(".woff2"))) {
  files[`katex/fonts/${font}`] = readFileSync(from(join(FONTS, font)))
}

// A script that leaves its name in `self`; the package's own module is twice as large.
function asModule(script, name) {
  return `${script.replace('"undefined"!=typeof self?self:this', "globalThis")}\nexport default globalThis.${name};\n`
}

// Every browser of today reads woff2; the others are for those of yesterday.
function onlyWoff2(css) {
  return css.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("[^"]*"\)/g, "")
}

const folder = join(HERE, "static/vendor")
for (const [name, content] of Object.entries(files)) {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), content)
}
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  const name = join(entry.parentPath, entry.name).slice(folder.length + 1)
  if (entry.isFile() && !(name in files) && name !== "made") rmSync(join(folder, name))
}
