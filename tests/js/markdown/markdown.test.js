import assert from "node:assert/strict"
import { test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM("<!doctype html>")
Object.assign(globalThis, { window, document: window.document })
const { StreamingMarkdown } = await import("../../../static/chat/js/markdown/streaming.js")
const { default: DOMPurify } = await import("dompurify")

const rendered = (text) => {
  const element = document.createElement("div")
  new StreamingMarkdown(element).show(text, { done: true })
  return element
}
const html = (text) => rendered(text).firstChild.innerHTML.replaceAll(' dir="auto"', "")
const isLoaded = () => new Promise((resolve) => setTimeout(resolve))

rendered("$x$\n\n```js\n1\n```") // loads what is loaded on demand
await Promise.all([import("../../../static/vendor/highlight.js"), import("../../../static/vendor/katex.js")]).then(
  isLoaded,
)

// Attacks by a hostile model

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
  '!["><script>alert(1)</script>](https://evil.test/x)',
  '[x](https://ok.test "\\" onmouseover=alert(1) x=\\"")',
  '```html" onmouseover="alert(1)\n<script>alert(1)</script>\n```',
  '```"><img/src=x/onerror=alert(1)>\n1\n```',
  "| a |\n|---|\n| <img src=x onerror=alert(1)> |",
  "$$<img src=x onerror=alert(1)>$$",
  "$<b>$ and \\(<img src=x>\\)",
  "- [ ] <input autofocus onfocus=alert(1)>",
  '<https://ok.test/"onmouseover="alert(1)>',
  "<details open ontoggle=alert(1)>",
]

const ATTRIBUTES =
  /^(href|title|class|dir|start|target|rel|type|data-block-action|data-copy|data-note|role|aria-label|aria-pressed)$/

for (const attack of attacks) {
  test(`an attack is rendered harmless: ${JSON.stringify(attack)}`, () => {
    const element = rendered(attack)
    for (const formula of element.querySelectorAll(".math")) formula.textContent = "" // KaTeX's own elements are tested below
    for (const icon of element.querySelectorAll("button > .icon")) icon.remove()
    assert.equal(
      element.querySelector(
        "script, img, svg, math, iframe, style, form, input, details, object, embed, link, base, meta",
      ),
      null,
    )
    for (const child of element.querySelectorAll("*")) {
      for (const { name, value } of child.attributes) {
        assert.match(name, ATTRIBUTES)
        if (name === "href") assert.match(value, /^(https?:|mailto:)/)
      }
      if (child.tagName === "BUTTON") assert.ok(child.dataset.blockAction)
    }
    DOMPurify(window).sanitize(element.innerHTML)
    assert.deepEqual(DOMPurify.removed ?? [], [])
  })
}

for (const attack of [
  "\\href{javascript:alert(1)}{x}",
  "\\url{https://evil.test}",
  "\\includegraphics{https://evil.test/x.png}",
  "\\htmlStyle{background:url(https://evil.test)}{x}",
  "\\htmlClass{code}{x}",
  "\\htmlId{x}{x}",
  "\\htmlData{do=copy}{x}",
  "\\text{<img src=x onerror=alert(1)>}",
  'x" onmouseover="alert(1)',
]) {
  test(`a formula cannot affect anything outside of it: ${attack}`, () => {
    const element = rendered(`$$${attack}$$`)
    assert.equal(
      element.querySelector("a, img, script, style, [id], [onmouseover], [data-block-action], .code, [href], [src]"),
      null,
    )
    for (const styled of element.querySelectorAll("[style]"))
      assert.doesNotMatch(styled.getAttribute("style"), /url|http/)
  })
}

test("an endless or too long formula shows its source", () => {
  for (const text of ["\\def\\x{\\x\\x}\\x", "{".repeat(3000), "\\frac{".repeat(2000), "x".repeat(5000)]) {
    assert.equal(rendered(`$$${text}$$`).querySelector(".katex"), null)
  }
  assert.ok(rendered("$\\rule{10000em}{10000em}$").querySelector(".katex"))
})

test("raw HTML is shown as text", () => {
  assert.equal(
    rendered("<p>bold</p> and <script>alert(1)</script>").textContent.trim(),
    "<p>bold</p> and <script>alert(1)</script>",
  )
  assert.equal(rendered("<div>\n\n**x**\n\n</div>").textContent.replace(/\s/g, ""), "<div>x</div>")
})

test("a <br> in a table cell is a line break", () => {
  assert.ok(rendered("| a |\n|---|\n| x<br>y |").querySelector("td br"))
})

