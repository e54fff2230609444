// The messages on the page. What did not change keeps its nodes; of a long conversation only the end is there, and more
// of it for those who scroll up.

import { find } from "./dom.js";
import { Question } from "./question.js";
import { Reply } from "./reply.js";
import { inLine, turns } from "./state.js";

const MANY = 40 // turns

export class Thread {
  #list
  #hooks
  #views = new Map() // of a question or a whole answer, by the id of its first message
  #turns = []
  #from = 0 // the first turn that is on the page
  #first = null // its id
  #last // message of the branch that is shown
  #waiting = new Set() // ids of questions whose answers wait for the one before

  // Hooks: nameOf(message), the name of the assistant that wrote it; versionsOf(turn); onAct(act, view, button) when a
  // button of a message is pressed; onAnswer(runId, resume), the person's yes or no to what that run waits for, resolves to
  // whether the server took it; onEdit(message, text); onUnsent(text), an edit whose message another window has replaced;
  // sendKey(); onLeave() when the focus would be lost.
  constructor(list, hooks) {
    this.#list = list
    this.#hooks = hooks
    list.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-act]")
      if (button && button.getAttribute("aria-disabled") !== "true") hooks.onAct(button.dataset.act, this.#viewAround(button), button)
    })
  }

  // A branch, and the entries of the outbox behind it.
  show(messages, entries = []) {
    const { begun, waiting } = inLine(messages)
    this.#waiting = waiting
    this.#last = messages.at(-1)
    this.#turns = [...turns(begun), ...entries.map((entry) => [entry])]
    const before = this.#turns.findIndex((turn) => idOf(turn) === this.#first)
    this.#show(before < 0 ? this.#turns.length - MANY : before)
  }

  // From this turn on.
  #show(from) {
    this.#from = Math.max(0, from)
    this.#first = this.#turns.length ? idOf(this.#turns[this.#from]) : null
    const shown = this.#turns.slice(this.#from)
    this.#dropOthers(new Set(shown.map(idOf)))
    shown.forEach((turn, index) => {
      const view = this.#views.get(idOf(turn)) ?? this.#create(turn)
      const versions = turn[0].key ? undefined : this.#hooks.versionsOf(turn)
      const isLast = turn.includes(this.#last)
      view.show(turn, { isLast, isWaiting: this.#waiting.has(turn[0].id), name: this.#hooks.nameOf(turn[0]), versions })
      if (this.#list.children[index] !== view.element) this.#list.insertBefore(view.element, this.#list.children[index])
    })
  }

  // Another conversation comes.
  clear() {
    for (const { element } of this.#views.values()) element.remove()
    this.#views.clear()
  }

  get hasEarlier() {
    return this.#from > 0
  }

  // Show more of what came before.
  showEarlier() {
    this.#show(this.#from - MANY)
  }

  // Who is at the end again needs no more than that; an edit that was begun stays.
  showEnd() {
    const isBeingEdited = [...this.#views.values()].some(({ unsent }) => unsent)
    if (this.#turns.length - this.#from > 2 * MANY && !isBeingEdited) this.#show(this.#turns.length - MANY)
  }

  // The element of that message, or of the answer that it is part of.
  elementOf(id) {
    const index = this.#turns.findIndex((turn) => turn.some((message) => message.id === id))
    if (index < 0) return null
    if (index < this.#from) this.#show(index)
    return this.#views.get(idOf(this.#turns[index])).element
  }

  // The entry of the outbox has become this message.
  rename(key, id) {
    const view = this.#views.get(key)
    if (!view) return
    this.#views.delete(key)
    if (this.#views.has(id)) view.element.remove() // it was here sooner than the server's answer
    else this.#name(view, id)
  }

  // Time goes by: seconds count, and what nobody answered expires.
  tick(now) {
    for (const view of this.#views.values()) view.tick(now)
  }

  #dropOthers(wanted) {
    let hadFocus = false
    for (const [id, view] of this.#views) {
      if (wanted.has(id)) continue
      hadFocus ||= view.element.contains(document.activeElement)
      view.element.remove()
      this.#views.delete(id)
      if (view.unsent) this.#hooks.onUnsent(view.unsent)
    }
    if (hadFocus) this.#hooks.onLeave()
  }

  #viewAround(element) {
    return this.#views.get(element.closest("[data-message]")?.dataset.message)
  }

  #create(turn) {
    const view = turn[0].key || turn[0].role === "user" ? new Question(this.#hooks) : new Reply(this.#hooks)
    this.#name(view, idOf(turn))
    return view
  }

  #name(view, id) {
    view.element.dataset.message = id
    this.#views.set(id, view)
  }
}

const idOf = ([{ id, key }]) => id ?? key
