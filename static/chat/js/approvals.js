// What waits for the person's yes: a card for each question, until it is answered or nobody may answer any more.

import { copyOf, find, say } from "./dom.js";
import { fieldsOf, plain } from "./json.js";
import { words } from "./words.js";

export class Approvals {
  #place
  #onAnswer
  #onLeave
  #cards = new Map() // interrupt id -> Card
  #isBusy = false

  // `onAnswer(resume)` with AG-UI's resume entries, once everything was answered; resolves to whether the server has them.
  // `onLeave(callId)`: the keyboard was in a card whose buttons went away.
  constructor(place, { onAnswer, onLeave }) {
    this.#place = place
    this.#onAnswer = onAnswer
    this.#onLeave = onLeave
    place.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-answer]")
      if (button && !this.#isBusy) this.#choose(button)
    })
  }

  show(asks) {
    const open = new Set(asks.filter(({ isExpired }) => !isExpired).map(({ id }) => id))
    const left = [...this.#cards].find(([id, { element }]) => !open.has(id) && element.contains(document.activeElement))
    const wanted = new Set(asks.map(({ id }) => id))
    for (const [id, card] of this.#cards) {
      if (wanted.has(id)) continue
      card.element.remove()
      this.#cards.delete(id)
    }
    for (const ask of asks) {
      if (!this.#cards.has(ask.id)) this.#add(ask)
      this.#cards.get(ask.id).show(ask)
    }
    this.#place.hidden = !asks.length
    if (left) this.#onLeave(left[1].callId)
  }

  async #choose(button) {
    const cards = [...this.#cards.values()]
    const card = cards.find(({ element }) => element.contains(button))
    card.choose(button.dataset.answer === "yes")
    const left = cards.filter(({ choice }) => choice === null)
    say(find("left", this.#place), left.length ? words.answersLeft(left.length) : "")
    if (left.length) return left[0].focus()
    const resume = [...this.#cards].map(([id, { choice }]) => ({
      interruptId: id, status: "resolved", payload: { approved: choice },
    }))
    this.#busy(true)
    if (!(await this.#onAnswer(resume))) card.choose(null)
    this.#busy(false)
  }

  // While the answers are on their way; disabled buttons would lose the keyboard.
  #busy(isBusy) {
    this.#isBusy = isBusy
    this.#place.setAttribute("aria-busy", isBusy)
  }

  #add(ask) {
    const card = new Card(ask)
    this.#cards.set(ask.id, card)
    find("left", this.#place).before(card.element)
  }
}

class Card {
  element = copyOf("approval-template")
  callId
  choice = null

  constructor({ id, message, toolCallId, call }) {
    this.callId = toolCallId
    const question = find("question", this.element)
    question.id = `ask-${id}`
    this.element.setAttribute("aria-labelledby", question.id)
    say(question, plain(message))
    say(find("tool", this.element), words.tool(call?.name ?? ""))
    this.#tell(call?.arguments ?? "")
  }

  show({ expiresAt, isExpired }) {
    const until = expiresAt ? words.moment(new Date(expiresAt)) : ""
    this.element.classList.toggle("approval--expired", isExpired)
    find("buttons", this.element).hidden = isExpired
    say(find("until", this.element), !until ? "" : isExpired ? words.expired(until) : words.until(until))
  }

  focus() {
    this.element.querySelector("[data-answer]").focus()
  }

  // Yes, no, or null: it is open again.
  choose(choice) {
    this.choice = choice
    for (const button of this.element.querySelectorAll("[data-answer]")) {
      if (choice === null) button.removeAttribute("aria-pressed")
      else button.setAttribute("aria-pressed", (button.dataset.answer === "yes") === choice)
    }
  }

  #tell(given) {
    const place = find("facts", this.element)
    for (const [name, value] of fieldsOf(given) ?? (given ? [["", given]] : [])) {
      const fact = copyOf("fact-template")
      say(find("name", fact), plain(name))
      say(find("value", fact), plain(value))
      place.append(fact)
    }
  }
}
