// Markdown -> tokens. Knows no DOM; nodes.js makes elements of them.
//
// What differs from GitHub's dialect: raw HTML stays text (but comments vanish, and <br> breaks a line), a line break is one,
// formulas and footnotes are known, Japanese letters count as spaces beside emphasis. (Imports end with a semicolon because
// Django's manifest storage only sees those.)

import { Lexer, Marked, Tokenizer } from "../../vendor/marked.js";
import { ADDRESS_TO_COME, settled } from "./halfway.js";

const DEEPEST = 16 // quotes and lists within each other; what is deeper is shown as it was written
const NESTED = 24 // emphasis and links within each other
const LONGEST = 20_000 // characters of one paragraph; a longer one is no prose, and its marks may cost minutes to match
const MOST_MARKS = 1_000 // in one paragraph
const FAR = 4_000 // characters

// Text -> blocks. Each has `raw`, the text it was made from; `links` are the link definitions found, and those given.
// A text that still grows is read as if what it left open were closed.
export const blocksOf = (text, { links = {}, isGrowing = false } = {}) => {
  const reader = new Reader(options, isGrowing)
  Object.assign(reader.tokens.links, links)
  return reader.lex(text)
}

// The last leaf of the text, if more text would go on with it.
const endsOpen = (tokens) => {
  const last = tokens?.at(-1)
  switch (last?.type) {
    case "text":
    case "paragraph": return true
    case "heading": return /^ {0,3}#/.test(last.raw) && !last.raw.endsWith("\n")
    case "table": return !last.raw.endsWith("\n")
    case "list": return endsOpen(last.items.at(-1)?.tokens)
    case "blockquote":
    case "note": return endsOpen(last.tokens)
    default: return false
  }
}

class Reader extends Lexer {
  #isGrowing
  #depth = 0
  #nesting = 0

  constructor(options, isGrowing) {
    super(options)
    this.#isGrowing = isGrowing
  }

  lex(text) {
    this.blockTokens(text, this.tokens)
    if (this.#isGrowing && endsOpen(this.tokens)) this.#settleLast()
    for (const { src, tokens } of this.inlineQueue) this.inlineTokens(src, tokens)
    return this.tokens
  }

  blockTokens(text, tokens = [], isClipped = false) {
    if (this.#depth >= DEEPEST) {
      tokens.push({ type: "text", raw: text, text, tokens: [{ type: "text", raw: text, text }] })
      return tokens
    }
    this.#depth += 1
    try {
      return super.blockTokens(text, tokens, isClipped)
    } finally {
      this.#depth -= 1
    }
  }

  inlineTokens(text, tokens = []) {
    if (this.#nesting >= NESTED || isTooMuch(text)) {
      tokens.push({ type: "text", raw: text, text })
      return tokens
    }
    this.#nesting += 1
    try {
      return super.inlineTokens(text, tokens)
    } finally {
      this.#nesting -= 1
    }
  }

  #settleLast() {
    const last = this.inlineQueue.findLast(({ src }) => src)
    if (!last || isTooMuch(last.src)) return
    last.src = settled(last.src)
    this.inlineTokens(last.src, last.tokens)
    this.inlineQueue.splice(this.inlineQueue.indexOf(last), 1)
    forgetAddress(last.tokens)
  }
}

// An address that may go on leads nowhere yet.
const forgetAddress = (tokens) => {
  const last = tokens.at(-1)
  if (last?.type === "link" && last.autolink) last.href = ADDRESS_TO_COME
  else if (last?.type !== "link" && last?.tokens) forgetAddress(last.tokens)
}

