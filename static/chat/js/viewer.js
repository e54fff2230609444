// What is attached to a message, large.

import { find, say } from "./dom.js";
import { words } from "./words.js";

export class Viewer {
  #dialog

  constructor(dialog) {
    this.#dialog = dialog
    find("close", dialog).addEventListener("click", () => dialog.close())
    dialog.addEventListener("click", ({ target }) => {
      if (target === dialog) dialog.close() // beside it
    })
    dialog.addEventListener("close", () => find("picture", dialog).removeAttribute("src"))
  }

  showImage({ id, width, height }) {
    const picture = find("picture", this.#dialog)
    picture.width = width
    picture.height = height
    picture.src = `/api/attachments/${id}`
    picture.alt = words.sentImage
    this.#open(words.imageTitle(width, height), picture)
  }

  showDocument({ name, text }) {
    const place = find("text", this.#dialog)
    say(place, text)
    this.#open(name, place)
    place.scrollTop = 0
  }

  #open(title, shown) {
    say(find("title", this.#dialog), title)
    for (const name of ["picture", "text"]) find(name, this.#dialog).hidden = find(name, this.#dialog) !== shown
    this.#dialog.showModal()
  }
}
