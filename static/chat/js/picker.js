// The assistant to talk with: a button with its name, and the list it opens.

import { copyOf, find, say } from "./dom.js";
import { words } from "./words.js";

export class Picker {
  #button
  #list
  #items = []
  #slug = null

  // onPick(slug) when the list has closed over another choice.
  constructor(button, popover, onPick) {
    this.#button = button
    this.#list = find("choices", popover)
    let before
    popover.addEventListener("toggle", ({ newState }) => {
      if (newState === "open") {
        before = this.slug
        popover.querySelector("input:checked")?.focus()
      } else if (before !== this.slug) onPick(this.slug)
    })
    popover.addEventListener("change", ({ target }) => {
      this.#slug = target.value
      this.#draw()
    })
    // A click ends the choice; arrow keys go on choosing, and their clicks have no place on the screen.
    popover.addEventListener("click", ({ target, detail }) => {
      if (target.closest("label") && detail) popover.hidePopover()
    })
    popover.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return
      event.preventDefault() // or it would press the button that gets the focus back
      popover.hidePopover()
    })
  }

  // What was picked while it is still offered, else the default; undefined until the list has come.
  get chosen() {
    const picked = this.#items.find((item) => item.slug === this.#slug)
    return picked ?? this.#items.find((item) => item.is_default) ?? this.#items[0]
  }

  // What was picked, or null for the default; also before the list has come.
  get picked() {
    return this.#slug
  }

  get slug() {
    return this.chosen?.slug
  }

  set slug(slug) {
    this.#slug = slug
    this.#draw()
  }

  set items(items) {
    this.#items = items
    this.#draw()
  }

  nameOf(slug) {
    return this.#items.find((item) => item.slug === slug)?.name
  }

  #draw() {
    const slug = this.slug
    say(find("assistant-name", this.#button), this.nameOf(slug) ?? words.noAssistants)
    const rows = [...this.#list.children]
    this.#items.forEach((item, index) => {
      const row = rows[index] ?? this.#list.appendChild(copyOf("choice-template"))
      const radio = row.querySelector("input")
      radio.value = item.slug
      radio.checked = item.slug === slug
      say(find("name", row), item.name)
      say(find("description", row), item.description)
    })
    for (const row of rows.slice(this.#items.length)) row.remove()
  }
}