const isTooMuch = (text) =>
  text.length > LONGEST || (text.length > MOST_MARKS && text.match(/[*_[\]`~<$\\]/g)?.length > MOST_MARKS)

const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef]/u

const tokenizer = {
  html: () => undefined, // falls through to text
  tag(source) {
    const comment = /^<!--[^]*?-->/.exec(source)?.[0]
    if (comment) return { type: "comment", raw: comment }
    const raw = /^<br\s*\/?>/i.exec(source)?.[0]
    return raw && { type: "br", raw }
  },

  // CommonMark refuses **「強調」** between letters, because it expects spaces between words; Japanese has none.
  emStrong(source, masked, before) {
    const usual = Tokenizer.prototype.emStrong.call(this, source, masked, before)
    if (usual || !source.startsWith("**")) return usual
    const raw = /^\*\*(?=[^\s*])(?:[^*\n]|\*(?!\*))*?[^\s*]\*\*(?!\*)/u.exec(masked.slice(-source.length))?.[0]
    if (!raw) return undefined
    const text = source.slice(2, raw.length - 2)
    const edges = before + text.at(0) + text.at(-1) + (source[raw.length] ?? "")
    if (!CJK.test(edges)) return undefined
    return { type: "strong", raw: source.slice(0, raw.length), text, tokens: this.lexer.inlineTokens(text) }
  },

  // A bare address ends where ASCII ends: in Japanese the sentence goes on behind it without a space.
  url(source) {
    const address = /^[\x21-\x7e]+/.exec(source)?.[0]
    return address && Tokenizer.prototype.url.call(this, address)
  },
}

// Formulas: $$…$$ and \[…\] stand by themselves where they begin a line, $…$ and \(…\) in a line. Prices are none: "$5 and $6".

const FORMULAS = {
  block: /^[ \t]{0,3}(?:\$\$((?:[^$]|\$(?!\$))+)\$\$|\\\[((?:[^\\]|\\(?!\]))+)\\\])[ \t]*(?=\n|$)/,
  inline: /^(?:\$\$([^$\n]+)\$\$|\\\[([^\n]+?)\\\]|\$(?!\s)((?:\\[^\n]|[^$\\\n])+)\$(?!\d)|\\\(([^\n]+?)\\\))/,
}

const formula = (name, level, start) => ({
  name,
  level,
  start,
  tokenizer(source) {
    const match = FORMULAS[level].exec(source)
    if (!match) return undefined
    const [raw, ...texts] = match
    const text = texts.find((one) => one !== undefined)
    if (!text.trim() || (texts[2] && /\s$/.test(text))) return undefined
    return { type: name, raw, text: text.trim(), isDisplayed: texts[2] === undefined && texts[3] === undefined }
  },
})

// Where a line begins that ends the paragraph before it; undefined where none does. Far away is not looked for, because each
// paragraph asks.
const atLineStart = (rule) => (source) => {
  const [near] = source.slice(0, FAR).split("\n\n", 1)
  const index = near.search(rule)
  return index < 0 ? undefined : index + 1
}

// Footnotes: [^name] in a line, and what it says in a block "[^name]: …"; lines that go on with it may be indented.

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
  for (let at = end + 1, isApart = false; at <= source.length;) {
    const next = lineEnd(source, at)
    const line = source.slice(at, next)
    if (!line.trim()) isApart = true
    else if (isApart ? !/^(?:  |\t)/.test(line) : NOTE.test(line)) break
    else [end, isApart] = [next, false]
    at = next + 1
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
  start: (source) => source.match(/\[\^/)?.index,
  tokenizer(source) {
    const [raw, label] = /^\[\^([^\]\s]{1,99})\]/.exec(source) ?? []
    return raw && { type: "noteMark", raw, label }
  },
}

const options = new Marked({
  gfm: true,
  breaks: true, // models write verses and addresses, and expect each line to stay one
  tokenizer,
  extensions: [
    formula("formulaBlock", "block", atLineStart(/\n[ \t]{0,3}(?:\$\$|\\\[)/)),
    formula("formula", "inline", (source) => source.match(/\$|\\[([]/)?.index),
    noteBlock,
    noteMark,
  ],
}).defaults
