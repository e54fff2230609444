import { find } from "./dom.js"

/**
 * A modal dialog. Its close button, Escape and a click beside it close it; the browser then gives the focus back to where it
 * was.
 */
export class Dialog {
  #element

  constructor(element) {
    this.#element = element
    find("close", element).addEventListener("click", () => this.close())
    // A press that began inside, such as the selection of a text, does not close it.
    let pressed = null
    element.addEventListener("pointerdown", ({ target }) => {
      pressed = target
    })
    element.addEventListener("click", ({ target }) => {
      if (target === element && pressed === element) this.close()
    })
  }

  get element() {
    return this.#element
  }

  open() {
    if (!this.#element.open) this.#element.showModal()
  }

  close() {
    this.#element.close()
  }

  find(name) {
    return find(name, this.#element)
  }
}
