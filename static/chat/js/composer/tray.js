// Uploads the attachments of the message being written, and draws them above its text.

import { unsentUploads } from "../data/api.js"
import { displayName, iconOf } from "../data/file_names.js"
import { isUploaded } from "../data/parts.js"
import { Uploads } from "../data/uploads.js"
import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, icon, setText } from "../ui/dom.js"
import { drawThumbnail, scaleDown } from "./images.js"

const nameOf = ({ type, name }) => (type === "image" ? strings.sentImage : displayName(name))
const notesOf = (part) => [
  ...(part.sheets?.length ? [strings.sheets(part.sheets.map(displayName), part.count)] : []),
  ...strings.fileNotes(part),
]
const isPicture = ({ type }) => /^image\/(?!svg)/.test(type)

export class Tray {
  #list
  #hooks
  #uploads
  #items = []
  #chips = new Map() // by item

  /**
   * Hooks as for Attachments, and: `hasRoom(isDocument)`, whether one more can be added; `onItem(item)` adds one;
   * `onItemChanged()`; `onRemove(item)`.
   */
  constructor(list, hooks) {
    this.#list = list
    this.#hooks = hooks
    const upload = async (file, options) => hooks.upload(isPicture(file) ? await scaleDown(file) : file, options)
    this.#uploads = new Uploads(upload, (item) => this.#onChanged(item))
  }

  show(items) {
    this.#items = items
    for (const [item, { element }] of this.#chips) {
      if (items.includes(item)) continue
      element.remove()
      this.#chips.delete(item)
    }
    for (const item of items) this.#showItem(item)
    this.#list.hidden = !items.length
  }

  addFiles(files, folders, limit) {
    const problems = folders.map((name) => strings.isFolder(displayName(name)))
    let added = 0
    let leftOut = 0
    for (const file of files) {
      const problem = this.#problemOf(file)
      if (problem) problems.push(problem)
      else if (!this.#hooks.hasRoom(false)) leftOut += 1
      else {
        const item = { file, part: null }
        this.#hooks.onItem(item)
        this.#uploads.add(item)
        added += 1
      }
    }
    if (leftOut) problems.push(strings.tooManyFiles(limit, leftOut))
    if (problems.length) this.#hooks.onProblem([...new Set(problems)].slice(0, 3).join("\n"))
    if (added) this.#hooks.announce(strings.uploadingFiles(added))
  }

  resume() {
    this.#uploads.resume()
  }

  /** Removes what can no longer be sent: an upload that nobody sends is deleted after a day. Returns the names. */
  async dropGone() {
    const uploaded = this.#items.filter(({ part }) => part && isUploaded(part))
    if (!uploaded.length) return []
    const unsent = await unsentUploads(uploaded.map(({ part }) => part.id)).catch(() => null) // then sending says it
    const gone = uploaded.filter((item) => unsent && !unsent.includes(item.part.id) && this.#items.includes(item))
    for (const item of gone) this.#hooks.onRemove(item)
    return gone.map(({ part }) => nameOf(part))
  }

  /** Other attachments take the place of these. */
  stopAll() {
    for (const item of this.#items) this.#uploads.remove(item)
  }

  // What is known before the file is uploaded.
  #problemOf(file) {
    const name = displayName(file.name)
    if (!file.size) return strings.fileIsEmpty(name)
    if (isPicture(file)) return this.#hooks.imageProblem()
    const { maxFileSize } = this.#hooks
    return file.size > maxFileSize ? strings.fileTooLarge(name, file.size, maxFileSize) : ""
  }

  #onChanged(item) {
    if (!this.#items.includes(item)) return
    this.#showItem(item)
    if (item.state === "done") this.#onArrived(item.part)
    if (item.state === "failed") this.#hooks.announce(strings.fileFailed(displayName(item.file.name), item.problem))
    this.#hooks.onItemChanged()
  }

  #onArrived(part) {
    if (part.type === "image") {
      fetch(`/api/attachments/${part.id}`).catch(() => {}) // into the cache, in case the connection is lost before it is sent
      this.#hooks.announce(strings.imageUploaded)
      const notes = strings.fileNotes(part)
      if (notes.length) this.#hooks.onProblem(notes.join(" ")) // a thumbnail has no room for them
    } else this.#hooks.announce([strings.fileRead(displayName(part.name), part), ...notesOf(part)].join(" "))
  }

  #showItem(item) {
    const before = this.#chips.get(item)
    const Chip = chipFor(item)
    if (before instanceof Chip) before.show(item)
    else {
      const chip = new Chip(item, {
        onOpen: () => this.#hooks.viewer.show(item.part),
        onRetry: () => this.#uploads.retry(item),
        onRemove: () => this.#remove(item),
        onAsText: () => {
          this.#remove(item)
          this.#hooks.onAsText(item.part.text)
        },
      })
      chip.show(item)
      if (before) before.element.replaceWith(chip.element)
      else this.#list.append(chip.element)
      this.#chips.set(item, chip)
    }
  }

