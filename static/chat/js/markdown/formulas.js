// Where the formulas of a text are: $…$, $$…$$, \(…\), \[…\] and \begin{equation}…\end{equation}. Uses no DOM.
//
// A dollar is more often money or a shell's variable than a formula: "100$、200$", "$HOME/bin:$PATH". So what is between two of
// them must not read like prose, and what is around them must not continue a number or a word.

import { codeEnd, runLength } from "./code_spans.js"

export const MAX_FORMULA_LENGTH = 4_000 // characters; anything longer without an end is no formula
const MAX_SPAN_LENGTH = 400 // characters of a formula within a paragraph, over several lines
const MAX_MARKERS = 40 // characters of the markers of quotes and lists before a formula
const MAX_INLINE_LENGTH = 1_000 // characters between two single dollars
const MAX_UNDECIDED_WORDS = 20 // Chinese, Japanese or Korean letters in a formula that has shown no TeX yet

const ENVIRONMENT =
  /\\begin\{((?:equation|align|gather|(?:[pbBvV]|small)?matrix)\*?|alignat\*?|CD|[rd]?cases|aligned|alignedat|gathered|split|d?array|subarray)\}/y
const MARK = /\\(begin|end)\{([a-zA-Z]{1,20}\*?)\}/g // the begin or end of an environment
const MARKERS_ONLY = /^(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])(?=[ \t]|$))*[ \t]*$/
const OPENING = /`+|\\[\s\S]|\$+/g
const CLOSINGS = { $$: "$$", "\\[": "\\]", "\\(": "\\)", "\\b": "\\end{" }
const LETTERS = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u
const STOPS = /[、。「」，！？]/
const TEX = /\\(?:[a-zA-Z]|[{}|,;!])|\^|(?<![\w])[A-Za-z]_[\w{\\]/
const GROUPS = /\\(?:text|mathrm|mathbf|operatorname|textbf|mbox|ce|pu|tag)\*?\{[^{}]*\}|\\[a-zA-Z]+/g
const WORD = /(?<![\w\\])[A-Za-z]{2,}(?!\w)/g
const AMOUNT = /^\d[\d.,]*/

const isTex = (inside) => TEX.test(inside)
const wordsOf = (inside) => inside.replace(GROUPS, " ").match(WORD) ?? []

// Whether what is between two dollars is text that only happens to be there.
const isProse = (inside) => {
  if (/`|\*\*/.test(inside)) return true
  const words = wordsOf(inside).length
  if (isTex(inside)) return words > 3
  const withoutText = inside.replace(GROUPS, " ")
  if (STOPS.test(withoutText)) return true
  const isEquation = /[=<>]/.test(inside)
  if (LETTERS.test(withoutText)) return !isEquation || AMOUNT.test(inside)
  return words > 1 || (!isEquation && words > 0 && AMOUNT.test(inside) && /\s|\//.test(inside))
}

