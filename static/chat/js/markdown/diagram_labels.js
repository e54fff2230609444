// Puts the labels of a flowchart in quotes. Models often forget them where a label has brackets: A[foo (bar)]. No DOM.

const MAX_LABEL_LENGTH = 300 // characters
const FLOWCHART = /^\s{0,99}(?:flowchart|graph)\b/m
const NOT_DRAWN = /^\s*(?:%%|style\b|classDef\b|class\b|click\b|linkStyle\b|direction\b)/
const NEEDS_QUOTES = /[()[\]{}<>"|;@#\\/]/
const BEFORE_LABEL = /[\p{L}\p{N}_]/u // the end of a node's id
const AFTER_LABEL = /^\s*(?:$|;|&|:::|<?[-=.][-=.]|~~~|[ox]--)/

// How the shapes of nodes begin and end, the longest beginnings first.
const SHAPES = Object.entries({
  "(((": ")))",
  "((": "))",
  "([": "])",
  "[[": "]]",
  "[(": ")]",
  "{{": "}}",
  "[/": "/]",
  "[\\": "\\]",
  "[": "]",
  "(": ")",
  "{": "}",
})
const EDGE_LABEL = /([-=.>ox])\|([^|"\n]{1,300})\|/g
const SUBGRAPH = /^([ \t]{0,99}subgraph[ \t]{1,99})([^"\s[][^"[]{0,300})$/

/** Returns the source with its labels in quotes where they may need them; other diagrams as they are. */
export const quoteLabels = (source) =>
  FLOWCHART.test(source.slice(0, 2_000)) ? source.split("\n").map(quoteInLine).join("\n") : source

const quoteInLine = (line) => {
  if (NOT_DRAWN.test(line)) return line
  const subgraph = SUBGRAPH.exec(line)
  if (subgraph && NEEDS_QUOTES.test(subgraph[2])) return subgraph[1] + quoted(subgraph[2].trimEnd())
  return quoteNodes(line).replace(EDGE_LABEL, (raw, link, label) =>
    NEEDS_QUOTES.test(label) ? `${link}|${quoted(label)}|` : raw,
  )
}

const quoteNodes = (line) => {
  const isSubgraph = /^\s*subgraph\b/.test(line)
  let result = ""
  let done = 0
  for (let index = 1; index < line.length; index += 1) {
    const previous = line[index - 1]
    if (!BEFORE_LABEL.test(previous) && !(isSubgraph && previous === " ")) continue
    const [opening, closing] = SHAPES.find(([beginning]) => line.startsWith(beginning, index)) ?? []
    const start = index + (opening?.length ?? 0)
    const end = opening ? endOfLabel(line, start, closing) : -1
    if (end < 0) continue
    const label = line.slice(start, end)
    result += line.slice(done, start) + (needsQuotes(label) ? quoted(label) : label)
    done = end
    index = end
  }
  return result + line.slice(done)
}

// The first end of the shape behind which the line goes on as it may.
const endOfLabel = (line, start, closing) => {
  const label = line.slice(start, start + MAX_LABEL_LENGTH)
  for (let length = label.indexOf(closing); length >= 0; length = label.indexOf(closing, length + 1)) {
    const behind = start + length + closing.length
    if (length > 0 && AFTER_LABEL.test(line.slice(behind, behind + 20))) return start + length
  }
  return -1
}

const needsQuotes = (label) => NEEDS_QUOTES.test(label) && !/^\s*".*"\s*$/.test(label)

const quoted = (label) => `"${label.trim().replaceAll('"', "#quot;")}"`
