// Starters: prompts of the chosen assistant, offered in an empty chat.

import { cloneTemplate, find, setText } from "../ui/dom.js"

const MAX_STARTERS = 4 // a larger choice is none

export class Starters {
  #list
  #shownJson = ""

  constructor(list, onChoose) {
    this.#list = list
    list.addEventListener("click", ({ target }) => {
      const button = target.closest("button")
      if (button) onChoose(find("starter", button).textContent)
    })
  }

  show(starters) {
    const json = JSON.stringify(starters)
    if (json === this.#shownJson) return
    this.#shownJson = json
    this.#list.replaceChildren(
      ...starters.slice(0, MAX_STARTERS).map((starter) => {
        const item = cloneTemplate("starter-template")
        setText(find("starter", item), starter)
        return item
      }),
    )
    this.#list.hidden = !starters.length
  }
}
