// The attachments of the message being written: images, which are uploaded at once, and documents, which are texts.

import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"
import { drawThumbnail, scaleDown } from "./images.js"

const MAX_PER_KIND = 10 // as on the server

export class Attachments {
  #list
  #hooks
  #limit
  #items = []

  /**
   * `limit` is the number of characters of a document. Hooks: `upload(file, { onProgress, signal })`; `imageProblem()`, the
   * reason why images cannot be added, or ""; `onChange()`; `onProblem(sentence)`; `onAsText(text)` turns a document into typed
   * text; `onFocusLost()`; `viewer` shows attachments large.
   */
  constructor(list, { limit, ...hooks }) {
    this.#list = list
    this.#limit = limit
    this.#hooks = hooks
  }

  get isEmpty() {
    return !this.#items.length
  }

  /** The images that are uploaded. */
  get images() {
    return this.#items.filter(({ image }) => image).map(({ image }) => image)
  }

  get documents() {
    return this.#items.filter(({ document }) => document).map(({ document }) => document)
  }

  /** Waits for the uploads. Resolves to whether all of them succeeded. */
  async allUploaded() {
    await Promise.all(this.#items.map(({ uploaded }) => uploaded))
    return this.#items.every(({ image, document }) => image || document)
  }

  set({ images = [], documents = [] }) {
    for (const item of this.#items) item.stop?.()
    this.#items = [
      ...images.map((image) => new ImageChip(this.#chipHooks, { image })),
      ...documents.map((document) => new DocumentChip(this.#chipHooks, { document })),
    ]
    this.#draw()
  }

  add({ images = [], documents = [] }) {
    this.#put(
      ...images.map((image) => new ImageChip(this.#chipHooks, { image })),
      ...documents.map((document) => new DocumentChip(this.#chipHooks, { document })),
    )
  }

  addPasted(text) {
    const usedNames = new Set(this.documents.map(({ name }) => name))
    const nameOf = (number) => `${strings.pasted(number)}.txt`
    let number = 1
    while (usedNames.has(nameOf(number))) number += 1
    return this.#put(new DocumentChip(this.#chipHooks, { document: { name: nameOf(number), text } }))
  }

  async addFiles(files) {
    for (const file of files) {
      if (file.type.startsWith("image/")) this.#addImage(file)
      else await this.#addDocument(file)
    }
  }

  #addImage(file) {
    const problem = this.#hooks.imageProblem()
    if (problem) return this.#hooks.onProblem(problem)
    const chip = new ImageChip(this.#chipHooks, { file })
    if (this.#put(chip)) chip.upload()
  }

  async #addDocument(file) {
    try {
      if (file.size > 4 * this.#limit) throw new RangeError()
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer())
      if (text.includes("\0")) throw new TypeError()
      if ([...text].length > this.#limit) throw new RangeError()
      if (text) this.#put(new DocumentChip(this.#chipHooks, { document: { name: file.name.slice(0, 200), text } }))
    } catch (error) {
      this.#hooks.onProblem(
        error instanceof RangeError ? strings.fileTooLong(file.name, this.#limit) : strings.unsupportedFile(file.name),
      )
    }
  }

  get #chipHooks() {
    return {
      ...this.#hooks,
      onRemove: (item) => this.#remove(item),
      onAsText: (item) => {
        this.#remove(item)
        this.#hooks.onAsText(item.document.text)
      },
    }
  }

  #put(...items) {
    const isFull = [ImageChip, DocumentChip].some(
      (Kind) => [...this.#items, ...items].filter((item) => item instanceof Kind).length > MAX_PER_KIND,
    )
    if (isFull) return this.#hooks.onProblem(strings.tooManyAttachments(MAX_PER_KIND))
    this.#items = [...this.#items, ...items]
    this.#draw()
    this.#hooks.onChange()
    return true
  }

  #remove(item) {
    const index = this.#items.indexOf(item)
    const hadFocus = item.element.contains(document.activeElement)
    item.stop?.()
    this.#items = this.#items.toSpliced(index, 1)
    this.#draw()
    const next = this.#items[index] ?? this.#items.at(-1)
    if (hadFocus && next) find("remove", next.element).focus()
    else if (hadFocus) this.#hooks.onFocusLost()
    this.#hooks.onChange()
  }

  #draw() {
    this.#list.replaceChildren(...this.#items.map(({ element }) => element))
    this.#list.hidden = this.isEmpty
  }
}

class ImageChip {
  element = cloneTemplate("attached-image-template")
  image = null // {id, media_type, width, height}, once the server has it
  uploaded = Promise.resolve()
  #hooks
  #file
  #abort = new AbortController()

  constructor(hooks, { image = null, file = null }) {
    this.image = image
    this.#hooks = hooks
    this.#file = file
    find("remove", this.element).addEventListener("click", () => hooks.onRemove(this))
    find("retry", this.element).addEventListener("click", () => {
      find("remove", this.element).focus()
      this.upload()
    })
    find("open", this.element).addEventListener("click", () => hooks.viewer.showImage(this.image))
    if (image) this.#showStored()
  }

  upload() {
    this.uploaded = this.#upload()
  }

  stop() {
    this.#abort.abort()
  }

  async #upload() {
    const progress = find("progress", this.element)
    progress.hidden = false
    find("retry", this.element).hidden = true
    this.element.classList.remove("chip--failed")
    try {
      drawThumbnail(this.#file, find("picture", this.element))
      const { id, media_type, width, height } = await this.#hooks.upload(await scaleDown(this.#file), {
        onProgress: (fraction) => {
          progress.value = fraction
        },
        signal: this.#abort.signal,
      })
      this.image = { id, media_type, width, height }
      fetch(`/api/attachments/${id}`).catch(() => {}) // into the cache, in case the connection is lost before it is shown as sent
      find("open", this.element).disabled = false
    } catch (error) {
      if (this.#abort.signal.aborted) return
      find("retry", this.element).hidden = error.isRefusal
      this.element.classList.add("chip--failed")
      this.#hooks.onProblem(error.message)
    } finally {
      progress.hidden = true
      this.#hooks.onChange()
    }
  }

  // Shows an image that was uploaded before.
  #showStored() {
    find("progress", this.element).hidden = true
    find("open", this.element).disabled = false
    drawThumbnail(`/api/attachments/${this.image.id}`, find("picture", this.element))
  }
}

class DocumentChip {
  element = cloneTemplate("attached-document-template")
  document

  constructor(hooks, { document }) {
    this.document = document
    setText(find("name", this.element), document.name)
    setText(find("size", this.element), strings.characters(document.text.length))
    find("remove", this.element).setAttribute("aria-label", strings.remove(document.name))
    find("remove", this.element).addEventListener("click", () => hooks.onRemove(this))
    find("open", this.element).addEventListener("click", () => hooks.viewer.showDocument(document))
    find("as-text", this.element).addEventListener("click", () => hooks.onAsText(this))
  }
}
