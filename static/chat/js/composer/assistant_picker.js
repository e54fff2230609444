// The choice of the assistant: a button with its name, and the list that it opens.

import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"

export class AssistantPicker {
  #button
  #list
  #items = []
  #slug = null

  /** `onPick(slug)` is called when the list has closed and another assistant is chosen. */
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
    // A mouse click closes the list. Arrow keys click the radio buttons, too, but with a `detail` of 0.
    popover.addEventListener("click", ({ target, detail }) => {
      if (target.closest("label") && detail) popover.hidePopover()
    })
    popover.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return
      event.preventDefault() // or it would press the button that gets the focus
      popover.hidePopover()
    })
  }

  /** The assistant that was picked if it is still offered, else the default one; undefined until the list is loaded. */
  get chosen() {
    const picked = this.#items.find((item) => item.slug === this.#slug)
    return picked ?? this.#items.find((item) => item.is_default) ?? this.#items[0]
  }

  /** The slug that was picked, or null for the default; known before the list is loaded. */
  get pickedSlug() {
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
    setText(find("assistant-name", this.#button), this.nameOf(slug) ?? strings.noAssistants)
    const rows = [...this.#list.children]
    this.#items.forEach((item, index) => {
      const row = rows[index] ?? this.#list.appendChild(cloneTemplate("choice-template"))
      const radio = row.querySelector("input")
      radio.value = item.slug
      radio.checked = item.slug === slug
      setText(find("name", row), item.name)
      setText(find("description", row), item.description)
    })
    for (const row of rows.slice(this.#items.length)) row.remove()
  }
}
