// What is attached to the message that is being written: images, which go to the server at once, and texts.

import { copyOf, find, say } from "./dom.js";
import { smaller, thumbnail } from "./pictures.js";
import { words } from "./words.js";

const MOST = 10 // of each kind, as the server says

export class Attachments {
  #list
  #hooks
  #limit
  #items = []

  // `limit`: characters of a text. Hooks: upload(file, {onProgress, signal}); mayAddImages(), a sentence where it may not;
  // onChange(); onProblem(sentence); onAsText(text): it shall be typed text after all; onLeave() when the focus would be
  // lost; viewer, which shows them large.
  constructor(list, { limit, ...hooks }) {
    this.#list = list
    this.#limit = limit
    this.#hooks = hooks
  }

  get isEmpty() {
    return !this.#items.length
  }

  // Those that the server has.
  get images() {
    return this.#items.filter(({ image }) => image).map(({ image }) => image)
  }

  get documents() {
    return this.#items.filter(({ document }) => document).map(({ document }) => document)
  }

  // Resolves when no upload is under way, to whether all of them are there.
  async settled() {
    await Promise.all(this.#items.map(({ uploaded }) => uploaded))
    return this.#items.every(({ image, document }) => image || document)
  }

  set({ images = [], documents = [] }) {
    for (const item of this.#items) item.stop?.()
    this.#items = [...images.map((image) => new Picture(this.#told, { image })), ...documents.map((document) => new Text(this.#told, { document }))]
    this.#draw()
  }

  add({ images = [], documents = [] }) {
    this.#put(...images.map((image) => new Picture(this.#told, { image })), ...documents.map((document) => new Text(this.#told, { document })))
  }

  addPasted(text) {
    const taken = new Set(this.documents.map(({ name }) => name))
    const nameOf = (number) => `${words.pasted(number)}.txt`
    let number = 1
    while (taken.has(nameOf(number))) number += 1
    return this.#put(new Text(this.#told, { document: { name: nameOf(number), text } }))
  }

  async addFiles(files) {
    for (const file of files) {
      if (file.type.startsWith("image/")) this.#addImage(file)
      else await this.#addText(file)
    }
  }

  #addImage(file) {
    const problem = this.#hooks.mayAddImages()
    if (problem) return this.#hooks.onProblem(problem)
    const picture = new Picture(this.#told, { file })
    if (this.#put(picture)) picture.upload()
  }

  async #addText(file) {
    try {
      if (file.size > 4 * this.#limit) throw new RangeError()
      const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer())
      if (text.includes("\0")) throw new TypeError()
      if ([...text].length > this.#limit) throw new RangeError()
      if (text) this.#put(new Text(this.#told, { document: { name: file.name.slice(0, 200), text } }))
    } catch (error) {
      this.#hooks.onProblem(error instanceof RangeError ? words.fileTooLong(file.name, this.#limit) : words.notReadable(file.name))
    }
  }

  get #told() {
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
    const isFull = [Picture, Text].some((Kind) => [...this.#items, ...items].filter((item) => item instanceof Kind).length > MOST)
    if (isFull) return this.#hooks.onProblem(words.tooManyAttached(MOST))
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
    else if (hadFocus) this.#hooks.onLeave()
    this.#hooks.onChange()
  }

  #draw() {
    this.#list.replaceChildren(...this.#items.map(({ element }) => element))
    this.#list.hidden = this.isEmpty
  }
}

class Picture {
  element = copyOf("enclosed-image-template")
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
    find("again", this.element).addEventListener("click", () => {
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
    find("again", this.element).hidden = true
    this.element.classList.remove("chip--failed")
    try {
      thumbnail(this.#file, find("picture", this.element))
      const { id, media_type, width, height } = await this.#hooks.upload(await smaller(this.#file), {
        onProgress: (part) => { progress.value = part },
        signal: this.#abort.signal,
      })
      this.image = { id, media_type, width, height }
      fetch(`/api/attachments/${id}`).catch(() => {}) // into the cache: when it is sent, there may be no connection
      find("open", this.element).disabled = false
    } catch (error) {
      if (this.#abort.signal.aborted) return
      find("again", this.element).hidden = error.isRefusal
      this.element.classList.add("chip--failed")
      this.#hooks.onProblem(error.message)
    } finally {
      progress.hidden = true
      this.#hooks.onChange()
    }
  }

  // It was uploaded before; the canvas shows what the server has.
  #showStored() {
    find("progress", this.element).hidden = true
    find("open", this.element).disabled = false
    thumbnail(`/api/attachments/${this.image.id}`, find("picture", this.element))
  }
}

class Text {
  element = copyOf("enclosed-document-template")
  document

  constructor(hooks, { document }) {
    this.document = document
    say(find("name", this.element), document.name)
    say(find("size", this.element), words.characters(document.text.length))
    find("remove", this.element).setAttribute("aria-label", words.remove(document.name))
    find("remove", this.element).addEventListener("click", () => hooks.onRemove(this))
    find("open", this.element).addEventListener("click", () => hooks.viewer.showDocument(document))
    find("as-text", this.element).addEventListener("click", () => hooks.onAsText(this))
  }
}
