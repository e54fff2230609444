// A toast says what was done and offers to undo it. It disappears after a while, but not while it is hovered or focused.

import { find, setText } from "./dom.js"

const DURATION = 10_000 // ms

export class Toast {
  #element
  #onFocusLost
  #undos = [] // newest last; they outlive the toast
  #timer

  /** `onFocusLost()` is called when the toast disappears with the focus in it. */
  constructor(element, onFocusLost) {
    this.#element = element
    this.#onFocusLost = onFocusLost
    find("action", element).addEventListener("click", () => this.undo())
    find("close", element).addEventListener("click", () => this.hide())
    for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, () => this.#startTimer())
  }

  get canUndo() {
    return this.#undos.length > 0
  }

  /** `undo()` reverses what was done, if that is possible. */
  show(sentence, { label = "", undo = null } = {}) {
    if (undo) this.#undos.push(undo)
    setText(find("sentence", this.#element), sentence)
    const button = find("action", this.#element)
    setText(button, label)
    button.hidden = !undo
    this.#element.hidden = false
    this.#startTimer()
  }

  async undo() {
    const undo = this.#undos.pop()
    this.hide()
    await undo?.()
  }

  hide() {
    const hadFocus = this.#element.contains(document.activeElement)
    clearTimeout(this.#timer)
    this.#element.hidden = true
    if (hadFocus) this.#onFocusLost()
  }

  #startTimer() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(
      () => (this.#element.matches(":hover, :focus-within") ? this.#startTimer() : this.hide()),
      DURATION,
    )
  }
}
