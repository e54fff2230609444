// Markdown -> tokens. Uses no DOM; render.js makes elements of them.
//
// Differences from GitHub's dialect: raw HTML stays text (but comments vanish, <br> breaks the line, and inline_html.js names
// the elements that are read), a line break stays one, there are formulas and footnotes, a single ~ strikes nothing, and emphasis needs no spaces beside Chinese, Japanese and Korean.

import { Lexer, Marked, Tokenizer } from "../../../vendor/marked.js"
import { addressAt, maskAddresses } from "./addresses.js"
import { findEmphasis } from "./emphasis.js"
import { delimitedAt, formulaAt, maskFormulas, openFormula } from "./formulas.js"
import { closeOpenMarks, INCOMPLETE_URL } from "./incomplete.js"
import { htmlAt } from "./inline_html.js"
import { inlineQueueOf, removeFromQueue } from "./marked_internals.js"
import { readInWindows } from "./windows.js"

const MAX_BLOCK_DEPTH = 16 // quotes and lists within each other; deeper ones stay text
const MAX_INLINE_DEPTH = 24 // emphasis and links within each other
const MAX_PARAGRAPH_LENGTH = 20_000 // characters; a longer one is no prose, and matching its marks can take minutes
const MAX_MARKS = 1_000 // in one paragraph
const MAX_LOOKAHEAD = 1_000 // characters
const MAX_COLUMNS = 10 // of a table; one with more has as many cells as its text has characters, at most
const MAX_ADDRESS_LENGTH = 2_000 // characters; a longer one is text

/**
 * Returns the blocks of a text. Each has `raw`, the text it was made from; `links` are link definitions from outside the text.
 * A text that still grows is read as if the marks that it leaves open were closed.
 */
export const parseBlocks = (text, { links = {}, isGrowing = false } = {}) => {
  const lexer = new LimitedLexer(isGrowing)
  Object.assign(lexer.tokens.links, links)
  return lexer.lex(text)
}

// Whether more text would continue the last leaf of these blocks.
const endsOpen = (tokens) => {
  const last = tokens?.at(-1)
  switch (last?.type) {
    case "text":
    case "paragraph":
      return true
    case "heading":
      return /^ {0,3}#/.test(last.raw) && !last.raw.endsWith("\n")
    case "table":
      return !last.raw.endsWith("\n")
    case "list":
      return endsOpen(last.items.at(-1)?.tokens)
    case "blockquote":
    case "note":
      return endsOpen(last.tokens)
    default:
      return false
  }
}

// A lexer that stops where a text is nested too deeply, and closes the open marks at the end of a growing text.
export class LimitedLexer extends Lexer {
  #isGrowing
  #isAtGrowingEnd = false
  #blockDepth = 0
  #inlineTexts = [] // those being read, each within the one before: { text, emphasis, start, end } of the whole text
  #within = null // the same of the next text, if it is inside of emphasis

  constructor(isGrowing = false) {
    super(options)
    this.#isGrowing = isGrowing
  }

  lex(text) {
    const queue = inlineQueueOf(this)
    if (!queue) return super.lex(text)
    readInWindows(text, this.tokens, {
      read: (window, tokens) => this.blockTokens(window, tokens),
      forget: (tokens) => removeFromQueue(queue, tokens),
    })
    if (this.#isGrowing && endsOpen(this.tokens)) this.#closeLast(queue)
    for (const { src, tokens } of queue) this.inlineTokens(src, tokens)
    return this.tokens
  }

  blockTokens(text, tokens = [], isClipped = false) {
    if (this.#blockDepth >= MAX_BLOCK_DEPTH) {
      tokens.push({ type: "text", raw: text, text, tokens: [{ type: "text", raw: text, text }] })
      return tokens
    }
    this.#blockDepth += 1
    try {
      return super.blockTokens(text, tokens, isClipped)
    } finally {
      this.#blockDepth -= 1
    }
  }

  inlineTokens(text, tokens = []) {
    const within = this.#within
    this.#within = null
    if (this.#inlineTexts.length >= MAX_INLINE_DEPTH || isTooMuch(text)) {
      tokens.push({ type: "text", raw: text, text })
      return tokens
    }
    this.#inlineTexts.push(within ?? { text, emphasis: null, start: 0, end: text.length })
    try {
      return super.inlineTokens(text, tokens)
    } finally {
      this.#inlineTexts.pop()
    }
  }

  /** Returns the token of the emphasis at the beginning of `source`, the rest of the text being read. `masked` is all of it. */
  emphasisAt(source, masked) {
    const level = this.#inlineTexts.at(-1)
    level.emphasis ??= findEmphasis(level.text, maskAddresses(level.text, maskFormulas(level.text, masked)), {
      isGrowing: this.#isAtGrowingEnd,
    })
    const at = level.end - source.length
    const { kind, width, end } = level.emphasis.get(at) ?? {}
    if (!kind) return undefined
    const raw = source.slice(0, end - at)
    const text = raw.slice(width, -width)
    this.#within = { ...level, start: at + width, end: end - width }
    return { type: kind, raw, text, tokens: this.inlineTokens(text) }
  }

  /** Returns the formula at the beginning of `source`, the rest of the text being read. */
  formulaAt(source) {
    const level = this.#inlineTexts.at(-1)
    const at = level.end - source.length
    const formula = formulaAt(level.text, at)
    if (!formula || formula.end > level.end) return undefined
    return { ...formula, raw: source.slice(0, formula.end - at) }
  }

  #closeLast(queue) {
    const last = queue.findLast(({ src }) => src)
    if (!last || isTooMuch(last.src)) return
    this.#isAtGrowingEnd = true
    this.inlineTokens(closeOpenMarks(last.src), last.tokens)
    this.#isAtGrowingEnd = false
    queue.splice(queue.indexOf(last), 1)
    markIncompleteUrl(last.tokens)
  }
}

