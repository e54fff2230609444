// Incomplete Markdown: text that may continue at any character is changed so that it shows nothing that later disappears: no
// mark that may become a bold word, a link or a table, and no formula or HTML element before its end. Uses no DOM and no parser.
//
// There are two steps. `cutUndecided` cuts off an end that may become another block: a single "#", the "```py" of a code block,
// half of a table's head. `closeOpenMarks` closes what the last paragraph, cell or heading leaves open.

import { addressAt } from "./addresses.js"
import { codeEnd, runLength } from "./code_spans.js"
import { hasCjk, OpenRuns, readRun } from "./emphasis.js"
import { delimitedAt, lastEnds, MAX_FORMULA_LENGTH, openFormula, readDollar } from "./formulas.js"
import { htmlAt, MAX_HTML_LENGTH } from "./inline_html.js"

export const INCOMPLETE_URL = "incomplete:" // the address of a link whose address is not complete

const MAX_TITLE_LENGTH = 20 // letters at the end of an address that may be its title or a sentence: they are not shown yet
const MAX_LINK_TEXT_LENGTH = 300 // characters
const MAX_LINK_TARGET_LENGTH = 2_000 // characters of its address and title
const MAX_UNDECIDED_LENGTH = 4 // characters in brackets that may still become "[1]" or a checkbox: their text is not shown either

const MARKERS = String.raw`(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])(?=[ \t]|$))*[ \t]*` // of quotes and lists, before the text of a line
const MARKS_ONLY = new RegExp(String.raw`^${MARKERS}(?:[-=*_+#>|~]{1,6}|\d{1,9}[.)]?|\`{1,2}|~{1,2})[ \t]*$`)
const FENCE = new RegExp(String.raw`^${MARKERS}(\`{3,}(?!\`)|~{3,}(?!~))(.*)$`)
const CLOSING = /^[ \t>]*(?:`+|~+)[ \t]*$/
const DEFINITION = /^ {0,3}\[[^\]\n]*(?:\](?::[ \t]*(?:["'(][^\n]*|\S+(?:[ \t]+["'(][^\n]*)?)?)?)?$/
const ROW = /^((?:[ \t]*>)*[ \t]*)\|/
const DELIMITERS = /^(?:[ \t]*>)*[ \t|:-]*$/

/** Returns the text without an end of which it is not clear yet which block it is. */
export const cutUndecided = (text) => {
  const lines = text.split("\n")
  const last = lines.pop()
  const fence = openFence(lines)
  if (fence) return CLOSING.test(last) && last.includes(fence[0]) ? text.slice(0, text.length - last.length) : text
  const table = completedTable(lines, last)
  if (table) return table
  if (MARKS_ONLY.test(last) || isFence(last)) return cutOpenFormula(text.slice(0, text.length - last.length))
  return cutOpenFormula(cutDefinition(text, lines, last))
}

const isFence = (line) => {
  const [, marks, info] = FENCE.exec(line) ?? []
  return Boolean(marks) && !(marks[0] === "`" && info.includes("`"))
}

// The fence of the code block that these lines leave open, or null.
const openFence = (lines) => {
  let open = null
  for (const line of lines) {
    if (!line.includes("```") && !line.includes("~~~")) continue
    const [, marks, info] = FENCE.exec(line) ?? []
    if (!marks) continue
    if (!open) open = isFence(line) ? marks : null
    else if (marks.startsWith(open) && !info.trim()) open = null
  }
  return open
}

// The text with a complete delimiter row, so that a table is shown from its first cell on; null if no table begins at its end.
const completedTable = (lines, last) => {
  if (ROW.test(last) && !isRow(lines.at(-1)) && !DELIMITERS.test(last) && !isInTable(lines)) {
    return [...lines, closeRow(last), delimiterRow(last)].join("\n")
  }
  const head = lines.at(-1)
  if (!isRow(head) || isRow(lines.at(-2)) || !DELIMITERS.test(last) || isInTable(lines)) return null
  return [...lines, delimiterRow(head, last)].join("\n")
}

const isInTable = (lines) => {
  for (let at = lines.length - 1; at > 0 && lines[at].trim(); at -= 1) {
    if (lines[at].includes("-") && DELIMITERS.test(lines[at]) && isRow(lines[at - 1])) return true
  }
  return false
}

const isRow = (line) => line !== undefined && ROW.test(line)

const cellsOf = (line) =>
  line
    .trim()
    .replace(/^(?:[ \t]*>)*[ \t]*\|/, "")
    .replace(/(?<!\\)\|[ \t]*$/, "")
    .split(/(?<!\\)\|/)

const closeRow = (line) => (/(?<!\\)\|[ \t]*$/.test(line) ? line : `${line.replace(/\\$/, "")} |`)

