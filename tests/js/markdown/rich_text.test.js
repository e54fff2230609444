// What is copied of an answer: clean HTML, and tables as CSV.

import assert from "node:assert/strict"
import { test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM("<!doctype html>")
Object.assign(globalThis, { window, document: window.document })
const { StreamingMarkdown } = await import("../../../static/chat/js/markdown/streaming.js")
const { csvOf, htmlOf, rowsOf, tsvOf } = await import("../../../static/chat/js/markdown/rich_text.js")
await import("../../../static/vendor/katex.js")

const drawn = (text) => {
  const element = document.createElement("div")
  new StreamingMarkdown(element).show(text, { done: true })
  return element
}
const html = (text) => htmlOf([drawn(text)])
const TABLE = '<table border="1" cellspacing="0" cellpadding="4" style="border-collapse:collapse">'

const COPIED = {
  "# A *title*\n\nSome **bold** `<b>` & ~~old~~  \nnext":
    "<h1>A <em>title</em></h1><p>Some <strong>bold</strong> <code>&lt;b&gt;</code> &amp; <del>old</del><br>next</p>",
  "3. a\n4. b\n   - c": '<ol start="3"><li>a</li><li>b<ul><li>c</li></ul></li></ol>',
  "- [x] done": "<ul><li>☑ done</li></ul>",
  "> quoted\n\n---": "<blockquote><p>quoted</p></blockquote><hr>",
  '```html\n<p class="x">\n  y\n```': "<pre><code>&lt;p class=&quot;x&quot;&gt;\n  y</code></pre>",
  "```mermaid\npie\n```": "<pre><code>pie</code></pre>",
  "[a](https://a.test/?b=1&c=2) [b](javascript:x)": '<p><a href="https://a.test/?b=1&amp;c=2">a</a> b</p>',
  "So[^1].\n\n[^1]: Why": "<p>So<sup>[1] </sup>.</p><div>[1] <p>Why</p></div>",
  "| a | b |\n|---|--:|\n| **x** | 1 |": `${TABLE}<thead><tr><th>a</th><th align="right">b</th></tr></thead><tbody><tr><td><strong>x</strong></td><td align="right">1</td></tr></tbody></table>`,
  "|a|\n|-|\n|=1+1|\n|-5|": `${TABLE}<thead><tr><th>a</th></tr></thead><tbody><tr><td style="mso-number-format:'\\@'">=1+1</td></tr><tr><td>-5</td></tr></tbody></table>`,
}
for (const [text, expected] of Object.entries(COPIED)) {
  test(`copied as HTML: ${JSON.stringify(text)}`, () => assert.equal(html(text), expected))
}

test("copied formulas are their TeX, once", async () => {
  const element = drawn("It is $\\frac{a}{b}$ and\n\n$$x^2$$\n\n|f|\n|-|\n|$y_1$|")
  while (!element.querySelector("td .katex")) await new Promise((resolve) => setTimeout(resolve))
  assert.match(htmlOf([element]), /^<p>It is \$\\frac\{a\}\{b\}\$ and<\/p>\$\$x\^2\$\$<table.*<td>\$y_1\$<\/td>/)
  assert.deepEqual(rowsOf(element.querySelector("table")), [["f"], ["$y_1$"]])
})

test("copied cells keep line breaks, commas and quotes", () => {
  const rows = rowsOf(
    drawn('| a, b | c |\n|---|---|\n| say "x" | one<br>two |\n| `d\\|e` | [f](https://a.test/) |').querySelector(
      "table",
    ),
  )
  assert.equal(csvOf(rows), '"a, b",c\r\n"say ""x""","one\ntwo"\r\nd|e,f\r\n')
  assert.equal(tsvOf(rows), 'a, b\tc\n"say ""x"""\t"one\ntwo"\nd|e\tf')
})

const CELLS = {
  "=1+1": "'=1+1",
  '=HYPERLINK("https://evil.test","x")': `"'=HYPERLINK(""https://evil.test"",""x"")"`,
  "+81 3 1234": "'+81 3 1234",
  "@SUM(1)": "'@SUM(1)",
  "-2+3+cmd|' /C calc'!A0": "'-2+3+cmd|' /C calc'!A0",
  "＝1+1": "'＝1+1",
  " =1": "' =1",
  "-5": "-5",
  "-1,200.5": '"-1,200.5"',
  "+3 %": "+3 %",
  "-": "-",
  "1-2": "1-2",
  緑茶: "緑茶",
}
for (const [cell, expected] of Object.entries(CELLS)) {
  test(`copied as CSV, which no spreadsheet runs: ${cell}`, () => assert.equal(csvOf([[cell]]), `${expected}\r\n`))
}
