// A modal dialog: opens, and closes by its buttons, by Escape and by a click beside it. The browser gives the keyboard back
// to where it was.

import { find } from "./dom.js";

export class Dialog {
  #element

  constructor(element) {
    this.#element = element
    find("close", element).addEventListener("click", () => this.close())
    // A press that began inside, such as the selection of a text, does not close it.
    let began = null
    element.addEventListener("pointerdown", ({ target }) => {
      began = target
    })
    element.addEventListener("click", ({ target }) => {
      if (target === element && began === element) this.close()
    })
  }

  get element() {
    return this.#element
  }

  get isOpen() {
    return this.#element.open
  }

  open() {
    if (!this.#element.open) this.#element.showModal()
  }

  close() {
    this.#element.close()
  }

  place(name) {
    return find(name, this.#element)
  }
}