// A bare address at the very end may go on: it is no link to anywhere yet.
const markIncompleteUrl = (tokens) => {
  const last = tokens.at(-1)
  if (last?.type === "link" && last.autolink) last.href = INCOMPLETE_URL
  else if (last?.type !== "link" && last?.tokens) markIncompleteUrl(last.tokens)
}

// Marked looks from each mark through the rest of the paragraph.
const isTooMuch = (text) =>
  text.length > MAX_PARAGRAPH_LENGTH ||
  (text.length > MAX_MARKS && (text.match(MARK) ?? []).filter((mark) => mark !== "\n").length > MAX_MARKS)

const MARK =
  /[\\<`*~_$\n[]|!(?=\[)|(?:https?|ftp):\/\/|(?<![^\s*_~(\u1100-\uffef])www\.|(?<![a-z\d])(?:mailto|xmpp):|(?<![\w.+-])[\w.+-]{1,64}@/gi

// Where the text at the beginning of a source ends: before the next mark or address, and before the spaces that end a line.
const endOfInlineText = (source) => {
  MARK.lastIndex = /^(?:`+|~+|[\s\S])/.exec(source)[0].length
  const { 0: mark, index } = MARK.exec(source) ?? { index: source.length }
  if (mark !== "\n") return index
  let end = index
  while (source[end - 1] === " ") end -= 1
  return end || index + 1
}

// The lines at the beginning of a source up to a blank one, and not many of them: for what is looked for at every paragraph.
const nearLines = (source) => {
  const near = source.slice(0, MAX_LOOKAHEAD)
  const [lines] = near.split("\n\n", 1)
  return lines.length < near.length || near.length === source.length ? lines : near.slice(0, near.lastIndexOf("\n") + 1)
}

// Whether a table may begin here. Marked fills short rows with empty cells, so that a wide head would make a large table of
// little text.
const mayBeTable = (source) => {
  const [head, delimiters] = source.split("\n", 2)
  if (!/^[ \t|:-]+$/.test(delimiters) || !/[|:]/.test(delimiters)) return false
  const columns = head.split("|").length
  if (columns <= MAX_COLUMNS) return true
  const [text] = source.split(/\n[ \t]*\n/, 1)
  return columns * text.split("\n").length <= text.length
}

const tokenizer = {
  html: () => undefined, // raw HTML becomes text
  tag(source) {
    const comment = /^<!--[\s\S]*?-->/.exec(source)?.[0]
    if (comment) return { type: "comment", raw: comment }
    const raw = /^<br\s*\/?>/i.exec(source)?.[0]
    if (raw) return { type: "br", raw }
    const { name, contentStart, contentEnd, end } = htmlAt(source, 0) ?? { end: -1 }
    if (end < 0) return undefined
    return {
      type: "element",
      name,
      raw: source.slice(0, end),
      tokens: this.lexer.inlineTokens(source.slice(contentStart, contentEnd)),
    }
  },

  emStrong(source, masked) {
    return /^[*_]/.test(source) ? this.lexer.emphasisAt(source, masked) : undefined
  },

  del(source, masked) {
    return source.startsWith("~~") ? this.lexer.emphasisAt(source, masked) : undefined
  },

  // Marked's own expression looks far ahead from every character: for an address, and for the end of a line behind spaces.
  inlineText(source) {
    const raw = source.slice(0, endOfInlineText(source))
    return { type: "text", raw, text: raw, escaped: false }
  },

  lheading(source) {
    return Tokenizer.prototype.lheading.call(this, nearLines(source))
  },

  table(source) {
    return mayBeTable(source) ? Tokenizer.prototype.table.call(this, source) : undefined
  },

  url(source) {
    const { end } = addressAt(source.slice(0, 2 * MAX_ADDRESS_LENGTH), 0)
    if (end > 0) {
      const raw = source.slice(0, end)
      const href = /^www\./i.test(raw) ? `http://${raw}` : raw
      return { type: "link", raw, text: raw, href, autolink: true, tokens: [{ type: "text", raw, text: raw }] }
    }
    if (/^(?:https?:|ftp:|www\.)/i.test(source)) return undefined
    const address = /^[\x21-\x7e]+/.exec(source.slice(0, MAX_ADDRESS_LENGTH + 1))?.[0] // of mail
    return address && address.length <= MAX_ADDRESS_LENGTH && Tokenizer.prototype.url.call(this, address)
  },
}

