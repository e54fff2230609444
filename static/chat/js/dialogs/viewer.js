// Shows an attachment large: an image, a pasted text, or what was read from a file.

import { displayName } from "../data/file_names.js"
import { blocksOf, splitUnits } from "../data/file_text.js"
import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { setText } from "../ui/dom.js"

const DRAWN_AT_ONCE = 60_000 // characters
const MARGIN = 1_000 // px above the end of what is drawn, at which more is drawn

export class Viewer {
  #dialog
  #api
  #part = null
  #pieces = [] // of the text, see splitUnits
  #drawn = 0 // how many of them are on the page

  constructor(element, api) {
    this.#dialog = new Dialog(element)
    this.#api = api
    element.addEventListener("close", () => this.#clear())
    const text = this.#dialog.find("text")
    text.addEventListener("scroll", () => this.#drawNearEnd(), { passive: true })
    this.#dialog.find("units").addEventListener("change", ({ target }) => this.#goTo(Number(target.value)))
    this.#dialog.find("retry").addEventListener("click", () => this.#load())
  }

  /** Shows a part of a message. */
  show(part) {
    this.#clear()
    this.#part = part
    if (part.type === "image") this.#showImage(part)
    else this.#showFile(part)
    this.#dialog.open()
    if (part.type === "document") this.#setUnits([{ label: "", text: part.text }])
    if (part.type === "file") this.#load()
  }

  #showImage({ id, width, height }) {
    const picture = this.#dialog.find("picture")
    picture.width = width
    picture.height = height
    picture.src = `/api/attachments/${id}`
    picture.alt = strings.sentImage
    picture.hidden = false
    setText(this.#dialog.find("title"), strings.imageTitle(width, height))
  }

  #showFile(part) {
    setText(this.#dialog.find("title"), displayName(part.name))
    this.#dialog.find("about").hidden = false
    this.#dialog.find("text").hidden = false
    const facts = [strings.fileFacts(part), part.type === "file" && strings.characters(part.characters)]
    setText(this.#dialog.find("facts"), facts.filter(Boolean).join(" · "))
    const notes = strings.fileNotes(part)
    setText(this.#dialog.find("notes"), notes.join(" "))
    this.#dialog.find("notes").hidden = !notes.length
    const download = this.#dialog.find("download")
    download.hidden = part.type !== "file"
    if (part.type === "file") download.href = `/api/attachments/${part.id}`
  }

  async #load() {
    const part = this.#part
    this.#showState(strings.loadingText)
    try {
      const units = await this.#api.fileText(part.id)
      if (part === this.#part) this.#setUnits(units)
    } catch ({ message }) {
      if (part === this.#part) this.#showState(message, { canRetry: true })
    }
  }

  #showState(sentence, { canRetry = false } = {}) {
    setText(this.#dialog.find("state"), sentence)
    this.#dialog.find("state-line").hidden = !sentence
    this.#dialog.find("retry").hidden = !canRetry
  }

  #setUnits(units) {
    this.#pieces = splitUnits(units)
    const isEmpty = !units.some(({ text }) => text.trim())
    this.#showState(isEmpty ? strings.noTextInFile : "")
    const select = this.#dialog.find("units")
    select.hidden = units.length < 2
    if (units.length > 1)
      select.replaceChildren(...units.map(({ label }, index) => new Option(this.#labelOf(label), index)))
    this.#draw(DRAWN_AT_ONCE)
  }

  #labelOf(label) {
    return strings.unitLabel(this.#part.unit, displayName(label))
  }

  // Draws the next pieces: at least one, then until there are so many characters, or the unit of this index is there.
  #draw(characters, unit = -1) {
    const container = this.#dialog.find("text")
    let left = characters
    while (this.#drawn < this.#pieces.length && (left > 0 || this.#pieces[this.#drawn].unit <= unit)) {
      const piece = this.#pieces[this.#drawn]
      if (piece.isFirst && piece.label) container.append(newHeading(this.#labelOf(piece.label), piece.unit))
      container.append(...blocksOf(piece.text).map(newBlock))
      left -= piece.text.length
      this.#drawn += 1
    }
  }

  #drawNearEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.#dialog.find("text")
    if (scrollHeight - scrollTop - clientHeight < MARGIN) this.#draw(DRAWN_AT_ONCE)
  }

  #goTo(unit) {
    this.#draw(0, unit)
    this.#draw(DRAWN_AT_ONCE)
    this.#dialog.find("text").querySelector(`[data-unit="${unit}"]`)?.scrollIntoView()
  }

  #clear() {
    this.#part = null
    this.#pieces = []
    this.#drawn = 0
    this.#showState("")
    this.#dialog.find("picture").removeAttribute("src")
    this.#dialog.find("text").replaceChildren()
    this.#dialog.find("text").scrollTop = 0
    for (const name of ["picture", "about", "text", "units"]) this.#dialog.find(name).hidden = true
  }
}

const newHeading = (label, unit) => {
  const heading = document.createElement("h3")
  heading.className = "viewer__unit"
  heading.dataset.unit = unit
  heading.dir = "auto"
  heading.textContent = label
  return heading
}

const newBlock = ({ rows, text }) => {
  if (rows) return newTable(rows)
  const element = document.createElement("pre")
  element.className = "viewer__piece"
  element.dir = "auto"
  element.textContent = text
  return element
}

const newTable = (rows) => {
  const table = document.createElement("table")
  table.className = "viewer__table"
  for (const cells of rows) {
    const row = table.insertRow()
    for (const text of cells) {
      const cell = row.insertCell()
      cell.dir = "auto"
      cell.textContent = text
    }
  }
  return table
}