const mayFollowWord = (inside) => /^[\\^_]/.test(inside) || /^[A-Za-z]$/.test(inside)
const mayPrecedeWord = (inside) =>
  (isTex(inside) && !/^(?:[A-Za-z_][A-Za-z\d]|[{(])/.test(inside)) || /^[A-Za-z]$/.test(inside)

// Whether $inside$ is a formula between these characters.
const isFormula = (inside, before, after) => {
  if (!inside.trim()) return false
  if (/^\s|\s$/.test(inside) && !(/^\s.*\s$/s.test(inside) && (isTex(inside) || inside.trim().length === 1)))
    return false
  if ((/[\d{]/.test(after) && !/^\\[a-z]/i.test(inside)) || (/[A-Za-z_]/.test(after) && !mayPrecedeWord(inside)))
    return false
  if (/[A-Za-z\d]/.test(before) && !mayFollowWord(inside)) return false
  if (/[-+*/=,:;.<(]$/.test(inside) && !isTex(inside)) return false
  return !isProse(inside)
}

// The place of the dollar that ends what begins here, outside of braces; -1 if there is none in this line.
const dollarEnd = (text, at) => {
  let depth = 0
  const limit = Math.min(text.length, at + MAX_INLINE_LENGTH)
  for (let end = at + 1; end < limit && text[end] !== "\n"; end += 1) {
    const letter = text[end]
    if (letter === "\\") end += 1
    else if (letter === "{") depth += 1
    else if (letter === "}") depth = Math.max(0, depth - 1)
    else if (letter === "$" && depth === 0) return end
  }
  return -1
}

const environmentEnd = (text, at, name) => {
  if (!text.slice(at, at + MAX_FORMULA_LENGTH).includes(`\\end{${name}}`)) return -1
  let depth = 0
  MARK.lastIndex = at
  for (let match = MARK.exec(text); match && match.index - at < MAX_FORMULA_LENGTH; match = MARK.exec(text)) {
    if (match[2] === name) depth += match[1] === "begin" ? 1 : -1
    if (depth === 0) return MARK.lastIndex
  }
  return -1
}

const environmentAt = (text, at) => {
  ENVIRONMENT.lastIndex = at
  return ENVIRONMENT.exec(text)?.[1]
}

/**
 * Returns what begins here with two or more characters: { opening, start, stop, end }, where the formula itself is from `start`
 * to `stop`. `end` is -1 if it does not end; undefined is returned if nothing begins here.
 */
export const delimitedAt = (text, at) => {
  const opening = text.slice(at, at + 2)
  const closing = opening === "\\b" ? undefined : CLOSINGS[opening]
  const near = text.slice(0, at + MAX_FORMULA_LENGTH)
  if (closing) {
    const stop = near.indexOf(closing, at + 2)
    return { opening, start: at + 2, stop, end: stop < 0 ? -1 : stop + 2 }
  }
  const name = opening === "\\b" && environmentAt(text, at)
  if (!name) return undefined
  const end = environmentEnd(near, at, name)
  return { opening: "\\begin", start: at, stop: end, end }
}

/** Returns the formula that begins here within a line or paragraph: { text, end, isDisplayed }, or undefined. */
export const formulaAt = (text, at) => {
  const found = delimitedAt(text, at)
  if (found) {
    const inside = text.slice(found.start, found.stop)
    if (found.end < 0 || !inside.trim() || (found.opening === "$$" && isProse(inside))) return undefined
    return { text: inside.trim(), end: found.end, isDisplayed: found.opening !== "\\(" }
  }
  if (text[at] !== "$") return undefined
  const [quoted, inQuotes] = /^\$`([^`\n]+)`\$/.exec(text.slice(at, at + MAX_INLINE_LENGTH)) ?? []
  if (quoted) return { text: inQuotes, end: at + quoted.length, isDisplayed: false } // as GitHub writes them
  const end = dollarEnd(text, at)
  const inside = text.slice(at + 1, end)
  if (end < 0 || !isFormula(inside, text[at - 1] ?? "", text[end + 1] ?? "")) return undefined
  return { text: inside.trim(), end: end + 1, isDisplayed: false }
}

/** Returns the text with the content of its formulas replaced, for those who look for other marks. `masked` is as long. */
export const maskFormulas = (text, masked) => {
  let result = ""
  let done = 0
  for (const { index, 0: mark } of text.matchAll(OPENING)) {
    if (index < done || mark[0] === "`") {
      if (index >= done) done = Math.max(index, codeEnd(text, index, mark.length))
      continue
    }
    const end = formulaAt(text, index)?.end
    if (end === undefined) continue
    result += masked.slice(result.length, index) + "a".repeat(end - index)
    done = end
  }
  return result + masked.slice(result.length)
}

// The same as delimitedAt, for a formula within a line: it ends in the same paragraph.
const delimitedInLine = (text, at) => {
  const near = text.slice(0, at + MAX_SPAN_LENGTH)
  const paragraphEnd = near.indexOf("\n\n", at)
  if (paragraphEnd < 0) return delimitedAt(near, at)
  const found = delimitedAt(near.slice(0, paragraphEnd), at)
  return found?.end < 0 ? undefined : found
}

