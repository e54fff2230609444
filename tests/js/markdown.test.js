import assert from "node:assert/strict"
import { test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM()
Object.assign(globalThis, { window, document: window.document })
const { blocksOf, nodesOf } = await import("../../static/chat/js/markdown.js")
const { Prose } = await import("../../static/chat/js/prose.js")

const rendered = (text) => {
  const element = document.createElement("div")
  for (const block of blocksOf(text)) element.append(nodesOf(block))
  return element
}
const html = (text) => rendered(text).innerHTML.trim()

// What a hostile model may write

const attacks = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "text <img src='https://evil.test/x.png'> text",
  "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
  "<iframe src='https://evil.test'></iframe>",
  "<a href='javascript:alert(1)'>x</a>",
  "<style>@import 'https://evil.test'</style>",
  "<form action='https://evil.test'><input name=x><button>go</button></form>",
  "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](java\tscript:alert(1))",
  "[x](data:text/html,<script>alert(1)</script>)",
  "[x](vbscript:msgbox(1))",
  "[x](//evil.test/a)",
  "[x](/admin/logout)",
  "![x](https://evil.test/beacon.png)",
  "![x][i]\n\n[i]: https://evil.test/beacon.png",
  "![x](javascript:alert(1))",
  "![\"><script>alert(1)</script>](https://evil.test/x)",
  "[x](https://ok.test \"\\\" onmouseover=alert(1) x=\\\"\")",
  "```html\" onmouseover=\"alert(1)\n<script>alert(1)</script>\n```",
  "```\"><img/src=x/onerror=alert(1)>\n1\n```",
  "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
  "$$<img src=x onerror=alert(1)>$$",
  "$<b>$ and \\(<img src=x>\\)",
  "- [ ] <input autofocus onfocus=alert(1)>",
  "<https://ok.test/\"onmouseover=\"alert(1)>",
  "<details open ontoggle=alert(1)>",
]

for (const attack of attacks) {
  test(`it is inert: ${JSON.stringify(attack)}`, () => {
    const element = rendered(attack)
    assert.equal(element.querySelector("script, img, svg, math, iframe, style, form, input, details, object, embed, link, base, meta"), null)
    for (const child of element.querySelectorAll("*")) {
      for (const { name, value } of child.attributes) {
        assert.match(name, /^(href|title|class|align|start|target|rel|type|data-copy|tabindex)$/)
        if (name === "href") assert.match(value, /^(https?:|mailto:)/)
      }
      if (child.tagName === "BUTTON") assert.ok(child.dataset.copy)
    }
  })
}

test("raw HTML is shown as it was written", () => {
  assert.equal(rendered("<b>bold</b> and <script>alert(1)</script>").textContent.trim(), "<b>bold</b> and <script>alert(1)</script>")
  assert.equal(rendered("<div>\n\n**x**\n\n</div>").textContent.replace(/\s/g, ""), "<div>x</div>")
})

test("a line break in a table cell is one", () => {
  assert.ok(rendered("| a |\n|---|\n| x<br>y |").querySelector("td br"))
})

test("links leave without a trace of this page", () => {
  const link = rendered("[here](https://example.com/a?b=c&d=e)").querySelector("a")
  assert.equal(link.getAttribute("href"), "https://example.com/a?b=c&d=e")
  assert.equal(link.target, "_blank")
  assert.equal(link.rel, "noopener noreferrer nofollow")
})

test("a remote image is a link that says what and where", () => {
  const link = rendered("![A cat](https://pictures.test/cat.png)").querySelector("a.remote-image")
  assert.equal(link.getAttribute("href"), "https://pictures.test/cat.png")
  assert.match(link.textContent, /A cat.*pictures\.test/)
})

// What a friendly model writes

test("code is coloured and keeps its text", () => {
  const code = rendered("```python\nprint(1 < 2)\n```")
  assert.equal(code.querySelector(".code__head span").textContent, "python")
  assert.equal(code.querySelector("pre").textContent, "print(1 < 2)\n")
  assert.ok(code.querySelector(".hljs-number"))
  assert.equal(rendered("```mermaid\ngraph TD\n```").querySelector(".code__head span").textContent, "mermaid")
  assert.equal(rendered("```\nplain\n```").querySelector("pre").textContent, "plain\n")
})

