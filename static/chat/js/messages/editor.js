// Edits a message in its place.

import { displayName } from "../data/file_names.js"
import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"
import { isSendKey } from "../ui/send_key.js"

export class Editor {
  element = cloneTemplate("editor-template")
  #field
  #attachments
  #isSending = false
  #hooks

  /**
   * `attachments` are parts, which can be removed. Hooks: `sendKey()`; `onClose()`; `onInput(content)` and `onSend(content)`
   * with a content of { text, attachments }. `onSend` resolves when the server has it, or throws an error with a sentence.
   */
  constructor({ text, attachments }, hooks) {
    this.#hooks = hooks
    this.#attachments = attachments
    this.#showAttachments()
    this.#field = this.element.elements.text
    this.#field.value = text
    this.element.addEventListener("submit", (event) => {
      event.preventDefault()
      this.#send()
    })
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing && !this.#isSending) {
        event.stopPropagation()
        hooks.onClose()
      } else if (event.target === this.#field && isSendKey(event, hooks.sendKey())) {
        event.preventDefault()
        this.#send()
      }
    })
    this.#field.addEventListener("input", () => {
      hooks.onInput(this.#content)
      this.#fitHeight()
    })
    find("cancel", this.element).addEventListener("click", () => hooks.onClose())
    requestAnimationFrame(() => this.#fitHeight()) // once it is on the page
  }

  get text() {
    return this.#field.value
  }

  get #content() {
    return { text: this.text, attachments: this.#attachments }
  }

  focus() {
    this.#fitHeight()
    this.#field.focus()
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length)
  }

  async #send() {
    const text = this.#field.value
    if (!text.trim() || this.#isSending) return
    this.#setSending(true)
    this.#showProblem("")
    try {
      await this.#hooks.onSend(this.#content)
      this.#hooks.onClose()
    } catch (error) {
      this.#showProblem(error.message)
    } finally {
      this.#setSending(false)
    }
  }

  #showAttachments() {
    const list = find("attachments", this.element)
    list.hidden = !this.#attachments.length
    list.replaceChildren(...this.#attachments.map((part) => this.#newItem(part)))
  }

  #newItem(part) {
    const item = cloneTemplate("kept-attachment-template")
    const name = part.type === "image" ? strings.sentImage : displayName(part.name)
    setText(find("name", item), name)
    find("remove", item).setAttribute("aria-label", strings.remove(name))
    find("remove", item).addEventListener("click", () => {
      this.#attachments = this.#attachments.filter((other) => other !== part)
      this.#showAttachments()
      this.#hooks.onInput(this.#content)
      this.focus()
    })
    return item
  }

  #setSending(isSending) {
    this.#isSending = isSending
    this.#field.readOnly = isSending
    this.element.setAttribute("aria-busy", isSending)
  }

  #showProblem(sentence) {
    const element = find("problem", this.element)
    element.hidden = !sentence
    setText(element, sentence)
    this.#fitHeight()
  }

  #fitHeight() {
    this.#field.style.height = "auto"
    this.#field.style.height = `${this.#field.scrollHeight}px`
  }
}
