// Messages that are on their way to the server. They are kept in this browser and sent until the server has them, each time
// with the same idempotency key, so that each arrives once. No DOM.
//
// An entry is { key, conversationKey, parent_id, text, attachments, assistant, is_temporary, at }. `conversationKey` is the id of
// the conversation, or while it has none, a key that begins with "new:".

import { newKey } from "./api.js"
import { retryDelay } from "./backoff.js"
import { attachmentFields, storedAttachments } from "./parts.js"
import { JsonStore, localStore } from "./storage.js"
import { currentTab } from "./tab.js"

export class Outbox {
  #api
  #hooks
  #store
  #tab
  #entries = [] // oldest first
  #sendingKey = null // of the entry that is being sent
  #sent = Promise.resolve() // settled once that has arrived or failed
  #failures = 0
  #timer

  /**
   * Hooks: `onChange()`; `onOpened()` when entries of an earlier page were found; `onSent(entry, accepted)` when the server
   * has an entry, where `accepted` is its response with `conversation_id`, and `created` if the conversation is new;
   * `onRefused(entry, error)` when the server refuses an entry, which returns whether the caller takes it back.
   */
  constructor(api, hooks, { user, tab = currentTab(), storage = localStore }) {
    this.#api = api
    this.#hooks = hooks
    this.#tab = tab
    this.#store = new EntryStore(`outbox:${user}:`, storage)
    this.#open()
  }

  /** Returns the entries of a conversation, each with its state: `isSending`, `problem` (a sentence), `isRefused`. */
  entriesOf(conversationKey) {
    return this.#entries.filter((entry) => entry.conversationKey === conversationKey)
  }

  /** The key of the latest new conversation with entries. */
  get newConversationKey() {
    return this.#entries.findLast(({ conversationKey }) => conversationKey.startsWith("new:"))?.conversationKey
  }

  get isEmpty() {
    return !this.#entries.length
  }

  /** Resolves when the entry that is being sent has arrived or failed. */
  whenSent() {
    return this.#sent
  }