test("links open a new tab, without a referrer or opener", () => {
  const link = rendered("[here](https://example.com/a?b=c&d=e)").querySelector("a")
  assert.equal(link.getAttribute("href"), "https://example.com/a?b=c&d=e")
  assert.equal(link.target, "_blank")
  assert.equal(link.rel, "noopener noreferrer nofollow")
})

test("a remote image is shown as a link with its description and host", () => {
  const link = rendered("![A cat](https://pictures.test/cat.png)").querySelector("a.remote-image")
  assert.equal(link.getAttribute("href"), "https://pictures.test/cat.png")
  assert.match(link.textContent, /A cat.*pictures\.test/)
})

test("a link whose text names another host shows its real host", () => {
  const linkText = (text) => rendered(text).querySelector("a").textContent
  assert.equal(linkText("[https://bank.test/login](https://evil.test/)"), "https://bank.test/login (evil.test)")
  assert.equal(linkText("[bank.test](https://bank.test.evil.test/)"), "bank.test (bank.test.evil.test)")
  assert.equal(linkText("[аpple.com](https://аpple.com/)"), "аpple.com (xn--pple-43d.com)")
  assert.equal(linkText("<https://bank.test@evil.test/>"), "https://bank.test@evil.test/ (evil.test)")
  assert.equal(linkText("[bank.test](https://www.bank.test/a)"), "bank.test")
  assert.equal(linkText("[docs.bank.test](https://docs.bank.test:8080/a)"), "docs.bank.test")
  assert.equal(linkText("[bank.test](https://docs.bank.test/a)"), "bank.test")
  assert.equal(linkText("https://bank.test/a/b.html?c=d.e"), "https://bank.test/a/b.html?c=d.e")
  assert.equal(linkText("[the page](https://bank.test/)"), "the page")
  assert.equal(rendered("[the page](https://bank.test/a)").querySelector("a").title, "https://bank.test/a")
})

// Ordinary Markdown

test("entities are decoded", () => {
  assert.equal(
    rendered("&lt;b&gt; &amp;amp; &eacute;&#33;&#x3b1; &nothing; `&lt;`").textContent,
    "<b> &amp; é!α &nothing; &lt;",
  )
})

test("comments are not shown, but the text around them is", () => {
  assert.equal(
    html("a <!-- b --> c\n\n<!--\nd\n-->\n\n`<!-- e -->`"),
    "<p>a  c</p><p><code>&lt;!-- e --&gt;</code></p>",
  )
})

test("footnotes link to their texts and back", () => {
  const element = rendered("So[^1] it[^far] is[^none].\n\n[^1]: One *says*\n  so.\n[^far]: Far\n\n    away.")
  assert.deepEqual(
    [...element.querySelectorAll("sup button")].map(({ dataset }) => dataset.note),
    ["1", "far"],
  )
  const notes = [...element.querySelectorAll(".footnote")]
  assert.deepEqual(
    notes.map(({ dataset }) => dataset.note),
    ["1", "far"],
  )
  assert.deepEqual(
    notes.map((note) => note.querySelectorAll("p").length),
    [1, 2],
  )
  assert.ok(notes[0].querySelector("em"))
  assert.match(element.textContent, /is\[\^none\]/)
  assert.match(rendered("a regex [^a-z]+").textContent, /\[\^a-z\]/)
})

test("code is highlighted and keeps its text", () => {
  const code = rendered("```python\nprint(1 < 2)\n```")
  assert.equal(code.querySelector(".code__header span").textContent, "python")
  assert.equal(code.querySelector("pre").textContent, "print(1 < 2)")
  assert.ok(code.querySelector(".hljs-number"))
  assert.equal(rendered("```mermaid\ngraph TD\n```").querySelector(".code__header span").textContent, "mermaid")
  assert.equal(rendered("```\nplain\n```").querySelector("pre").textContent, "plain")
})

test("code whose language is capitalised keeps its pieces while it grows", () => {
  const element = document.createElement("div")
  const markdown = new StreamingMarkdown(element)
  const show = (text) => {
    markdown.show(text, { done: false })
    return element.querySelector("code span")
  }
  const first = show("```Python\nprint(1)\n")
  assert.equal(show("```Python\nprint(1)\nprint(2)\n"), first)
  assert.equal(element.querySelector(".code__header span").textContent, "Python")
})

