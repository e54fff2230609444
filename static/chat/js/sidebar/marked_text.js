// Marks in a result of a search what was searched for. Loaded with the first search.

import { findWords } from "../data/folding.js"

/** Shows the text in the element, with each of the words marked. */
export const setMarkedText = (element, text, words) => {
  const nodes = []
  let end = 0
  for (const [start, stop] of findWords(text, words)) {
    const mark = document.createElement("mark")
    mark.textContent = text.slice(start, stop)
    nodes.push(text.slice(end, start), mark)
    end = stop
  }
  element.replaceChildren(...nodes, text.slice(end))
}
