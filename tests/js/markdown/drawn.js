// Draws Markdown without a browser, at once or while it grows.

import { JSDOM } from "jsdom"

const { window } = new JSDOM("<!doctype html>")
Object.assign(globalThis, { window, document: window.document })
const { StreamingMarkdown } = await import("../../../static/chat/js/markdown/streaming.js")

/** Returns the element that shows a text. */
export const drawn = (text) => {
  const element = document.createElement("div")
  new StreamingMarkdown(element).show(text, { done: true })
  return element
}

const MARKS = { STRONG: "b", EM: "i", DEL: "s", CODE: "c", A: "a" }

const lettersOf = (node, marks = "") => {
  if (node.nodeType === 3) return [...node.data].filter((letter) => letter.trim()).map((letter) => [letter, marks])
  if (node.tagName === "BUTTON") return []
  if (node.getAttribute?.("class")?.startsWith("math")) return [["∎", `${marks}m`]] // a formula counts as one letter
  return [...node.childNodes].flatMap((child) => lettersOf(child, marks + (MARKS[node.tagName] ?? "")))
}

/** Returns what is bold, italic and so on, as in "a <b>word</b>" without the spaces: "a(b:word)". */
export const marksOf = (element) => {
  let text = ""
  let open = ""
  for (const [letter, marks] of lettersOf(element)) {
    if (marks !== open) text += (open && ")") + (marks && `(${marks}:`)
    text += letter
    open = marks
  }
  return text + (open && ")")
}

/** Returns what was shown while the text grew by these numbers of characters, and is not the beginning of what is shown in the end. */
export const flashesOf = (text, sizes = [1]) => {
  const end = lettersOf(drawn(text)).map(String)
  const element = document.createElement("div")
  const markdown = new StreamingMarkdown(element)
  const flashes = []
  for (let length = 0, turn = 0; length < text.length; turn += 1) {
    length = Math.min(text.length, length + sizes[turn % sizes.length])
    if (/[\ud800-\udbff]/.test(text[length - 1])) length += 1 // as smooth.js does
    markdown.show(text.slice(0, length), { done: false })
    const letters = lettersOf(element).map(String)
    if (letters.some((letter, index) => letter !== end[index])) flashes.push([text.slice(0, length), marksOf(element)])
  }
  markdown.show(text, { done: true })
  if (marksOf(element) !== marksOf(drawn(text))) flashes.push([text, marksOf(element)])
  return flashes
}
