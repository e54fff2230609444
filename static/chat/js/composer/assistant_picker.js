// The choice of the assistant: a button with its name, and the list that it opens.

import { MIN_FOR_SEARCH, matches, sortAssistants } from "../data/assistants.js"
import { strings } from "../i18n/strings.js"
import { showAvatar } from "../ui/avatar.js"
import { cloneTemplate, find, placeAtEdge, setText } from "../ui/dom.js"

const TYPING_PAUSE = 1_000 // ms without a key press after which typing begins a new name

export class AssistantPicker {
  #button
  #list
  #search
  #typed = { text: "", at: 0 }
  #items = null // until they are loaded
  #slug = null

  /** `onPick(slug)` is called when the list has closed and another assistant is chosen. */
  constructor(button, popover, onPick) {
    this.#button = button
    this.#list = find("choices", popover)
    this.#search = find("assistant-search", popover)
    let slugBefore
    popover.addEventListener("toggle", ({ newState }) => {
      if (newState === "open") {
        slugBefore = this.slug
        this.#filter("")
        this.#list.querySelector("input:checked")?.focus()
      } else if (slugBefore !== this.slug) onPick(this.slug)
    })
    popover.addEventListener("beforetoggle", ({ newState }) => newState === "open" && placeAtEdge(popover, button))
    this.#search.addEventListener("input", () => this.#filter(this.#search.value))
    this.#list.addEventListener("change", ({ target }) => {
      this.#slug = target.value
      this.#draw()
    })
    // A mouse click closes the list. Arrow keys click the radio buttons, too, but with a `detail` of 0.
    popover.addEventListener("click", ({ target, detail }) => {
      if (target.closest("label") && detail) popover.hidePopover()
    })
    popover.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return
      const isSearch = event.target === this.#search
      if (event.key === "Enter") {
        event.preventDefault() // or it would press the button that gets the focus
        if (isSearch) this.#shownRadios[0]?.click()
        popover.hidePopover()
      } else if (isSearch && event.key === "ArrowDown") {
        event.preventDefault()
        this.#shownRadios[0]?.focus()
      } else if (!isSearch && event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
        this.#typeAhead(event)
      }
    })
  }

  get #shownRadios() {
    return [...this.#list.querySelectorAll("label:not([hidden]) input")]
  }

  // A typed letter goes to the search field. Where there is none, it chooses the next assistant that begins with it.
  #typeAhead(event) {
    if (!this.#search.hidden) return this.#search.focus() // and the key types there
    event.preventDefault()
    const isNew = event.timeStamp - this.#typed.at > TYPING_PAUSE
    this.#typed = { text: (isNew ? "" : this.#typed.text) + event.key.toLowerCase(), at: event.timeStamp }
    const { text } = this.#typed
    const start = this.items.findIndex(({ slug }) => slug === this.slug) + (text.length > 1 ? 0 : 1)
    const items = [...this.items.slice(start), ...this.items.slice(0, start)]
    const item = items.find(({ name }) => name.toLowerCase().startsWith(text))
    if (!item) return
    const radio = this.#shownRadios.find(({ value }) => value === item.slug)
    radio.focus()
    radio.click()
  }

  #filter(query) {
    this.#search.value = query
    this.items.forEach((item, index) => {
      this.#list.children[index].hidden = !matches(item, query)
    })
  }

  /** The assistant that was picked if it is still offered, else the default one; undefined until the list is loaded. */
  get chosen() {
    const picked = this.items.find((item) => item.slug === this.#slug)
    return picked ?? this.items.find((item) => item.is_default) ?? this.items[0]
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

  /** In the order of the list. */
  get items() {
    return this.#items ?? []
  }

  set items(items) {
    this.#items = sortAssistants(items, document.documentElement.lang)
    this.#search.hidden = items.length < MIN_FOR_SEARCH
    this.#draw()
  }

  nameOf(slug) {
    return this.items.find((item) => item.slug === slug)?.name
  }

  #draw() {
    const slug = this.slug
    showAvatar(find("avatar", this.#button), slug, this.nameOf(slug) ?? "")
    setText(find("assistant-name", this.#button), this.nameOf(slug) ?? (this.#items ? strings.noAssistants : ""))
    const rows = [...this.#list.children]
    this.items.forEach((item, index) => {
      const row = rows[index] ?? this.#list.appendChild(cloneTemplate("choice-template"))
      const radio = row.querySelector("input")
      radio.value = item.slug
      radio.checked = item.slug === slug
      showAvatar(find("avatar", row), item.slug, item.name)
      setText(find("name", row), item.name)
      setText(find("description", row), item.description)
    })
    for (const row of rows.slice(this.items.length)) row.remove()
  }
}
