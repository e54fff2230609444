import assert from "node:assert/strict"
import { test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM('<!doctype html><html lang="en">')
Object.assign(globalThis, { window, document: window.document, Node: window.Node })
const { Announcer } = await import("../../../static/chat/js/messages/announcer.js")

const READING = "The model is reading your message…"

// An announcer, and what it has announced.
const listen = () => {
  const log = document.createElement("div")
  return { announcer: new Announcer(log), heard: () => [...log.children].map(({ textContent }) => textContent) }
}

const answer = (longWait) => ({ longWait, length: 0, shownLength: 0, element: document.createElement("article") })

test("a long wait is announced once", () => {
  const { announcer, heard } = listen()
  for (const longWait of ["", "", READING, READING, READING]) announcer.tick(answer(longWait))
  assert.deepEqual(heard(), [READING])
})

test("another long wait of the same answer is announced", () => {
  const { announcer, heard } = listen()
  for (const longWait of [READING, READING, "", "Waiting for a tool…", "Waiting for a tool…"])
    announcer.tick(answer(longWait))
  assert.deepEqual(heard(), [READING, "Waiting for a tool…"])
})

test("the wait for the next answer is announced as well", () => {
  const { announcer, heard } = listen()
  announcer.tick(answer(READING))
  announcer.tick(null)
  announcer.tick(answer(READING))
  assert.deepEqual(heard(), [READING, READING])
})

test("the end of an answer is read after the page has drawn it", () => {
  const { announcer, heard } = listen()
  const view = answer("")
  announcer.startAnswer("The assistant is answering.")
  announcer.tick(view)
  let isDrawn = false
  announcer.endAnswer("The answer is complete.", () => (isDrawn ? view : null))
  announcer.tick(null)
  assert.deepEqual(heard(), ["The assistant is answering."])
  view.element.innerHTML = `<div class="message__parts"><div class="prose"><div class="prose__chunk"><p>One.</p></div></div></div>`
  isDrawn = true
  announcer.tick(null)
  assert.deepEqual(heard(), ["The assistant is answering.", "One.", "The answer is complete."])
})