const delimiterRow = (head, typedRow = "") => {
  const typed = typedRow.includes("|")
    ? cellsOf(typedRow).slice(0, typedRow.trimEnd().endsWith("|") ? undefined : -1)
    : []
  const cells = cellsOf(head).map((_, index) => (/-/.test(typed[index]) ? typed[index] : "---"))
  return `${ROW.exec(head)[1]}|${cells.join("|")}|`
}

const cutDefinition = (text, lines, last) => {
  const isStarted = DEFINITION.test(last) && /^ {0,3}\[(?:\^|[^\]]*\]:)/.test(last) && !(lines.at(-1) ?? "").trim()
  return isStarted ? text.slice(0, text.length - last.length) : text
}

const cutOpenFormula = (text) => {
  const open = openFormula(text)
  return open < 0 ? text : text.slice(0, open)
}

/** Returns the text of one leaf with its open marks closed, or left out where nothing follows them. */
export const closeOpenMarks = (text) => {
  const leaf = { text, emphasis: new OpenRuns(), hidden: [], end: text.length, ending: "" }
  for (let at = 0; at < leaf.end; ) at = readers[text[at]]?.(leaf, at) ?? at + 1
  return close(leaf)
}

// `hidden` are the positions of brackets that are not shown; the text ends at `end` and is followed by `ending`.
const close = (leaf) => {
  let marks = ""
  for (const run of leaf.emphasis.runs.toReversed()) {
    const { mark, at, left } = run
    if (!mayBecomeEmphasis(leaf.text, run)) continue
    if (visibleText(leaf, at + left).trim()) marks += mark.repeat(left)
    else cut(leaf, at)
  }
  return marks ? visibleText(leaf, 0).trimEnd() + marks : visibleText(leaf, 0)
}

const visibleText = ({ text, hidden, end, ending }, from) => {
  let visible = ""
  for (const position of hidden) {
    if (position < from || position >= end) continue
    visible += text.slice(from, position)
    from = position + 1
  }
  return visible + text.slice(from, Math.max(from, end)) + ending
}

const cut = (leaf, at, ending = "") => {
  leaf.end = at
  leaf.ending = ending
  return at
}

const isLatin = (letter) => letter !== undefined && /[a-z0-9]/i.test(letter)

// Each of these reads what begins at this position and returns the position after it.

