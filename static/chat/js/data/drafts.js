// Unsent text, for each conversation and for a new one, kept in this browser.
//
// A draft is { text, key, attachments, assistant }. `key` is the idempotency key of the send that it comes back from, as long
// as its text stays the same; `attachments` are parts; `assistant` is the slug of the chosen assistant, null if none was
// chosen. Tabs share a draft. Uploads end with the tab that they are under way in, so they are kept for each tab.

import { storedAttachments } from "./parts.js"
import { JsonStore, localStore } from "./storage.js"
import { currentTab } from "./tab.js"

export class Drafts {
  #store
  #tab

  constructor(user, { tab = currentTab(), storage = localStore } = {}) {
    this.#store = new JsonStore(storage, `draft:${user}:`)
    this.#tab = tab
  }

  get(conversationKey) {
    const stored = this.#store.get(keyOf(conversationKey)) ?? {}
    const { text = "", key = null, assistant = null, ...rest } = stored
    return { text, key, assistant, attachments: storedAttachments(rest) }
  }

  save(conversationKey, { text, key, attachments, assistant }) {
    const isEmpty = !text && !attachments.length
    if (isEmpty) this.#store.delete(keyOf(conversationKey))
    else this.#store.set(keyOf(conversationKey), { text, key, attachments, assistant })
  }

  /** Saves the names of the files that this tab is uploading for a draft, as soon as the tab has its own name. */
  saveUploads(conversationKey, names) {
    if (!this.#tab.name) return
    const key = uploadsKey(conversationKey, this.#tab.name)
    if (names.length) this.#store.set(key, names)
    else this.#store.delete(key)
  }

  /**
   * Returns the uploads for this draft that were under way when this is called, and then in no other tab that is open: its
   * page was left. Each is { key, names }, until they are forgotten.
   */
  async interruptedUploads(conversationKey) {
    const prefix = uploadsKey(conversationKey, "")
    const keys = this.#store.keys().filter((key) => key.startsWith(prefix))
    const uploads = keys.map((key) => ({ key, names: this.#store.get(key) ?? [] }))
    if (!uploads.length) return []
    const others = await this.#tab.others()
    return uploads.filter(({ key }) => !others.has(key.slice(prefix.length)))
  }

  /** Forgets interrupted uploads, unless others have begun in their place. */
  forgetUploads(uploads) {
    for (const { key, names } of uploads)
      if (JSON.stringify(this.#store.get(key)) === JSON.stringify(names)) this.#store.delete(key)
  }

  /** Returns the edit of a message of this conversation that was begun last: { id, text, attachments }, or null. */
  getEdit(conversationKey) {
    return this.#store.get(keyOf(`edit:${conversationKey}`))
  }

  /** Saves an edit; null removes it. */
  saveEdit(conversationKey, edit) {
    if (edit) this.#store.set(keyOf(`edit:${conversationKey}`), edit)
    else this.#store.delete(keyOf(`edit:${conversationKey}`))
  }

  /** The slug of the assistant that was picked last, in any conversation; null if none was. */
  get lastAssistant() {
    return this.#store.get("assistant")
  }

  set lastAssistant(slug) {
    this.#store.set("assistant", slug)
  }

  /** Removes all drafts: the next user of this browser sees none. */
  clear() {
    for (const key of this.#store.keys()) this.#store.delete(key)
  }
}

const keyOf = (conversationKey) => (conversationKey.startsWith("new:") ? "new" : conversationKey)
const uploadsKey = (conversationKey, tab) => `uploads:${keyOf(conversationKey)}:${tab}`
