// Markdown is parsed in linear time, whatever it contains: as a whole, and at each step while it grows.

import assert from "node:assert/strict"
import { test } from "node:test"

import { closeOpenMarks, cutUndecided } from "../../../static/chat/js/markdown/incomplete.js"
import { parseBlocks } from "../../../static/chat/js/markdown/parse.js"
import { growth, MAX_FACTOR, repeated } from "./growth.js"

const slow = { skip: process.env.FAST === "1" && "takes a minute; make test runs it" }
const LENGTH = 20_000 // characters; more than a window

const units = {
  "nested quotes": ">",
  "a long quote": "> a\n",
  "quotes between lines": "> a\nb\n",
  "quotes in quotes": "> > a\n> b\n",
  "exclamation marks": "!a",
  "exclamation paragraphs": "!a\n\n",
  "opening brackets": "[",
  "links that do not end": "[a](",
  "images that do not end": "![a](",
  "references without a definition": "[a][b]",
  definitions: "[a]: b\n",
  "definitions with open titles": "[a]: b 'c\n",
  emphasis: "*a **b",
  stars: "*",
  underscores: "_a",
  strikethrough: "~~a",
  backticks: "`a``b",
  "angle brackets": "<",
  tags: "<a b='",
  comments: "<!--",
  "blocks of HTML": "<div>\n",
  entities: "&amp;",
  addresses: "http://a.b(",
  "email addresses": "a.b@",
  "addresses with other letters": "https://a.b/日本_é",
  "addresses with points": "https://a.b/.....",
  fences: "```\n",
  dollars: "$",
  "lines of dollars": "$$\n",
  formulas: "$$a\n",
  "formulas in brackets": "\\[\n",
  "formulas in parentheses": "\\(a\n",
  "formulas in braces": "${",
  "formulas after words": "a $$\nb\n",
  "formulas that begin": "\\begin{equation}\n",
  "formulas in formulas": "\\begin{align}\\end{alig}",
  "nested lists": "- - ",
  "a list": "- a\n",
  "a loose list": "- a\n\n  b\n",
  "numbered lists": "1. a\n",
  headings: "# a\n",
  "underlined headings": "a\n-\n",
  "table heads": "|a|b|\n|-|-|\n",
  pipes: "|a",
  footnotes: "[^a]: b\n",
  "footnote references": "[^a]",
  letters: "a",
  lines: "a\n",
  spaces: " ",
  "Japanese letters": "**あ",
  "bold words without spaces": "**「あ」**",
  "marks that do not fit": "*あ**い_う~~",
}
const documents = {
  ...Object.fromEntries(Object.entries(units).map(([name, unit]) => [name, repeated(unit)])),
  "an item of many lines": (length) => `- a\n${"  a\n".repeat(length / 4)}`,
  "spaces in a line": (length) => `a${" ".repeat(length)}b`,
  "a wide table": (length) => `${"|a".repeat(length / 8)}|\n${"|-".repeat(length / 8)}|\n${"|a\n".repeat(length / 6)}`,
  "a long table": (length) => `|a|b|\n|-|-|\n${"|c|d|\n".repeat(length / 6)}`,
  "lists that become deeper": (length) =>
    Array.from({ length: Math.sqrt(length) }, (_, depth) => `${"  ".repeat(depth)}- a\n`).join(""),
  "a long code block": (length) => `\`\`\`js\n${"let a = 1\n".repeat(length / 10)}`,
}

for (const [name, make] of Object.entries(documents)) {
  test(`parsed in linear time: ${name}`, slow, () => {
    assert.equal(
      growth((text) => parseBlocks(text), make, LENGTH),
      0,
    )
  })

  test(`completed in linear time: ${name}`, slow, () => {
    assert.equal(
      growth((text) => closeOpenMarks(cutUndecided(text)), make, 5_000),
      0,
    )
  })
}

test("only code and tables are longer than a window, which limits the time of a step", () => {
  const long = Object.entries(documents)
    .filter(([, make]) => parseBlocks(make(100_000)).some(isLong))
    .map(([name]) => name)
  assert.deepEqual(long, [])
})

const isLong = ({ type, raw }) => raw.length > 20_000 && type !== "code" && type !== "table" && type !== "space"

test("a long text loses nothing between windows", () => {
  for (const [name, make] of Object.entries(documents)) {
    const text = make(50_000)
    const raw = parseBlocks(text).map((block) => block.raw)
    assert.equal(raw.join("").replace(/\s/g, ""), text.replace(/\s/g, ""), name)
  }
})

test("a quadratic function is detected", () => {
  const quadratic = (text) => {
    let equal = 0
    for (let i = 0; i < text.length; i += 1) {
      for (let j = 0; j < text.length; j += 1) equal += text.charCodeAt(i) === text.charCodeAt(j) ? 1 : 0
    }
    return equal
  }
  assert.ok(growth(quadratic, repeated("a"), 4_000, 1) >= MAX_FACTOR)
})
