// The few inline HTML elements that models write, mostly where Markdown has no syntax: H<sub>2</sub>O, <kbd>Ctrl</kbd>,
// <ruby>漢字<rt>かんじ</rt></ruby>. They are read without attributes, and only where the closing tag follows soon. Uses no DOM.

import { codeEnd } from "./code_spans.js"

export const MAX_HTML_LENGTH = 500 // characters, with both tags

const OPENING = /<(sub|sup|kbd|u|mark|small|s|del|ins|b|strong|i|em|ruby|rt|rp)>/iy

/**
 * Returns { name, contentStart, contentEnd, end }, offsets in `text`, of the element that begins at `at`; null if none does.
 * If it is not closed within MAX_HTML_LENGTH, contentEnd and end are -1.
 */
export const htmlAt = (text, at) => {
  OPENING.lastIndex = at
  const opening = OPENING.exec(text)
  if (!opening) return null
  const name = opening[1].toLowerCase()
  const start = at + opening[0].length
  return { name, contentStart: start, ...closingTag(text.slice(start, at + MAX_HTML_LENGTH), name, start) }
}

// An element may contain another one of the same name. Tags inside code do not count.
const closingTag = (text, name, start) => {
  const mark = /`+|<(\/?)([a-z]{1,6})>/gi
  let depth = 1
  for (let found = mark.exec(text); found; found = mark.exec(text)) {
    const [{ length }, slash, other] = found
    if (found[0].startsWith("`")) mark.lastIndex = Math.max(mark.lastIndex, codeEnd(text, found.index, length))
    else if (other.toLowerCase() === name) {
      depth += slash ? -1 : 1
      if (!depth) return { contentEnd: start + found.index, end: start + found.index + length }
    }
  }
  return { contentEnd: -1, end: -1 }
}
