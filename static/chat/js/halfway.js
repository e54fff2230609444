// Text that may go on at any letter, read so that nothing shows which will not stay: no mark that is about to become a bold
// word, a link or a table, and no formula before its end. Knows no DOM and no parser.
//
// Two steps. `held` takes Markdown and cuts off what decides about blocks: a lone "#", the "```py" of a code block, half a
// table head. `settled` takes the last paragraph, cell or heading and closes what is open in it.

export const ADDRESS_TO_COME = "halfway:" // of a link whose address is not all there

const LONGEST_FORMULA = 4_000 // characters; what is longer and has no end is none
const LONGEST_LINK = 300 // characters of its text
const LONGEST_ADDRESS = 2_000 // with its title
const FEW = 4 // characters in brackets may still be "[1]" or a box to tick: not even their text is shown

const MARKERS = String.raw`(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])(?=[ \t]|$))*[ \t]*` // of quotes and lists, before a line's own text
const LONE = new RegExp(String.raw`^${MARKERS}(?:[-=*_+#>|~]{1,6}|\d{1,9}[.)]?|\`{1,2}|~{1,2})[ \t]*$`)
const FENCE = new RegExp(String.raw`^${MARKERS}(\`{3,}|~{3,})(.*)$`)
const CLOSING = /^[ \t>]*(?:`+|~+)[ \t]*$/
const DEFINITION = /^ {0,3}\[[^\]\n]*\]?(?::[ \t]*\S*(?:[ \t]+["'(][^\n]*)?)?$/
const ROW = /^((?:[ \t]*>)*[ \t]*)\|/
const DELIMITERS = /^(?:[ \t]*>)*[ \t]*\|?[ \t|:-]*$/
const FORMULA = /(?:^|\n)[ \t>]*(\$\$|\\\[)/g

// Markdown without what is not decided yet at its end.
export const held = (text) => {
  const lines = text.split("\n")
  const last = lines.pop()
  const fence = openFence(lines)
  if (fence) return CLOSING.test(last) && last.includes(fence[0]) ? text.slice(0, text.length - last.length) : text
  const table = tableBegun(lines, last)
  if (table) return table
  if (LONE.test(last) || isFence(last)) return text.slice(0, text.length - last.length)
  return withoutFormula(withoutDefinition(text, lines, last))
}

const isFence = (line) => {
  const [, marks, info] = FENCE.exec(line) ?? []
  return Boolean(marks) && !(marks[0] === "`" && info.includes("`"))
}

// The marks of the code block that these lines leave open.
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

// A table as soon as its first cell begins. Until the line of dashes is all there, one is made up.
const tableBegun = (lines, last) => {
  if (ROW.test(last) && !isRow(lines.at(-1)) && !DELIMITERS.test(last) && !isInTable(lines)) {
    return [...lines, closedRow(last), dashes(last)].join("\n")
  }
  const head = lines.at(-1)
  if (!isRow(head) || isRow(lines.at(-2)) || !DELIMITERS.test(last) || isInTable(lines)) return null
  return [...lines, dashes(head, last)].join("\n")
}

const isInTable = (lines) => {
  for (let at = lines.length - 1; at > 0 && lines[at].trim(); at -= 1) {
    if (lines[at].includes("-") && DELIMITERS.test(lines[at]) && isRow(lines[at - 1])) return true
  }
  return false
}

const isRow = (line) => line !== undefined && ROW.test(line)

const cellsOf = (line) => line.trim().replace(/^(?:[ \t]*>)*[ \t]*\|/, "").replace(/(?<!\\)\|[ \t]*$/, "").split(/(?<!\\)\|/)

const closedRow = (line) => (/(?<!\\)\|[ \t]*$/.test(line) ? line : `${line.replace(/\\$/, "")} |`)

const dashes = (head, begun = "") => {
  const typed = begun.includes("|") ? cellsOf(begun).slice(0, begun.trimEnd().endsWith("|") ? undefined : -1) : []
  const cells = cellsOf(head).map((_, index) => (/-/.test(typed[index]) ? typed[index] : "---"))
  return `${ROW.exec(head)[1]}|${cells.join("|")}|`
}

const withoutDefinition = (text, lines, last) => {
  const isBegun = DEFINITION.test(last) && /^ {0,3}\[(?:\^|[^\]]*\]:)/.test(last) && !(lines.at(-1) ?? "").trim()
  return isBegun ? text.slice(0, text.length - last.length) : text
}

const withoutFormula = (text) => {
  for (const { 0: found, 1: opening, index } of text.matchAll(FORMULA)) {
    const start = index + found.length
    if (text.indexOf(opening === "$$" ? "$$" : "\\]", start) >= 0) continue
    if (text.length - start <= LONGEST_FORMULA) return text.slice(0, start - opening.length)
  }
  return text
}

// The text of one leaf, with what it leaves open closed, or left out where closing makes no sense.
export const settled = (text) => {
  const leaf = { text, open: [], hidden: [], end: text.length, ending: "" }
  for (let at = 0; at < leaf.end;) at = readers[text[at]]?.(leaf, at) ?? at + 1
  return closed(leaf)
}

// `open` is emphasis without an end, { mark, at, count }; `hidden` are places of brackets; the text ends at `end` with `ending`.
const closed = ({ text, open, hidden, end, ending }) => {
  const between = (from) => {
    let shown = ""
    for (const place of hidden) {
      if (place < from || place >= end) continue
      shown += text.slice(from, place)
      from = place + 1
    }
    return shown + text.slice(from, Math.max(from, end)) + ending
  }
  let marks = ""
  for (const { mark, at, count } of open.toReversed()) {
    if (between(at + count).trim()) marks += mark.repeat(count)
    else [end, ending] = [at, ""]
  }
  return marks ? between(0).trimEnd() + marks : between(0)
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

// Each reads what begins at this place, and gives the place behind it.

const escaped = (leaf, at) => {
  const { text } = leaf
  const next = text[at + 1]
  if (next === undefined) return cut(leaf, at)
  if (next !== "(" && next !== "[") return at + 2
  const end = text.indexOf(next === "(" ? "\\)" : "\\]", at + 2)
  if (end >= 0) return end + 2
  return text.length - at <= LONGEST_FORMULA && !text.includes("\n", at) ? cut(leaf, at) : at + 2
}

const code = (leaf, at) => {
  const { text } = leaf
  const count = runAt(text, at)
  const end = codeEnd(text, at, count)
  if (end >= 0) return end
  const inside = text.slice(at + count).replace(/`+$/, "")
  return cut(leaf, at, inside.trim() && "`".repeat(count) + inside + "`".repeat(count))
}