test("formulas are rendered with MathML, and prices are not formulas", () => {
  const tex = (text) => [...rendered(text).querySelectorAll("annotation")].map((annotation) => annotation.textContent)
  assert.deepEqual(tex("$a_1 * b_2 * c$ and \\( x \\) and $n$th"), ["a_1 * b_2 * c", "x", "n"])
  assert.ok(rendered("$$\n\\int_0^1 x\\,dx\n$$").querySelector("div.math--displayed math"))
  assert.ok(rendered("\\[ x^2 \\]").querySelector("div.math--displayed math"))
  assert.ok(rendered("so $$x$$ is").querySelector("p > .math--displayed math"))
  assert.equal(html("$5 and $6, or $7-$8"), "<p>$5 and $6, or $7-$8</p>")
  assert.equal(html("`$x$` and `\\(x\\)`"), "<p><code>$x$</code> and <code>\\(x\\)</code></p>")
  assert.equal(rendered("```\n$$x$$\n```").querySelector(".math"), null)
  assert.equal(rendered("it is $\\frac{1$ here").textContent, "it is $\\frac{1$ here")
})

test("bold works between Japanese letters", () => {
  assert.equal(html("これは**「強調」**です。"), "<p>これは<strong>「強調」</strong>です。</p>")
  assert.equal(html("**終わり。**次の文"), "<p><strong>終わり。</strong>次の文</p>")
  assert.equal(html("**Git（ギット）**は"), "<p><strong>Git（ギット）</strong>は</p>")
  assert.equal(html("2 ** 3 ** 4"), "<p>2 ** 3 ** 4</p>")
  assert.equal(html("これは`**「x」**`です"), "<p>これは<code>**「x」**</code>です</p>")
})

test("a URL ends where Japanese text follows", () => {
  const link = rendered("詳細はhttps://example.com/a?b=1です。").querySelector("a")
  assert.equal(link.getAttribute("href"), "https://example.com/a?b=1")
})

test("tables keep their alignment, and lists their numbers and checkboxes", () => {
  assert.equal(rendered("| a | b |\n|--:|:-:|\n| 1 | 2 |").querySelector("td").className, "align-right")
  assert.equal(rendered("3. c\n4. d").querySelector("ol").getAttribute("start"), "3")
  assert.match(rendered("- [x] done\n- [ ] open").textContent, /☑ done\s*☐ open/)
})

test("a very long text in one place is drawn in pieces", () => {
  const words = "word &amp; ".repeat(3_000)
  const cell = rendered(`| a |\n|---|\n| ${words}|`).querySelector("td")
  const pieces = cell.querySelectorAll(".piece")
  assert.equal(pieces.length, 2)
  assert.equal(cell.textContent, "word & ".repeat(3_000).trim())
  assert.equal(rendered(words.slice(0, 15_000)).querySelector(".piece"), null)
  const faces = rendered(`# ${"😀".repeat(30_000)}`).textContent
  assert.equal(faces, "😀".repeat(30_000))
})

test("HTML elements that Markdown has no marks for are drawn", () => {
  for (const [text, drawn] of Object.entries({
    "H<sub>2</sub>O and 10<SUP>-3</SUP>": "H<sub>2</sub>O and 10<sup>-3</sup>",
    "<kbd>Ctrl</kbd>+<kbd>C</kbd>": "<kbd>Ctrl</kbd>+<kbd>C</kbd>",
    "<ruby>漢字<rt>かんじ</rt></ruby>を": "<ruby>漢字<rt>かんじ</rt></ruby>を",
    "**x<sub>*i*</sub>** <u>a `</u>` b</u>":
      "<strong>x<sub><em>i</em></sub></strong> <u>a <code>&lt;/u&gt;</code> b</u>",
    "<sub>a<sub>b</sub></sub>": "<sub>a<sub>b</sub></sub>",
    "*a <u>b* c</u>": "<em>a &lt;u&gt;b</em> c&lt;/u&gt;",
    "`<sub>x</sub>`": "<code>&lt;sub&gt;x&lt;/sub&gt;</code>",
    "<b> makes bold": "&lt;b&gt; makes bold",
    '<u style="color:red">x</u>': '&lt;u style="color:red"&gt;x&lt;/u&gt;',
    "<u><script>x</script></u>": "<u>&lt;script&gt;x&lt;/script&gt;</u>",
  }))
    assert.equal(html(text), `<p>${drawn}</p>`)
  assert.equal(rendered(`<u>${"x".repeat(600)}</u>`).querySelector("u"), null)
  assert.equal(rendered("| a |\n|---|\n| x<sub>1</sub> |").querySelector("td").innerHTML, "x<sub>1</sub>")
})

