// What a screen reader announces: events, and the answer that is being written, in whole sentences.
//
// The element is a live log, whose new lines are read at the next pause. Tokens would interrupt each other, and so would the
// single sentences of a fast model, so all sentences that were finished within a second are one line.

import { setLanguage } from "../i18n/detect_language.js"
import { strings } from "../i18n/strings.js"

const LINE_INTERVAL = 1_000 // ms between two lines of an answer
const MAX_LINES = 100 // to reread more, go to the answer itself

export class Announcer {
  #log
  #answer = null // the view of the answer that is read out
  #isNewAnswer = false // the next answer is read from its beginning
  #getEndedAnswer = null // returns the view of the answer that has ended
  #skippedLength = 0 // characters that were written before this page saw the answer, and are not read out; null: not known yet
  #closingSentence = "" // is announced after the rest of the answer
  #blockIndex = 0 // of the first block that is not read completely
  #blockOffset = 0 // characters of that block that were read
  #wait = "" // the long wait that was announced last
  #lastReadAt = 0

  constructor(log) {
    this.#log = log
  }

  announce(text) {
    for (const sentence of text.split("\n").filter(Boolean)) {
      const line = document.createElement("p")
      line.textContent = sentence
      setLanguage(line, sentence)
      this.#log.append(line)
    }
    while (this.#log.childElementCount > MAX_LINES) this.#log.firstElementChild.remove()
  }

  /** An answer to this page begins. */
  startAnswer(sentence) {
    this.#isNewAnswer = true
    this.announce(sentence)
  }

  /**
   * The answer has ended: announces the rest of it, then the sentence. `getView()` returns its view, or null until the
   * end of the answer was given to it.
   */
  endAnswer(sentence, getView) {
    this.#closingSentence = sentence
    this.#getEndedAnswer = getView
  }

  /** Reads on. `answer` is the view of the answer that is being written, or null; `isQueued`: nothing of it is written. */
  tick(answer, isQueued = false, now = performance.now()) {
    if (isQueued) this.#isNewAnswer = true
    this.#announceWait(answer?.longWait ?? "")
    const current = answer ?? this.#getEndedAnswer?.()
    if (!current && this.#getEndedAnswer) return
    if (current && current !== this.#answer) this.#switchTo(current)
    if (!this.#answer || (answer && now - this.#lastReadAt < LINE_INTERVAL) || !this.#isDrawn(!answer)) return
    this.#lastReadAt = now
    this.announce(this.#nextSentences(!answer))
    if (!answer) this.#finishAnswer()
  }

  /** Another conversation is shown. */
  clear() {
    this.#log.replaceChildren()
    this.#answer = null
    this.#getEndedAnswer = null
    this.#isNewAnswer = false
    this.#closingSentence = ""
  }

  // Once for each wait: the seconds are on the page for those who look for them.
  #announceWait(sentence) {
    if (sentence === this.#wait) return
    this.#wait = sentence
    if (sentence) this.announce(sentence)
  }

  // Of an answer that was being written before it was opened here, only new text is read out.
  #switchTo(answer) {
    this.#answer = answer
    this.#blockIndex = 0
    this.#blockOffset = 0
    this.#skippedLength = this.#isNewAnswer ? 0 : null
    this.#isNewAnswer = false
  }

  // Text is on the page later than it arrives: it is revealed smoothly, and first the renderer has to load.
  #isDrawn(isOver) {
    const { length, shownLength } = this.#answer
    if (this.#skippedLength === null) {
      if (!length && !isOver) return false
      this.#skippedLength = length // what was written before comes first, in one go
    }
    if (shownLength < (isOver ? length : this.#skippedLength)) return false
    if (this.#skippedLength) this.#nextSentences(false)
    this.#skippedLength = 0
    return true
  }

  #finishAnswer() {
    this.#answer = null
    this.#getEndedAnswer = null
    this.announce(this.#closingSentence)
    this.#closingSentence = ""
  }

  // What was finished since the last call: whole blocks, and whole sentences of the last block.
  #nextSentences(isOver) {
    const blocks = [...this.#answer.element.querySelectorAll(".message__parts > .prose > .prose__chunk > *")]
    const lines = []
    while (this.#blockIndex < blocks.length) {
      const rest = blockText(blocks[this.#blockIndex]).slice(this.#blockOffset)
      const isWholeBlock = isOver || this.#blockIndex < blocks.length - 1
      const length = isWholeBlock ? rest.length : endOfSentences(rest)
      lines.push(rest.slice(0, length).trim())
      this.#blockOffset += length
      if (!isWholeBlock) break
      this.#blockIndex += 1
      this.#blockOffset = 0
    }
    return lines.filter(Boolean).join("\n")
  }
}

const segmenter = new Intl.Segmenter(document.documentElement.lang, { granularity: "sentence" })

// The last sentence may not be complete.
const endOfSentences = (text) => [...segmenter.segment(text)].at(-1)?.index ?? 0

const BLOCK_ELEMENTS = "blockquote, div, h1, h2, h3, h4, h5, h6, li, ol, p, table, ul"
const SILENT_ELEMENTS = "[aria-hidden=true], annotation, button"

// A block as it is read out: a line for each list item and table row; code is mentioned, not read.
const blockText = (block) =>
  linesOf(block)
    .map((line) => line.trim())
    .filter(Boolean)
    .join("\n")

function linesOf(element) {
  if (element.matches(".diagram")) return [strings.diagram]
  if (element.matches(".code")) return [strings.codeBlock(element.querySelector(".code__language").textContent)]
  if (element.matches("table")) return [...element.rows].map((row) => [...row.cells].map(accessibleText).join(", "))
  const lines = [""]
  for (const child of element.childNodes) {
    if (child.matches?.(BLOCK_ELEMENTS)) lines.push(...linesOf(child), "")
    else lines[lines.length - 1] += accessibleText(child)
  }
  return lines
}

const accessibleText = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return node.data
  if (node.matches(SILENT_ELEMENTS)) return ""
  return node.ariaLabel ?? [...node.childNodes].map(accessibleText).join("")
}
