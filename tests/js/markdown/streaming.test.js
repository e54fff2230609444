// Streamed Markdown: finished blocks stay, nothing is shown that later disappears, and the result is that of the whole text.

import assert from "node:assert/strict"
import { test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM("<!doctype html>")
Object.assign(globalThis, { window, document: window.document })
const slow = { skip: process.env.FAST === "1" && "takes half a minute; make test runs it" }
const { StreamingMarkdown } = await import("../../../static/chat/js/markdown/streaming.js")

const atOnce = (text) => {
  const element = document.createElement("div")
  new StreamingMarkdown(element).show(text, { done: true })
  return element
}

// The element after `text` was streamed in chunks of these sizes, in turn; calls `look(element, text so far)` after each.
const streamed = (text, look = () => {}, sizes = [1]) => {
  const element = document.createElement("div")
  const markdown = new StreamingMarkdown(element)
  for (let end = 0, turn = 0; end < text.length; turn += 1) {
    end = Math.min(text.length, end + sizes[turn % sizes.length])
    markdown.show(text.slice(0, end), { done: false })
    look(element, text.slice(0, end))
  }
  markdown.show(text, { done: true })
  return element
}

await import("../../../static/vendor/highlight.js") // loads what is loaded on demand
await import("../../../static/vendor/katex.js")
atOnce("$x$\n\n```js\n1\n```")
await new Promise((resolve) => setTimeout(resolve))

// Without the labels of buttons, which stand behind a table that still grows.
const words = (element) => {
  const copy = element.cloneNode(true)
  for (const button of copy.querySelectorAll(".block-button")) button.remove()
  return copy.textContent.replace(/\s+/g, "")
}

// What is shown while one of these grows is always a prefix of what it shows in the end.
const constructs = {
  bold: "Some **bold words** and more",
  "bold at the beginning": "**Note:** something",
  italic: "An *important* word, an _underlined_ one",
  "bold and italic": "A ***very* strong** word and ***both***.",
  "struck out": "It is ~~wrong~~ right, in ~5 minutes",
  code: "Call `fold(events)` or ``a`b`` now",
  "bold code": "A **`name`** and **`two` words** here",
  "a link": 'See [the **long** page](https://example.com/a_b?c=d&e=f#g "Title") for more',
  "a link in bold": "**[The page](https://example.com/x)** is here",
  "an image": "Look: ![A cat](https://example.com/cat.png) there",
  "an address": "At https://example.com/path_with_(brackets)?x=*y* it is",
  "an address in angles": "At <https://example.com/x> it is",
  "numbers in brackets": "As shown [1], and [2] (see there) too",
  "a formula": "So $x^2 + y_1$ and \\(\\alpha\\) hold",
  prices: "It costs $5 and $10, or $7.50 per month and person.",
  "a displayed formula": "Thus\n\n$$\n\\int_0^1 x\\,dx = \\frac12\n$$\n\nand\n\n\\[ a^2 \\]\n\nfollow",
  "a heading": "# The *first* one\n\nText\n\n## Another `one`\n\nMore",
  "a list": "- one **bold**\n- two\n  - nested `code`\n  - more\n- [link](https://example.com)\n\n1. first\n2. second",
  tasks: "- [x] done\n- [ ] open and **bold**",
  "a table": "Before\n\n| Name | Value |\n|:-----|------:|\n| **a** | `1` |\n| b | [c](https://example.com) |\n\nAfter",
  "a code block": "Before\n\n```python\nprint(1)  # **not bold**\n`x` and ``y``\n```\n\nAfter",
  "a code block of tildes": "~~~~js\nlet a = `b`\n~~~\n~~~~\nAfter",
  "code in a list": "1. Run\n   ```sh\n   make run\n   ```\n2. Look",
  "a quote": "> A **quote** of\n> two lines\n>\n> - with a list\n\nAfter",
  "a rule": "Above\n\n---\n\nBelow\n\n***\n\nEnd",
  "a comment": "Seen <!-- **not** seen --> again\n\n<!--\nnever\n-->\n\nEnd",
  "a line break": "One<br>two<br />three",
  entities: "Fish &amp; chips &lt;here&gt; AT&T &#x41;",
  escapes: "Not \\*italic\\* and \\[no link\\] and \\$5",
  footnotes: "It is so.[^1] And so.[^2]\n\n[^1]: Says *who*.\n[^2]: Says me.",
  "named footnotes":
    "It is so.[^smith-2020] And so.[^注釈] But [^a-z] is none.\n\n[^smith-2020]: Says *who*.\n[^注釈]: Says me.",
  "a definition": 'Text first.\n\n[name]: https://example.com/long/address "Title"\n\nMore',
  HTML: 'A <div class="x">box</div> as text',
  "an underlined heading": "Title\n=====\n\nText",
  Japanese: "これは**「強調」**です。詳細は[こちら](https://example.com)へ。**終わり。**次の文",
  "powers and products": "2 * 3 ** 4 is 2**3 or a_b_c",
  exclamations: "Well! Really!! ![x](https://e.test/y) Yes!",
}

for (const [name, text] of Object.entries(constructs)) {
  test(`nothing is shown that later disappears: ${name}`, () => {
    const end = words(atOnce(text))
    const sizes = [[1], [3], [1, 7, 2]]
    for (const size of sizes) {
      streamed(
        text,
        (element, soFar) => {
          const shown = words(element)
          assert.ok(
            end.startsWith(shown),
            `after ${JSON.stringify(soFar)}: ${JSON.stringify(shown)} is no prefix of ${JSON.stringify(end)}`,
          )
        },
        size,
      )
    }
  })
}

test("the shown text lags at most one character behind", () => {
  let lag = 0
  const text = "Some plain words with **bold ones that go on for a while** and `code that goes on, too`."
  streamed(text, (element, soFar) => {
    lag = Math.max(lag, soFar.replace(/[*`\s]/g, "").length - words(element).length)
  })
  assert.ok(lag <= 1, `${lag} letters`)
})

// Random documents, always the same ones

const random = (seed) => {
  const next = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  for (let warm = 0; warm < 5; warm += 1) next() // small seeds start with similar numbers
  return { next, pick: (list) => list[Math.floor(next() * list.length)], upTo: (max) => 1 + Math.floor(next() * max) }
}

const INLINE = [
  "plain words",
  "**bold**",
  "*soft*",
  "`code`",
  "[link](https://example.com/a)",
  "$x_1$",
  "~~gone~~",
  "2 * 3",
  "a_b_c",
  "これは**強調**です",
  "![p](https://example.com/p.png)",
  "https://example.com/x",
  "**bold `code` and [link](https://example.com)**",
  "word[^1]",
  "\\*",
  "&lt;",
  "<b>raw</b>",
  '"quoted"',
  "(in brackets)",
  "$5",
  "line\nbreak",
  "5 < 6",
  "[ref]",
  "[two][ref]",
  "<!-- c -->",
]

const randomDocument = (seed) => {
  const { pick, upTo, next } = random(seed)
  const line = () =>
    Array.from({ length: upTo(5) }, () => pick(INLINE))
      .join(" ")
      .replaceAll("\n", next() < 0.5 ? " " : "\n")
  const flat = () => line().replaceAll("\n", " ")
  const kinds = [
    () => line(),
    () => `${"#".repeat(upTo(4))} ${flat()}`,
    () =>
      Array.from({ length: upTo(9) }, () => `- ${flat()}${next() < 0.2 ? "\n  - nested\n  - again" : ""}`).join(
        next() < 0.2 ? "\n\n" : "\n",
      ),
    () =>
      Array.from(
        { length: 5 + upTo(9) },
        () => `- ${flat()}${pick(["\n", "\n", "\n", "\n\n", "\n\n  more\n", "\n  1. x\n\n  2. y\n"])}`,
      ).join(""),
    () =>
      `- a\n- b\n- c\n- d\n${pick(["", "\n", "\n  ", "\n    ", "  "])}and a line that goes on for a while, so that it is long`,
    () => Array.from({ length: upTo(6) }, (_, n) => `${n + 1}. ${flat()}`).join("\n"),
    () => Array.from({ length: upTo(4) }, (_, n) => `- [${n % 2 ? "x" : " "}] ${flat()}`).join("\n"),
    () => `| a | b |\n|---|:-:|\n${Array.from({ length: upTo(12) }, () => `| ${flat()} | ${flat()} |`).join("\n")}`,
    () =>
      `\`\`\`${pick(["js", "python", "", "mermaid"])}\n${Array.from({ length: upTo(12) }, () => pick(["const x = 1", "", "  if (x) {", "# no heading", "- no list", "`tick`", "| no | table |"])).join("\n")}\n\`\`\``,
    () => `> ${flat()}\n> ${flat()}`,
    () => "---",
    () => "$$\nx^2 + y\n$$",
    () => `- item\n\n  more of it\n\n      indented\n- ${flat()}`,
    () => `1. step\n   \`\`\`sh\n   run ${upTo(9)}\n   \`\`\`\n2. next`,
    () => "[ref]: https://example.com/ref",
    () => "[^1]: A note **with** marks.",
    () => `Title\n${pick(["===", "---"])}`,
  ]
  return Array.from({ length: upTo(9) }, () => pick(kinds)()).join(next() < 0.8 ? "\n\n" : "\n")
}

const sizesOf = (seed) => Array.from({ length: 5 }, random(seed).upTo.bind(null, seed % 3 ? 6 : 60))

test("random documents render alike, streamed or at once", slow, () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const text = randomDocument(seed)
    assert.equal(
      streamed(text, undefined, sizesOf(seed)).innerHTML,
      atOnce(text).innerHTML,
      `document ${seed}: ${JSON.stringify(text)}`,
    )
  }
})

test("a long document renders alike too, and only its last chunk is unfinished", () => {
  const text = Array.from({ length: 60 }, (_, seed) => randomDocument(seed + 1)).join("\n\n")
  const grown = streamed(text, undefined, [97, 13, 211])
  assert.equal(grown.innerHTML, atOnce(text).innerHTML)
  const chunks = [...grown.children]
  assert.ok(chunks.length > 3, `${chunks.length} chunks of ${text.length} characters`)
  const isFinished = chunks.map((chunk) => chunk.classList.contains("prose__chunk--finished"))
  assert.deepEqual(isFinished, [...chunks.slice(1).fill(true), false])
})

test("nothing is shown of random documents that later disappears", slow, () => {
  for (let seed = 1; seed <= 120; seed += 1) {
    // Only a link definition decides whether brackets are a link; footnotes are assumed to have their definition.
    const text = randomDocument(seed)
      .replaceAll(/\[ref\](?!:)|\[two\]/g, "ref")
      .concat("\n\n[^1]: A note.\n")
    const end = words(atOnce(text))
    streamed(
      text,
      (element, soFar) => {
        const shown = words(element)
        if (end.startsWith(shown)) return
        assert.fail(
          `document ${seed}, after ${JSON.stringify(soFar)}: ${JSON.stringify(shown.slice(-60))}\n in ${JSON.stringify(text)}`,
        )
      },
      sizesOf(seed),
    )
  }
})