const escaped = (leaf, at) => {
  const { text } = leaf
  if (text[at + 1] === undefined || /^\\b(?:e(?:g(?:i(?:n(?:\{[a-zA-Z]*\*?)?)?)?)?)?$/.test(text.slice(at, at + 20)))
    return cut(leaf, at)
  leaf.formulaEnds ??= lastEnds(text)
  if (text.length - at > MAX_FORMULA_LENGTH && leaf.formulaEnds[text.slice(at, at + 2)] < at) return at + 2
  const formula = delimitedAt(text, at)
  if (!formula) return at + 2
  if (formula.end >= 0) return formula.end
  return text.length - at <= MAX_FORMULA_LENGTH ? cut(leaf, at) : at + 2
}

const code = (leaf, at) => {
  const { text } = leaf
  const count = runLength(text, at)
  const end = codeEnd(text, at, count)
  if (end >= 0) return end
  let last = text.length
  while (text[last - 1] === "`" && last > at + count) last -= 1
  const inside = text.slice(at + count, last)
  return cut(leaf, at, inside.trim() && "`".repeat(count) + inside + "`".repeat(count))
}

const angle = (leaf, at) => {
  const rest = leaf.text.slice(at)
  if (rest.startsWith("<!--")) {
    const end = rest.indexOf("-->")
    return end < 0 ? cut(leaf, at) : at + end + 3
  }
  if (/^<(?:!-?|[a-z][a-z0-9+.-]{0,15}\s?\/?)?$/i.test(rest)) return cut(leaf, at)
  const element = htmlAt(leaf.text, at)
  if (element?.end >= 0) return element.end
  if (element && rest.length < MAX_HTML_LENGTH) return cut(leaf, at)
  if (/^<(?:https?|mailto):[^\s<>]*$/i.test(rest)) return cut(leaf, at, `[${rest.slice(1)}](${INCOMPLETE_URL})`)
  return at + 1
}

const bareUrl = (leaf, at) => {
  if (!/^(?:https?:\/\/|www\.)/i.test(leaf.text.slice(at, at + 8))) return at + 1
  const { end, undecided } = addressAt(leaf.text, at)
  return undecided !== undefined && leaf.text.length - undecided <= MAX_TITLE_LENGTH
    ? cut(leaf, undecided)
    : Math.max(end, at + 1)
}

const entity = (leaf, at) => (/^&#?\w{0,8}$/.test(leaf.text.slice(at, at + 12)) ? cut(leaf, at) : at + 1)

const exclamation = (leaf, at) => {
  if (leaf.text[at + 1] === "[") return bracket(leaf, at + 1, true)
  return at + 1 === leaf.text.length ? cut(leaf, at) : at + 1
}

const bracket = (leaf, at, isImage = false) => {
  const { text, hidden } = leaf
  if (text[at + 1] === "^" && !isImage) return noteMark(leaf, at)
  const begin = isImage ? at - 1 : at
  const end = bracketEnd(text, at, at + MAX_LINK_TEXT_LENGTH)
  const inside = text.slice(at + 1, end < 0 ? undefined : end)
  const next = text[end + 1]
  if (inside.length > MAX_LINK_TEXT_LENGTH || inside.includes("\n")) return at + 1
  if (end < 0 || next === undefined) {
    if (isImage || inside.length <= MAX_UNDECIDED_LENGTH) return cut(leaf, begin)
    hidden.push(...(end < 0 ? [at] : [at, end]))
    return at + 1
  }
  if (next === "(") {
    const stop = parenthesisEnd(text, end + 1, end + MAX_LINK_TARGET_LENGTH)
    if (stop >= 0) return stop
    if (text.length - end > MAX_LINK_TARGET_LENGTH || !URL_SO_FAR.test(text.slice(end + 2))) return at + 1
    return cut(leaf, begin, isImage ? "" : `[${inside}](${INCOMPLETE_URL})`)
  }
  if (next === "[") {
    const stop = text.indexOf("]", end + 2)
    if (stop >= 0) return stop + 1
    if (isImage || inside.length <= MAX_UNDECIDED_LENGTH) return cut(leaf, begin)
    hidden.push(at, end)
    leaf.end = end + 1
  }
  return at + 1
}

const URL_SO_FAR = /^(?:\s+["'(][\s\S]*|\s*(?:<[^<>\n]*|[^\s<]+(?:\s+(?:["'(][\s\S]*)?)?)?)$/

const noteMark = (leaf, at) => {
  const { text } = leaf
  const end = text.indexOf("]", at)
  if (end < 0) return /^\[\^[^\s]*$/.test(text.slice(at)) ? cut(leaf, at) : at + 1
  const mayBeDefinition = end + 1 === text.length && (at === 0 || text[at - 1] === "\n")
  return mayBeDefinition ? cut(leaf, at) : end + 1
}

const bracketEnd = (text, at, limit) => {
  let depth = 0
  for (let end = at; end < text.length && end <= limit; end += 1) {
    const letter = text[end]
    if (letter === "\\") end += 1
    else if (letter === "`") end = Math.max(end, codeEnd(text, end, runLength(text, end)) - 1)
    else if (letter === "[") depth += 1
    else if (letter === "]") {
      depth -= 1
      if (depth === 0) return end
    }
  }
  return -1
}

const parenthesisEnd = (text, at, limit) => {
  let depth = 0
  for (let end = at; end < text.length && end <= limit; end += 1) {
    const letter = text[end]
    if (letter === "\\") end += 1
    else if (letter === "(") depth += 1
    else if (letter === ")") {
      depth -= 1
      if (depth === 0) return end + 1
    }
  }
  return -1
}

const dollar = (leaf, at) => {
  const end = readDollar(leaf.text, at)
  return end < 0 ? cut(leaf, at) : end
}

const emphasis = (leaf, at) => {
  const run = readRun(leaf.text, at)
  const end = at + run.length
  if (end === leaf.text.length || isUndecided(leaf.text, run, end)) return cut(leaf, at)
  leaf.emphasis.add(run)
  return end
}

// Whether this may be the beginning of emphasized punctuation, as in **。**
const isUndecided = (text, { mark, canOpen }, end) =>
  !canOpen && mark !== "_" && text.length - end < MAX_UNDECIDED_LENGTH && /^\p{P}+$/u.test(text.slice(end))

// Not a power or an argument, as in 2**3 and f(**options).
const mayBecomeEmphasis = (text, { at, length, opensNearCjk }) =>
  (!opensNearCjk || hasCjk(text)) &&
  !(isLatin(text[at - 1]) && isLatin(text[at + length])) &&
  !(text[at - 1] === "(" && isLatin(text[at - 2]))

const readers = {
  "\\": escaped,
  "`": code,
  "<": angle,
  "&": entity,
  "!": exclamation,
  "[": bracket,
  $: dollar,
  h: bareUrl,
  w: bareUrl,
  "*": emphasis,
  _: emphasis,
  "~": emphasis,
}
