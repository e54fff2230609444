// The menu beside "Regenerate": how another answer should differ, or which assistant it should come from.

import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"
import { Menu } from "../ui/menu.js"

export class RegenerateMenu {
  #element
  #menu
  #assistants
  #onChoose

  constructor(element, assistants) {
    this.#element = element
    this.#assistants = assistants
    this.#menu = new Menu(element, (choice) => {
      const [kind, name] = [choice.slice(0, choice.indexOf(":")), choice.slice(choice.indexOf(":") + 1)]
      this.#onChoose(kind === "assistant" ? { assistant: name } : { instruction: strings.instruction[name] })
    })
  }

  /** `onChoose({ assistant })` or, unless there is none to choose, `onChoose({ instruction })` is called with the choice. */
  open(button, onChoose, { hasInstructions = true, without } = {}) {
    this.#onChoose = onChoose
    for (const entry of this.#element.querySelectorAll("[data-choice^=instruction]")) entry.hidden = !hasInstructions
    const offered = this.#assistants().filter(({ slug }) => slug !== without)
    const entries = offered.map(({ slug, name }) => {
      const entry = cloneTemplate("regenerate-with-template")
      entry.dataset.choice = `assistant:${slug}`
      setText(find("name", entry), name)
      return entry
    })
    find("with", this.#element).replaceChildren(...entries)
    find("with-title", this.#element).hidden = !entries.length
    this.#menu.open(button, { detail: 1 })
  }
}
