// A block of code: its language, its buttons (block_actions.js listens to them), and its text, highlighted once the
// highlighter is loaded.

import { strings } from "../i18n/strings.js"
import { LazyLibrary } from "../ui/lazy_library.js"
import { newButton, newCopyButton } from "./block_buttons.js"
import { endOfPiece, isHighlightable } from "./code_pieces.js"
import { runSoon } from "./frame_budget.js"
import { morphChildren } from "./morph.js"
import { makeScrollable } from "./scrollable.js"

const FILE_EXTENSIONS = new Map(
  Object.entries({
    bash: "sh",
    csharp: "cs",
    javascript: "js",
    kotlin: "kt",
    markdown: "md",
    mermaid: "mmd",
    perl: "pl",
    plaintext: "txt",
    python: "py",
    ruby: "rb",
    rust: "rs",
    shell: "sh",
    text: "txt",
    typescript: "ts",
    zsh: "sh",
  }),
)

const highlighter = new LazyLibrary(async () => (await import("../../../vendor/highlight.js")).default)

/** Highlights its text in pieces, so that finished ones stay and no frame pays for all of it. */
export class CodeBlock {
  #element
  #code = document.createElement("code")
  #label = document.createElement("span")
  #language = null // in lower case
  #text = ""
  #pieces = [] // { start, end, element }

  constructor(element) {
    this.#element = element
    element.className = "code"
    const pre = document.createElement("pre")
    makeScrollable(pre, this.#code)
    pre.dir = "ltr"
    pre.append(this.#code)
    element.append(newHead(this.#label), pre)
  }

  get source() {
    return this.#text
  }

  /** What is downloaded. */
  get file() {
    const extension = /^\w{1,10}$/.exec(FILE_EXTENSIONS.get(this.#language) ?? this.#language)?.[0]
    return { content: `${this.#text}\n`, type: "text/plain;charset=utf-8", name: `code.${extension ?? "txt"}` }
  }

  /** Turns the wrapping of long lines on or off. Returns whether it is on now. */
  toggleWrap() {
    return this.#element.classList.toggle("code--wrapped")
  }

  show({ language, text }) {
    if (language.toLowerCase() !== this.#language) this.#setLanguage(language)
    else if (text === this.#text) return
    else if (!text.startsWith(this.#text)) this.#removePieces()
    this.#text = text
    this.#showFrom(this.#pieces.pop())
  }

  // Shows the text from its last piece on, which grows and may become several.
  #showFrom(last) {
    let start = last?.start ?? 0
    let element = last?.element
    do {
      const isGrowing = Boolean(element)
      element ??= this.#code.appendChild(document.createElement("span"))
      const piece = { start, end: endOfPiece(this.#text, start), element }
      this.#pieces.push(piece)
      this.#renderPiece(piece, isGrowing)
      start = piece.end
      element = null
    } while (start < this.#text.length)
  }

  #setLanguage(language) {
    this.#language = language.toLowerCase()
    this.#label.textContent = language || strings.codeWithoutLanguage
    this.#removePieces()
  }

  #removePieces() {
    for (const { element } of this.#pieces.splice(0)) element.remove()
  }

  // Highlights at once the piece that grows, which people watch; the others may get their colors a little later.
  #renderPiece(piece, isGrowing) {
    const text = this.#text.slice(piece.start, piece.end)
    const highlight = () => morphChildren(piece.element, highlighted(text, this.#language))
    if (isGrowing && highlighter.value && this.#canHighlight(text)) return highlight()
    morphChildren(piece.element, textFragment(text))
    if (this.#canHighlight(text)) highlighter.use(() => runSoon(() => this.#pieces.includes(piece) && highlight()))
  }

  #canHighlight(text) {
    if (this.#language === "" || PLAIN_LANGUAGES.test(this.#language) || !isHighlightable(text)) return false
    return !highlighter.value || Boolean(highlighter.value.getLanguage(this.#language))
  }
}

const PLAIN_LANGUAGES = /^(?:text|txt|plain|plaintext|output|log|mermaid)$/

const newHead = (label) => {
  const head = document.createElement("div")
  head.className = "code__header"
  label.className = "code__language"
  const tools = document.createElement("span")
  tools.className = "code__tools"
  const wrap = newButton("wrap", strings.wrap, "wrap")
  wrap.setAttribute("aria-pressed", "false")
  tools.append(wrap, newButton("download", strings.download, "download"), newCopyButton("copy-code", strings.copy))
  head.append(label, tools)
  return head
}

const textFragment = (text) => {
  const fragment = document.createDocumentFragment()
  fragment.append(text)
  return fragment
}

// The highlighter returns HTML of spans and five entities; exactly that is read.
const highlighted = (text, language) => {
  if (!highlighter.value.getLanguage(language)) return textFragment(text)
  const { value } = highlighter.value.highlight(text, { language, ignoreIllegals: true })
  const fragment = document.createDocumentFragment()
  const ancestors = [fragment]
  for (const [token, className] of value.matchAll(/<span class="([\w -]*)">|<\/span>|[^<]+/g)) {
    if (className !== undefined) {
      const span = document.createElement("span")
      span.className = className
      ancestors.at(-1).append(span)
      ancestors.push(span)
    } else if (token === "</span>") ancestors.pop()
    else ancestors.at(-1).append(token.replace(/&(?:amp|lt|gt|quot|#x27);/g, (entity) => ENTITIES[entity]))
  }
  return fragment
}

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'" }
