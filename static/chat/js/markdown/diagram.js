// A Mermaid diagram: its picture, and its source on demand; where it has an error, the source alone.
//
// Mermaid draws in an iframe that has no origin, no network and no way to this page but messages (templates/chat/drawing.html).
// What it draws comes back as SVG and is shown as an image, in which nothing runs and from which nothing loads.

import { strings } from "../i18n/strings.js"
import { cloneTemplate } from "../ui/dom.js"
import { LazyLibrary } from "../ui/lazy_library.js"
import { CodeBlock, newButton } from "./code.js"
import { componentOf } from "./morph.js"
import { makeScrollable } from "./scrollable.js"

const RENDER_TIMEOUT = 10_000 // ms
const MAX_SOURCE_LENGTH = 20_000 // characters
const MAX_SVG_LENGTH = 2_000_000 // characters
const MIN_SCALE = 0.7 // a smaller picture could not be read, so a narrow window scrolls it

export class Diagram extends CodeBlock {
  #element
  #picture = document.createElement("div")
  #toggle = newButton("source", strings.showSource)
  #drawnSource = null // the source that was drawn last, or is being drawn

  constructor(element) {
    super(element)
    this.#element = element
    element.classList.add("diagram")
    this.#picture.className = "diagram__picture"
    element.querySelector(".code__tools").prepend(this.#toggle)
    element.querySelector("pre").before(this.#picture)
    this.#showSource(true)
    this.#toggle.hidden = true
  }

  /** `isOpen` says that more of the source is to come. */
  show(props) {
    super.show(props)
    if (!props.isOpen && props.text !== this.#drawnSource) this.draw()
  }

  /** Draws the picture, also again in other colors. */
  async draw() {
    const { source } = this
    this.#drawnSource = source
    if (source.length > MAX_SOURCE_LENGTH) return
    this.#element.ariaBusy = "true"
    const image = await drawInTurn(source).then(newImage, () => null)
    if (source !== this.#drawnSource) return
    this.#element.ariaBusy = "false"
    this.#toggle.hidden = !image
    if (!image) return this.#showSource(true)
    if (!this.#picture.firstChild) this.#showSource(false)
    this.#picture.replaceChildren(image)
    makeScrollable(this.#picture, image)
  }

  toggleSource() {
    this.#showSource(!this.#element.classList.contains("diagram--source"))
  }

  #showSource(isSource) {
    this.#element.classList.toggle("diagram--source", isSource)
    this.#toggle.textContent = isSource ? strings.showDiagram : strings.showSource
  }
}

const newImage = ({ svg, width, height, title }) => {
  const image = document.createElement("img")
  image.width = Math.ceil(width)
  image.height = Math.ceil(height)
  image.style.minWidth = `${Math.ceil(MIN_SCALE * width)}px`
  image.alt = title || strings.diagram
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  return image
}

// Drawing: one diagram after the other, in an iframe that is made for the first one, and again after one that never ended.

const openIframe = () =>
  new Promise((resolve) => {
    const iframe = cloneTemplate("mermaid-template")
    onNextMessage(iframe, () => resolve(iframe))
    document.body.append(iframe)
  })

const mermaid = new LazyLibrary(openIframe)

let lastDrawing = Promise.resolve()

const drawInTurn = (source) => {
  const drawing = lastDrawing.then(() => drawNow(source))
  lastDrawing = drawing.catch(() => {})
  return drawing
}

async function drawNow(source) {
  const { svg, width, height, title } = await withTimeout(request({ source, theme: currentTheme() }))
  if (typeof svg !== "string" || svg.length > MAX_SVG_LENGTH || !(width > 0 && height > 0))
    throw new Error("There is no drawing.")
  return { svg, width, height, title }
}

async function request(message) {
  const iframe = await mermaid.load()
  return new Promise((resolve) => {
    onNextMessage(iframe, resolve)
    iframe.contentWindow.postMessage(message, "*") // it has no origin to name, and no other page can be in it
  })
}

// After the timeout the iframe is removed, and with it whatever keeps it busy.
const withTimeout = (promise) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      mermaid.reset()
      for (const iframe of document.querySelectorAll("iframe.mermaid-frame")) iframe.remove()
      reject(new Error("The drawing takes too long."))
    }, RENDER_TIMEOUT)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })

const onNextMessage = (iframe, callback) => {
  const onMessage = ({ source, data }) => {
    if (source !== iframe.contentWindow) return
    removeEventListener("message", onMessage)
    callback(data)
  }
  addEventListener("message", onMessage)
}

// The page's own colors and font.

const THEME_COLORS = ["background", "surface", "text", "text-muted", "border", "border-strong", "accent", "accent-soft"]

const currentTheme = () => {
  const probe = document.body.appendChild(document.createElement("i")) // its color resolves light-dark()
  probe.style.forcedColorAdjust = "none" // forced colors would make all of them the same
  const style = getComputedStyle(probe)
  const colors = {}
  for (const name of THEME_COLORS) {
    probe.style.color = `var(--color-${name})`
    colors[name] = style.color
  }
  const theme = { colors, font: style.getPropertyValue("--font-sans").trim() }
  probe.remove()
  return theme
}

let drawnTheme = ""

const redrawInNewTheme = () => {
  const theme = JSON.stringify(currentTheme())
  if (theme === drawnTheme) return
  drawnTheme = theme
  for (const element of document.querySelectorAll(".diagram")) componentOf(element)?.draw()
}

if (typeof matchMedia !== "undefined") {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawInNewTheme)
  new MutationObserver(redrawInNewTheme).observe(document.documentElement, { attributes: true })
}
