// Temporary chats: not in the list, and deleted when the user opens another chat. A reload keeps them, because it may happen in
// the middle of an answer. The server deletes those that no page shows, within a minute.

import { JsonStore, tabStore } from "../data/storage.js"
import { find } from "../ui/dom.js"

const KEY = "temporary" // the id of this tab's temporary chat
const KEEP_INTERVAL = 10_000 // ms, where the socket cannot be connected; the server waits for 35 s
const LOCK_TIMEOUT = 1_000 // ms
const store = new JsonStore(tabStore)

export class TemporaryChat {
  #api
  #updates
  #switch = find("temporary-switch")
  #notice = find("temporary")
  #shown = null // id
  #releaseLock = () => {}

  /** `onEnd()` is called when the user ends the chat. */
  constructor(api, updates, onEnd) {
    this.#api = api
    this.#updates = updates
    find("temporary-end").addEventListener("click", onEnd)
    setInterval(() => this.#keep(), KEEP_INTERVAL)
  }

  /** Whether the next new chat is to be temporary. */
  get isWanted() {
    return this.#switch.checked
  }

  /** The conversation with this id was opened; null: a new one. Deletes the temporary chat that was open before. */
  onOpened(id) {
    this.#notice.hidden = true
    if (!id) this.#switch.checked = false
    if (id !== this.#shown) this.#show(null)
    const previous = store.get(KEY)
    if (!previous || previous === id) return
    store.delete(KEY)
    this.#deleteUnlessShown(previous)
  }

  /** The open conversation is known to be temporary or not. */
  onLoaded({ id, is_temporary }) {
    this.#notice.hidden = !is_temporary
    if (!is_temporary) return
    store.set(KEY, id)
    this.#show(id)
  }

  /** Resolves when the temporary chat is deleted. */
  async end() {
    const id = store.get(KEY)
    store.delete(KEY)
    if (id) await this.#delete(id)
  }

  #show(id) {
    if (id === this.#shown) return
    this.#shown = id
    this.#updates.keep(id)
    this.#releaseLock()
    this.#releaseLock = id ? holdLock(id) : () => {}
  }

  #keep() {
    if (this.#shown && !this.#updates.isConnected) this.#api.keepConversation(this.#shown).catch(() => {})
  }

  // Another tab may show it, too, such as one that was duplicated from this one.
  async #deleteUnlessShown(id) {
    if (!(await isShownElsewhere(id))) await this.#delete(id)
  }

  // If this fails, the server does it later.
  #delete(id) {
    return this.#api.deleteConversation(id).catch(() => {})
  }
}

const lockName = (id) => `temporary ${id}`

// Holds a lock, by which other tabs know that this one shows the chat. Returns a function that releases it.
const holdLock = (id) => {
  let release
  const released = new Promise((resolve) => {
    release = resolve
  })
  navigator.locks?.request(lockName(id), { mode: "shared" }, () => released)
  return release
}

// An exclusive lock is granted only if no tab holds the lock. It waits a little: the release of this tab's own may take a moment.
const isShownElsewhere = async (id) => {
  const signal = AbortSignal.timeout(LOCK_TIMEOUT)
  const isFree = navigator.locks?.request(lockName(id), { signal }, () => true).catch(() => false)
  return (await isFree) === false
}
