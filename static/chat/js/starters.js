// What one might begin with: the prompts of the chosen assistant, while the page is empty.

import { copyOf, say } from "./dom.js";

export class Starters {
  #list
  #shown = ""

  constructor(list, onChoose) {
    this.#list = list
    list.addEventListener("click", ({ target }) => {
      const button = target.closest("button")
      if (button) onChoose(button.textContent)
    })
  }

  show(starters) {
    const wanted = JSON.stringify(starters)
    if (wanted === this.#shown) return
    this.#shown = wanted
    this.#list.replaceChildren(...starters.map((starter) => {
      const item = copyOf("starter-template")
      say(item.querySelector("button"), starter)
      return item
    }))
    this.#list.hidden = !starters.length
  }
}
