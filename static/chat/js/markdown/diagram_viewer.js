// Shows a diagram large, and downloads it as an image. Loaded when the first one is opened.

import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { cloneTemplate, setText } from "../ui/dom.js"
import { download } from "../ui/download.js"
import { loadStylesheet } from "../ui/stylesheet.js"
import { ZoomPane } from "../ui/zoom_pane.js"

const PNG_SCALE = 2 // for displays with many pixels, and print
const MAX_PNG_PIXELS = 16_000_000 // more than that some browsers cannot draw

class DiagramViewer {
  #dialog = new Dialog(document.body.appendChild(cloneTemplate("diagram-viewer-template")))
  #pane
  #drawing = null

  constructor() {
    const find = (name) => this.#dialog.find(name)
    const listen = (name, act) => find(name).addEventListener("click", act)
    this.#pane = new ZoomPane(find("pane"), {
      onScale: (scale) => setText(find("scale"), strings.percent(scale)),
    })
    listen("zoom-out", () => this.#pane.zoomOut())
    listen("zoom-in", () => this.#pane.zoomIn())
    listen("fit", () => this.#pane.fit())
    listen("svg", () => download(this.#drawing.svg, "image/svg+xml", "diagram.svg"))
    listen("png", () => this.#downloadPng())
    this.#dialog.element.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (this.#pane.press(event.key)) event.preventDefault()
    })
  }

  /** `drawing` has `svg`, `width`, `height` and `title`; `image` is an <img> of it. */
  open(drawing, image) {
    this.#drawing = drawing
    setText(this.#dialog.find("title"), drawing.title || strings.diagram)
    this.#showProblem("")
    this.#dialog.open()
    this.#pane.show(image, drawing)
  }

  #showProblem(sentence) {
    setText(this.#dialog.find("problem"), sentence)
    this.#dialog.find("problem").hidden = !sentence
  }

  async #downloadPng() {
    this.#showProblem("")
    try {
      download(await toPng(this.#drawing), "image/png", "diagram.png")
    } catch {
      this.#showProblem(strings.diagramProblem.png)
    }
  }
}

const toPng = async ({ svg, width, height }) => {
  const scale = Math.min(PNG_SCALE, Math.sqrt(MAX_PNG_PIXELS / (width * height)))
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  await image.decode()
  const canvas = document.createElement("canvas")
  canvas.width = Math.max(1, Math.floor(width * scale))
  canvas.height = Math.max(1, Math.floor(height * scale))
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height)
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The image is empty."))), "image/png")
  })
}

await loadStylesheet("diagram-viewer-template")
const viewer = new DiagramViewer()

export const openDiagram = (drawing, image) => viewer.open(drawing, image)
