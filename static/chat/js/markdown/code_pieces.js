// Where a block of code is divided into the pieces that are highlighted one by one, and which of them are. No DOM.
//
// The highlighter's time grows with the square of a line's length in about half of its languages: 8,000 zeros in an INI file
// take a second, 1,000 take a sixtieth of that. Lines that long are data or minified, and stay without colors.

const PIECE_LENGTH = 2_000 // characters
const LONG_PIECE_LENGTH = 4_000 // characters; from here on it ends at any line
const MAX_HIGHLIGHTED_LINE = 1_000 // characters

/** Returns where the piece that starts there ends: before a line without indentation, which rarely continues the line before. */
export function endOfPiece(text, start) {
  for (let line = text.indexOf("\n", start + PIECE_LENGTH); line >= 0; line = text.indexOf("\n", line + 1)) {
    const next = text[line + 1]
    if (next === undefined) break
    if (line - start > LONG_PIECE_LENGTH || !/[\s})\]]/.test(next)) return line + 1
  }
  return text.length
}

/** Returns whether the piece may be given to the highlighter. */
export function isHighlightable(piece) {
  for (let start = 0; start < piece.length; ) {
    const found = piece.indexOf("\n", start)
    const end = found < 0 ? piece.length : found
    if (end - start > MAX_HIGHLIGHTED_LINE) return false
    start = end + 1
  }
  return true
}
