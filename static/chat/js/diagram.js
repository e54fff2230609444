// A diagram in Mermaid's language: a picture of it, and its source on demand; where it has an error, the source alone.
//
// Mermaid draws in a frame of its own that has no origin, no network and no way to this page but messages (drawing.html). What
// it draws comes back as SVG and is shown as an image, in which nothing runs and from which nothing loads.

import { button, Code } from "./code.js";
import { copyOf } from "./dom.js";
import { livingIn } from "./grow.js";
import { scrollable } from "./scrollable.js";
import { words } from "./words.js";

const PATIENCE = 10_000 // ms until a drawing counts as one that never ends
const LONGEST = 20_000 // characters of source
const SMALLEST = 0.7 // of its size; a smaller picture could not be read, so a narrow window scrolls it
const LARGEST = 2_000_000 // characters of SVG

export class Diagram extends Code {
  #element
  #picture = document.createElement("div")
  #toggle = button("source", words.showSource)
  #drawn = null // the source that was drawn last, or is being drawn

  constructor(element) {
    super(element)
    this.#element = element
    element.classList.add("diagram")
    this.#picture.className = "diagram__picture"
    element.querySelector(".code__tools").prepend(this.#toggle)
    element.querySelector("pre").before(this.#picture)
    this.#turn(true)
    this.#toggle.hidden = true
  }

  show(told) {
    super.show(told)
    if (!told.isOpen && told.text !== this.#drawn) this.draw()
  }

  // Draws it, also anew where the colours changed.
  async draw() {
    const source = (this.#drawn = this.source)
    if (source.length > LONGEST) return
    this.#element.ariaBusy = "true"
    const image = await drawn(source).then(imageOf, () => null)
    if (source !== this.#drawn) return
    this.#element.ariaBusy = "false"
    this.#toggle.hidden = !image
    if (!image) return this.#turn(true)
    if (!this.#picture.firstChild) this.#turn(false)
    this.#picture.replaceChildren(image)
    scrollable(this.#picture, image)
  }

  // From the picture to its source, and back.
  turn() {
    this.#turn(!this.#element.classList.contains("diagram--source"))
  }

  #turn(toSource) {
    this.#element.classList.toggle("diagram--source", toSource)
    this.#toggle.textContent = toSource ? words.showDiagram : words.showSource
  }
}

const imageOf = ({ svg, width, height, title }) => {
  const image = document.createElement("img")
  image.width = Math.ceil(width)
  image.height = Math.ceil(height)
  image.style.minWidth = `${Math.ceil(SMALLEST * width)}px`
  image.alt = title || words.diagram
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  return image
}

// Drawing: one after the other, in a frame that is made when the first diagram comes and again after one that never ended

let frame = null
let turn = Promise.resolve()

const drawn = (source) => {
  const drawing = turn.then(() => drawOne(source))
  turn = drawing.catch(() => {})
  return drawing
}

async function drawOne(source) {
  const { svg, width, height, title } = await inTime(answerTo({ source, look: look() }))
  if (typeof svg !== "string" || svg.length > LARGEST || !(width > 0 && height > 0)) throw new Error("There is no drawing.")
  return { svg, width, height, title }
}

async function answerTo(question) {
  frame ??= open()
  return ask(await frame, question)
}

// Or the frame goes, and whatever keeps it busy with it.
const inTime = (answer) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      frame = null
      for (const one of document.querySelectorAll("iframe.drawing")) one.remove()
      reject(new Error("The drawing takes too long."))
    }, PATIENCE)
    answer.then(resolve, reject).finally(() => clearTimeout(timer))
  })

const open = () =>
  new Promise((resolve) => {
    const one = copyOf("drawing-template")
    hear(one, () => resolve(one))
    document.body.append(one)
  })

const ask = (one, question) =>
  new Promise((resolve) => {
    hear(one, resolve)
    one.contentWindow.postMessage(question, "*") // it has no origin that could be named, and nobody else can be in it
  })

const hear = (one, then) => {
  const listen = ({ source, data }) => {
    if (source !== one.contentWindow) return
    removeEventListener("message", listen)
    then(data)
  }
  addEventListener("message", listen)
}

// The page's own colours and letters.
const look = () => {
  const probe = document.body.appendChild(document.createElement("i")) // resolves what depends on the theme
  probe.style.forcedColorAdjust = "none" // where the device has but one colour for all of them, none could be told apart
  const style = getComputedStyle(probe)
  const colour = (name) => {
    probe.style.color = `var(--color-${name})`
    return style.color
  }
  const names = ["page", "panel", "text", "muted", "line", "edge", "accent", "accent-soft"]
  const found = { colours: Object.fromEntries(names.map((name) => [name, colour(name)])), font: style.getPropertyValue("--sans").trim() }
  probe.remove()
  return found
}

let drawnLike = ""

const redraw = () => {
  const like = JSON.stringify(look())
  if (like !== drawnLike) for (const element of document.querySelectorAll(".diagram")) livingIn(element)?.draw()
  drawnLike = like
}

if (typeof matchMedia !== "undefined") {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw)
  new MutationObserver(redraw).observe(document.documentElement, { attributes: true })
}
