// What is drawn of a user's text, and that the rest stays as it was typed.

import assert from "node:assert/strict"
import { test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM("<!doctype html>")
Object.assign(globalThis, { window, document: window.document })
const { drawTypedText } = await import("../../../static/chat/js/markdown/typed_text.js")

const drawn = (text) => {
  const element = document.createElement("div")
  drawTypedText(element, text)
  for (const header of element.querySelectorAll(".code__header")) header.remove()
  return element
}
const html = (text) =>
  drawn(text)
    .firstChild.innerHTML.replaceAll(/ (?:dir="\w+"|class="code"|(?:title|target|rel)="[^"]*")/g, "")
    .replaceAll(/<\/?span>/g, "")

const LEFT_ALONE = [
  "# not a heading\n## neither",
  "*stars* and **two**, _this_ and snake_case_name, 2 * 3 * 4, ~~this~~ and a~b",
  "one\n two\n\n\n    indented\n\ttab",
  "a | b\n--|--\n1 | 2",
  "title\n=====\nother\n-----",
  "---\n***\n* * *\n- - -",
  "1.\n2024.\n3.14 is pi\n-5 is less\n1.first",
  "&amp; &lt;b&gt; <b>bold</b> <script>alert(1)</script> <!-- comment -->",
  "costs $5 or $6, $x$ and \\(y\\), C:\\new\\table",
  "[x] done, [link](javascript:alert(1)), [other](/admin), ![image](x.png), [1]",
  ">>> print(1)\n>_< and ->\n>= 5",
  "- old line\n+ new line",
  "+ one\n+ two",
  "- a\n- b\n+ c",
  "it's `unclosed, and ``another",
  "・項目\n①項目\n# 見出しではない　　全角の空白",
  "Regards,\n--\nAlice",
  "[^1] and [^1]: no note",
  "javascript:alert(1) data:text/html,x",
]

for (const text of LEFT_ALONE) {
  test(`typed text stays as it is: ${JSON.stringify(text)}`, () => {
    const element = drawn(text)
    assert.equal(element.textContent, text)
    assert.deepEqual(
      [...element.querySelectorAll("*")].map(({ localName }) => localName),
      ["div", "p"],
    )
  })
}

const DRAWN = {
  "before\n\n```py\nx = 1\n\n  y\n```\nafter":
    "<p>before</p><div><pre><code>x = 1\n\n  y</code></pre></div><p>after</p>",
  "~~~\n```\n~~~": "<div><pre><code>```</code></pre></div>",
  "````\n```\n````": "<div><pre><code>```</code></pre></div>",
  "```\nnever closed\n# 1": "<div><pre><code>never closed\n# 1</code></pre></div>",
  "  ```\n  a\n    b\n  ```": "<div><pre><code>a\n  b</code></pre></div>",
  "コード：\r\n```\r\na\r\nb\r\n```": "<p>コード：</p><div><pre><code>a\nb</code></pre></div>",
  "- a\n- b\n  more\nend": "<ul><li>a</li><li>b\nmore</li></ul><p>end</p>",
  "* *a*\n* b": "<ul><li>*a*</li><li>b</li></ul>",
  "-\ta\n-\tb": "<ul><li>a</li><li>b</li></ul>",
  "- a\n  - b\n    1. c": '<ul><li>a<ul><li>b<ol><li value="1">c</li></ol></li></ul></li></ul>',
  "1. a\n3. b\n\n9. c": '<ol><li value="1"><p>a</p></li><li value="3"><p>b</p></li><li value="9"><p>c</p></li></ol>',
  "2024. a": '<ol start="2024"><li value="2024">a</li></ol>',
  "7) a": '<ol start="7"><li value="7" style="list-style-type: &quot;7) &quot;;">a</li></ol>',
  "- ```js\n  let x\n  ```\n- b": "<ul><li><div><pre><code>let x</code></pre></div></li><li>b</li></ul>",
  "> quoted\n> # two\n>\n> > deeper\nreply":
    "<blockquote><p>quoted\n# two</p><blockquote><p>deeper</p></blockquote></blockquote><p>reply</p>",
  "run `a < b` and ``a`b`` and ```x```": "<p>run <code>a &lt; b</code> and <code>a`b</code> and <code>x</code></p>",
  "see https://a.test/b_(c)).": '<p>see <a href="https://a.test/b_(c)">https://a.test/b_(c)</a>).</p>',
  "(http://a.test/?a=1&copy=2)": '<p>(<a href="http://a.test/?a=1&amp;copy=2">http://a.test/?a=1&amp;copy=2</a>)</p>',
  "[the page](https://a.test/)": '<p><a href="https://a.test/">the page</a></p>',
}

for (const [text, expected] of Object.entries(DRAWN)) {
  test(`typed text is drawn: ${JSON.stringify(text)}`, () => assert.equal(html(text), expected))
}

test("typed text that hides where its link leads shows the host", () => {
  assert.equal(drawn("[https://bank.test](https://evil.test/)").textContent, "https://bank.test (evil.test)")
})

test("typed text nested deeply ends as text", () => {
  assert.equal(drawn(`${"> ".repeat(500)}x`).querySelectorAll("blockquote").length, 8)
  assert.ok(drawn(`${"- ".repeat(500)}x`).querySelectorAll("ul").length <= 8)
})
