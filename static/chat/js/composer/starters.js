// Starters: prompts of the chosen assistant, offered in an empty chat.

import { cloneTemplate, setText } from "../ui/dom.js"

export class Starters {
  #list
  #shownJson = ""

  constructor(list, onChoose) {
    this.#list = list
    list.addEventListener("click", ({ target }) => {
      const button = target.closest("button")
      if (button) onChoose(button.textContent)
    })
  }

  show(starters) {
    const json = JSON.stringify(starters)
    if (json === this.#shownJson) return
    this.#shownJson = json
    this.#list.replaceChildren(
      ...starters.map((starter) => {
        const item = cloneTemplate("starter-template")
        setText(item.querySelector("button"), starter)
        return item
      }),
    )
    this.#list.hidden = !starters.length
  }
}