const codeEnd = (text, at, count) => {
  for (let end = text.indexOf("`", at + count); end >= 0; end = text.indexOf("`", end)) {
    const found = runAt(text, end)
    end += found
    if (found === count) return end
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
  if (/^<(?:https?|mailto):[^\s<>]*$/i.test(rest)) return cut(leaf, at, `[${rest.slice(1)}](${ADDRESS_TO_COME})`)
  return at + 1
}

const address = (leaf, at) => at + (/^(?:https?:\/\/|www\.)[^\s<]*/.exec(leaf.text.slice(at))?.[0].length ?? 1)

const entity = (leaf, at) => (/^&#?\w{0,8}$/.test(leaf.text.slice(at, at + 12)) ? cut(leaf, at) : at + 1)

const exclamation = (leaf, at) => {
  if (leaf.text[at + 1] === "[") return bracket(leaf, at + 1, true)
  return at + 1 === leaf.text.length ? cut(leaf, at) : at + 1
}

const bracket = (leaf, at, isImage = false) => {
  const { text, hidden } = leaf
  if (text[at + 1] === "^" && !isImage) return noteMark(leaf, at)
  const begin = isImage ? at - 1 : at
  const end = bracketEnd(text, at, at + LONGEST_LINK)
  const inside = text.slice(at + 1, end < 0 ? undefined : end)
  const next = text[end + 1]
  if (inside.length > LONGEST_LINK || inside.includes("\n")) return at + 1
  if (end < 0 || next === undefined) {
    if (isImage || inside.length <= FEW) return cut(leaf, begin)
    hidden.push(...(end < 0 ? [at] : [at, end]))
    return at + 1
  }
  if (next === "(") {
    const stop = parenthesisEnd(text, end + 1, end + LONGEST_ADDRESS)
    if (stop >= 0) return stop
    if (text.length - end > LONGEST_ADDRESS || !MAY_BE_ADDRESS.test(text.slice(end + 2))) return at + 1
    return cut(leaf, begin, isImage ? "" : `[${inside}](${ADDRESS_TO_COME})`)
  }
  if (next === "[") {
    const stop = text.indexOf("]", end + 2)
    if (stop >= 0) return stop + 1
    if (isImage || inside.length <= FEW) return cut(leaf, begin)
    hidden.push(at, end)
    leaf.end = end + 1
  }
  return at + 1
}

const MAY_BE_ADDRESS = /^\s*(?:<[^<>\n]*|[^\s<]*(?:\s+(?:["'(][^]*)?)?)$/

const noteMark = (leaf, at) => {
  const { text } = leaf
  const end = text.indexOf("]", at)
  if (end < 0) return /^\[\^[^\s]*$/.test(text.slice(at)) ? cut(leaf, at) : at + 1
  const mayBeDefinition = end + 1 === text.length && (at === 0 || text[at - 1] === "\n")
  return mayBeDefinition ? cut(leaf, at) : end + 1
}

const bracketEnd = (text, at, most) => {
  let depth = 0
  for (let end = at; end < text.length && end <= most; end += 1) {
    const letter = text[end]
    if (letter === "\\") end += 1
    else if (letter === "`") end = Math.max(end, codeEnd(text, end, runAt(text, end)) - 1)
    else if (letter === "[") depth += 1
    else if (letter === "]" && !(depth -= 1)) return end
  }
  return -1
}

const parenthesisEnd = (text, at, most) => {
  let depth = 0
  for (let end = at; end < text.length && end <= most; end += 1) {
    const letter = text[end]
    if (letter === "\\") end += 1
    else if (letter === "(") depth += 1
    else if (letter === ")" && !(depth -= 1)) return end + 1
  }
  return -1
}

const dollar = (leaf, at) => {
  const { text } = leaf
  if (text[at + 1] === "$") {
    const end = text.indexOf("$$", at + 2)
    if (end >= 0) return end + 2
    return text.length - at <= LONGEST_FORMULA ? cut(leaf, at) : at + 2
  }
  const [inside] = /^(?:\\[^\n]|[^$\\\n])*/.exec(text.slice(at + 1))
  const end = at + 1 + inside.length
  if (end >= text.length) return mayBeFormula(inside) ? cut(leaf, at) : at + 1
  if (text[end] !== "$" || !inside.trim() || /^\s|\s$/.test(inside)) return at + 1
  const next = text[end + 1]
  if (next === undefined && /^\d/.test(inside)) return cut(leaf, at)
  return /\d/.test(next ?? "") ? at + 1 : end + 1
}

// "$x^2 + " may, "$5 for " may not.
const mayBeFormula = (inside) => {
  if (/^\s/.test(inside) || inside.length > 300) return false
  if (/^\d[\d.,]*[^\d.,\w\\^_{}()+*/=<>-]/.test(inside)) return false
  return (inside.match(/(?<![\\\w])[a-z]{2,}(?=[\s,.;:])/gi) ?? []).length < 2
}

const emphasis = (leaf, at) => {
  const { text, open } = leaf
  const mark = text[at]
  const count = runAt(text, at)
  const [before, after] = [text[at - 1], text[at + count]]
  if (after === undefined) return cut(leaf, at)
  if (mark === "_" && isLetter(before) && isLetter(after)) return at + count
  if (!isBlank(before) && close(open, mark, count)) return at + count
  const isInWord = isLatin(before) && isLatin(after) // as in 2**3
  if (!isBlank(after) && !isInWord && (mark !== "~" || count === 2)) open.push({ mark, at, count })
  return at + count
}

const close = (open, mark, count) => {
  const index = open.findLastIndex((one) => one.mark === mark)
  const one = open[index]
  if (!one) return false
  if (one.count === count) open.length = index
  else if (one.count === 3 && count < 3) one.count -= count
  else if (count === 3) {
    open.length = index
    close(open, mark, count - one.count)
  } else return false
  return true
}

const readers = {
  "\\": escaped, "`": code, "<": angle, "&": entity, "!": exclamation, "[": bracket, "$": dollar,
  "h": address, "w": address,
  "*": emphasis, "_": emphasis, "~": emphasis,
}
