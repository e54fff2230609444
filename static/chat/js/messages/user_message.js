// A message of the user on the page.

import { attachmentParts, isAttachment } from "../data/parts.js"
import { setLanguage } from "../i18n/detect_language.js"
import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText, showTime } from "../ui/dom.js"
import { Editor } from "./editor.js"
import { sentAttachments } from "./parts/kinds.js"
import { sameVersions, showVersions } from "./versions.js"

const ONLY_VERSION = { index: 0, leafIds: [""] }

export class UserMessage {
  element = cloneTemplate("question-template")
  message = null
  attachments = [] // images and documents, as parts
  versions = ONLY_VERSION
  text = "" // as it is copied
  #hooks
  #isWaiting
  #isFirstSeen
  #editor = null

  /**
   * Hooks: `sendKey()`; `onEdit(message, text)` resolves when the server has it; `getEdit(id)` returns the unsent edit of
   * this message from an earlier page; `saveEdit(id, text)`, with null when the edit is over.
   */
  constructor(hooks) {
    this.#hooks = hooks
  }

  /**
   * Shows a message, or an entry of the outbox. `isWaiting`: its answer is queued behind another one; `isFirstSeen`: the
   * model does not see the messages above it.
   */
  show([message], { versions = ONLY_VERSION, isWaiting, isFirstSeen }) {
    const isUnchanged = isWaiting === this.#isWaiting && isFirstSeen === this.#isFirstSeen
    if (message === this.message && isUnchanged && sameVersions(versions, this.versions)) return
    const isNew = message.id !== this.message?.id
    this.message = message
    this.versions = versions
    this.#isWaiting = isWaiting
    this.#isFirstSeen = isFirstSeen
    const isUnsent = Boolean(message.key)
    this.text = message.text
    setText(find("text", this.element), message.text)
    setLanguage(find("text", this.element), message.text)
    find("boundary", this.element).hidden = !isFirstSeen
    this.#showAttachments(message)
    this.#showDelivery(message, isWaiting)
    this.element.classList.toggle("message--waiting", isWaiting || isUnsent)
    find("foot", this.element).hidden = isUnsent || isWaiting || Boolean(this.#editor)
    showVersions(this.element, versions)
    showTime(find("sent-at", this.element), message.created_at ?? message.at)
    const unsentEdit = isNew && !isWaiting && this.#hooks.getEdit(message.id)
    if (unsentEdit) this.#openEditor(unsentEdit)
  }

  tick() {}

  /** The text of an edit that was not sent. */
  get unsentEdit() {
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
      onInput: (text) => this.#hooks.saveEdit(id, text),
      onSend: (text) => this.#hooks.onEdit(this.message, text),
      onClose: () => this.#closeEditor(),
    })
    for (const name of ["text", "foot"]) find(name, this.element).hidden = true
    find("text", this.element).after(this.#editor.element)
  }

  #closeEditor() {
    const hadFocus = this.#editor.element.contains(document.activeElement)
    this.#editor.element.remove()
    this.#editor = null
    this.#hooks.saveEdit(this.message.id, null)
    for (const name of ["text", "foot"]) find(name, this.element).hidden = false
    if (hadFocus) find("edit", this.element).focus()
  }

  #showDelivery(message, isWaiting) {
    const { key, isSending, problem, isRefused } = message
    const sentence = deliverySentence(message, isWaiting)
    const delivery = find("delivery", this.element)
    delivery.hidden = !sentence
    delivery.classList.toggle("message__delivery--refused", Boolean(isRefused))
    delivery.classList.toggle("message__delivery--sending", Boolean(isSending && !problem))
    setText(find("sentence", delivery), sentence)
    find("send-again", delivery).hidden = !key || Boolean(isSending)
    find("take-back", delivery).hidden = !sentence || Boolean(isSending)
  }

  #showAttachments({ parts, images, documents }) {
    const attachments = parts?.filter(isAttachment) ?? attachmentParts({ images, documents })
    const isSame =
      attachments.length === this.attachments.length &&
      attachments.every(({ id }, index) => id === this.attachments[index].id)
    this.attachments = attachments
    if (isSame) return
    const items = attachments.map((part, index) => {
      const item = sentAttachments[part.type](part)
      item.querySelector("button").dataset.index = index
      return item
    })
    find("attachments", this.element).replaceChildren(...items)
    find("attachments", this.element).hidden = !attachments.length
  }
}

const deliverySentence = ({ key, isSending, problem, isRefused }, isWaiting) => {
  if (isWaiting) return strings.waitingForPreviousAnswer
  if (!key) return ""
  if (isRefused) return problem
  return isSending && !problem ? strings.sending : strings.unsent
}
