// Unsent text, for each conversation and for a new one, kept in this browser.
//
// A draft is { text, key, documents, images, assistant }. `key` is the idempotency key of the send that it comes back from,
// as long as its text stays the same; `assistant` is the slug of the chosen assistant, null if none was chosen.

import { JsonStore, localStore } from "./storage.js"

const EMPTY = { text: "", key: null, documents: [], images: [], assistant: null }

export class Drafts {
  #store

  constructor(user, storage = localStore) {
    this.#store = new JsonStore(storage, `draft:${user}:`)
  }

  get(conversationKey) {
    return { ...EMPTY, ...this.#store.get(keyOf(conversationKey)) }
  }

  save(conversationKey, { text, key, documents, images, assistant }) {
    const isEmpty = !text && !documents.length && !images.length
    if (isEmpty) this.#store.delete(keyOf(conversationKey))
    else this.#store.set(keyOf(conversationKey), { text, key, documents, images, assistant })
  }

  /** Returns the edit of a message of this conversation that was begun last: { id, text }, or null. */
  getEdit(conversationKey) {
    return this.#store.get(keyOf(`edit:${conversationKey}`))
  }

  /** Saves an edit; null removes it. */
  saveEdit(conversationKey, edit) {
    if (edit) this.#store.set(keyOf(`edit:${conversationKey}`), edit)
    else this.#store.delete(keyOf(`edit:${conversationKey}`))
  }

  /** Removes all drafts: the next user of this browser sees none. */
  clear() {
    for (const key of this.#store.keys()) this.#store.delete(key)
  }
}

const keyOf = (conversationKey) => (conversationKey.startsWith("new:") ? "new" : conversationKey)
