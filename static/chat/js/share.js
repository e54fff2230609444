// The dialog that makes, shows and takes back the links to a conversation.

import { Dialog } from "./dialog.js";
import { copyOf, find, say } from "./dom.js";
import { words } from "./words.js";

export class ShareDialog {
  #dialog
  #api
  #id = null
  #links = [] // newest first

  constructor(element, api) {
    this.#dialog = new Dialog(element)
    this.#api = api
    this.#dialog.place("create").addEventListener("click", () => this.#create())
    this.#dialog.place("links").addEventListener("click", ({ target }) => {
      const link = this.#links.find(({ token }) => token === target.closest("[data-token]")?.dataset.token)
      if (target.closest("[data-is=copy]")) this.#copy(link, target.closest("button"))
      if (target.closest("[data-is=revoke]")) this.#revoke(link)
    })
    this.#dialog.place("links").addEventListener("focusin", ({ target }) => target.select?.())
  }

  async open({ id, title }) {
    this.#id = id
    say(this.#dialog.place("which"), title || words.untitled)
    say(this.#dialog.place("told"), "")
    this.#set([])
    this.#dialog.open()
    this.#dialog.place("create").focus()
    await this.#try(async () => {
      const links = await this.#api.shares(id)
      if (id === this.#id) this.#set(links)
    })
  }

  #create() {
    const id = this.#id
    return this.#try(async () => {
      const link = await this.#api.share(id)
      if (id !== this.#id) return
      this.#set([link, ...this.#links])
      say(this.#dialog.place("told"), words.linkMade)
      const [first] = this.#dialog.place("links").children
      const button = find("copy", first)
      if (button.offsetParent) button.focus()
      else find("address", first).focus() // a browser without a clipboard for us
    })
  }

  async #copy({ url }, button) {
    await navigator.clipboard.writeText(addressOf(url))
    const label = button.querySelector("span")
    say(label, words.copied)
    say(this.#dialog.place("told"), words.copied)
    setTimeout(() => say(label, words.copy), 1500)
  }

  #revoke({ token }) {
    return this.#try(async () => {
      const index = this.#links.findIndex((link) => link.token === token)
      await this.#api.revokeShare(token)
      this.#set(this.#links.filter((link) => link.token !== token))
      say(this.#dialog.place("told"), words.linkRevoked)
      const left = this.#dialog.place("links").children
      const next = left[Math.min(index, left.length - 1)]
      if (next) find("revoke", next).focus()
      else this.#dialog.place("create").focus()
    })
  }

  async #try(act) {
    this.#problem("")
    try {
      await act()
    } catch ({ message }) {
      this.#problem(message)
    }
  }

  #problem(sentence) {
    this.#dialog.place("problem").hidden = !sentence
    say(this.#dialog.place("problem"), sentence)
  }

  #set(links) {
    this.#links = links
    this.#dialog.place("links-part").hidden = !links.length
    this.#dialog.place("links").replaceChildren(...links.map(({ token, url, created_at }) => {
      const row = copyOf("link-template")
      const time = words.moment(new Date(created_at))
      row.dataset.token = token
      find("address", row).value = addressOf(url)
      say(find("time", row), words.linkMadeAt(time))
      find("revoke", row).setAttribute("aria-label", words.revokeLink(time))
      return row
    }))
  }
}

const addressOf = (url) => new URL(url, location.origin).href
