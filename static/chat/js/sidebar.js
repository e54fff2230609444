// The list of conversations, and what can be done with each of them.

import { copyOf, find, placeBeside, say } from "./dom.js";
import { words } from "./words.js";

const TYPING = 250 // ms of rest before a search is asked for

export class Sidebar {
  #element
  #api
  #hooks
  #items = []
  #cursor = null
  #search = ""
  #current = null
  #chosen = null // the one whose menu is open
  #turn = 0
  #typing

  // Hooks: onChanged(conversation), onDeleted(id), onFailure(error).
  constructor(element, api, hooks) {
    this.#element = element
    this.#api = api
    this.#hooks = hooks
    this.#listen()
  }

  async load() {
    const turn = ++this.#turn
    await this.#try(async () => {
      const { items, next_cursor } = await this.#api.conversations({ q: this.#search })
      if (turn === this.#turn) this.#set(items, next_cursor)
    })
  }

  // This conversation is the open one.
  mark(id) {
    this.#current = id
    this.#draw()
  }

  // Something happened in it: it moves to the top. Where that cannot be asked, the list is merely a little old.
  async touch(id) {
    const conversation = await this.#api.conversation(id).catch(() => null)
    if (!conversation) return
    this.#hooks.onChanged(conversation)
    if (!this.#search) this.#set([conversation, ...this.#items.filter((item) => item.id !== id)], this.#cursor)
  }

  forget(id) {
    this.#set(this.#items.filter((item) => item.id !== id), this.#cursor)
  }

  #listen() {
    find("more", this.#element).addEventListener("click", () => this.#more())
    find("search", this.#element).addEventListener("input", ({ target }) => {
      clearTimeout(this.#typing)
      this.#typing = setTimeout(() => {
        this.#search = target.value.trim()
        this.load()
      }, TYPING)
    })

    const menu = find("menu")
    find("list", this.#element).addEventListener("click", ({ target }) => {
      const button = target.closest("[data-is=options]")
      if (!button) return
      this.#chosen = this.#items.find(({ id }) => id === button.closest("[data-id]").dataset.id)
      menu.showPopover()
      placeBeside(menu, button)
      menu.querySelector("button").focus()
      menu.addEventListener("toggle", () => button.focus(), { once: true })
    })

    find("rename", menu).addEventListener("click", () => this.#ask(menu, "rename-dialog", (form) => {
      form.elements.title.value = this.#chosen.title
      form.elements.title.select()
    }))
    find("delete", menu).addEventListener("click", () => this.#ask(menu, "delete-dialog", (form) => {
      say(find("which", form), words.deleteWhich(this.#chosen.title || words.untitled))
    }))
    this.#answer("rename-dialog", (form) => this.#rename(this.#chosen.id, form.elements.title.value.trim()))
    this.#answer("delete-dialog", () => this.#delete(this.#chosen.id))
  }

  #ask(menu, name, prepare) {
    menu.hidePopover()
    const dialog = document.getElementById(name)
    dialog.showModal()
    prepare(dialog.querySelector("form"))
  }

  #answer(name, act) {
    const dialog = document.getElementById(name)
    dialog.querySelector("form").addEventListener("submit", (event) => {
      if (event.submitter?.value === "yes") act(event.target)
    })
    find("cancel", dialog).addEventListener("click", () => dialog.close())
  }

  async #more() {
    const turn = this.#turn
    await this.#try(async () => {
      const { items, next_cursor } = await this.#api.conversations({ q: this.#search, cursor: this.#cursor })
      if (turn !== this.#turn) return
      const known = new Set(this.#items.map(({ id }) => id))
      this.#set([...this.#items, ...items.filter(({ id }) => !known.has(id))], next_cursor)
    })
  }

  async #rename(id, title) {
    if (!title) return
    await this.#try(async () => {
      const changed = await this.#api.changeConversation(id, { title })
      this.#set(this.#items.map((item) => (item.id === id ? changed : item)), this.#cursor)
      this.#hooks.onChanged(changed)
    })
  }

  async #delete(id) {
    await this.#try(async () => {
      await this.#api.deleteConversation(id)
      this.forget(id)
      this.#hooks.onDeleted(id)
    })
  }

  async #try(act) {
    try {
      await act()
    } catch (error) {
      this.#hooks.onFailure(error)
    }
  }

  #set(items, cursor) {
    this.#items = items
    this.#cursor = cursor
    this.#draw()
  }

  #draw() {
    const list = find("list", this.#element)
    const rows = new Map([...list.children].map((row) => [row.dataset.id, row]))
    this.#items.forEach((item, index) => {
      const row = rows.get(item.id) ?? copyOf("conversation-template")
      rows.delete(item.id)
      this.#fill(row, item)
      if (list.children[index] !== row) list.insertBefore(row, list.children[index])
    })
    for (const row of rows.values()) row.remove()
    find("more", this.#element).hidden = !this.#cursor
    find("none", this.#element).hidden = this.#items.length > 0
    say(find("none", this.#element), this.#search ? words.nothingFound : words.noConversations)
  }

  #fill(row, { id, title }) {
    const link = find("link", row)
    row.dataset.id = id
    link.href = `/c/${id}/`
    if (id === this.#current) link.setAttribute("aria-current", "page")
    else link.removeAttribute("aria-current")
    say(link, title || words.untitled)
    find("options", row).setAttribute("aria-label", words.options(title || words.untitled))
  }
}