  #remove(item) {
    const index = this.#items.indexOf(item)
    const hadFocus = this.#chips.get(item).element.contains(document.activeElement)
    this.#uploads.remove(item)
    this.#hooks.onRemove(item)
    const next = this.#chips.get(this.#items[index] ?? this.#items.at(-1))
    if (hadFocus && next) find("remove", next.element).focus()
    else if (hadFocus) this.#hooks.onFocusLost()
  }
}

// An image that failed is shown as a file, which has room for the reason.
const chipFor = ({ part, file, state }) => {
  if (part) return part.type === "image" ? ImageChip : FileChip
  return isPicture(file) && state !== "failed" ? ImageChip : FileChip
}

const listen = (element, { onOpen, onRetry, onRemove }) => {
  find("open", element).addEventListener("click", onOpen)
  find("remove", element).addEventListener("click", onRemove)
  find("retry", element)?.addEventListener("click", () => {
    find("remove", element).focus()
    onRetry()
  })
}

const showProgress = (element, { state, progress }) => {
  const bar = find("progress", element)
  bar.hidden = !["uploading", "waiting"].includes(state)
  bar.value = progress ?? 0
}

class ImageChip {
  element = cloneTemplate("attached-image-template")

  constructor({ part, file }, hooks) {
    listen(this.element, hooks)
    drawThumbnail(file ?? `/api/attachments/${part.id}`, find("picture", this.element))
  }

  show(item) {
    showProgress(this.element, item)
    this.element.dataset.state = item.state ?? "done"
    find("open", this.element).disabled = !item.part
  }
}

class FileChip {
  element = cloneTemplate("attached-file-template")

  constructor({ part, file }, hooks) {
    const name = displayName(part?.name ?? file.name)
    listen(this.element, hooks)
    find("as-text", this.element).addEventListener("click", hooks.onAsText)
    find("as-text", this.element).hidden = part?.type !== "document"
    setText(find("name", this.element), name)
    find("name", this.element).title = name
    find("icon", this.element).replaceChildren(icon(iconOf(part ?? { name: file.name, media_type: file.type })))
    find("progress", this.element).setAttribute("aria-label", strings.uploadProgress(name))
    find("remove", this.element).setAttribute("aria-label", strings.remove(name))
    find("retry", this.element).setAttribute("aria-label", strings.uploadAgain(name))
  }

  show(item) {
    const { part, state, problem, canRetry } = item
    showProgress(this.element, item)
    this.element.dataset.state = state ?? "done"
    this.element.classList.toggle("chip--failed", state === "failed")
    find("open", this.element).disabled = !part
    find("retry", this.element).hidden = state !== "failed" || !canRetry
    setText(find("facts", this.element), part ? strings.fileFacts(part) : statusOf(item))
    const notes = part ? notesOf(part).join(" ") : ""
    setText(find("note", this.element), state === "failed" ? problem : notes)
    find("note", this.element).hidden = !find("note", this.element).textContent
  }
}

const statusOf = ({ file, state, progress }) => {
  const status = strings.uploadState[state]?.(progress) ?? ""
  return [strings.fileSize(file.size), status].filter(Boolean).join(" · ")
}
