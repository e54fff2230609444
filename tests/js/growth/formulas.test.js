// Formulas with macros take little time: one whose macros expand too far is rejected, and shows its source.

import assert from "node:assert/strict"
import { test } from "node:test"

import { katexOptions } from "../../../static/chat/js/markdown/math.js"
import katex from "../../../static/vendor/katex.js"

const TIME_LIMIT = 1_000 // ms of CPU time; without the limit these took 20 s and more

const macros = {
  "a long macro": `\\def\\a{${"x".repeat(3_000)}}${"\\a".repeat(400)}`,
  "a macro in a macro": `\\def\\a{${"x".repeat(1_500)}}\\def\\b{\\a\\a\\a\\a}${"\\b".repeat(400)}`,
  "a chain of macros that each double": `\\def\\a{\\b\\b}\\def\\b{\\c\\c}\\def\\c{\\d\\d}\\def\\d{${"x".repeat(3_000)}}\\a\\a\\a\\a\\a`,
  "a recursive macro": `\\def\\a{${"x".repeat(3_000)}\\a}\\a`,
  "a macro that repeats its argument": `\\newcommand{\\a}[1]{#1#1#1#1}\\a{\\a{\\a{\\a{\\a{${"x".repeat(3_000)}}}}}}`,
  "a global macro": `\\gdef\\a{${"\\frac xx".repeat(300)}}${"\\a".repeat(400)}`,
}

for (const [name, text] of Object.entries(macros)) {
  test(`${name} is rejected quickly`, () => {
    const start = process.cpuUsage()
    assert.throws(() => katex.renderToString(text, katexOptions(text)), /Too many expansions/)
    const { user, system } = process.cpuUsage(start)
    assert.ok((user + system) / 1000 < TIME_LIMIT)
  })
}

test("a formula may define a macro and use it", () => {
  for (const text of [
    "\\newcommand{\\Q}{\\mathbb{Q}} f: \\Q \\to \\Q, \\quad x \\in \\Q",
    "\\def\\half#1{\\frac{#1}{2}} \\half{x} + \\half{y}",
    "\\dots \\implies x \\iff y \\pmod n ".repeat(20),
  ]) {
    assert.match(katex.renderToString(text, katexOptions(text)), /katex/)
  }
})
