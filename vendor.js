// Copies what the page needs of the installed packages to static/vendor, from where the site serves it: `npm run vendor`.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const HERE = fileURLToPath(new URL(".", import.meta.url))
const from = (path) => join(HERE, "node_modules", path)
const text = (path) => readFileSync(from(path), "utf8").replace(/^\/\/# sourceMappingURL=.*\n?/m, "")

const KATEX_FONTS = "katex/dist/fonts"
const FONTS = {
  "geist-latin": "geist/files/geist-latin-wght-normal",
  "geist-latin-ext": "geist/files/geist-latin-ext-wght-normal",
  "geist-latin-italic": "geist/files/geist-latin-wght-italic",
  "geist-mono-latin": "geist-mono/files/geist-mono-latin-wght-normal",
}

const files = {
  "marked.js": text("marked/lib/marked.esm.js"),
  "highlight.js": text("@highlightjs/cdn-assets/es/highlight.min.js"),
  "katex.js": asModule(text("katex/dist/katex.min.js"), "katex"),
  "mhchem.js": usesGlobals(text("katex/dist/contrib/mhchem.min.js")), // adds its commands to katex.js
  "katex/katex.css": onlyWoff2(text("katex/dist/katex.min.css")),
  "mermaid.js": text("mermaid/dist/mermaid.min.js"),
}
for (const font of readdirSync(from(KATEX_FONTS)).filter((name) => name.endsWith(".woff2"))) {
  files[`katex/fonts/${font}`] = readFileSync(from(join(KATEX_FONTS, font)))
}
for (const [name, font] of Object.entries(FONTS)) {
  files[`fonts/${name}.woff2`] = readFileSync(from(join("@fontsource-variable", `${font}.woff2`)))
}

// A script that leaves its name in `self`; the package's own module is twice as large.
function asModule(script, name) {
  return `${usesGlobals(script)}\nexport default globalThis.${name};\n`
}

function usesGlobals(script) {
  return script.replace('"undefined"!=typeof self?self:this', "globalThis")
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
