// The dialog that creates, lists and revokes the links to a conversation.

import { strings } from "../i18n/strings.js"
import { copyWithFeedback } from "../ui/copy_feedback.js"
import { Dialog } from "../ui/dialog.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"
import { rememberFocus } from "../ui/focus.js"

export class ShareDialog {
  #dialog
  #api
  #id = null // of the conversation
  #links = [] // newest first

  constructor(element, api) {
    this.#dialog = new Dialog(element)
    this.#api = api
    this.#dialog.find("create").addEventListener("click", () => this.#create())
    this.#dialog.find("links").addEventListener("click", ({ target }) => {
      const link = this.#links.find(({ token }) => token === target.closest("[data-token]")?.dataset.token)
      if (target.closest("[data-ref=copy]")) this.#copy(link, target.closest("button"))
      if (target.closest("[data-ref=revoke]")) this.#revoke(link)
    })
    this.#dialog.find("links").addEventListener("focusin", ({ target }) => target.select?.())
  }

  async open({ id, title }) {
    this.#id = id
    setText(this.#dialog.find("title"), title || strings.untitled)
    setText(this.#dialog.find("status"), "")
    this.#setLinks([])
    this.#dialog.open()
    this.#dialog.find("create").focus()
    await this.#try(async () => {
      const links = await this.#api.shares(id)
      if (id === this.#id) this.#setLinks(links)
    })
  }

  #create() {
    const id = this.#id
    const isFocusKept = rememberFocus()
    return this.#try(async () => {
      const link = await this.#api.share(id)
      if (id !== this.#id) return
      this.#setLinks([link, ...this.#links])
      setText(this.#dialog.find("status"), strings.linkCreated)
      if (!isFocusKept()) return
      const [first] = this.#dialog.find("links").children
      const button = find("copy", first)
      if (button.offsetParent) button.focus()
      else find("address", first).focus() // without access to the clipboard there is no copy button
    })
  }

  async #copy({ url }, button) {
    await copyWithFeedback(addressOf(url), button)
    setText(this.#dialog.find("status"), strings.copied)
  }

  #revoke({ token }) {
    const isFocusKept = rememberFocus()
    return this.#try(async () => {
      const index = this.#links.findIndex((link) => link.token === token)
      await this.#api.revokeShare(token)
      this.#setLinks(this.#links.filter((link) => link.token !== token))
      setText(this.#dialog.find("status"), strings.linkRevoked)
      if (!isFocusKept()) return
      const rows = this.#dialog.find("links").children
      const next = rows[Math.min(index, rows.length - 1)]
      if (next) find("revoke", next).focus()
      else this.#dialog.find("create").focus()
    })
  }

  async #try(action) {
    this.#showProblem("")
    try {
      await action()
    } catch ({ message }) {
      this.#showProblem(message)
    }
  }

  #showProblem(sentence) {
    this.#dialog.find("problem").hidden = !sentence
    setText(this.#dialog.find("problem"), sentence)
  }

  #setLinks(links) {
    this.#links = links
    this.#dialog.find("links-section").hidden = !links.length
    this.#dialog.find("links").replaceChildren(...links.map(newRow))
  }
}

const newRow = ({ token, url, created_at }) => {
  const row = cloneTemplate("link-template")
  const time = strings.dateTime(new Date(created_at))
  row.dataset.token = token
  find("address", row).value = addressOf(url)
  setText(find("time", row), strings.linkCreatedAt(time))
  find("revoke", row).setAttribute("aria-label", strings.revokeLink(time))
  return row
}

const addressOf = (url) => new URL(url, location.origin).href
