// Temporary chats: in no list, and deleted when the person opens another chat. A reload keeps them, for it may come in the
// middle of an answer; of one whose tab was closed, the server lets go within the hour.

import { find } from "./dom.js";

const NAME = "temporary" // what the tab keeps: the id of the one that is open

export class Temporary {
  #api
  #wish = find("temporary-wish")
  #note = find("temporary")

  // `onEnd()`: the person has had enough of it.
  constructor(api, onEnd) {
    this.#api = api
    find("temporary-end").addEventListener("click", onEnd)
  }

  // Whether the next new chat is to be one.
  get isWanted() {
    return this.#wish.checked
  }

  // This one is open now (null: none yet); the temporary one before it goes.
  opened(id) {
    this.#note.hidden = true
    if (!id) this.#wish.checked = false
    const before = kept()
    if (!before || before === id) return
    keep(null)
    this.#forget(before)
  }

  // What is known of the open one.
  learned({ id, is_temporary }) {
    this.#note.hidden = !is_temporary
    if (is_temporary) keep(id)
  }

  // Resolves when there is none any more.
  async end() {
    const id = kept()
    keep(null)
    if (id) await this.#forget(id)
  }

  // Should that fail, the server does it later.
  #forget(id) {
    return this.#api.deleteConversation(id).catch(() => {})
  }
}

const kept = () => {
  try {
    return sessionStorage.getItem(NAME)
  } catch {
    return null
  }
}

const keep = (id) => {
  try {
    if (id) sessionStorage.setItem(NAME, id)
    else sessionStorage.removeItem(NAME)
  } catch {
    // without storage the server lets go of it, later
  }
}