test("formulas keep their source, prices are no formulas", () => {
  assert.equal(html("$a_1 * b_2 * c$"), '<p><span class="math">a_1 * b_2 * c</span></p>')
  assert.equal(html("$$\n\\int_0^1 x\\,dx\n$$"), '<div class="math">\\int_0^1 x\\,dx</div>')
  assert.equal(html("\\[ x^2 \\]"), '<div class="math">x^2</div>')
  assert.equal(html("so \\( x \\) is"), '<p>so <span class="math">x</span> is</p>')
  assert.equal(html("$5 and $6, or $7-$8"), "<p>$5 and $6, or $7-$8</p>")
})

test("bold works between Japanese letters", () => {
  assert.equal(html("これは**「強調」**です。"), "<p>これは<strong>「強調」</strong>です。</p>")
  assert.equal(html("**終わり。**次の文"), "<p><strong>終わり。</strong>次の文</p>")
  assert.equal(html("**Git（ギット）**は"), "<p><strong>Git（ギット）</strong>は</p>")
  assert.equal(html("2 ** 3 ** 4"), "<p>2 ** 3 ** 4</p>")
  assert.equal(html("これは`**「x」**`です"), "<p>これは<code>**「x」**</code>です</p>")
})

test("an address ends where the Japanese sentence goes on", () => {
  const link = rendered("詳細はhttps://example.com/a?b=1です。").querySelector("a")
  assert.equal(link.getAttribute("href"), "https://example.com/a?b=1")
})

test("tables and lists keep how they were meant", () => {
  assert.equal(rendered("| a | b |\n|--:|:-:|\n| 1 | 2 |").querySelector("td").getAttribute("align"), "right")
  assert.equal(rendered("3. c\n4. d").querySelector("ol").getAttribute("start"), "3")
  assert.match(rendered("- [x] done\n- [ ] open").textContent, /☑ done\s+☐ open/)
})

test("lines stay lines", () => {
  assert.equal(html("one\ntwo"), "<p>one<br>two</p>")
})

// How it grows

const essay = `# Title

A paragraph with **bold** text
and a second line.

- one
- two

  still two
    1. deep
- three

| a | b |
|---|---|
| 1 | 2 |

\`\`\`js
const x = 1

const y = 2
\`\`\`

text
***bold and italic*** at the start of a line
#hash
1.5 is a number
- and a list
---
> quote
more

1. first
2. second

[a link][ref] and 日本語の**「文」**です。

$$
x^2
$$

Setext
======

    indented

<div>raw</div>

[ref]: https://example.com
`

test("text that grew letter by letter ends as text that came at once", () => {
  for (const source of [essay, essay.replaceAll("\n", "\r\n"), essay + essay]) {
    const element = document.createElement("div")
    const prose = new Prose(element)
    for (let end = 1; end <= source.length; end += 1) prose.show(source.slice(0, end), { done: false })
    prose.show(source, { done: true })
    assert.equal(element.innerHTML, rendered(source.replaceAll("\r\n", "\n")).innerHTML)
  }
})

test("finished blocks keep their nodes", () => {
  const element = document.createElement("div")
  const prose = new Prose(element)
  prose.show("# One\n\nTwo\n\nThree", { done: false })
  const [first, second] = element.children
  prose.show("# One\n\nTwo\n\nThree is longer\n\nFour", { done: false })
  prose.show("# One\n\nTwo\n\nThree is longer\n\nFour", { done: true })
  assert.equal(element.children[0], first)
  assert.equal(element.children[1], second)
  assert.equal(element.children.length, 4)
})

test("a marker waits for the text that decides what it is", () => {
  const element = document.createElement("div")
  const prose = new Prose(element)
  prose.show("Title\n-", { done: false })
  assert.equal(element.innerHTML.trim(), "<p>Title</p>")
  prose.show("Title\n- item", { done: false })
  assert.ok(element.querySelector("ul"))
  assert.equal(element.querySelector("h2"), null)
})

test("other text replaces what was there", () => {
  const element = document.createElement("div")
  const prose = new Prose(element)
  prose.show("one\n\ntwo\n\nthree", { done: false })
  prose.show("something else", { done: false })
  assert.equal(element.textContent.trim(), "something else")
})
