// A message that is written anew, in its own place.

import { copyOf, find, say } from "./dom.js";
import { sends } from "./enter.js";

export class Editor {
  element = copyOf("editor-template")
  #field
  #isSending = false
  #hooks

  // Hooks: sendKey(); onWrite(text); onSend(text) resolves when the server has it, or throws what carries a sentence;
  // onEnd().
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
        hooks.onEnd()
      } else if (event.target === this.#field && sends(event, hooks.sendKey())) {
        event.preventDefault()
        this.#send()
      }
    })
    this.#field.addEventListener("input", () => {
      hooks.onWrite(this.text)
      this.#fit()
    })
    find("cancel", this.element).addEventListener("click", () => hooks.onEnd())
    requestAnimationFrame(() => this.#fit()) // once it is on the page
  }

  get text() {
    return this.#field.value
  }

  focus() {
    this.#fit()
    this.#field.focus()
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length)
  }

  async #send() {
    const text = this.#field.value
    if (!text.trim() || this.#isSending) return
    this.#sending(true)
    this.#problem("")
    try {
      await this.#hooks.onSend(text)
      this.#hooks.onEnd()
    } catch (error) {
      this.#problem(error.message)
    } finally {
      this.#sending(false)
    }
  }

  #sending(isSending) {
    this.#isSending = isSending
    this.#field.readOnly = isSending
    this.element.setAttribute("aria-busy", isSending)
  }

  #problem(sentence) {
    const place = find("problem", this.element)
    place.hidden = !sentence
    say(place, sentence)
    this.#fit()
  }

  #fit() {
    this.#field.style.height = "auto"
    this.#field.style.height = `${this.#field.scrollHeight}px`
  }
}
