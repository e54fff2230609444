// Draws Mermaid diagrams.
//
// Mermaid draws in an iframe that has no origin, no network and no way to this page but messages (templates/chat/drawing.html).
// What it draws comes back as SVG and is shown as an image.

import { strings } from "../i18n/strings.js"
import { cloneTemplate } from "../ui/dom.js"
import { LazyLibrary } from "../ui/lazy_library.js"
import { componentOf } from "./morph.js"

const LOAD_TIMEOUT = 60_000 // ms; Mermaid is large, and some connections are slow
const RENDER_TIMEOUT = 10_000 // ms
const MAX_SOURCE_LENGTH = 20_000 // characters
const MAX_SVG_LENGTH = 2_000_000 // characters
const MIN_SCALE = 0.5 // of a smaller picture nothing could be recognized, so a narrow window scrolls it

/** Returns the picture as an image, in which nothing runs and from which nothing loads. */
export const newDiagramImage = ({ svg, width, height, title }) => {
  const image = document.createElement("img")
  image.width = Math.ceil(width)
  image.height = Math.ceil(height)
  image.style.minWidth = `${Math.ceil(MIN_SCALE * width)}px`
  image.alt = title || strings.diagram
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  return image
}

/**
 * Resolves to { drawing, notice }: without a drawing, the notice says why. With its labels in quotes, many a faulty diagram can
 * be drawn.
 */
export const drawOrExplain = async (source) => {
  if (source.length > MAX_SOURCE_LENGTH) return { notice: strings.diagramProblem.tooLong(MAX_SOURCE_LENGTH) }
  const first = await drawInTurn(source)
  if (first.svg) return { drawing: first, notice: "" }
  const { quoteLabels } = await import("./diagram_labels.js")
  const quoted = quoteLabels(source)
  const second = quoted === source ? first : await drawInTurn(quoted)
  if (second.svg) return { drawing: second, notice: strings.diagramQuoted }
  const { problemOf } = await import("./diagram_problem.js")
  return { notice: problemOf(first.error, source) }
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

// Resolves to a drawing, or to an `error` with a `message` and the `token` where the parser stopped.
const drawInTurn = (source) => {
  const drawing = lastDrawing.then(() => drawNow(source)).catch(({ message }) => ({ error: { message } }))
  lastDrawing = drawing
  return drawing
}

async function drawNow(source) {
  const iframe = await withTimeout(mermaid.load(), LOAD_TIMEOUT)
  const answer = request(iframe, { source, theme: currentTheme() })
  const { svg, width, height, title, error } = await withTimeout(answer, RENDER_TIMEOUT)
  if (error) return { error: { message: String(error.message), token: String(error.token ?? "") } }
  if (typeof svg !== "string" || !(width > 0 && height > 0)) throw new Error(strings.diagramProblem.empty)
  if (svg.length > MAX_SVG_LENGTH) throw new Error(strings.diagramProblem.tooLarge)
  return { svg, width, height, title: String(title ?? "") }
}

const request = (iframe, message) =>
  new Promise((resolve) => {
    onNextMessage(iframe, resolve)
    iframe.contentWindow.postMessage(message, "*") // it has no origin to name, and no other page can be in it
  })

// After the timeout the iframe is removed, and with it whatever keeps it busy.
const withTimeout = (promise, timeout) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      mermaid.reset()
      for (const iframe of document.querySelectorAll("iframe.mermaid-frame")) iframe.remove()
      reject(new Error(strings.diagramProblem.slow))
    }, timeout)
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
