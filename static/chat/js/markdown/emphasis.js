// Which of the marks *, _ and ~~ of a text are emphasis: CommonMark's algorithm with a stack of delimiters. Uses no DOM.
//
// CommonMark lets a run of marks open only where a word begins, and close only where one ends, which it recognizes by spaces
// and punctuation. Chinese, Japanese and Korean put neither around a bold word: **注意：**これは. Near their letters a run
// may open before punctuation and close after it, unless that punctuation says otherwise, as an opening bracket does.

import { runLength } from "./code_spans.js"

const CJK =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\u3000-\u303f\uff00-\uffef]/u
const PUNCTUATION = /[\p{P}\p{S}]/u
const OPENING = /[\p{Ps}\p{Pi}]/u // brackets and quotation marks
const CLOSING = /[\p{Pe}\p{Pf}、。，．,.:;!?：；！？]/u
const NEAR = 2 // characters on each side of a run
const MAX_EMPHASIZED_MARKS = 4 // punctuation that is emphasized alone, as in 句点は**。**です
const KINDS = { "*": { 1: "em", 2: "strong" }, _: { 1: "em", 2: "strong" }, "~": { 2: "del" } }

export const hasCjk = (text) => CJK.test(text)

const isSpace = (letter) => letter === "" || /\s/.test(letter)

const letterBefore = (text, at) => {
  const letter = text[at - 1] ?? ""
  return /[\udc00-\udfff]/.test(letter) ? text.slice(at - 2, at) : letter
}

const letterAt = (text, at) => (at < text.length ? String.fromCodePoint(text.codePointAt(at)) : "")

const closesAfterPunctuation = (text, mark, at) => {
  let end = at
  while (end - at < MAX_EMPHASIZED_MARKS && text[end] !== mark && PUNCTUATION.test(text[end] ?? "")) end += 1
  return end > at && text[end] === mark
}

/** Returns the run of marks at this position, with what it can do: { mark, at, length, canOpen, canClose, … }. */
export const readRun = (text, at) => {
  const mark = text[at]
  const length = runLength(text, at)
  const end = at + length
  const before = letterBefore(text, at)
  const after = letterAt(text, end)
  const isBeforePunctuation = PUNCTUATION.test(after)
  const isAfterPunctuation = PUNCTUATION.test(before)
  const canBegin = !isSpace(after) && (!isBeforePunctuation || isSpace(before) || isAfterPunctuation)
  const canEnd = !isSpace(before) && (!isAfterPunctuation || isSpace(after) || isBeforePunctuation)
  const run = { mark, at, length, left: length, isNearCjk: CJK.test(text.slice(at - Math.min(at, NEAR), end + NEAR)) }
  if (mark === "_") {
    const canOpen = canBegin && (!canEnd || isAfterPunctuation)
    return { ...run, canOpen, canClose: canEnd && (!canBegin || isBeforePunctuation), isNearCjk: false }
  }
  const mayBegin = !isSpace(after) && (!CLOSING.test(after) || closesAfterPunctuation(text, mark, end))
  const mayEnd = !isSpace(before) && !OPENING.test(before)
  return {
    ...run,
    canOpen: canBegin || mayBegin,
    canClose: canEnd || mayEnd,
    opensNearCjk: !canBegin, // only if it or the other run is near CJK letters
    closesNearCjk: !canEnd,
  }
}

const canPair = (opener, closer) => {
  if (opener.mark !== closer.mark) return false
  if ((opener.opensNearCjk || closer.closesNearCjk) && !opener.isNearCjk && !closer.isNearCjk) return false
  if (opener.mark === "~") return true
  const isEither = (opener.canClose && !opener.closesNearCjk) || (closer.canOpen && !closer.opensNearCjk)
  const { length: a } = opener
  const { length: b } = closer
  return !isEither || (a + b) % 3 !== 0 || (a % 3 === 0 && b % 3 === 0)
}

/** The runs that are open while a text is read. */
export class OpenRuns {
  runs = []
  #failed = new Map() // what kind of run found no opener -> the last opener that was there
  #count = 0

  /** Takes the next run. Calls `onPair(start, end, width, kind)` for each pair of marks that it closes. */
  add(run, onPair = () => {}) {
    if (run.mark === "~" && run.length !== 2) return
    while (run.left && run.canClose) {
      const index = this.#openerOf(run)
      if (index < 0) break
      const opener = this.runs[index]
      const width = opener.mark === "~" || (opener.left > 1 && run.left > 1) ? 2 : 1
      opener.left -= width
      run.left -= width
      onPair(opener.at + opener.left, run.at + width, width, KINDS[run.mark][width])
      run.at += width
      this.runs.length = opener.left ? index + 1 : index
    }
    if (!run.left || !run.canOpen) return
    run.id = this.#count += 1
    this.runs.push(run)
  }

  #openerOf(run) {
    const kind = [run.mark, run.length % 3, run.canOpen, run.opensNearCjk, run.closesNearCjk, run.isNearCjk].join()
    const last = this.#failed.get(kind) ?? 0
    for (let index = this.runs.length - 1; index >= 0 && this.runs[index].id > last; index -= 1) {
      if (canPair(this.runs[index], run)) return index
    }
    this.#failed.set(kind, this.runs.at(-1)?.id ?? 0)
    return -1
  }
}

/**
 * Returns the emphasis of a text: a map from where it starts to { kind, width, end }. In `masked`, which is as long, code, links
 * and what else may contain such marks is replaced. The last marks of a text that grows are not its own: closeOpenMarks added
 * them.
 */
export const findEmphasis = (text, masked, { isGrowing = false } = {}) => {
  const found = new Map()
  const open = new OpenRuns()
  for (let at = 0; at < text.length; ) {
    if (!(masked[at] in KINDS)) at += 1
    else {
      const run = readRun(text, at)
      at += run.length
      if (isGrowing && at === text.length) run.isNearCjk = hasCjk(text)
      open.add(run, (start, end, width, kind) => found.set(start, { kind, width, end }))
    }
  }
  return found
}
