// Reads the blocks of a long text in windows. Marked looks through the rest of a block again and again, so that the time for a
// block grows with the square of its length; the time for a text of many windows grows with their number. A block that
// fills a window is cut there: a paragraph, quote or list becomes two. Code and tables stay whole.

export const WINDOW_LENGTH = 16_000 // characters

/**
 * Calls `read(text, tokens)`, which appends the blocks of a text to `tokens`, for one window after the other. `forget(tokens)`
 * is called with blocks that are read once more, in the next window.
 */
export const readInWindows = (text, tokens, { read, forget }) => {
  let start = 0
  for (let length = WINDOW_LENGTH; start < text.length; ) {
    const end = endOfWindow(text, start, length)
    const blocks = []
    read(text.slice(start, end), blocks)
    const { kept, dropped } = end === text.length ? { kept: blocks, dropped: [] } : withoutLast(blocks)
    forget(dropped)
    tokens.push(...kept)
    length = kept.length ? WINDOW_LENGTH : 2 * length
    start += kept.reduce((sum, { raw }) => sum + raw.length, 0)
  }
}

/** Returns a text in pieces of at most this length. */
export const piecesOf = (text, length) => {
  const pieces = []
  for (let start = 0, end; start < text.length; start = end) {
    end = endOfWindow(text, start, length)
    pieces.push(text.slice(start, end))
  }
  return pieces
}

// At the end of a line or a word, if there is one.
const endOfWindow = (text, start, length) => {
  const end = start + length
  if (end >= text.length) return text.length
  for (const space of ["\n", " "]) {
    const last = text.lastIndexOf(space, end - 1)
    if (last > start + length / 2) return last + 1
  }
  return /[\udc00-\udfff]/.test(text[end]) ? end - 1 : end
}

// The last block of a window may go on in the next one.
const withoutLast = (blocks) => {
  const index = blocks.findLastIndex(({ type }) => type !== "space")
  const last = blocks[index]
  if (index > 0) return { kept: blocks.slice(0, index), dropped: blocks.slice(index) }
  if (last?.type === "code" || last?.type === "table") return { kept: [], dropped: blocks }
  if (!(last?.items?.length > 1)) return { kept: blocks, dropped: [] }
  const items = last.items.slice(0, -1)
  const raw = items.map((item) => item.raw).join("")
  return { kept: [{ ...last, raw, items }], dropped: last.items.slice(-1) }
}
