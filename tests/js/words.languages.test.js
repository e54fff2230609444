// Both languages say everything, in their own words, and no other module says anything.

import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"

import { parse } from "acorn"

import { words as english } from "../../static/chat/js/words.en.js"
import { words as japanese } from "../../static/chat/js/words.ja.js"
import { telling } from "../../static/chat/js/telling.js"
import { tongueOf } from "../../static/chat/js/tongue.js"

const HERE = new URL("../../static/chat/js/", import.meta.url)
const read = (name) => readFileSync(new URL(name, HERE), "utf8")
const modules = readdirSync(HERE).filter((name) => name.endsWith(".js") && !/^words\.\w+\.js$/.test(name))

// { none: { search: "…" } } -> [["none.search", "…"]]
const flat = (group, above = "") =>
  Object.entries(group).flatMap(([key, value]) => (typeof value === "object" ? flat(value, `${above}${key}.`) : [[above + key, value]]))

const said = { english: new Map(flat(english)), japanese: new Map(flat(japanese)) }

function* nodesOf(node, parent = null) {
  if (Array.isArray(node)) for (const one of node) yield* nodesOf(one, parent)
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
    const isText = type === "Literal" && typeof value === "string" && parent.source?.value !== value && parent.key?.value !== value
    return isText && !(parent.type === "NewExpression" && parent.callee.name === "Error") ? [value] : []
  })
}

const JAPANESE = /[\u3040-\u30ff\u4e00-\u9fff]/
const NAMES = new Set(["Markdown", "JSON", "JavaScript", "WebSocket", "ChatGPT", "PNG", "JPEG", "WebP", "GIF", "KB", "MB"])

test("each language has every word, of the same kind", () => {
  const kinds = (words) => Object.fromEntries([...words].map(([key, value]) => [key, typeof value]).sort())
  assert.deepEqual(kinds(said.japanese), kinds(said.english))
})

test("no word is empty, and none is the same in both languages", () => {
  for (const [key, value] of said.english) {
    assert.ok(value, key)
    assert.ok(typeof value !== "string" || value !== said.japanese.get(key), `${key} is not translated: ${value}`)
  }
})

test("Japanese holds no English, and English no Japanese", () => {
  const foreign = textsOf("words.ja.js").flatMap((text) => text.match(/[A-Za-z]{2,}/g) ?? [])
  assert.deepEqual(foreign.filter((word) => !NAMES.has(word) && word !== "ja"), [])
  for (const text of textsOf("words.en.js")) assert.ok(!JAPANESE.test(text), text)
})

test("what is filled in is the same in both", () => {
  for (const [key, value] of said.english) {
    if (typeof value === "function") assert.equal(said.japanese.get(key).length, value.length, key)
  }
})

test("every word that a module uses is there, and every one that is there is used", () => {
  const all = modules.map(read).filter((text) => text.includes('import { words } from "./words.js"')).join("\n")
  const used = [...all.matchAll(/\bwords\.([a-zA-Z]+)(?:\.([a-zA-Z]+)\b(?!\())?/g)]
  const keys = [...said.english.keys()]
  for (const [text, group, key] of used) {
    if (text === "words.js") continue
    assert.ok(group in english, `${text} is not there`)
    if (key && typeof english[group] === "object") assert.ok(key in english[group], `${text} is not there`)
  }
  const named = new Set(used.flatMap(([, group, key]) => [group, `${group}.${key}`]))
  const statuses = ["cancelled", "interrupted", "failed"] // words[status]
  const isUsed = (key) => named.has(key) || named.has(key.split(".")[0]) || statuses.includes(key)
  assert.deepEqual(keys.filter((key) => !isUsed(key)), [])
})

// A sentence has several words, and a label begins with a capital; both are written for people. Keys and headers are not.
const NO_LABEL = /^(Accept|Alt|Backspace|Cmd|Comma|Content-Type|Ctrl|Date|Delete|Digit|End|Enter|Esc|Escape|Files|Home|Key|Mod|Shift|Slash|Space|Tab)$/
const isForPeople = (text) => {
  const words = text.trim()
  return JAPANESE.test(words) || /^[A-Z][a-z]+,? [a-z]+/.test(words) || /[a-z]{2,} [a-z]+[.!?…]$/.test(words) ||
    (/^[A-Z][a-z]{2,}(…|\.\.\.)?$/.test(words) && !NO_LABEL.test(words))
}

for (const name of modules) {
  test(`${name} leaves speaking to the words`, () => {
    assert.deepEqual(textsOf(name).filter(isForPeople), [])
  })
}

test("dates and numbers are written as people of the language write them", () => {
  const new_year = new Date(2026, 0, 1, 15, 4)
  assert.match(telling("ja").moment(new_year), /2026.*15:04/)
  assert.match(telling("en").moment(new_year), /Jan.*2026.*3:04\sPM/)
  assert.equal(telling("en").number(100000), "100,000")
  assert.equal(telling("en").plural(1, { one: "a", other: "b" }), "a")
  assert.equal(telling("en").plural(0, { one: "a", other: "b" }), "b")
  assert.equal(telling("ja").plural(1, { other: "b" }), "b")
})

test("a length of time is told in both languages", () => {
  assert.deepEqual([0, 1.23, 59.6, 125].map(japanese.took), ["0.1秒未満", "1.2秒", "1分0秒", "2分5秒"])
  assert.deepEqual([undefined, 0.2, 4.4].map(japanese.thought), ["思考の過程", "少し考えました", "4秒考えました"])
  assert.equal(japanese.tool(""), "ツール")
})

test("the letters of a text tell its language, where they can", () => {
  const written = {
    "": ["", ""],
    "Hello there": ["", "en"],
    "Où est la gare ?": ["", "en"], // most of what is not Japanese on a Japanese page
    "こんにちは": ["ja", "ja"],
    "東京都は日本の首都です。": ["ja", "ja"],
    "Django 5.2 では LocaleMiddleware を使います。": ["ja", "ja"],
    "The word 猫 (ねこ) means cat, and it is one of the first that children learn.": ["", "en"],
    "你好，世界": ["", ""],
    "안녕하세요": ["ko", "ko"],
    "12:30 + 4 = ?": ["", ""],
  }
  for (const [text, tongues] of Object.entries(written)) {
    assert.deepEqual(["en", "ja"].map((page) => tongueOf(text, page)), tongues, text)
  }
})