// Formulas are blocks where they begin a line.

const BLOCK_FORMULA = /^[ \t]{0,3}(?=\$\$|\\\[|\\begin\{)/
const OTHER_BLOCK = /^(?: {0,3}(?:[#>|=`~]|[-*+][ \t]|\d{1,9}[.)][ \t])| {4}|\t|[ \t]*\n)/

const formulaBlock = {
  name: "formulaBlock",
  level: "block",
  // The line that begins a formula, outside of one that began within a line.
  start(source) {
    const near = nearLines(source)
    for (const { index } of near.matchAll(/\n[ \t]{0,3}(?:\$\$|\\\[|\\begin\{)/g)) {
      if (openFormula(near.slice(0, index)) < 0) return index + 1
    }
    return undefined
  },
  tokenizer(source) {
    const indent = BLOCK_FORMULA.exec(source)?.[0].length
    const formula = indent === undefined ? undefined : delimitedAt(source, indent)
    if (!formula || formula.end < 0) return undefined
    const text = source.slice(formula.start, formula.stop)
    const rest = source.slice(formula.end, lineEnd(source, formula.end))
    const endsSentence = /^[.,;:。、，．]?$/.test(rest.trim())
    if (!text.trim() || !(endsSentence || (text.includes("\n") && !/\n[ \t]*\n/.test(text)))) return undefined
    const mark = endsSentence ? rest.trim() : ""
    const raw = source.slice(0, endsSentence ? formula.end + rest.length : formula.end)
    return { type: "formulaBlock", raw, text: text.trim() + (mark && `\\text{${mark}}`), isDisplayed: true }
  },
}

// A paragraph with a formula over several lines, of which one may look like the beginning of a list: "\\(x\n+ y\\)".
const formulaParagraph = {
  name: "formulaParagraph",
  level: "block",
  tokenizer(source) {
    if (OTHER_BLOCK.test(source)) return undefined
    const near = nearLines(source)
    if (!/\$\$|\\[[(b]/.test(near)) return undefined
    const { paragraph } = this.lexer.options.tokenizer.rules.block
    let end = paragraph.exec(near)?.[0].length ?? near.length
    const first = end
    for (let open = openFormula(near.slice(0, end)); open >= 0; open = openFormula(near.slice(0, end))) {
      const formula = delimitedAt(near, open)
      if (formula.end < 0) break
      end = formula.end + (paragraph.exec(`x${near.slice(formula.end)}`)?.[0].length ?? 1) - 1
    }
    if (end === first) return undefined
    const raw = source.slice(0, end)
    const text = raw.replace(/\n$/, "")
    return { type: "paragraph", raw, text, tokens: this.lexer.inline(text) }
  },
}

const formula = {
  name: "formula",
  level: "inline",
  tokenizer(source) {
    const found = /^[$\\]/.test(source) && this.lexer.formulaAt(source)
    return found ? { type: "formula", raw: found.raw, text: found.text, isDisplayed: found.isDisplayed } : undefined
  },
}

// Returns a function for the place of a line that ends the paragraph before it, or undefined.
const atLineStart = (rule) => (source) => {
  const index = nearLines(source).search(rule)
  return index < 0 ? undefined : index + 1
}

// Footnotes: the mark [^name] in a text, and the block "[^name]: …", whose further lines may be indented.

const NOTE = /^ {0,3}\[\^([^\]\s]{1,99})\]:[ \t]*/

const noteBlock = {
  name: "note",
  level: "block",
  start: atLineStart(/\n {0,3}\[\^[^\]\s]{1,99}\]:/),
  tokenizer(source) {
    const [head, label] = NOTE.exec(source) ?? []
    if (!head) return undefined
    const raw = source.slice(0, endOfNote(source))
    const text = raw.slice(head.length).replace(/^(?: {1,4}|\t)/gm, "")
    return { type: "note", raw, label, tokens: this.lexer.blockTokens(text, []) }
  },
}

const endOfNote = (source) => {
  let end = lineEnd(source, 0)
  let isAfterBlankLine = false
  for (let start = end + 1; start <= source.length; ) {
    const next = lineEnd(source, start)
    const line = source.slice(start, next)
    if (!line.trim()) isAfterBlankLine = true
    else if (isAfterBlankLine ? !/^(?: {2}|\t)/.test(line) : NOTE.test(line)) break
    else {
      end = next
      isAfterBlankLine = false
    }
    start = next + 1
  }
  return end
}

const lineEnd = (source, from) => {
  const end = source.indexOf("\n", from)
  return end < 0 ? source.length : end
}

const noteMark = {
  name: "noteMark",
  level: "inline",
  tokenizer(source) {
    const [raw, label] = /^\[\^([^\]\s]{1,99})\]/.exec(source) ?? []
    return raw && { type: "noteMark", raw, label }
  },
}

const options = new Marked({
  gfm: true,
  breaks: true, // models write verses and addresses, and expect each line to stay one
  tokenizer,
  extensions: [formulaBlock, formulaParagraph, formula, noteBlock, noteMark],
}).defaults
