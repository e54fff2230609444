// The text that was read from a file, cut for drawing. No DOM.

const PIECE_LENGTH = 20_000 // characters

/**
 * Cuts units, such as pages, into pieces that are quickly drawn: { unit, label, isFirst, text }. `unit` is the index of the
 * unit, and `isFirst` says whether the piece begins it. A piece ends with a line if there is a line break.
 */
export const splitUnits = (units) =>
  units.flatMap(({ label, text }, unit) =>
    pieces(text).map((piece, index) => ({ unit, label, isFirst: index === 0, text: piece })),
  )

const pieces = (text) => {
  const found = []
  let start = 0
  do {
    const limit = start + PIECE_LENGTH
    const lineLength = text.slice(start, limit).lastIndexOf("\n") + 1
    const end = limit >= text.length ? text.length : lineLength ? start + lineLength : wholeCharacters(text, limit)
    found.push(text.slice(start, end))
    start = end
  } while (start < text.length)
  return found
}

const wholeCharacters = (text, end) => (/[\ud800-\udbff]/.test(text[end - 1]) ? end - 1 : end)

/**
 * Returns the blocks of a text: { rows }, lists of cells, for consecutive lines that are a table in Markdown or have tabs, and
 * { text } for what stands between them.
 */
export const blocksOf = (text) => {
  const blocks = []
  let lines = []
  let kind = null
  const end = () => {
    if (lines.length) blocks.push(kind === "text" ? { text: lines.join("\n") } : { rows: rowsOf(kind, lines) })
    lines = []
  }
  for (const line of text.split("\n")) {
    const lineKind = kindOf(line)
    if (lineKind !== kind) end()
    kind = lineKind
    lines.push(line)
  }
  end()
  return blocks.filter(({ rows, text }) => rows?.length || text?.trim())
}

const kindOf = (line) => {
  if (line.startsWith("|") && line.trimEnd().endsWith("|") && line.length > 1) return "markdown"
  return line.includes("\t") && !line.startsWith("\t") ? "tabs" : "text"
}

const rowsOf = (kind, lines) =>
  kind === "tabs" ? lines.map((line) => line.split("\t")) : lines.filter((line) => !isRuler(line)).map(markdownCells)

const isRuler = (line) => /^[|:\s-]+$/.test(line) && line.includes("-")

const markdownCells = (line) => {
  const cells = [""]
  const end = line.trimEnd().length - 1
  for (let index = 1; index < end; index += 1) {
    if (line[index] === "\\" && "|\\".includes(line[index + 1])) {
      index += 1
      cells[cells.length - 1] += line[index]
    } else if (line[index] === "|") cells.push("")
    else cells[cells.length - 1] += line[index]
  }
  return cells.map((cell) => cell.trim().replaceAll("<br>", "\n"))
}
