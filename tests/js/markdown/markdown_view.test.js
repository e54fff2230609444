// Text that is shown frame by frame, with frames that the test triggers.

import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM("<!doctype html>")
Object.assign(globalThis, { window, document: window.document })

let clock = 0
const requests = []
performance.now = () => (clock += 5) // every reading of the clock takes 5 ms
globalThis.requestAnimationFrame = (callback) => requests.push(callback)

const { MarkdownView, preloadRenderer } = await import("../../../static/chat/js/markdown/markdown_view.js")
await preloadRenderer()

// Runs the next frame, after so many milliseconds.
const frame = (after = 16) => {
  clock += after
  for (const callback of requests.splice(0)) callback(clock)
}

let element
let view
beforeEach(() => {
  while (requests.length) frame(1000)
  element = document.createElement("div")
  view = new MarkdownView(element)
})

const shown = () => element.textContent

test("a burst is shown over several frames, and all of it within 300 ms", () => {
  const text = "word ".repeat(40).trim()
  view.show("word", { done: false })
  frame(400)
  view.show(text, { done: false })
  const lengths = Array.from({ length: 18 }, () => {
    frame()
    return shown().length
  })
  assert.equal(lengths.at(-1), text.length)
  assert.ok(new Set(lengths).size > 8)
})

test("a finished text is shown at once", () => {
  view.show("some **wor", { done: false })
  view.show("some **words** at the end", { done: true })
  assert.equal(shown(), "some words at the end")
})

test("nothing is rendered without frames, and the first frame shows everything that is due", () => {
  view.show("one", { done: false })
  for (let count = 0; count < 500; count += 1) {
    clock += 20
    view.show(`one ${"more ".repeat(count)}`, { done: false })
  }
  assert.equal(shown(), "")
  assert.equal(requests.length, 1)
  frame(10_000)
  assert.ok(shown().length > 2000)
})

test("no frames are requested once everything is shown", () => {
  view.show("few words", { done: false })
  for (let count = 0; count < 10; count += 1) frame()
  assert.equal(shown(), "few words")
  assert.equal(requests.length, 0)
})

test("a very long finished text takes several frames", () => {
  const text = "Some words in a paragraph.\n\n".repeat(6_000)
  view.show(text, { done: true })
  const first = shown().length
  assert.ok(first > 5_000 && first < 90_000)
  view.show(text, { done: true }) // drawing again in between loses nothing
  for (let count = 0; count < 20; count += 1) frame(200)
  assert.equal(element.querySelectorAll("p").length, 6_000)
  assert.equal(requests.length, 0)
})

test("a different text replaces the previous one", () => {
  view.show("the first text", { done: false })
  frame(1000)
  view.show("another", { done: false })
  frame(1000)
  assert.equal(shown(), "another")
})
