// Markdown that grows. Finished blocks keep their nodes; only what changed at the end is made anew.

import { blocksOf, nodesOf } from "./markdown.js";

// A lone marker at the end may still become anything (a list, a rule, a heading, bold text): it waits for the next delta.
const UNDECIDED = /(?:^|\n)[ \t]*(?:[-=*_+#>`~|]{1,3}|\d{1,3}[.)]?)[ \t]*$/

export class Prose {
  #element
  #text = ""
  #isDone = false
  #blocks = [] // { raw, start, nodes }, without the space between them

  constructor(element) {
    this.#element = element
  }

  show(text, { done }) {
    text = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n")
    if (!done) text = text.replace(UNDECIDED, "")
    if (text === this.#text && done === this.#isDone) return
    const grew = text.startsWith(this.#text)
    this.#text = text
    this.#isDone = done
    // More text can change the last block, and through it the one before. The end of the text settles everything.
    const kept = grew && !done ? Math.max(0, this.#blocks.length - 2) : 0
    const start = kept ? this.#blocks[kept].start : 0
    const tokens = blocksOf(text.slice(start))
    if (done && Object.keys(tokens.links).length) this.#keep(0) // a definition changes blocks far away from it
    this.#replace(kept, positioned(tokens, start))
  }

  #replace(from, fresh) {
    let same = from
    while (this.#blocks[same] && this.#blocks[same].raw === fresh[same - from]?.token.raw) same += 1
    this.#keep(same)
    for (const { token, start } of fresh.slice(same - from)) {
      const fragment = nodesOf(token)
      this.#blocks.push({ raw: token.raw, start, nodes: [...fragment.childNodes] })
      this.#element.append(fragment)
    }
  }

  #keep(count) {
    for (const { nodes } of this.#blocks.splice(count)) for (const node of nodes) node.remove()
  }
}

const positioned = (tokens, start) => {
  const blocks = []
  for (const token of tokens) {
    if (token.type !== "space") blocks.push({ token, start })
    start += token.raw.length
  }
  return blocks
}
