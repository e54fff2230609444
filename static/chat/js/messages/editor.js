// Edits a message in its place.

import { cloneTemplate, find, setText } from "../ui/dom.js"
import { isSendKey } from "../ui/send_key.js"

export class Editor {
  element = cloneTemplate("editor-template")
  #field
  #isSending = false
  #hooks

  /**
   * Hooks: `sendKey()`; `onInput(text)`; `onSend(text)` resolves when the server has it, or throws an error with a sentence;
   * `onClose()`.
   */
  constructor(text, hooks) {
    this.#hooks = hooks
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
      hooks.onInput(this.text)
      this.#fitHeight()
    })
    find("cancel", this.element).addEventListener("click", () => hooks.onClose())
    requestAnimationFrame(() => this.#fitHeight()) // once it is on the page
  }

  get text() {
    return this.#field.value
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
      await this.#hooks.onSend(text)
      this.#hooks.onClose()
    } catch (error) {
      this.#showProblem(error.message)
    } finally {
      this.#setSending(false)
    }
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
