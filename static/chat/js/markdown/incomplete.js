// Incomplete Markdown: text that may continue at any character is changed so that it shows nothing that later disappears: no
// mark that may become a bold word, a link or a table, and no formula before its end. Uses no DOM and no parser.
//
// There are two steps. `cutUndecided` cuts off an end that may become another block: a single "#", the "```py" of a code block,
// half of a table's head. `closeOpenMarks` closes what the last paragraph, cell or heading leaves open.

export const INCOMPLETE_URL = "incomplete:" // the address of a link whose address is not complete

const MAX_FORMULA_LENGTH = 4_000 // characters; anything longer without an end is no formula
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
const FORMULA = /(?:^|\n)[ \t>]*(\$\$|\\\[)/g

/** Returns the text without an end of which it is not clear yet which block it is. */
export const cutUndecided = (text) => {
  const lines = text.split("\n")
  const last = lines.pop()
  const fence = openFence(lines)
  if (fence) return CLOSING.test(last) && last.includes(fence[0]) ? text.slice(0, text.length - last.length) : text
  const table = completedTable(lines, last)
  if (table) return table
  if (MARKS_ONLY.test(last) || isFence(last)) return text.slice(0, text.length - last.length)
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
  const ends = { $$: text.lastIndexOf("$$"), "\\[": text.lastIndexOf("\\]") }
  for (const { 0: match, 1: opening, index } of text.matchAll(FORMULA)) {
    const start = index + match.length
    if (ends[opening] >= start) continue
    if (text.length - start <= MAX_FORMULA_LENGTH) return text.slice(0, start - opening.length)
  }
  return text
}

/** Returns the text of one leaf with its open marks closed, or left out where nothing follows them. */
export const closeOpenMarks = (text) => {
  const leaf = { text, open: [], hidden: [], end: text.length, ending: "", missing: new Set() }
  for (let at = 0; at < leaf.end; ) at = readers[text[at]]?.(leaf, at) ?? at + 1
  return close(leaf)
}

// `open` is emphasis without an end, { mark, at, count }; `hidden` are the positions of brackets that are not shown; the text
// ends at `end` and is followed by `ending`; `missing` are ends that do not occur in the rest of it.
const close = (leaf) => {
  let marks = ""
  for (const { mark, at, count } of leaf.open.toReversed()) {
    if (visibleText(leaf, at + count).trim()) marks += mark.repeat(count)
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

const isBlank = (letter) => letter === undefined || /\s/.test(letter)
const isLatin = (letter) => letter !== undefined && /[a-z0-9]/i.test(letter)
const isLetter = (letter) => letter !== undefined && /[\p{L}\p{N}]/u.test(letter)

const runAt = (text, at) => {
  let end = at + 1
  while (text[end] === text[at]) end += 1
  return end - at
}

const indexOf = ({ text, missing }, end, from) => {
  const index = missing.has(end) ? -1 : text.indexOf(end, from)
  if (index < 0) missing.add(end)
  return index
}

// Each of these reads what begins at this position and returns the position after it.

const escaped = (leaf, at) => {
  const { text } = leaf
  const next = text[at + 1]
  if (next === undefined) return cut(leaf, at)
  if (next !== "(" && next !== "[") return at + 2
  const end = indexOf(leaf, next === "(" ? "\\)" : "\\]", at + 2)
  if (end >= 0) return end + 2
  return text.length - at <= MAX_FORMULA_LENGTH && !text.includes("\n", at) ? cut(leaf, at) : at + 2
}

const code = (leaf, at) => {
  const { text } = leaf
  const count = runAt(text, at)
  const end = codeEnd(text, at, count)
  if (end >= 0) return end
  let last = text.length
  while (text[last - 1] === "`" && last > at + count) last -= 1
  const inside = text.slice(at + count, last)
  return cut(leaf, at, inside.trim() && "`".repeat(count) + inside + "`".repeat(count))
}

const codeEnd = (text, at, count) => {
  for (let end = text.indexOf("`", at + count); end >= 0; end = text.indexOf("`", end)) {
    const length = runAt(text, end)
    end += length
    if (length === count) return end
  }
  return -1
}

const angle = (leaf, at) => {
  const rest = leaf.text.slice(at)
  if (rest.startsWith("<!--")) {
    const end = rest.indexOf("-->")
    return end < 0 ? cut(leaf, at) : at + end + 3
  }
  if (/^<(?:!-?|[a-z][a-z0-9+.-]{0,15}\s?\/?)?$/i.test(rest)) return cut(leaf, at)
  if (/^<(?:https?|mailto):[^\s<>]*$/i.test(rest)) return cut(leaf, at, `[${rest.slice(1)}](${INCOMPLETE_URL})`)
  return at + 1
}

const bareUrl = (leaf, at) => at + (/^(?:https?:\/\/|www\.)[^\s<]*/.exec(leaf.text.slice(at))?.[0].length ?? 1)

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
    else if (letter === "`") end = Math.max(end, codeEnd(text, end, runAt(text, end)) - 1)
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
  const { text } = leaf
  if (text[at + 1] === "$") {
    const end = text.indexOf("$$", at + 2)
    if (end >= 0) return end + 2
    return text.length - at <= MAX_FORMULA_LENGTH ? cut(leaf, at) : at + 2
  }
  const [inside] = /^(?:\\[^\n]|[^$\\\n])*/.exec(text.slice(at + 1))
  const end = at + 1 + inside.length
  if (end >= text.length) return mayBeFormula(inside) ? cut(leaf, at) : at + 1
  if (text[end] !== "$" || !inside.trim() || /^\s|\s$/.test(inside)) return at + 1
  const next = text[end + 1]
  if (next === undefined && /^\d/.test(inside)) return cut(leaf, at)
  return /\d/.test(next ?? "") ? at + 1 : end + 1
}

// Whether this can become a formula: "$x^2 + " can, "$5 for " cannot.
const mayBeFormula = (inside) => {
  if (/^\s/.test(inside) || inside.length > 300) return false
  if (/^\d[\d.,]*[^\d.,\w\\^_{}()+*/=<>-]/.test(inside)) return false
  return (inside.match(/(?<![\\\w])[a-z]{2,}(?=[\s,.;:])/gi) ?? []).length < 2
}

const emphasis = (leaf, at) => {
  const { text, open } = leaf
  const mark = text[at]
  const count = runAt(text, at)
  const before = text[at - 1]
  const after = text[at + count]
  if (after === undefined) return cut(leaf, at)
  if (mark === "_" && isLetter(before) && isLetter(after)) return at + count
  if (!isBlank(before) && closeEmphasis(open, mark, count)) return at + count
  const isInWord = isLatin(before) && isLatin(after) // as in 2**3
  if (!isBlank(after) && !isInWord && (mark !== "~" || count === 2)) open.push({ mark, at, count })
  return at + count
}

// Closes emphasis with this run of marks. Returns whether there was any to close.
const closeEmphasis = (open, mark, count) => {
  const index = open.findLastIndex((emphasis) => emphasis.mark === mark)
  const emphasis = open[index]
  if (!emphasis) return false
  if (emphasis.count === count) open.length = index
  else if (emphasis.count === 3 && count < 3) emphasis.count -= count
  else if (count === 3) {
    open.length = index
    closeEmphasis(open, mark, count - emphasis.count)
  } else return false
  return true
}

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
