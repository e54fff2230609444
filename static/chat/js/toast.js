// Says what was done, and offers to undo it. It goes after a while, but not from under somebody's hand.

import { find, say } from "./dom.js";

const STAYS = 10_000 // ms

export class Toast {
  #element
  #onLeave
  #undos = [] // what can still be undone, newest last, also when its sentence has gone
  #timer

  // `onLeave()`: the keyboard was here.
  constructor(element, onLeave) {
    this.#element = element
    this.#onLeave = onLeave
    find("act", element).addEventListener("click", () => this.undo())
    find("close", element).addEventListener("click", () => this.hide())
    for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, () => this.#wait())
  }

  get canUndo() {
    return this.#undos.length > 0
  }

  // `undo()` resolves once it is undone; without it there is nothing to undo.
  show(sentence, { label = "", undo = null } = {}) {
    if (undo) this.#undos.push(undo)
    say(find("sentence", this.#element), sentence)
    const button = find("act", this.#element)
    say(button, label)
    button.hidden = !undo
    this.#element.hidden = false
    this.#wait()
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
    if (hadFocus) this.#onLeave()
  }

  #wait() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => (this.#element.matches(":hover, :focus-within") ? this.#wait() : this.hide()), STAYS)
  }
}
