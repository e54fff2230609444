// A block of code: its language, buttons (reading.js hears them), and its text in colours once the highlighter is there.

import { growChildren } from "./grow.js";
import { scrollable } from "./scrollable.js";
import { soon } from "./soon.js";
import { words } from "./words.js";

// Code is coloured in pieces, so that what is finished stays and no frame pays for all of it. A piece ends before a line that
// begins at the margin, where hardly anything goes on from the line before; a very long one ends anyway.
const PIECE = 2_000 // characters
const LONG_PIECE = 6_000
const LONGEST_PIECE = 8_000 // of a single line; it stays plain
const NAMES = new Map(Object.entries({
  bash: "sh", csharp: "cs", javascript: "js", kotlin: "kt", markdown: "md", perl: "pl", plaintext: "txt", python: "py",
  ruby: "rb", rust: "rs", shell: "sh", text: "txt", typescript: "ts", zsh: "sh",
}))

export class Code {
  #element
  #code = document.createElement("code")
  #label = document.createElement("span")
  #language = null
  #text = ""
  #pieces = [] // { start, end, element }

  constructor(element) {
    this.#element = element
    element.className = "code"
    const pre = document.createElement("pre")
    scrollable(pre, this.#code)
    pre.dir = "ltr"
    pre.append(this.#code)
    element.append(headOf(this.#label), pre)
  }

  get source() {
    return this.#text
  }

  get fileName() {
    const ending = /^\w{1,10}$/.exec(NAMES.get(this.#language) ?? this.#language)?.[0]
    return `code.${ending ?? "txt"}`
  }

  // Long lines go on below instead of to the right; gives whether they do now.
  wrap() {
    return this.#element.classList.toggle("code--wrapped")
  }

  show({ language, text }) {
    if (language !== this.#language) this.#name(language)
    else if (text === this.#text) return
    else if (!text.startsWith(this.#text)) this.#drop(0)
    this.#text = text
    const last = this.#pieces.pop()
    for (let start = last?.start ?? 0; ;) {
      const end = endOfPiece(text, start)
      const isGrown = start === last?.start
      const element = isGrown ? last.element : this.#code.appendChild(document.createElement("span"))
      this.#pieces.push({ start, end, element })
      this.#colour(this.#pieces.at(-1), isGrown)
      if (end === text.length) break
      start = end
    }
  }

  #name(language) {
    this.#language = language.toLowerCase()
    this.#label.textContent = language || words.code
    this.#drop(0)
  }

  #drop(from) {
    for (const { element } of this.#pieces.splice(from)) element.remove()
  }

  // At once where it grows under the eyes of a reader; else the colours may come a little later.
  #colour(piece, isNow) {
    const text = this.#text.slice(piece.start, piece.end)
    const draw = () => growChildren(piece.element, inColours(text, this.#language))
    if (!mayHaveColours(this.#language) || text.length > LONGEST_PIECE) return growChildren(piece.element, plain(text))
    if (isNow && highlighter) return draw()
    growChildren(piece.element, plain(text))
    whenLoaded(() => soon(() => this.#pieces.includes(piece) && draw()))
  }
}

const endOfPiece = (text, start) => {
  for (let line = text.indexOf("\n", start + PIECE); line >= 0; line = text.indexOf("\n", line + 1)) {
    const next = text[line + 1]
    if (next === undefined) break
    if (line - start > LONG_PIECE || !/[\s})\]]/.test(next)) return line + 1
  }
  return text.length
}

const headOf = (label) => {
  const head = document.createElement("div")
  head.className = "code__head"
  label.className = "code__language"
  const tools = document.createElement("span")
  tools.className = "code__tools"
  tools.append(button("wrap", words.wrap), button("download", words.download), button("copy-code", words.copy))
  tools.firstChild.setAttribute("aria-pressed", "false")
  tools.lastChild.dataset.copy = "code"
  tools.lastChild.classList.add("code__copy")
  head.append(label, tools)
  return head
}

export const button = (does, says) => {
  const one = document.createElement("button")
  one.type = "button"
  one.className = "code__button"
  one.dataset.do = does
  one.textContent = says
  return one
}

// Colours

let highlighter = null
let loading = null

const whenLoaded = (then) => {
  if (highlighter) return then()
  loading ??= import("../../vendor/highlight.js").then((module) => {
    highlighter = module.default
  })
  loading.then(then, () => {
    loading = null // the network failed; the next block tries again
  })
}

const mayHaveColours = (language) =>
  language !== "" && !PLAIN.test(language) && (!highlighter || Boolean(highlighter.getLanguage(language)))

const PLAIN = /^(?:text|txt|plain|plaintext|output|log|mermaid)$/

const plain = (text) => {
  const all = document.createDocumentFragment()
  all.append(text)
  return all
}

// The highlighter gives HTML of spans and five entities; it is read as exactly that.
const inColours = (text, language) => {
  if (!highlighter.getLanguage(language)) return plain(text)
  const { value } = highlighter.highlight(text, { language, ignoreIllegals: true })
  const all = document.createDocumentFragment()
  const open = [all]
  for (const [found, scope] of value.matchAll(/<span class="([\w -]*)">|<\/span>|[^<]+/g)) {
    if (scope !== undefined) {
      const span = document.createElement("span")
      span.className = scope
      open.at(-1).append(span)
      open.push(span)
    } else if (found === "</span>") open.pop()
    else open.at(-1).append(found.replace(/&(?:amp|lt|gt|quot|#x27);/g, (sign) => SIGNS[sign]))
  }
  return all
}

const SIGNS = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'" }
