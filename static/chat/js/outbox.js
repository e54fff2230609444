// What was sent and has not arrived. It is kept in this browser and sent until the server has it, each time with the same
// key, so that it arrives once. Knows no DOM.
//
// An entry: {key, place, parent_id, text, images, documents, assistant, is_temporary, at}; `place` is the conversation's id,
// or a name that begins with "new:" while it has none.

import { newKey } from "./api.js";
import { pauseBefore } from "./follow.js";
import { lasting, ofThisTab } from "./storage.js";

export class Outbox {
  #api
  #hooks
  #store
  #tab = newKey()
  #entries = [] // oldest first
  #sending = null // the key of the one that is on its way
  #sent = Promise.resolve() // when it has arrived, or failed
  #failures = 0
  #timer

  // Hooks: onChange(); onSent(entry, accepted): the server has it, `accepted` also tells `conversation_id`, and `created`
  // where it is new; onRefused(entry, error): the server does not take it, gives whether the caller has taken it back.
  constructor(api, hooks, { user, storage = lasting, locks = globalThis.navigator?.locks } = {}) {
    this.#api = api
    this.#hooks = hooks
    this.#store = new Store(`outbox:${user}:`, storage)
    this.#open(locks)
  }

  // Entries of this place, with how they stand: `isSending`, `problem` (a sentence), `isRefused`.
  of(place) {
    return this.#entries.filter((entry) => entry.place === place)
  }

  // A place of a new conversation with something in it.
  get newPlace() {
    return this.#entries.findLast(({ place }) => place.startsWith("new:"))?.place
  }

  get isEmpty() {
    return !this.#entries.length
  }

  // Resolves once nothing is on its way.
  whenSent() {
    return this.#sent
  }