test("an HTML element is shown once it is closed", () => {
  const shown = (text) => {
    const element = document.createElement("div")
    new StreamingMarkdown(element).show(text, { done: false })
    return element.textContent.trim()
  }
  assert.equal(shown("H<su"), "H")
  assert.equal(shown("H<sub>2"), "H")
  assert.equal(shown("H<sub>2</su"), "H")
  assert.equal(shown("H<sub>2</sub>"), "H2")
  assert.equal(shown(`a <u>${"x".repeat(600)}`), `a <u>${"x".repeat(600)}`)
})

test("a line break stays a line break", () => {
  assert.equal(html("one\ntwo"), "<p>one<br>two</p>")
})

// Growing text

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

H<sub>2</sub>O and **x<sup>*n*</sup>** with <kbd>Ctrl</kbd>; <u>never closed and <b>**bold**</b>

[ref]: https://example.com
`

test("text streamed one character at a time renders like the same text at once", () => {
  for (const source of [essay, essay.replaceAll("\n", "\r\n"), essay + essay]) {
    const element = document.createElement("div")
    const markdown = new StreamingMarkdown(element)
    for (let end = 1; end <= source.length; end += 1) markdown.show(source.slice(0, end), { done: false })
    markdown.show(source, { done: true })
    assert.equal(element.innerHTML, rendered(source.replaceAll("\r\n", "\n")).innerHTML)
  }
})

test("finished blocks keep their DOM nodes", () => {
  const element = document.createElement("div")
  const markdown = new StreamingMarkdown(element)
  markdown.show("# One\n\nTwo\n\nThree", { done: false })
  const { children } = element.firstChild
  const [first, second] = children
  markdown.show("# One\n\nTwo\n\nThree is longer\n\nFour", { done: false })
  markdown.show("# One\n\nTwo\n\nThree is longer\n\nFour", { done: true })
  assert.equal(children[0], first)
  assert.equal(children[1], second)
  assert.equal(children.length, 4)
})

const growing = (text) => {
  const element = document.createElement("div")
  const markdown = new StreamingMarkdown(element)
  markdown.show(text, { done: false })
  const grow = (more, done = false) => {
    text += more
    markdown.show(text, { done })
  }
  return { element, grow }
}

test("finished lines of a growing block keep their DOM nodes", () => {
  const long = Array.from({ length: 9 }, (_, n) => n)
  const rows = {
    li: long.map((n) => `- item ${n}`).join("\n"),
    tr: `| a |\n|---|\n${long.map((n) => `| ${n} |`).join("\n")}`,
    "code > span": `\`\`\`js\n${"const x = 1\n".repeat(600)}`,
  }
  for (const [name, text] of Object.entries(rows)) {
    const { element, grow } = growing(text)
    const before = [...element.querySelectorAll(name)]
    assert.ok(before.length > 2)
    for (const letter of "\n- x\n| y |\n") grow(letter)
    grow("\n\nend", true)
    const after = [...element.querySelectorAll(name)]
    for (const [index, node] of before.slice(0, -1).entries()) assert.equal(after[index], node, `${name} ${index}`)
  }
})

test("finished text of a growing paragraph keeps its DOM nodes, and so its selection", () => {
  const { element, grow } = growing("One **two** three")
  const nodes = [...element.querySelector("p").childNodes]
  grow(" four **fi")
  grow("ve** six")
  assert.deepEqual([...element.querySelector("p").childNodes].slice(0, 3), nodes)
  assert.equal(element.textContent, "One two three four five six")
})

test("a formula is rendered once", () => {
  const { element, grow } = growing("A $x^2$ here")
  const formula = element.querySelector(".katex")
  grow(" and more\n\nand more")
  assert.equal(element.querySelector(".katex"), formula)
})

test("a marker is not shown until the following text decides what it is", () => {
  const element = document.createElement("div")
  const markdown = new StreamingMarkdown(element)
  markdown.show("Title\n-", { done: false })
  assert.equal(element.firstChild.innerHTML, '<p dir="auto">Title</p>')
  markdown.show("Title\n- item", { done: false })
  assert.ok(element.querySelector("ul"))
  assert.equal(element.querySelector("h2"), null)
})

test("a different text replaces the previous one", () => {
  const element = document.createElement("div")
  const markdown = new StreamingMarkdown(element)
  markdown.show("one\n\ntwo\n\nthree", { done: false })
  markdown.show("something else", { done: false })
  assert.equal(element.textContent.trim(), "something else")
})
