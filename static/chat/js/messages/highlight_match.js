// Shows where a search matched: scrolls to the first match and highlights all of them for a moment.

import { findWords } from "../data/folding.js"
import { unfoldAround } from "./fold.js"

const HIGHLIGHT_DURATION = 4_000 // ms
const MAX_HIGHLIGHTS = 500 // the browser draws each

let timer

/**
 * Focuses the message `element` and highlights where the words of `query` are, if they are there. `scrollTo(top)` scrolls to a
 * distance from the top of the window.
 */
export const highlightMatch = (element, query, scrollTo) => {
  const ranges = query ? findRanges(element, query) : []
  const [first] = ranges
  if (first) unfoldAround(first.startContainer)
  scrollTo((first || element).getBoundingClientRect().top)
  element.tabIndex = -1
  element.focus({ preventScroll: true })
  clearHighlight()
  element.classList.add("message--highlighted")
  if (first && globalThis.Highlight) CSS.highlights.set("search-match", new Highlight(...ranges))
  timer = setTimeout(clearHighlight, HIGHLIGHT_DURATION)
}

const clearHighlight = () => {
  clearTimeout(timer)
  document.querySelector(".message--highlighted")?.classList.remove("message--highlighted")
  globalThis.CSS?.highlights?.delete("search-match")
}

// The ranges of the words in the element's text. A word may cross the borders of text nodes.
const findRanges = (element, query) => {
  const nodes = []
  let text = ""
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    nodes.push({ node: walker.currentNode, start: text.length })
    text += walker.currentNode.data
  }
  let index = 0
  const nodeAt = (place) => {
    while (nodes[index + 1]?.start <= place) index += 1
    return nodes[index]
  }
  return findWords(text, query)
    .slice(0, MAX_HIGHLIGHTS)
    .map(([start, end]) => {
      const range = document.createRange()
      const first = nodeAt(start)
      range.setStart(first.node, start - first.start)
      const last = nodeAt(end - 1)
      range.setEnd(last.node, end - last.start)
      return range
    })
}
