// Imports between the folders of the page's scripts go one way, as in Python: a folder imports only from those listed here.

import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path/posix"
import { test } from "node:test"

const SCRIPTS = new URL("../../static/chat/js/", import.meta.url)
const MAY_IMPORT = {
  i18n: [],
  data: ["i18n"], // no DOM
  ui: ["i18n"],
  markdown: ["i18n", "ui", "vendor"],
  messages: ["i18n", "data", "ui", "markdown"],
  composer: ["i18n", "data", "ui"],
  sidebar: ["i18n", "data", "ui"],
  dialogs: ["i18n", "data", "ui"],
  pages: ["i18n", "data", "ui", "markdown", "messages", "composer", "sidebar", "dialogs"],
}
const IMPORT = /(?:^(?:import|export) (?:[^"]*from )?|\bimport\()"([^"]+)"/gm

const modules = readdirSync(SCRIPTS, { recursive: true }).filter((name) => name.endsWith(".js"))

// The modules that this one imports, also on demand, by their names below static/chat/js/.
function importsOf(name) {
  const source = readFileSync(new URL(name, SCRIPTS), "utf8")
  return [...source.matchAll(IMPORT)].map(([, path]) => join(dirname(name), path))
}

const folderOf = (name) => (name.startsWith("../../vendor/") ? "vendor" : name.split("/")[0])

for (const name of modules) {
  test(`${name} imports only from the allowed folders`, () => {
    const folder = folderOf(name)
    assert.ok(folder in MAY_IMPORT, `${folder} is not in MAY_IMPORT yet`)
    for (const imported of importsOf(name)) {
      assert.ok([folder, ...MAY_IMPORT[folder]].includes(folderOf(imported)), `${name} imports ${imported}`)
    }
  })
}

test("the folders have no circular imports", () => {
  const known = new Set(["vendor"])
  for (const [folder, imports] of Object.entries(MAY_IMPORT)) {
    for (const imported of imports) assert.ok(known.has(imported), `${folder} comes before ${imported}`)
    known.add(folder)
  }
})

test("the modules have no circular imports", () => {
  const done = new Set()
  const visit = (name, path) => {
    assert.ok(!path.includes(name), [...path, name].join(" → "))
    if (done.has(name) || folderOf(name) === "vendor") return
    for (const imported of importsOf(name)) visit(imported, [...path, name])
    done.add(name)
  }
  for (const name of modules) visit(name, [])
})
