// The attachments of the message being written: images and files, which are uploaded at once, and documents, which are texts.
// What uploads and draws them is loaded with the first one.

import { strings } from "../i18n/strings.js"
import { LazyLibrary } from "../ui/lazy_library.js"

const MAX_PER_KIND = 10 // as on the server

const isUnderway = ({ part, state }) => !part && state !== "offline" && state !== "failed"

export class Attachments {
  #hooks
  #items = [] // { part } of what can be sent; what is uploaded has more fields, see data/uploads.js
  #tray
  #listeners = [] // each is called at the next change

  /**
   * Hooks: `upload(file, { onProgress, signal })`; `maxFileSize`, in bytes; `imageProblem()`, the reason why images cannot be
   * added, or ""; `onChange()`; `onProblem(sentence)`; `onAsText(text)` turns a document into typed text; `onFocusLost()`;
   * `announce(sentence)`; `viewer` shows attachments large.
   */
  constructor(list, hooks) {
    this.#hooks = hooks
    this.#tray = new LazyLibrary(async () => {
      const { Tray } = await import("./tray.js")
      return new Tray(list, {
        ...hooks,
        hasRoom: (isDocument) => this.#hasRoom(isDocument),
        onItem: (item) => this.#put([item]),
        onItemChanged: () => this.#onChanged(),
        onRemove: (item) => this.#remove(item),
      })
    })
  }

  get isEmpty() {
    return !this.#items.length
  }

  /** The attachments that can be sent, as parts of a message. */
  get parts() {
    return this.#items.map(({ part }) => part).filter(Boolean)
  }

  /** Why not all attachments can be sent, or "". */
  get problem() {
    const item = this.#items.find(({ part }) => !part)
    if (!item) return ""
    const { state, canRetry, file } = item
    if (state !== "failed") return strings.fileWaits(file.name)
    return canRetry ? strings.fileNotUploaded(file.name) : strings.fileRefused(file.name)
  }

  /** Waits for the uploads, but not for the connection. */
  async whenUploaded() {
    while (this.#items.some(isUnderway)) await new Promise((resolve) => this.#listeners.push(resolve))
  }

  set(parts) {
    this.#tray.value?.stopAll()
    this.#items = parts.map((part) => ({ part }))
    this.#onChanged({ isSaved: true })
    this.#draw()
  }

  /** Removes those of an earlier page that can no longer be sent. Resolves to their names. */
  async dropGone() {
    if (this.isEmpty) return []
    const tray = await this.#tray.load().catch(() => null)
    return tray?.dropGone() ?? []
  }

  /** The names of the files that are not uploaded yet: they go with the page. */
  get unfinished() {
    return this.#items.filter(({ part, state }) => !part && state !== "failed").map(({ file }) => file.name)
  }

  add(parts) {
    this.#put(parts.map((part) => ({ part })))
  }

  addPasted(text) {
    if (!this.#hasRoom(true)) return this.#hooks.onProblem(strings.tooManyTexts(MAX_PER_KIND))
    const usedNames = new Set(this.parts.map(({ name }) => name))
    const nameOf = (number) => `${strings.pasted(number)}.txt`
    let number = 1
    while (usedNames.has(nameOf(number))) number += 1
    this.add([{ type: "document", name: nameOf(number), text }])
  }

  /** Uploads files; `folders` are the names of folders, which cannot be attached. */
  async addFiles({ files, folders = [] }) {
    const tray = await this.#tray.load().catch(() => this.#hooks.onProblem(strings.unreachable))
    tray?.addFiles(files, folders, MAX_PER_KIND)
  }

  /** Loads what the first attachment needs. */
  preload() {
    this.#tray.use(() => {})
  }

  /** The server can be reached again. */
  resume() {
    this.#draw()
    this.#tray.value?.resume()
  }

  #hasRoom(isDocument) {
    const count = this.#items.filter(({ part }) => (part?.type === "document") === isDocument).length
    return count < MAX_PER_KIND
  }

  #put(items) {
    this.#items = [...this.#items, ...items]
    this.#draw()
    this.#onChanged()
  }

  #remove(item) {
    this.#items = this.#items.filter((other) => other !== item)
    this.#draw()
    this.#onChanged()
  }

  #onChanged({ isSaved = false } = {}) {
    for (const listener of this.#listeners.splice(0)) listener()
    if (!isSaved) this.#hooks.onChange()
  }

  // Without attachments there is nothing to load; while the server cannot be reached, they are drawn later.
  #draw() {
    if (this.#tray.value || !this.isEmpty) this.#tray.use((tray) => tray.show(this.#items))
  }
}
