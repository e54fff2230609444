// Shows where something was found: brings the words into sight and marks them for a moment.

const STAYS = 4_000 // ms

let timer

// `element` is the message; `words` what was looked for in it, if that is known; `bringTo(top)` scrolls there, a distance
// from the top of what is in sight now.
export const reveal = (element, words, bringTo) => {
  const range = words && rangeOf(element, words)
  bringTo((range || element).getBoundingClientRect().top)
  element.tabIndex = -1
  element.focus({ preventScroll: true })
  forget()
  element.classList.add("message--found")
  if (range && globalThis.Highlight) CSS.highlights.set("found", new Highlight(range))
  timer = setTimeout(forget, STAYS)
}

const forget = () => {
  clearTimeout(timer)
  document.querySelector(".message--found")?.classList.remove("message--found")
  globalThis.CSS?.highlights?.delete("found")
}

// Where the first of these words stands in the element's text, also across the borders of its nodes.
const rangeOf = (element, words) => {
  const nodes = []
  let text = ""
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    nodes.push({ node: walker.currentNode, start: text.length })
    text += walker.currentNode.data
  }
  const low = text.toLowerCase()
  const [place, word] = words.toLowerCase().split(/\s+/).filter(Boolean)
    .map((word) => [low.indexOf(word), word]).filter(([index]) => index >= 0).sort(([a], [b]) => a - b)[0] ?? [-1]
  if (place < 0) return null
  const range = document.createRange()
  const at = (index) => nodes.findLast(({ start }) => start <= index)
  const [first, last] = [at(place), at(place + word.length - 1)]
  range.setStart(first.node, place - first.start)
  range.setEnd(last.node, Math.min(last.node.length, place + word.length - last.start))
  return range
}
