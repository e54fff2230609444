// The text of a user -> tokens, as parse.js makes them of an answer. Uses no DOM.
//
// People type text, not Markdown. So only what can hardly be meant otherwise is a block of its own: fenced code, lists and
// quotes. Everything else stays as it was typed: line breaks, spaces, blank lines, stars, underscores, hashes, entities.

import { typedInlines } from "./typed_inlines.js"

const MAX_DEPTH = 8 // of lists and quotes within each other

const FENCE = /^([ \t]*)(`{3,30}|~{3,30})(?!.*`)[ \t]*([^\s]*)/
const QUOTE = /^ {0,3}>(?: |$)/
const ITEM = /^( *)([-*•]|\d{1,9}[.)])([ \t]+)(?=\S)/
const RULE = /^[ \t]*(?:[-*•][ \t]*)+$/ // a line of marks only, which people draw as a separator
const TAB = "    "

/** Returns the blocks of a text. */
export const parseTypedText = (text) => readBlocks(text.replace(/\r\n?/g, "\n").split("\n"), 0)

const readBlocks = (lines, depth) => {
  const tokens = []
  let typed = []
  const endTyped = () => {
    const text = withoutBlankEdges(typed).join("\n")
    if (text) tokens.push({ type: "paragraph", raw: text, tokens: typedInlines(text) })
    typed = []
  }
  for (let index = 0; index < lines.length; ) {
    const [token, end] = depth < MAX_DEPTH ? readBlock(lines, index, depth) : []
    if (token) {
      endTyped()
      tokens.push(token)
      index = end
    } else {
      const next = Math.max(end ?? 0, index + 1)
      typed.push(...lines.slice(index, next))
      index = next
    }
  }
  endTyped()
  return tokens
}

// Returns the block that begins at this line and the line after it; without a block, the line up to which there is none.
const readBlock = (lines, index, depth) => {
  const line = lines[index]
  if (QUOTE.test(line)) return readQuote(lines, index, depth)
  if (FENCE.test(line)) return readCode(lines, index)
  return isItem(line) ? readList(lines, index, depth) : []
}

const readCode = (lines, start) => {
  const [, indentation, fence, lang] = FENCE.exec(lines[start])
  let end = start + 1
  while (end < lines.length && !closes(lines[end], fence)) end += 1
  const text = lines.slice(start + 1, end).map((line) => withoutIndentation(line, indentation.length))
  const token = { type: "code", lang, text: text.join("\n"), raw: lines.slice(start, end + 1).join("\n") }
  return [token, end + 1]
}

const closes = (line, fence) => {
  const text = line.trim()
  return text.startsWith(fence) && text === fence[0].repeat(text.length)
}

const readQuote = (lines, start, depth) => {
  let end = start
  while (end < lines.length && QUOTE.test(lines[end])) end += 1
  const text = lines.slice(start, end).map((line) => line.replace(QUOTE, ""))
  return [{ type: "blockquote", raw: "", tokens: readBlocks(text, depth + 1) }, end]
}

const withSpaces = (line) => line.replace(/^[ \t]+/, (indentation) => indentation.replaceAll("\t", TAB))

const isItem = (line) => ITEM.test(withSpaces(line)) && !RULE.test(line)

// The marker of an item: its indentation, how far its text is indented, and what the markers of one list have in common.
const markerOf = (line) => {
  const [raw, { length: indentation }, mark, { length: gap }] = ITEM.exec(line)
  const kind = mark.at(-1)
  return { raw, mark, kind, indentation, textIndentation: raw.length - (gap > 4 ? gap - 1 : 0) }
}

const readList = (lines, start, depth) => {
  const first = markerOf(withSpaces(lines[start]))
  const items = []
  let isLoose = false
  let end = start
  while (end < lines.length) {
    const item = readItem(lines, end, first)
    if (!item) break
    isLoose ||= items.length > 0 && end > items.at(-1).end
    items.push(item)
    end = nextWithText(lines, item.end)
  }
  end = items.at(-1).end
  if (first.kind === "-" && (isAddition(lines[start - 1]) || isAddition(lines[end]))) return [null, end] // a diff
  return [newList(items, first, isLoose, depth), end]
}

const isAddition = (line) => /^\s*\+/.test(line ?? "")

// An item of this list at a line, or null: the lines of its text, and the line after it.
const readItem = (lines, start, { kind, indentation }) => {
  const line = withSpaces(lines[start])
  if (!isItem(line)) return null
  const marker = markerOf(line)
  if (marker.kind !== kind || Math.abs(marker.indentation - indentation) > 1) return null
  const text = [line.slice(marker.textIndentation)]
  let end = start + 1
  for (let next = nextWithText(lines, end); next < lines.length; next = nextWithText(lines, end)) {
    const more = withSpaces(lines[next])
    if (more.search(/\S/) < marker.indentation + 2) break
    for (; end < next; end += 1) text.push("")
    text.push(withoutIndentation(more, marker.textIndentation))
    end = next + 1
  }
  return { mark: marker.mark, text, end }
}

const nextWithText = (lines, index) => {
  while (index < lines.length && !lines[index].trim()) index += 1
  return index
}

const newList = (items, { kind }, loose, depth) => {
  const isOrdered = kind === "." || kind === ")"
  return {
    type: "list",
    raw: "",
    ordered: isOrdered,
    start: isOrdered ? Number.parseInt(items[0].mark, 10) : "",
    loose,
    items: items.map(({ mark, text }) => ({
      raw: "",
      mark: kind === ")" ? mark : "",
      number: isOrdered ? Number.parseInt(mark, 10) : null,
      tokens: readBlocks(text, depth + 1),
    })),
  }
}

const withoutIndentation = (line, length) => {
  const indentation = line.search(/\S/)
  return line.slice(indentation < 0 ? length : Math.min(indentation, length))
}

const withoutBlankEdges = (lines) => {
  const first = lines.findIndex((line) => line.trim())
  if (first < 0) return []
  return lines.slice(first, lines.findLastIndex((line) => line.trim()) + 1)
}