  put(entry) {
    const mine = { ...entry, tab: this.#tab }
    this.#entries = [...this.#entries, mine]
    this.#store.keep(mine)
    this.#hooks.onChange()
    this.#go()
  }

  // Send what waits now: the server can be reached again.
  nudge() {
    this.#failures = 0
    this.#go()
  }

  // Send one that was refused once more.
  again(key) {
    this.#change(key, { key: newKey(), isRefused: false, problem: null })
    this.nudge()
  }

  // Give it back, unless it is on its way.
  takeBack(key) {
    const entry = this.#entries.find((entry) => entry.key === key)
    if (!entry || this.#sending === key) return null
    this.#drop(key)
    const [next] = this.of(entry.place)
    if (next && !next.parent_id) this.#change(next.key, { parent_id: entry.parent_id })
    this.#go()
    return entry
  }

  forget() {
    for (const { key } of this.#entries) this.#store.drop(key)
    this.#entries = []
  }

  async #open(locks) {
    this.#tab = await nameOfThisTab(locks)
    for (const entry of this.#entries) this.#change(entry.key, { tab: this.#tab })
    const others = await namesOfOtherTabs(this.#tab, locks)
    const known = new Set(this.#entries.map(({ key }) => key))
    const left = this.#store.all().filter(({ key, tab }) => !others.has(tab) && !known.has(key))
    if (!left.length) return
    this.#entries = [...left, ...this.#entries].sort((one, other) => one.at - other.at)
    for (const { key } of left) this.#change(key, { tab: this.#tab })
    this.#hooks.onOpened?.()
    this.#go()
  }

  // One after the other, and each conversation's in order.
  async #go() {
    if (this.#sending) return
    clearTimeout(this.#timer)
    const entry = this.#next()
    if (!entry) return
    this.#sending = entry.key
    this.#change(entry.key, { isSending: true })
    const delivered = this.#deliver(entry)
    this.#sent = delivered.catch(() => {})
    let isThrough = true
    try {
      const accepted = await delivered
      this.#failures = 0
      this.#arrived(entry, accepted)
    } catch (error) {
      if (error.isRefusal) this.#refused(entry, error)
      else isThrough = false
      this.#change(entry.key, { isSending: false, problem: error.message })
    } finally {
      this.#sending = null
    }
    if (isThrough) this.#go()
    else this.#timer = setTimeout(() => this.#go(), pauseBefore(this.#failures++))
  }

  #next() {
    const blocked = new Set()
    for (const entry of this.#entries) {
      if (!entry.isRefused && !blocked.has(entry.place)) return entry
      blocked.add(entry.place)
    }
    return null
  }

  async #deliver(entry) {
    const { key, text, documents, images, assistant, is_temporary, parent_id } = entry
    const isNew = entry.place.startsWith("new:")
    const created = isNew ? await this.#api.createConversation({ assistant, is_temporary }, key) : null
    const id = created?.id ?? entry.place
    const fields = { text, parent_id, assistant, documents, attachments: images.map(({ id }) => id) }
    try {
      return { ...(await this.#api.send(id, fields, key)), conversation_id: id, created }
    } catch (error) {
      // Nobody wants to find the empty conversation in the list.
      if (created && error.isRefusal) this.#api.deleteConversation(id).catch(() => {})
      throw error
    }
  }

  // What waits behind it answers its reply.
  #arrived(entry, accepted) {
    this.#drop(entry.key, false)
    const behind = this.of(entry.place)
    behind.forEach(({ key }, index) =>
      this.#change(key, { place: accepted.conversation_id, ...(index === 0 && { parent_id: accepted.reply_id }) }, false))
    this.#hooks.onSent(entry, accepted)
    this.#hooks.onChange()
  }

  #refused(entry, error) {
    this.#sending = null
    if (this.#hooks.onRefused(entry, error)) this.#drop(entry.key)
    else this.#change(entry.key, { isRefused: true })
  }

  #change(key, fields, isTold = true) {
    this.#entries = this.#entries.map((entry) => {
      if (entry.key !== key) return entry
      const changed = { ...entry, ...fields }
      if (changed.key !== key) this.#store.drop(key)
      this.#store.keep(changed)
      return changed
    })
    if (isTold) this.#hooks.onChange()
  }

  #drop(key, isTold = true) {
    this.#entries = this.#entries.filter((entry) => entry.key !== key)
    this.#store.drop(key)
    if (isTold) this.#hooks.onChange()
  }
}

// Entries in the browser's storage, one by one, so that two tabs do not overwrite each other's. What it does not take
// waits in the page alone.
class Store {
  #prefix
  #storage

  constructor(prefix, storage) {
    this.#prefix = prefix
    this.#storage = storage
  }

  keep({ isSending, problem, isRefused, ...entry }) {
    if (entry.is_temporary) return
    try {
      this.#storage.setItem(this.#prefix + entry.key, JSON.stringify(entry))
    } catch {
      // full, or forbidden
    }
  }

  drop(key) {
    try {
      this.#storage.removeItem(this.#prefix + key)
    } catch {
      // forbidden
    }
  }

  all() {
    try {
      const names = Object.keys(this.#storage).filter((name) => name.startsWith(this.#prefix))
      return names.map((name) => JSON.parse(this.#storage.getItem(name)))
    } catch {
      return []
    }
  }
}

// A tab's name lives as long as the tab, and it holds a lock of that name while it does. Without locks all entries are
// everybody's; that costs some requests, and the keys keep it to one message.
const NAME = "tab"
const lockOf = (tab) => `outbox of ${tab}`

const nameOfThisTab = async (locks) => {
  const name = newKey()
  try {
    const before = ofThisTab.getItem(NAME)
    if (before && (!locks || (await hold(locks, lockOf(before))))) return before
    ofThisTab.setItem(NAME, name)
  } catch {
    // no storage: the name lasts as long as the page
  }
  if (locks) await hold(locks, lockOf(name))
  return name
}

// True once this page has the lock, false where another tab keeps it: one that was copied from this.
const hold = (locks, name) =>
  new Promise((resolve) => {
    const held = () => {
      resolve(true)
      return new Promise(() => {})
    }
    locks.request(name, { signal: AbortSignal.timeout(2_000) }, held).catch(() => resolve(false))
  })

const namesOfOtherTabs = async (tab, locks) => {
  const { held = [] } = (await locks?.query()) ?? {}
  const names = held.map(({ name }) => name).filter((name) => name.startsWith(lockOf("")) && name !== lockOf(tab))
  return new Set(names.map((name) => name.slice(lockOf("").length)))
}
