// What is being written, for each conversation and for a new one: kept in this browser until it is sent.
//
// A draft: {text, key, documents, images, assistant}; `key` names the send that it comes back from, while its text stays
// the same; `assistant` is the slug of the one it was written to, null where none was picked.

import { lasting } from "./storage.js";

const NONE = { text: "", key: null, documents: [], images: [], assistant: null }

export class Drafts {
  #user
  #storage

  constructor(user, storage = lasting) {
    this.#user = user
    this.#storage = storage
  }

  of(place) {
    try {
      return { ...NONE, ...JSON.parse(this.#storage.getItem(this.#name(place))) }
    } catch {
      return NONE
    }
  }

  keep(place, { text, key, documents, images, assistant }) {
    const isEmpty = !text && !documents.length && !images.length
    try {
      if (isEmpty) this.#storage.removeItem(this.#name(place))
      else this.#storage.setItem(this.#name(place), JSON.stringify({ text, key, documents, images, assistant }))
    } catch {
      // a full or forbidden storage costs the draft on reload, nothing else
    }
  }

  // A message of this conversation that is being written anew: {id, text}. One is kept, the last.
  editOf(place) {
    try {
      return JSON.parse(this.#storage.getItem(this.#name(`edit:${place}`)))
    } catch {
      return null
    }
  }

  // `edit` null: it is sent, or given up.
  keepEdit(place, edit) {
    try {
      if (edit) this.#storage.setItem(this.#name(`edit:${place}`), JSON.stringify(edit))
      else this.#storage.removeItem(this.#name(`edit:${place}`))
    } catch {
      // as above
    }
  }

  // The next person at this screen finds none.
  forget() {
    const mine = Object.keys(this.#storage ?? {}).filter((name) => name.startsWith(this.#name("")))
    for (const name of mine) this.#storage.removeItem(name)
  }

  #name(place) {
    return `draft:${this.#user}:${place.startsWith("new:") ? "new" : place}`
  }
}
