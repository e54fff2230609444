// The messages on the page. Unchanged messages keep their elements. Of a long conversation only the end is on the page, and
// more of it for those who scroll up.

import { contextBoundary, turns, withoutQueued } from "../data/turns.js"
import { find } from "../ui/dom.js"
import { LazyLibrary } from "../ui/lazy_library.js"
import { listenForCopies } from "./copy.js"

const PAGE_SIZE = 40 // turns
const RETRY_DELAY = 1_000 // ms until views that failed to load are requested again

const views = new LazyLibrary(
  () => {
    const links = document.getElementById("message-modules")?.content
    if (links) document.head.append(links) // all at once; otherwise the browser learns of a module from the one before
    return import("./views.js")
  },
  { retryDelay: RETRY_DELAY },
)

/** Loads what messages are drawn with, before there are any. */
export const preloadViews = () =>
  views.load().then(
    ({ preloadRenderer }) => preloadRenderer(),
    () => {},
  )

export class MessageList {
  #element
  #hooks
  #views = new Map() // by the id of the first message of a turn
  #turns = []
  #start = 0 // index of the first turn on the page
  #startId = null
  #lastMessage // of the branch
  #waiting = new Set() // ids of questions whose replies are queued
  #boundary = contextBoundary([])

  /**
   * Hooks: `nameOf(message)`, the name of the assistant that wrote it; `versionsOf(turn)`; `onAction(name, view, button)` when
   * a button of a message is pressed; `onDecision(runId, resume)`, the user's decisions about a run's tool calls, which
   * resolves to whether the server accepted them; `onEdit(message, { text, attachments })`; `getEdit(id)`;
   * `saveEdit(id, edit)`; `onUnsentEdit(text)` when the message of an unsent edit has left the page; `sendKey()`;
   * `onFocusLost()`; `onReady()` when messages can be drawn that were shown before.
   */
  constructor(element, hooks) {
    this.#element = element
    this.#hooks = hooks
    listenForCopies(element)
    element.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-action]")
      if (button && button.getAttribute("aria-disabled") !== "true")
        hooks.onAction(button.dataset.action, this.#viewAround(button), button)
    })
  }

  /** Shows a branch, followed by the entries of the outbox. */
  show(messages, entries = []) {
    const { started, waiting } = withoutQueued(messages)
    this.#waiting = waiting
    this.#boundary = contextBoundary(started)
    this.#lastMessage = messages.at(-1)
    this.#turns = [...turns(started), ...entries.map((entry) => [entry])]
    const start = this.#turns.findIndex((turn) => idOf(turn) === this.#startId)
    this.#showFrom(start < 0 ? this.#turns.length - PAGE_SIZE : start)
  }

  #showFrom(start) {
    this.#start = Math.max(0, start)
    this.#startId = this.#turns.length ? idOf(this.#turns[this.#start]) : null
    if (!this.isReady) return this.#loadViews()
    const shown = this.#turns.slice(this.#start)
    this.#removeExcept(new Set(shown.map(idOf)))
    let author // of the previous answer
    shown.forEach((turn, index) => {
      const view = this.#views.get(idOf(turn)) ?? this.#createView(turn)
      const versions = turn[0].key ? undefined : this.#hooks.versionsOf(turn)
      const isLast = turn.includes(this.#lastMessage)
      view.show(turn, {
        isLast,
        isWaiting: this.#waiting.has(turn[0].id),
        isFirstSeen: turn[0].id !== undefined && turn[0].id === this.#boundary.firstId,
        isNewlyTrimmed: turn.some(({ id }) => this.#boundary.noticeIds.has(id)),
        name: this.#hooks.nameOf(turn[0]),
        isSameAuthor: turn[0].assistant === author,
        versions,
      })
      if (turn[0].role === "assistant") author = turn[0].assistant
      const current = this.#element.children[index]
      if (current !== view.element) this.#element.insertBefore(view.element, current)
    })
  }

  clear() {
    for (const { element } of this.#views.values()) element.remove()
    this.#views.clear()
  }

  /** Whether the messages can be drawn. If not, they will be, as soon as the views are loaded. */
  get isReady() {
    return views.value !== null || !this.#turns.length
  }

  get hasEarlier() {
    return this.#start > 0
  }

  showEarlier() {
    this.#showFrom(this.#start - PAGE_SIZE)
  }

  /** Removes the older turns from the page again, unless one of them is being edited. */
  showEnd() {
    const isBeingEdited = [...this.#views.values()].some(({ unsentEdit }) => unsentEdit)
    const isLong = this.#turns.length - this.#start > 2 * PAGE_SIZE
    if (isLong && !isBeingEdited) this.#showFrom(this.#turns.length - PAGE_SIZE)
  }

  /** Returns the view of a message, or of the answer that it is part of. Returns null if the message is not drawn. */
  viewOf(id) {
    const index = this.#turns.findIndex((turn) => turn.some((message) => message.id === id))
    if (index < 0) return null
    if (index < this.#start) this.#showFrom(index)
    return this.#views.get(idOf(this.#turns[index])) ?? null
  }

  /** Gives the view of an outbox entry the id of the message that it has become. */
  rename(key, id) {
    const view = this.#views.get(key)
    if (!view) return
    this.#views.delete(key)
    if (this.#views.has(id))
      view.element.remove() // the message arrived before the response to its request
    else this.#setId(view, id)
  }

  /** Updates the seconds that are shown, and the approval requests that expire. `isDown`: the server cannot be reached. */
  tick(now, { isDown }) {
    if (!this.isReady) this.#loadViews()
    for (const view of this.#views.values()) view.tick(now)
    const libraries = [views, views.value?.renderer].filter(Boolean)
    if (isDown) for (const library of libraries) library.forgetFailures()
    find("unavailable").hidden = !libraries.some(({ isUnavailable }) => isUnavailable)
  }

  #loadViews() {
    views.use(() => this.#hooks.onReady())
  }

  #removeExcept(ids) {
    let hadFocus = false
    for (const [id, view] of this.#views) {
      if (ids.has(id)) continue
      hadFocus ||= view.element.contains(document.activeElement)
      view.element.remove()
      this.#views.delete(id)
      if (view.unsentEdit) this.#hooks.onUnsentEdit(view.unsentEdit)
    }
    if (hadFocus) this.#hooks.onFocusLost()
  }

  #viewAround(element) {
    return this.#views.get(element.closest("[data-message-id]")?.dataset.messageId)
  }

  #createView(turn) {
    const isFromUser = turn[0].key || turn[0].role === "user"
    const { AssistantMessage, UserMessage } = views.value
    const view = isFromUser ? new UserMessage(this.#hooks) : new AssistantMessage(this.#hooks)
    this.#setId(view, idOf(turn))
    return view
  }

  #setId(view, id) {
    view.element.dataset.messageId = id
    this.#views.set(id, view)
  }
}

const idOf = ([{ id, key }]) => id ?? key