  add(fields) {
    const entry = { ...fields, tab: this.#tab.name }
    this.#entries = [...this.#entries, entry]
    this.#store.save(entry)
    this.#hooks.onChange()
    this.#sendNext()
  }

  /** Sends now, because the server can be reached again. */
  retry() {
    this.#failures = 0
    this.#sendNext()
  }

  /** Sends a refused entry again. */
  retryEntry(key) {
    this.#change(key, { key: newKey(), isRefused: false, problem: null })
    this.retry()
  }

  /** The server has an entry, as the answer to it shows. */
  arrive(key, { id, parent_id, run_id }) {
    const entry = this.#entries.find((entry) => entry.key === key)
    const accepted = { message_id: parent_id, reply_id: id, run_id }
    if (entry) this.#onArrived(entry, { ...accepted, conversation_id: entry.conversationKey })
  }

  /** Removes an entry and returns it; null while it is being sent. */
  withdraw(key) {
    const entry = this.#entries.find((entry) => entry.key === key)
    if (!entry || this.#sendingKey === key) return null
    this.#drop(key)
    const [next] = this.entriesOf(entry.conversationKey)
    if (next && !next.parent_id) this.#change(next.key, { parent_id: entry.parent_id })
    this.#sendNext()
    return entry
  }

  /** Removes all entries of this page: the next user of this browser sees none. */
  clear() {
    for (const { key } of this.#entries) this.#store.delete(key)
    this.#entries = []
  }

  // Without locks every tab sends the entries of all tabs; that costs requests, but the idempotency keys still make one
  // message of each.
  async #open() {
    const others = await this.#tab.others()
    for (const entry of this.#entries) this.#change(entry.key, { tab: this.#tab.name })
    const known = new Set(this.#entries.map(({ key }) => key))
    const adopted = this.#store.all().filter(({ key, tab }) => !others.has(tab) && !known.has(key))
    if (!adopted.length) return
    this.#entries = [...adopted, ...this.#entries].sort((a, b) => a.at - b.at)
    for (const { key } of adopted) this.#change(key, { tab: this.#tab.name })
    this.#hooks.onOpened?.()
    this.#sendNext()
  }

  // Sends one entry at a time, those of a conversation in order.
  async #sendNext() {
    if (this.#sendingKey) return
    clearTimeout(this.#timer)
    const entry = this.#next()
    if (!entry) return
    this.#sendingKey = entry.key
    this.#change(entry.key, { isSending: true })
    const delivered = this.#deliver(entry)
    this.#sent = delivered.catch(() => {})
    let hasResponse = true
    try {
      const accepted = await delivered
      this.#failures = 0
      this.#onArrived(entry, accepted)
    } catch (error) {
      if (error.isRefusal) this.#onRefused(entry, error)
      else hasResponse = false
      this.#change(entry.key, { isSending: false, problem: error.message })
    } finally {
      this.#sendingKey = null
    }
    if (hasResponse) return this.#sendNext()
    this.#timer = setTimeout(() => this.#sendNext(), retryDelay(this.#failures))
    this.#failures += 1
  }

  #next() {
    const blocked = new Set()
    for (const entry of this.#entries) {
      if (!entry.isRefused && !blocked.has(entry.conversationKey)) return entry
      blocked.add(entry.conversationKey)
    }
    return null
  }

  async #deliver(entry) {
    const { key, text, attachments, assistant, is_temporary, parent_id } = entry
    const isNew = entry.conversationKey.startsWith("new:")
    const created = isNew ? await this.#api.createConversation({ assistant, is_temporary }, key) : null
    const id = created?.id ?? entry.conversationKey
    const fields = { text, parent_id, assistant, ...attachmentFields(attachments) }
    try {
      return { ...(await this.#api.send(id, fields, key)), conversation_id: id, created }
    } catch (error) {
      // An empty conversation does not belong in the list.
      if (created && error.isRefusal) this.#api.deleteConversation(id).catch(() => {})
      throw error
    }
  }

  // The next entry of the conversation follows the reply to this one.
  #onArrived(entry, accepted) {
    this.#drop(entry.key, false)
    const behind = this.entriesOf(entry.conversationKey)
    behind.forEach(({ key }, index) => {
      const change = { conversationKey: accepted.conversation_id, ...(index === 0 && { parent_id: accepted.reply_id }) }
      this.#change(key, change, false)
    })
    this.#hooks.onSent(entry, accepted)
    this.#hooks.onChange()
  }

  #onRefused(entry, error) {
    this.#sendingKey = null
    if (this.#hooks.onRefused(entry, error)) this.#drop(entry.key)
    else this.#change(entry.key, { isRefused: true })
  }

  #change(key, fields, notify = true) {
    this.#entries = this.#entries.map((entry) => {
      if (entry.key !== key) return entry
      const changed = { ...entry, ...fields }
      if (changed.key !== key) this.#store.delete(key)
      this.#store.save(changed)
      return changed
    })
    if (notify) this.#hooks.onChange()
  }

  #drop(key, notify = true) {
    this.#entries = this.#entries.filter((entry) => entry.key !== key)
    this.#store.delete(key)
    if (notify) this.#hooks.onChange()
  }
}

// Stores each entry under a key of its own, so that two tabs do not overwrite each other's entries.
class EntryStore {
  #store

  constructor(prefix, storage) {
    this.#store = new JsonStore(storage, prefix)
  }

  save({ isSending, problem, isRefused, ...entry }) {
    if (!entry.is_temporary) this.#store.set(entry.key, entry)
  }

  delete(key) {
    this.#store.delete(key)
  }

  all() {
    return this.#store
      .keys()
      .map((key) => this.#store.get(key))
      .filter(Boolean)
      .map(({ images, documents, ...entry }) => ({
        ...entry,
        attachments: storedAttachments({ images, documents, ...entry }),
      }))
  }
}
