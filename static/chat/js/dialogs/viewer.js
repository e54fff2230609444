// Shows the attachments of a message large.

import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { setText } from "../ui/dom.js"

export class Viewer {
  #dialog

  constructor(element) {
    this.#dialog = new Dialog(element)
    element.addEventListener("close", () => this.#dialog.find("picture").removeAttribute("src"))
  }

  showImage({ id, width, height }) {
    const picture = this.#dialog.find("picture")
    picture.width = width
    picture.height = height
    picture.src = `/api/attachments/${id}`
    picture.alt = strings.sentImage
    this.#open(strings.imageTitle(width, height), picture)
  }

  showDocument({ name, text }) {
    const content = this.#dialog.find("text")
    setText(content, text)
    this.#open(name, content)
    content.scrollTop = 0
  }

  #open(title, content) {
    setText(this.#dialog.find("title"), title)
    for (const name of ["picture", "text"]) {
      const element = this.#dialog.find(name)
      element.hidden = element !== content
    }
    this.#dialog.open()
  }
}
