// Markdown that grows, as elements. What is finished keeps its nodes and costs nothing; only what changes at the end is read
// and made again, and even there only what differs.

import { grown, livingIn, wake } from "./grow.js";
import { held } from "./halfway.js";
import { blocksOf } from "./markdown.js";
import { itemOf, nodeOf, rowOf } from "./nodes.js";

const LONG = 4_000 // characters; a longer stretch of blocks is laid out and painted for itself, and not at all out of sight
const DECIDED = 20 // characters of a block, after which it cannot change the one before any more
const FENCE = /^(`{3,}|~{3,})[^\n]*\n/
const FENCE_LINE = /^ {0,3}(?:`{3,}|~{3,})/m

export class Growth {
  #element
  #text = ""
  #isDone = false
  #blocks = [] // { type, raw, start, node, home } and what `aspects` adds, without the space between them
  #links = {} // definitions in blocks that will not change
  #settled = 0 // so many blocks have told their definitions
  #notes = new Set() // names of footnotes

  constructor(element) {
    this.#element = element
  }

  // `text` is all of it so far; `done` tells that nothing follows.
  show(text, { done }) {
    if (text.includes("\r")) text = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n")
    if (text === this.#text && done === this.#isDone) return
    if (this.#isDone || !text.startsWith(this.#text)) this.#forget()
    this.#text = text
    this.#isDone = done
    if (done && /\]:|\[\^/.test(text)) this.#readAll() // a definition changes blocks far away from it
    else if (!this.#growLast()) this.#readFrom(this.#firstUndecided())
    wake(this.#element)
  }

  #forget() {
    this.#drop(0)
    this.#links = {}
    this.#settled = 0
    this.#notes = new Set()
  }

  // More text can change the last block, and by its first letters the one before.
  #firstUndecided() {
    const last = this.#blocks.length - 1
    const isDecided = last > 0 && this.#text.length - this.#blocks[last].start > DECIDED
    return Math.max(0, isDecided ? last : last - 1)
  }

  #readFrom(index) {
    const start = this.#blocks[index]?.start ?? 0
    for (; this.#settled < index; this.#settled += 1) {
      const { tag, link } = this.#blocks[this.#settled]
      if (tag !== undefined) this.#links[tag] ??= link
    }
    this.#place(index, this.#lex(this.#text.slice(start)), start)
  }

  #readAll() {
    this.#links = {}
    const tokens = this.#lex(this.#text)
    this.#notes = new Set(notesIn(tokens))
    for (const block of this.#blocks) if (block.raw?.includes("[")) block.raw = null
    this.#place(0, tokens, 0)
  }

  #lex(text) {
    const isGrowing = !this.#isDone
    return blocksOf(isGrowing ? held(text) : text, { links: this.#links, isGrowing })
  }

  // From this index on, the blocks are these tokens, of which the first begins at `start`.
  #place(index, tokens, start) {
    for (const token of tokens) {
      if (token.type !== "space") {
        const isLast = token === tokens.at(-1)
        this.#put(index, token, start, !this.#isDone && isLast ? null : token.raw)
        index += 1
      }
      start += token.raw.length
    }
    this.#drop(index)
  }

  // `raw` is what the block was made from; null if it will be another.
  #put(index, token, start, raw) {
    const old = this.#blocks[index]
    if (old && raw !== null && old.raw === raw && old.type === token.type) return
    const home = old?.home ?? this.#homeFor(start)
    let node = nodeOf(token, this.#about)
    if (node && old?.node) node = grown(old.node, node)
    else if (node) home.insertBefore(node, this.#nodeAfter(index, home))
    else old?.node?.remove()
    this.#blocks[index] = { type: token.type, raw, start, node, home, ...aspects[token.type]?.(token, start) }
  }

  // The stretch for another block at the end. A heading stays with what it is about.
  #homeFor(start) {
    const last = this.#blocks.at(-1)
    if (last && (last.type === "heading" || start - this.#startOf(last.home) < LONG)) return last.home
    last?.home.classList.add("prose__part--whole")
    const home = document.createElement("div")
    home.className = "prose__part"
    this.#element.append(home)
    return home
  }

  #startOf(home) {
    return this.#blocks.findLast((block, index) => block.home === home && this.#blocks[index - 1]?.home !== home).start
  }

  get #about() {
    return { notes: this.#notes, isGrowing: !this.#isDone }
  }

  #nodeAfter(index, home) {
    for (let next = index + 1; this.#blocks[next]?.home === home; next += 1) {
      if (this.#blocks[next].node) return this.#blocks[next].node
    }
    return null
  }

  #drop(index) {
    for (const { node } of this.#blocks.splice(index)) node?.remove()
    const last = this.#blocks.at(-1)?.home
    while (this.#element.lastChild && this.#element.lastChild !== last) this.#element.lastChild.remove()
    last?.classList.remove("prose__part--whole")
  }

  // A long code block, list or table costs no more than its last lines. False: it has to be read as a whole.
  #growLast() {
    const block = this.#blocks.at(-1)
    switch (block?.type) {
      case "code": return this.#growCode(block)
      case "list": return this.#growList(block)
      case "table": return this.#growTable(block)
      default: return false
    }
  }

  #growCode(block) {
    const text = this.#text
    if (this.#isDone || !block.head || FENCE_LINE.test(text.slice(block.seen))) return false
    block.seen = text.lastIndexOf("\n") + 1
    const code = text.slice(block.start + block.head).replace(/\n {0,3}[`~]{0,2}$/, "")
    livingIn(block.node).show({ language: block.language, text: code, isOpen: true })
    return true
  }

  #growList(block) {
    const { items, ordered, loose, node } = block
    const first = items.length - 2
    if (first < 2) return false
    const tokens = this.#lex(this.#text.slice(items[first]))
    const [list] = tokens
    if (list?.type !== "list" || list.ordered !== ordered || (list.loose && !loose)) return false
    this.#rows(node, first, list.items.map((item) => itemOf(item, loose, this.#about)))
    this.#goOn(block, { items: [...items.slice(0, first), ...aspects.list(list, items[first]).items] }, tokens, items[first])
    return true
  }

  #growTable(block) {
    const { head, rows, columns, node } = block
    const first = rows.length - 2
    if (first < 2) return false
    const tokens = this.#lex(head + this.#text.slice(rows[first]))
    const [table] = tokens
    if (table?.type !== "table" || table.header.length !== columns) return false
    this.#rows(node.querySelector("tbody"), first, table.rows.map((row) => rowOf(row, this.#about)))
    const start = rows[first] - head.length
    this.#goOn(block, { rows: [...rows.slice(0, first), ...aspects.table(table, start).rows] }, tokens, start)
    return true
  }

  #rows(parent, first, nodes) {
    let old = parent.children[first]
    for (const node of nodes) {
      const next = old?.nextElementSibling
      if (old) grown(old, node)
      else parent.append(node)
      old = next
    }
    while (parent.children.length > first + nodes.length) parent.lastElementChild.remove()
  }

  // The block is as new, and what was read behind it follows.
  #goOn(block, changes, [read, ...others], start) {
    const end = start + read.raw.length
    Object.assign(block, changes, { raw: others.length ? this.#text.slice(block.start, end) : null })
    this.#place(this.#blocks.length, others, end)
  }
}

// What of a block is needed to go on with it.
const aspects = {
  def: ({ tag, href, title }) => ({ tag, link: { href, title } }),
  code({ raw, lang }, start) {
    const head = FENCE.exec(raw)?.[0].length
    return { head, language: /^[\w+#.-]*/.exec(lang ?? "")[0], seen: start + (head ?? 0) }
  },
  list({ ordered, loose, items }, start) {
    return { ordered, loose, items: items.map(({ raw }) => (start += raw.length) - raw.length) }
  },
  table({ raw, header, rows }, start) {
    const [first, second, ...lines] = raw.split("\n")
    const head = `${first}\n${second}\n`
    start += head.length
    return { head, columns: header.length, rows: rows.map((_, row) => (start += lines[row].length + 1) - lines[row].length - 1) }
  },
}

const notesIn = (tokens) =>
  tokens.flatMap((token) => (token.type === "note" ? [token.label] : token.tokens ? notesIn(token.tokens) : []))
