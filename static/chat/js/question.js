// What the person said, on the page.

import { copyOf, find, say, tellTime } from "./dom.js";
import { Editor } from "./editor.js";
import { tellTongue } from "./tongue.js";
import { sameVersions, showVersions } from "./versions.js";
import { words } from "./words.js";

const ALONE = { index: 0, ends: [""] }

export class Question {
  element = copyOf("question-template")
  message = null
  enclosed = [] // images and documents, as parts
  versions = ALONE
  text = ""
  #hooks
  #isWaiting
  #editor = null

  // Hooks: sendKey(), onEdit(message, text), which resolves when the server has it; editOf(id), what was being written
  // anew here when the page went, and keepEdit(id, text), null when that is over.
  constructor(hooks) {
    this.#hooks = hooks
  }

  // `isWaiting`: its answer waits for the one before. An entry of the outbox is a message, too: see Outbox.
  show([message], { versions = ALONE, isWaiting }) {
    if (message === this.message && isWaiting === this.#isWaiting && sameVersions(versions, this.versions)) return
    const isNew = message.id !== this.message?.id
    this.message = message
    this.versions = versions
    this.#isWaiting = isWaiting
    const isEntry = Boolean(message.key)
    this.text = message.text
    say(find("text", this.element), message.text)
    tellTongue(find("text", this.element), message.text)
    this.#enclose(message)
    this.#tellHowItStands(message, isWaiting)
    this.element.classList.toggle("message--waiting", isWaiting || isEntry)
    find("foot", this.element).hidden = isEntry || isWaiting || Boolean(this.#editor)
    showVersions(this.element, versions)
    tellTime(find("said-at", this.element), message.created_at ?? message.at)
    const begun = isNew && !isWaiting && this.#hooks.editOf(message.id)
    if (begun) this.#openEditor(begun)
  }

  tick() {}

  // What was being written anew when the message went from the page.
  get unsent() {
    return this.#editor?.text ?? ""
  }

  edit() {
    if (!this.#editor) this.#openEditor(this.message.text)
    this.#editor.focus()
  }

  #openEditor(text) {
    const { id } = this.message
    this.#editor = new Editor(text, {
      sendKey: this.#hooks.sendKey,
      onWrite: (written) => this.#hooks.keepEdit(id, written),
      onSend: (text) => this.#hooks.onEdit(this.message, text),
      onEnd: () => this.#endEdit(),
    })
    for (const name of ["text", "foot"]) find(name, this.element).hidden = true
    find("text", this.element).after(this.#editor.element)
  }

  #endEdit() {
    const hadFocus = this.#editor.element.contains(document.activeElement)
    this.#editor.element.remove()
    this.#editor = null
    this.#hooks.keepEdit(this.message.id, null)
    for (const name of ["text", "foot"]) find(name, this.element).hidden = false
    if (hadFocus) find("edit", this.element).focus()
  }

  #tellHowItStands({ key, isSending, problem, isRefused }, isWaiting) {
    const sentence = isWaiting ? words.waitsForTheAnswer
      : !key ? ""
      : isRefused ? problem
      : isSending && !problem ? words.sending
      : words.notSentYet
    const line = find("line", this.element)
    line.hidden = !sentence
    line.classList.toggle("message__line--danger", Boolean(isRefused))
    line.classList.toggle("message__line--soon", Boolean(isSending && !problem))
    say(find("sentence", line), sentence)
    find("send-again", line).hidden = !key || Boolean(isSending)
    find("take-back", line).hidden = !sentence || Boolean(isSending)
  }

  #enclose({ parts, images, documents }) {
    const all = parts?.filter(({ type }) => kinds[type]) ?? [
      ...images.map((image) => ({ type: "image", ...image })),
      ...documents.map((document) => ({ type: "document", ...document })),
    ]
    const isSame = all.length === this.enclosed.length && all.every(({ id }, index) => id === this.enclosed[index].id)
    this.enclosed = all
    if (isSame) return
    const items = all.map((part, index) => {
      const item = kinds[part.type](part)
      item.querySelector("button").dataset.index = index
      return item
    })
    find("enclosed", this.element).replaceChildren(...items)
    find("enclosed", this.element).hidden = !all.length
  }
}

const kinds = {
  image({ id, width, height }) {
    const item = copyOf("sent-image-template")
    const picture = find("picture", item)
    picture.width = width
    picture.height = height
    picture.src = `/api/attachments/${id}`
    picture.alt = words.sentImage
    return item
  },
  document({ name, text }) {
    const item = copyOf("sent-document-template")
    say(find("name", item), name)
    say(find("size", item), words.characters(text.length))
    return item
  },
}
