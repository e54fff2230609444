// A message of the user on the page.

import { isAttachment } from "../data/parts.js"
import { setLanguage } from "../i18n/detect_language.js"
import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText, showTime } from "../ui/dom.js"
import { Editor } from "./editor.js"
import { Fold } from "./fold.js"
import { sentAttachments } from "./parts/kinds.js"
import { showTypedText } from "./parts/typed_text.js"
import { sameVersions, showVersions } from "./versions.js"

const ONLY_VERSION = { index: 0, leafIds: [""] }

export class UserMessage {
  element = cloneTemplate("question-template")
  message = null
  attachments = [] // parts
  versions = ONLY_VERSION
  text = "" // as it is copied
  #hooks
  #isWaiting
  #isFirstSeen
  #editor = null

  /**
   * Hooks: `sendKey()`; `onEdit(message, { text, attachments })` resolves when the server has it; `getEdit(id)` returns the unsent edit of
   * this message from an earlier page, { text, attachments }; `saveEdit(id, edit)`, with null when the edit is over.
   */
  constructor(hooks) {
    this.#hooks = hooks
    const [box, content, button] = ["bubble", "text", "fold"].map((name) => find(name, this.element))
    new Fold({ box, content, button, key: () => this.message.id ?? this.message.key })
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
    showTypedText(find("text", this.element), message.text)
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
    if (!this.#editor) this.#openEditor({ text: this.message.text })
    this.#editor.focus()
  }

  // `attachments`: those that are kept; of an edit that an earlier version has saved, all of them.
  #openEditor({ text, attachments = this.attachments }) {
    const { id } = this.message
    this.#editor = new Editor(
      { text, attachments },
      {
        sendKey: this.#hooks.sendKey,
        onInput: (edit) => this.#hooks.saveEdit(id, edit),
        onSend: (fields) => this.#hooks.onEdit(this.message, fields),
        onClose: () => this.#closeEditor(),
      },
    )
    for (const name of ["attachments", "bubble", "foot"]) find(name, this.element).hidden = true
    find("bubble", this.element).after(this.#editor.element)
  }

  #closeEditor() {
    const hadFocus = this.#editor.element.contains(document.activeElement)
    this.#editor.element.remove()
    this.#editor = null
    this.#hooks.saveEdit(this.message.id, null)
    for (const name of ["bubble", "foot"]) find(name, this.element).hidden = false
    find("attachments", this.element).hidden = !this.attachments.length
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

  #showAttachments(message) {
    const attachments = message.parts?.filter(isAttachment) ?? message.attachments
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
  return isSending && !problem ? strings.sending : strings.notSentYet
}
