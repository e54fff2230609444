// Renders Markdown that grows. Finished blocks keep their nodes and cost nothing; only the end is parsed and rendered again, and
// even there only what differs is changed.

import { listenForBlockActions } from "./block_actions.js"
import { cutUndecided } from "./incomplete.js"
import { componentOf, morph, mount } from "./morph.js"
import { parseBlocks } from "./parse.js"
import { renderBlock, renderItem, renderRow } from "./render.js"
import { WINDOW_LENGTH } from "./windows.js"

const CHUNK_LENGTH = 4_000 // characters; the browser lays out each chunk on its own, and skips chunks that are off screen
const DECIDED_LENGTH = 20 // characters of a block, after which it can no longer change the block before
const FENCE = /^(`{3,}(?!`)|~{3,}(?!~))[^\n]*\n/
const FENCE_LINE = /^ {0,3}(?:`{3,}|~{3,})/m

export class StreamingMarkdown {
  #element
  #text = ""
  #isDone = false
  #blocks = [] // { type, raw, start, node, chunk } and what `blockDetails` adds; blocks of space are left out
  #links = {} // link definitions in blocks that will not change
  #linkedBlocks = 0 // number of blocks whose definitions are in #links
  #hasDefinitions = false // whether there are link definitions, in any block
  #notes = new Set() // names of footnotes

  constructor(element) {
    this.#element = element
    listenForBlockActions(element)
  }

  /** Shows the text so far. `done` says that nothing follows. */
  show(text, { done }) {
    if (text.includes("\r")) text = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n")
    if (text === this.#text && done === this.#isDone) return
    if (this.#isDone || !text.startsWith(this.#text)) this.#clear()
    this.#text = text
    this.#isDone = done
    if (!this.#growLast()) this.#renderFrom(this.#firstUndecided())
    if (done && (this.#hasDefinitions || text.includes("[^"))) this.#renderAll() // they change blocks far away from them
    mount(this.#element)
  }

  #clear() {
    this.#removeFrom(0)
    this.#links = {}
    this.#linkedBlocks = 0
    this.#hasDefinitions = false
    this.#notes = new Set()
  }

  // More text can change the last block, and while that is short, the one before.
  #firstUndecided() {
    const last = this.#blocks.length - 1
    const isDecided = last > 0 && this.#text.length - this.#blocks[last].start > DECIDED_LENGTH
    return Math.max(0, isDecided ? last : last - 1)
  }

  #renderFrom(index) {
    const start = this.#blocks[index]?.start ?? 0
    for (; this.#linkedBlocks < index; this.#linkedBlocks += 1) {
      const { tag, link } = this.#blocks[this.#linkedBlocks]
      if (tag !== undefined) this.#links[tag] ??= link
    }
    this.#putAll(index, this.#parse(this.#text.slice(start)), start)
  }

  #renderAll() {
    this.#links = {}
    const tokens = this.#parse(this.#text)
    this.#notes = new Set(noteNames(tokens))
    for (const block of this.#blocks) if (block.raw?.includes("[")) block.raw = null
    this.#putAll(0, tokens, 0)
  }

  #parse(text) {
    const isGrowing = !this.#isDone
    const tokens = parseBlocks(isGrowing ? cutUndecided(text) : text, { links: this.#links, isGrowing })
    this.#hasDefinitions ||= Object.keys(tokens.links).length > 0
    return tokens
  }

  // Makes these tokens, of which the first begins at `start`, the blocks from this index on.
  #putAll(index, tokens, start) {
    for (const token of tokens) {
      if (token.type !== "space") {
        const isLast = token === tokens.at(-1)
        this.#put(index, token, start, !this.#isDone && isLast ? null : token.raw)
        index += 1
      }
      start += token.raw.length
    }
    this.#removeFrom(index)
  }

  // `raw` is the text the block was made from; null if it will change.
  #put(index, token, start, raw) {
    const old = this.#blocks[index]
    if (old && raw !== null && old.raw === raw && old.type === token.type) return
    const chunk = old?.chunk ?? this.#chunkFor(start)
    let node = renderBlock(token, this.#context)
    if (node && old?.node) node = morph(old.node, node)
    else if (node) chunk.insertBefore(node, this.#nodeAfter(index, chunk))
    else old?.node?.remove()
    this.#blocks[index] = { type: token.type, raw, start, node, chunk, ...blockDetails[token.type]?.(token, start) }
  }

  // Returns the chunk for another block at the end. A heading stays with the block after it.
  #chunkFor(start) {
    const last = this.#blocks.at(-1)
    if (last && (last.type === "heading" || start - this.#startOf(last.chunk) < CHUNK_LENGTH)) return last.chunk
    last?.chunk.classList.add("prose__chunk--finished")
    const chunk = document.createElement("div")
    chunk.className = "prose__chunk"
    this.#element.append(chunk)
    return chunk
  }

  #startOf(chunk) {
    return this.#blocks.findLast((block, index) => block.chunk === chunk && this.#blocks[index - 1]?.chunk !== chunk)
      .start
  }

  get #context() {
    return { notes: this.#notes, isGrowing: !this.#isDone }
  }

  #nodeAfter(index, chunk) {
    for (let next = index + 1; this.#blocks[next]?.chunk === chunk; next += 1) {
      if (this.#blocks[next].node) return this.#blocks[next].node
    }
    return null
  }

  #removeFrom(index) {
    for (const { node } of this.#blocks.splice(index)) node?.remove()
    const last = this.#blocks.at(-1)?.chunk
    while (this.#element.lastChild && this.#element.lastChild !== last) this.#element.lastChild.remove()
    last?.classList.remove("prose__chunk--finished")
  }

  // Renders the last lines of a long code block, list or table. Returns false if the block has to be parsed as a whole.
  #growLast() {
    const block = this.#blocks.at(-1)
    switch (block?.type) {
      case "code":
        return this.#growCode(block)
      case "list":
        return this.#growList(block)
      case "table":
        return this.#growTable(block)
      default:
        return false
    }
  }

  #growCode(block) {
    const text = this.#text
    if (this.#isDone || !block.fenceLength || FENCE_LINE.test(text.slice(block.checkedLength))) return false
    block.checkedLength = text.lastIndexOf("\n") + 1
    const code = text.slice(block.start + block.fenceLength).replace(/\n {0,3}[`~]{0,2}$/, "")
    componentOf(block.node).show({ language: block.language, text: code, isOpen: true })
    return true
  }

  #growList(block) {
    const { items, ordered, loose, node } = block
    const first = items.length - 2
    if (first < 2 || this.#text.length - block.start > WINDOW_LENGTH) return false
    const tokens = this.#parse(this.#text.slice(items[first]))
    const [list] = tokens
    if (list?.type !== "list" || list.ordered !== ordered || (list.loose && !loose)) return false
    const nodes = list.items.map((item) => renderItem(item, loose, this.#context))
    morphRows(node, first, nodes)
    const changes = { items: [...items.slice(0, first), ...blockDetails.list(list, items[first]).items] }
    this.#continue(block, changes, tokens, items[first])
    return true
  }

  #growTable(block) {
    const { headerSource, rows, columns, node } = block
    const first = rows.length - 2
    if (first < 2) return false
    const tokens = this.#parse(headerSource + this.#text.slice(rows[first]))
    const [table] = tokens
    if (table?.type !== "table" || table.header.length !== columns) return false
    const nodes = table.rows.map((row) => renderRow(row, this.#context))
    morphRows(node.querySelector("tbody"), first, nodes)
    const start = rows[first] - headerSource.length
    const changes = { rows: [...rows.slice(0, first), ...blockDetails.table(table, start).rows] }
    this.#continue(block, changes, tokens, start)
    return true
  }

  // Applies the changes to the last block, and adds the blocks of the tokens after it.
  #continue(block, changes, [token, ...others], start) {
    const end = start + token.raw.length
    Object.assign(block, changes, { raw: others.length ? this.#text.slice(block.start, end) : null })
    this.#putAll(this.#blocks.length, others, end)
  }
}

// Makes these nodes the children of `parent` from the index `first` on.
const morphRows = (parent, first, nodes) => {
  let old = parent.children[first]
  for (const node of nodes) {
    const next = old?.nextElementSibling
    if (old) morph(old, node)
    else parent.append(node)
    old = next
  }
  while (parent.children.length > first + nodes.length) parent.lastElementChild.remove()
}

// What it takes to render only the end of a block when it grows.
const blockDetails = {
  def: ({ tag, href, title }) => ({ tag, link: { href, title } }),
  code({ raw, lang }, start) {
    const fenceLength = FENCE.exec(raw)?.[0].length
    return { fenceLength, language: /^[\w+#.-]*/.exec(lang ?? "")[0], checkedLength: start + (fenceLength ?? 0) }
  },
  list({ ordered, loose, items }, start) {
    const lengths = items.map(({ raw }) => raw.length)
    return { ordered, loose, items: startsOf(lengths, start) }
  },
  table({ raw, header, rows }, start) {
    const [first, second, ...lines] = raw.split("\n")
    const headerSource = `${first}\n${second}\n`
    const lengths = rows.map((_, row) => lines[row].length + 1)
    return { headerSource, columns: header.length, rows: startsOf(lengths, start + headerSource.length) }
  },
}

// Where each piece starts, of pieces of these lengths.
const startsOf = (lengths, start) => {
  const starts = []
  for (const length of lengths) {
    starts.push(start)
    start += length
  }
  return starts
}

const noteNames = (tokens) =>
  tokens.flatMap((token) => (token.type === "note" ? [token.label] : token.tokens ? noteNames(token.tokens) : []))
