// What a screen reader hears: what happened, and the answer that is being written, in sentences as they are finished.
//
// Its place is a log, a line in which is read out when there is a pause. Tokens would cut each other short for ever, and so
// would sentences that come one by one from a fast model: what was finished within a second is one line.

import { tellTongue } from "./tongue.js";
import { words } from "./words.js";

const PAUSE = 1_000 // ms between two lines of an answer
const KEPT = 100 // lines; who wants to hear it again reads the answer itself

export class Announcer {
  #place
  #answer = null // the element of the answer that is read out
  #isNew = false // the next answer is read from its beginning
  #ended = null // gives the element of the answer that is over
  #last = "" // what is said when all of it was read
  #blocks = 0 // of it were read
  #length = 0 // characters of the next one were
  #readAt = 0

  constructor(place) {
    this.#place = place
  }

  // At the next pause, and with one between its lines.
  say(text) {
    for (const sentence of text.split("\n").filter(Boolean)) {
      const line = document.createElement("p")
      line.textContent = sentence
      tellTongue(line, sentence)
      this.#place.append(line)
    }
    while (this.#place.childElementCount > KEPT) this.#place.firstElementChild.remove()
  }

  // An answer begins that was asked for here.
  begin(sentence) {
    this.#isNew = true
    this.say(sentence)
  }

  // It is over: the rest of it is read, and then this is said. `answer()` gives its element once it is drawn.
  end(sentence, answer) {
    this.#last = sentence
    this.#ended = answer
  }

  // Time goes by; `answer` is the element of the one that is being written, or null.
  tick(answer, now = performance.now()) {
    const current = answer ?? this.#ended?.()
    if (current && current !== this.#answer) this.#take(current)
    if (!this.#answer || (answer && now - this.#readAt < PAUSE)) return
    this.#readAt = now
    this.say(this.#sentences(!answer))
    if (!answer) this.#finish()
  }

  // Another conversation is shown.
  hush() {
    this.#place.replaceChildren()
    this.#answer = this.#ended = null
    this.#isNew = false
    this.#last = ""
  }

  // Of one that was being written before anybody here looked, only what is still to come is read out.
  #take(answer) {
    this.#answer = answer
    this.#blocks = 0
    this.#length = 0
    if (!this.#isNew) this.#sentences(false)
    this.#isNew = false
  }

  #finish() {
    this.#answer = this.#ended = null
    this.say(this.#last)
    this.#last = ""
  }

  // What was finished since it was asked last: whole blocks, and of the last one its whole sentences.
  #sentences(isOver) {
    const blocks = [...this.#answer.querySelectorAll(".message__parts > .prose > .prose__part > *")]
    const said = []
    for (; this.#blocks < blocks.length; this.#blocks += 1, this.#length = 0) {
      const rest = textOf(blocks[this.#blocks]).slice(this.#length)
      const isWhole = isOver || this.#blocks < blocks.length - 1
      const length = isWhole ? rest.length : endOfSentences(rest)
      said.push(rest.slice(0, length).trim())
      this.#length += length
      if (!isWhole) break
    }
    return said.filter(Boolean).join("\n")
  }
}

const segmenter = new Intl.Segmenter(document.documentElement.lang, { granularity: "sentence" })

// The last one may go on.
const endOfSentences = (text) => [...segmenter.segment(text)].at(-1)?.index ?? 0

const BLOCKS = "blockquote, div, h1, h2, h3, h4, h5, h6, li, ol, p, table, ul"
const SILENT = "[aria-hidden=true], annotation, button"

// A block as it is read out: a line for each item of a list and each row of a table; that there is code, but not the code.
const textOf = (block) => linesOf(block).map((line) => line.trim()).filter(Boolean).join("\n")

function linesOf(element) {
  if (element.matches(".diagram")) return [words.diagram]
  if (element.matches(".code")) return [words.codeHere(element.querySelector(".code__language").textContent)]
  if (element.matches("table")) return [...element.rows].map((row) => [...row.cells].map(plain).join(", "))
  const lines = [""]
  for (const child of element.childNodes) {
    if (child.matches?.(BLOCKS)) lines.push(...linesOf(child), "")
    else lines[lines.length - 1] += plain(child)
  }
  return lines
}

const plain = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return node.data
  if (node.matches(SILENT)) return ""
  return node.ariaLabel ?? [...node.childNodes].map(plain).join("")
}
