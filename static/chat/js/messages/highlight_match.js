// Shows where a search matched: scrolls to the match and highlights it for a moment.

const HIGHLIGHT_DURATION = 4_000 // ms

let timer

/**
 * Focuses the message `element` and highlights the first match of `query`, if there is one. `scrollTo(top)` scrolls to a
 * distance from the top of the window.
 */
export const highlightMatch = (element, query, scrollTo) => {
  const range = query && findRange(element, query)
  scrollTo((range || element).getBoundingClientRect().top)
  element.tabIndex = -1
  element.focus({ preventScroll: true })
  clearHighlight()
  element.classList.add("message--highlighted")
  if (range && globalThis.Highlight) CSS.highlights.set("search-match", new Highlight(range))
  timer = setTimeout(clearHighlight, HIGHLIGHT_DURATION)
}

const clearHighlight = () => {
  clearTimeout(timer)
  document.querySelector(".message--highlighted")?.classList.remove("message--highlighted")
  globalThis.CSS?.highlights?.delete("search-match")
}

// The range of the first word of the query in the element's text, which may cross the borders of text nodes.
const findRange = (element, query) => {
  const nodes = []
  let text = ""
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    nodes.push({ node: walker.currentNode, start: text.length })
    text += walker.currentNode.data
  }
  const lowerText = text.toLowerCase()
  const matches = query
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .map((word) => ({ start: lowerText.indexOf(word), length: word.length }))
    .filter(({ start }) => start >= 0)
  if (!matches.length) return null
  const match = matches.reduce((first, other) => (other.start < first.start ? other : first))
  const end = match.start + match.length
  const nodeAt = (index) => nodes.findLast(({ start }) => start <= index)
  const first = nodeAt(match.start)
  const last = nodeAt(end - 1)
  const range = document.createRange()
  range.setStart(first.node, match.start - first.start)
  range.setEnd(last.node, Math.min(last.node.length, end - last.start))
  return range
}
