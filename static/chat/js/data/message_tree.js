// The messages of the open conversation that are on this page, and the branch of them that is shown. No DOM.

import { Branches } from "./branches.js"
import { branch, liveReply } from "./turns.js"

export class MessageTree {
  all = [] // the newest messages without gaps, oldest first
  shown = [] // the branch
  hasOlder = false // whether the server has messages before those of `all`
  leafId = null // the message in which the shown branch ends; null: the newest one
  #branches = null // of `all`, built on demand
  #lastKnownId = null

  /** The reply that is being written, if there is one. */
  get live() {
    return liveReply(this.shown)
  }

  /**
   * The last message up to which the server's list is known. Between this and a message that was added here since, there
   * may be others of the same moment, from another window.
   */
  get lastKnown() {
    return this.get(this.#lastKnownId)
  }

  clear() {
    this.hasOlder = false
    this.leafId = null
    this.setAll([])
  }

  get(id) {
    return this.all.find((message) => message.id === id)
  }

  has(id) {
    return this.all.some((message) => message.id === id)
  }

  shows(id) {
    return this.shown.some((message) => message.id === id)
  }

  indexOfRun(runId) {
    return this.all.findIndex((message) => message.run_id === runId)
  }

  /** The versions of a turn of the shown branch; see Branches. */
  versionsOf(turn) {
    this.#branches ??= new Branches(this.all)
    return this.#branches.versionsOf(turn)
  }

  /** Returns the id of the message in which the newest branch through this message ends. */
  leafBehind(id) {
    this.#branches ??= new Branches(this.all)
    return this.#branches.leafBehind(id)
  }

  set(messages) {
    this.all = messages
    this.#branches = null
    // The chosen branch may end in a message that is not here yet; until then the shown one stays.
    const isLeafMissing = this.hasOlder && this.leafId && !this.has(this.leafId)
    if (!isLeafMissing) this.shown = branch(messages, this.leafId)
  }

  /** Takes the server's list. */
  setAll(messages) {
    this.#lastKnownId = messages.at(-1)?.id ?? null
    this.set(messages)
  }

  /** Takes the server's list of what follows this message. */
  setAfter(id, messages) {
    this.setAll([...this.all.slice(0, this.all.findIndex((message) => message.id === id) + 1), ...messages])
  }

  /** Shows the branch that ends in this message; null is the newest. */
  showBranch(leafId) {
    this.leafId = leafId
    this.set(this.all)
  }

  add(messages) {
    const known = new Set(this.all.map(({ id }) => id))
    this.set([...this.all, ...messages.filter(({ id }) => !known.has(id))])
  }

  /** Replaces one message by a newer state of it, which has the same parent. */
  replace(index, message) {
    const shownIndex = this.shown.indexOf(this.all[index])
    this.all = this.all.with(index, message)
    if (shownIndex >= 0) this.shown = this.shown.with(shownIndex, message)
  }

  /** Removes a message and its replies. What followed these now follows the parent of the message. */
  remove(id) {
    const { parent_id } = this.get(id)
    const removed = new Set([id, ...this.all.filter((message) => message.parent_id === id).map((reply) => reply.id)])
    const remaining = this.all.filter((message) => !removed.has(message.id))
    this.set(remaining.map((message) => (removed.has(message.parent_id) ? { ...message, parent_id } : message)))
  }

  /** Returns what is known of the messages before `stored`, the newest `limit` of the server's. */
  before(stored, limit) {
    if (stored.length < limit) {
      this.hasOlder = false
      return []
    }
    const index = this.all.findIndex(({ id }) => id === stored[0].id)
    if (index < 0) this.hasOlder = true
    return this.all.slice(0, Math.max(0, index))
  }
}