// Whether only markers of quotes and lists stand before this place in its line.
const beginsLine = (text, at) => {
  const before = text.slice(Math.max(0, at - MAX_MARKERS), at)
  const lineStart = before.lastIndexOf("\n") + 1
  return (lineStart > 0 || at <= MAX_MARKERS) && MARKERS_ONLY.test(before.slice(lineStart))
}

/** Returns where the last end of a formula is in a text, by what begins it. */
export const lastEnds = (text) =>
  Object.fromEntries(Object.entries(CLOSINGS).map(([opening, closing]) => [opening, text.lastIndexOf(closing)]))

/** Returns the place of the first formula that a text begins and does not end, outside of code; -1 if there is none. */
export const openFormula = (text) => {
  const ends = lastEnds(text)
  for (let at = 0; at < text.length; ) {
    OPENING.lastIndex = at
    const match = OPENING.exec(text)
    if (!match) return -1
    const { index, 0: mark } = match
    at = index + (mark[0] === "\\" ? 2 : mark.length)
    if (mark[0] === "`") at = Math.max(at, codeEnd(text, index, mark.length))
    if (!CLOSINGS[mark]) continue
    const isOpen = ends[mark] <= index
    const isAtStart = beginsLine(text, index)
    if (isOpen && text.length - index > (isAtStart ? MAX_FORMULA_LENGTH : MAX_SPAN_LENGTH)) continue
    const found = isAtStart ? delimitedAt(text, index) : delimitedInLine(text, index)
    if (found?.end >= 0) at = found.end
    else if (found && text.length - index <= (isAtStart ? MAX_FORMULA_LENGTH : MAX_SPAN_LENGTH)) return index
  }
  return -1
}

const mayBeEmpty = (inside) => inside === "" || /^\s(?:\\|[A-Za-z](?![A-Za-z])|$)/.test(inside)

// Whether what follows a dollar can become a formula: "x^2 + " can, "5 for " cannot.
const mayBecomeFormula = (inside, before) => {
  if (inside.length > 300 || inside.includes("\n")) return false
  if (/^\s/.test(inside) && !mayBeEmpty(inside)) return false
  if (/[A-Za-z\d]/.test(before) && !/^(?:[\\^_]|[A-Za-z]?$)/.test(inside)) return false
  if (isTex(inside)) return wordsOf(inside).length <= 3
  if (STOPS.test(inside) || /`|\*\*/.test(inside)) return false
  if (
    AMOUNT.test(inside) &&
    (LETTERS.test(inside) || /^[\d.,]+\s*(?:[A-Za-z]{2}|[A-Za-z]\s|[^\d.,\w\s\\^{}()+*/=<>-])/.test(inside))
  )
    return false
  if (LETTERS.test(inside) && !inside.includes("=") && inside.length > MAX_UNDECIDED_WORDS) return false
  return (inside.match(/(?<![\\\w])[A-Za-z]{2,}(?=[\s,.;:])/g) ?? []).length < 2
}

/** Reads the dollar at this position of a text that grows: returns where it ends, or -1 if that is not decided yet. */
export const readDollar = (text, at) => {
  const width = runLength(text, at)
  if (width > 2) return at + width
  if (width > 1) {
    const { end } = delimitedAt(text, at)
    if (end < 0) return text.length - at <= MAX_FORMULA_LENGTH ? -1 : at + width
    return formulaAt(text, at)?.end ?? at + 2
  }
  const before = text[at - 1] ?? ""
  if (/^`[^`\n]*`?$/.test(text.slice(at + 1))) return -1
  if (text[at + 1] === "`") return formulaAt(text, at)?.end ?? at + 1
  const end = dollarEnd(text, at)
  if (end < 0) return mayBecomeFormula(text.slice(at + 1), before) ? -1 : at + 1
  const inside = text.slice(at + 1, end)
  if (end + 1 < text.length) return formulaAt(text, at)?.end ?? at + 1
  if (!isFormula(inside, before, "")) return at + 1
  return AMOUNT.test(inside) || !mayPrecedeWord(inside) ? -1 : end + 1
}
