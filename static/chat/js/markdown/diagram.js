// A Mermaid diagram: its picture, and its source on demand; where it has an error, the source and a sentence that says which.
// The drawing itself is loaded with the first diagram.

import { strings } from "../i18n/strings.js"
import { newLabelledButton, relabel } from "./block_buttons.js"
import { CodeBlock } from "./code.js"
import { makeScrollable } from "./scrollable.js"

export class Diagram extends CodeBlock {
  #element
  #picture = document.createElement("div")
  #toggle = newLabelledButton("source", strings.showSource, "code")
  #enlarge = newLabelledButton("enlarge", strings.enlarge, "enlarge")
  #notice = document.createElement("p")
  #drawing = null // what `newDiagramImage` needs
  #drawnSource = null // the source that was drawn last, or is being drawn

  constructor(element) {
    super(element)
    this.#element = element
    element.classList.add("diagram")
    this.#picture.className = "diagram__picture"
    this.#picture.dataset.blockAction = "enlarge"
    this.#notice.className = "diagram__notice"
    element.querySelector(".code__tools").prepend(this.#toggle, this.#enlarge)
    element.querySelector("pre").before(this.#notice, this.#picture)
    this.#showSource(true)
    this.#toggle.hidden = true
    this.#enlarge.hidden = true
    this.#showNotice("")
  }

  /** The picture, or its source if that is shown. */
  get file() {
    if (this.#isSourceShown) return super.file
    return { content: this.#drawing.svg, type: "image/svg+xml", name: "diagram.svg" }
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
    this.#element.ariaBusy = "true"
    const { drawOrExplain, newDiagramImage } = await import("./diagram_drawing.js")
    const { drawing, notice } = await drawOrExplain(source)
    if (source !== this.#drawnSource) return
    this.#element.ariaBusy = "false"
    this.#drawing = drawing
    this.#toggle.hidden = !drawing
    this.#enlarge.hidden = !drawing
    this.#showNotice(notice)
    if (!drawing) return this.#showSource(true)
    if (!this.#picture.firstChild) this.#showSource(false)
    const image = newDiagramImage(drawing)
    this.#picture.replaceChildren(image)
    makeScrollable(this.#picture, image)
  }

  toggleSource() {
    this.#showSource(!this.#isSourceShown)
  }

  async enlarge() {
    const { newDiagramImage } = await import("./diagram_drawing.js")
    const { openDiagram } = await import("./diagram_viewer.js")
    openDiagram(this.#drawing, newDiagramImage(this.#drawing))
  }

  get #isSourceShown() {
    return this.#element.classList.contains("diagram--source")
  }

  #showNotice(sentence) {
    this.#notice.textContent = sentence
    this.#notice.hidden = !sentence
  }

  #showSource(isSource) {
    this.#element.classList.toggle("diagram--source", isSource)
    relabel(this.#toggle, isSource ? strings.showDiagram : strings.showSource, isSource ? "diagram" : "code")
  }
}
