// Both languages have every string, and no other module contains text for people.

import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"

import { parse } from "acorn"
import { detectLanguage } from "../../../static/chat/js/i18n/detect_language.js"
import { createFormat } from "../../../static/chat/js/i18n/format.js"
import { strings as english } from "../../../static/chat/js/i18n/strings.en.js"
import { strings as japanese } from "../../../static/chat/js/i18n/strings.ja.js"

const SCRIPTS = new URL("../../../static/chat/js/", import.meta.url)
const read = (name) => readFileSync(new URL(name, SCRIPTS), "utf8")
const modules = readdirSync(SCRIPTS, { recursive: true }).filter(
  (name) => name.endsWith(".js") && !/strings\.\w+\.js$/.test(name),
)

// { none: { search: "…" } } -> [["none.search", "…"]]
const flat = (group, above = "") =>
  Object.entries(group).flatMap(([key, value]) =>
    typeof value === "object" ? flat(value, `${above}${key}.`) : [[above + key, value]],
  )

const byLanguage = { english: new Map(flat(english)), japanese: new Map(flat(japanese)) }

function* nodesOf(node, parent = null) {
  if (Array.isArray(node)) for (const child of node) yield* nodesOf(child, parent)
  else if (typeof node?.type === "string") {
    yield [node, parent]
    for (const value of Object.values(node)) if (value && typeof value === "object") yield* nodesOf(value, node)
  }
}

// The texts in a module: of strings and templates, not the names of what it imports or of an object's fields.
function textsOf(name) {
  const tree = parse(read(name), { ecmaVersion: "latest", sourceType: "module" })
  return [...nodesOf(tree)].flatMap(([{ type, value }, parent]) => {
    if (type === "TemplateElement") return [value.cooked]
    const isText =
      type === "Literal" && typeof value === "string" && parent.source?.value !== value && parent.key?.value !== value
    return isText && !(parent.type === "NewExpression" && parent.callee.name === "Error") ? [value] : []
  })
}

const JAPANESE = /[\u3040-\u30ff\u4e00-\u9fff]/
const NAMES = new Set([
  "CSV",
  "PNG",
  "SVG",
  "Markdown",
  "JSON",
  "JavaScript",
  "WebSocket",
  "ChatGPT",
  "JPEG",
  "WebP",
  "GIF",
  "KB",
  "MB",
])

test("both languages have the same strings, of the same kind", () => {
  const kinds = (strings) => Object.fromEntries([...strings].map(([key, value]) => [key, typeof value]).sort())
  assert.deepEqual(kinds(byLanguage.japanese), kinds(byLanguage.english))
})

test("no string is empty or the same in both languages", () => {
  for (const [key, value] of byLanguage.english) {
    assert.ok(value, key)
    assert.ok(typeof value !== "string" || value !== byLanguage.japanese.get(key), `${key} is not translated: ${value}`)
  }
})

test("Japanese contains no English, and English no Japanese", () => {
  const foreign = textsOf("i18n/strings.ja.js").flatMap((text) => text.match(/[A-Za-z]{2,}/g) ?? [])
  assert.deepEqual(
    foreign.filter((word) => !NAMES.has(word) && word !== "ja"),
    [],
  )
  for (const text of textsOf("i18n/strings.en.js")) assert.ok(!JAPANESE.test(text), text)
})

test("strings with parameters take the same number in both languages", () => {
  for (const [key, value] of byLanguage.english) {
    if (typeof value === "function") assert.equal(byLanguage.japanese.get(key).length, value.length, key)
  }
})

test("modules use existing strings, and every string is used", () => {
  const all = modules
    .map(read)
    .filter((text) => /^import \{ strings \} from "[./\w]+\/strings\.js"$/m.test(text))
    .join("\n")
  const used = [...all.matchAll(/\bstrings\.([a-zA-Z]+)(?:\.([a-zA-Z]+)\b(?!\())?/g)]
  const keys = [...byLanguage.english.keys()]
  for (const [text, group, key] of used) {
    if (text === "strings.js") continue
    assert.ok(group in english, `${text} is not there`)
    if (key && typeof english[group] === "object") assert.ok(key in english[group], `${text} is not there`)
  }
  const named = new Set(used.flatMap(([, group, key]) => [group, `${group}.${key}`]))
  const statuses = ["cancelled", "interrupted", "failed"] // strings[status]
  const isUsed = (key) => named.has(key) || named.has(key.split(".")[0]) || statuses.includes(key)
  assert.deepEqual(
    keys.filter((key) => !isUsed(key)),
    [],
  )
})

// A sentence has several words, and a label begins with a capital; both are written for people. Keys and headers are not.
const NO_LABEL =
  /^(Accept|Alt|Backspace|Cmd|Comma|Content-Type|Ctrl|Date|Delete|Digit|End|Enter|Esc|Escape|Files|Home|Key|Mod|Shift|Slash|Space|Tab)$/
const isForPeople = (text) => {
  const trimmed = text.trim()
  return (
    JAPANESE.test(trimmed) ||
    /^[A-Z][a-z]+,? [a-z]+/.test(trimmed) ||
    /[a-z]{2,} [a-z]+[.!?…]$/.test(trimmed) ||
    (/^[A-Z][a-z]{2,}(…|\.\.\.)?$/.test(trimmed) && !NO_LABEL.test(trimmed))
  )
}

for (const name of modules) {
  test(`${name} contains no text for people`, () => {
    assert.deepEqual(textsOf(name).filter(isForPeople), [])
  })
}

test("dates and numbers follow the conventions of the language", () => {
  const newYear = new Date(2026, 0, 1, 15, 4)
  assert.match(createFormat("ja").dateTime(newYear), /2026.*15:04/)
  assert.match(createFormat("en").dateTime(newYear), /Jan.*2026.*3:04\sPM/)
  assert.equal(createFormat("en").number(100000), "100,000")
  assert.equal(createFormat("en").plural(1, { one: "a", other: "b" }), "a")
  assert.equal(createFormat("en").plural(0, { one: "a", other: "b" }), "b")
  assert.equal(createFormat("ja").plural(1, { other: "b" }), "b")
})

test("durations exist in both languages", () => {
  assert.deepEqual([0, 1.23, 59.6, 125].map(japanese.duration), ["0.1秒未満", "1.2秒", "1分0秒", "2分5秒"])
  assert.deepEqual([undefined, 0.2, 4.4].map(japanese.reasoningTitle), [
    "思考の過程",
    "少し考えました",
    "4秒考えました",
  ])
  assert.equal(japanese.tool(""), "ツール")
})

test("detectLanguage recognizes a text by its letters", () => {
  const written = {
    "": ["", ""],
    "Hello there": ["", "en"],
    "Où est la gare ?": ["", "en"], // most of what is not Japanese on a Japanese page
    こんにちは: ["ja", "ja"],
    "東京都は日本の首都です。": ["ja", "ja"],
    "Django 5.2 では LocaleMiddleware を使います。": ["ja", "ja"],
    "The word 猫 (ねこ) means cat, and it is one of the first that children learn.": ["", "en"],
    "你好，世界": ["", ""],
    안녕하세요: ["ko", "ko"],
    "12:30 + 4 = ?": ["", ""],
  }
  for (const [text, tongues] of Object.entries(written)) {
    assert.deepEqual(
      ["en", "ja"].map((page) => detectLanguage(text, page)),
      tongues,
      text,
    )
  }
})
