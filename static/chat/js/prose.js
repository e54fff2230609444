// An answer's text as it arrives: at the display's pace, as Markdown. What reads Markdown is large: it comes when needed.

import { Pace, upTo } from "./pace.js";

const DEAR = 8 // ms; after a frame that cost more than this, the next ones are left to others
const STRETCH = 10_000 // characters of a finished text in one go
const AGAIN = 1_000 // ms until what did not come is asked for again
const ROOM = 24 // ms; a finished text that needs more than this takes several frames

const wantsCalm = () => typeof matchMedia !== "undefined" && matchMedia("(prefers-reduced-motion: reduce)").matches

let Growth = null
let coming = null

// Have all that it takes here before there is a text.
export const prepare = () =>
  (coming ??= import("./growth.js").then(
    (module) => {
      Growth = module.Growth
    },
    () => setTimeout(() => (coming = null), AGAIN),
  ))

export class Prose {
  #element
  #growth = null
  #pace = new Pace(wantsCalm)
  #text = ""
  #isDone = false
  #shown = 0 // characters

  constructor(element) {
    this.#element = element
    prepare()
  }

  // `text` is all that came so far; `done` tells that nothing follows, and shows it at once.
  show(text, { done }) {
    this.#text = text
    this.#isDone = done
    if (!done) this.#pace.come(text.length, performance.now())
    else if (this.#goOn()) return growing.delete(this)
    growing.add(this)
    animate()
  }

  // Shows what this frame is to show; gives whether that is all.
  frame(now) {
    if (!this.#isReady) return false
    if (this.#isDone) return this.#goOn()
    this.#shown = this.#pace.at(now)
    this.#growth.show(upTo(this.#text, this.#shown), { done: false })
    return !this.#pace.isBehind
  }

  get #isReady() {
    if (Growth) this.#growth ??= new Growth(this.#element)
    else prepare()
    return this.#growth !== null
  }

  // As much of a finished text as there is room for; gives whether that was all.
  #goOn() {
    if (!this.#isReady) return false
    const began = performance.now()
    let done
    do {
      this.#shown += STRETCH
      done = this.#shown >= this.#text.length
      this.#growth.show(done ? this.#text : upTo(this.#text, this.#shown), { done })
    } while (!done && performance.now() - began < ROOM)
    if (done) this.#pace.leap(this.#text.length)
    return done
  }
}

const growing = new Set()

// Whether some text is not all there yet.
export const isGrowing = () => growing.size > 0

let isAnimating = false
let rest = 0 // until when, in ms of the page's clock

const animate = () => {
  if (isAnimating) return
  isAnimating = true
  requestAnimationFrame(frame)
}

// A hidden page has no frames, so it costs nothing.
function frame(now) {
  isAnimating = false
  if (now >= rest) {
    const began = performance.now()
    let cost = 0
    for (const prose of [...growing]) {
      growing.delete(prose)
      if (!prose.frame(now)) growing.add(prose) // behind the others
      cost = performance.now() - began
      if (cost > DEAR) break
    }
    if (cost > DEAR) rest = now + 4 * cost
  }
  if (growing.size) animate()
}
