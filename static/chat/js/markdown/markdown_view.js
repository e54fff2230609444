// The text of an answer as it arrives: at the display's pace, as Markdown. The Markdown renderer is large: it is loaded when needed.

import { LazyLibrary } from "../ui/lazy_library.js"
import { prefixOf, SmoothReveal } from "./smooth.js"

const MAX_FRAME_COST = 8 // ms; after a frame that took longer, the next ones are left to other work
const FINISHED_TEXT_BUDGET = 24 // ms; a finished text that takes longer is shown over several frames
const CHUNK_LENGTH = 10_000 // characters of a finished text that are rendered in one go
const RETRY_DELAY = 1_000 // ms until a renderer that failed to load is requested again

const prefersReducedMotion = () =>
  typeof matchMedia !== "undefined" && matchMedia("(prefers-reduced-motion: reduce)").matches

export const renderer = new LazyLibrary(() => import("./streaming.js"), { retryDelay: RETRY_DELAY })

/** Loads the renderer before there is a text, and the font of code. */
export const preloadRenderer = () => {
  document.fonts?.load("1em 'Geist Mono'").catch(() => {})
  return renderer.load().catch(() => {})
}

export class MarkdownView {
  #element
  #markdown = null
  #reveal = new SmoothReveal(prefersReducedMotion)
  #text = ""
  #isDone = false
  #shown = 0 // characters

  constructor(element) {
    this.#element = element
    preloadRenderer()
  }

  /** Shows the text so far. `done` says that nothing follows, and shows it at once. */
  show(text, { done }) {
    this.#text = text
    this.#isDone = done
    if (!done) this.#reveal.growTo(text.length, performance.now())
    else if (this.#renderFinished()) return rendering.delete(this)
    rendering.add(this)
    scheduleFrame()
  }

  /** How much text was given, in characters. */
  get length() {
    return this.#text.length
  }

  /** How much of it is on the page, in characters. Until the renderer is loaded, nothing is. */
  get shownLength() {
    return Math.min(this.#shown, this.#text.length)
  }

  /** Shows what is due in this frame. Returns whether that is all. */
  renderFrame(now) {
    if (!this.#isReady) return false
    if (this.#isDone) return this.#renderFinished()
    this.#shown = this.#reveal.lengthAt(now)
    this.#markdown.show(prefixOf(this.#text, this.#shown), { done: false })
    return !this.#reveal.isBehind
  }

  get #isReady() {
    if (renderer.value) this.#markdown ??= new renderer.value.StreamingMarkdown(this.#element)
    else preloadRenderer()
    return this.#markdown !== null
  }

  // As much of a finished text as fits the budget; returns whether that was all.
  #renderFinished() {
    if (!this.#isReady) return false
    const start = performance.now()
    let done
    do {
      this.#shown += CHUNK_LENGTH
      done = this.#shown >= this.#text.length
      this.#markdown.show(done ? this.#text : prefixOf(this.#text, this.#shown), { done })
    } while (!done && performance.now() - start < FINISHED_TEXT_BUDGET)
    if (done) this.#reveal.jumpTo(this.#text.length)
    return done
  }
}

const rendering = new Set() // views with text that is not shown yet

/** Whether some text is not fully shown yet. */
export const isRendering = () => rendering.size > 0

let isScheduled = false
let pausedUntil = 0 // ms of the page's clock

const scheduleFrame = () => {
  if (isScheduled) return
  isScheduled = true
  requestAnimationFrame(renderViews)
}

// A hidden page has no frames, so it costs nothing.
function renderViews(now) {
  isScheduled = false
  if (now >= pausedUntil) {
    const start = performance.now()
    let cost = 0
    for (const view of [...rendering]) {
      rendering.delete(view)
      if (!view.renderFrame(now)) rendering.add(view) // behind the others
      cost = performance.now() - start
      if (cost > MAX_FRAME_COST) break
    }
    if (cost > MAX_FRAME_COST) pausedUntil = now + 4 * cost
  }
  if (rendering.size) scheduleFrame()
}
