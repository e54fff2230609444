// Tool calls that wait for the user's approval: a card for each, until it is decided or expires.

import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"
import { escapeInvisible, fieldsOf } from "../ui/pretty_json.js"

export class Approvals {
  #element
  #onDecision
  #onFocusLost
  #cards = new Map() // by the id of the request
  #isBusy = false

  /**
   * `onDecision(resume)` takes AG-UI's resume entries once all cards are decided, and resolves to whether the server has them.
   * `onFocusLost(callId)`: the focus was in a card whose buttons have gone.
   */
  constructor(element, { onDecision, onFocusLost }) {
    this.#element = element
    this.#onDecision = onDecision
    this.#onFocusLost = onFocusLost
    element.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-decision]")
      if (button && !this.#isBusy) this.#choose(button)
    })
  }

  show(requests) {
    const openIds = new Set(requests.filter(({ isExpired }) => !isExpired).map(({ id }) => id))
    const focused = [...this.#cards].find(([, { element }]) => element.contains(document.activeElement))
    const ids = new Set(requests.map(({ id }) => id))
    for (const [id, card] of this.#cards) {
      if (ids.has(id)) continue
      card.element.remove()
      this.#cards.delete(id)
    }
    for (const request of requests) {
      if (!this.#cards.has(request.id)) this.#add(request)
      this.#cards.get(request.id).show(request)
    }
    this.#element.hidden = !requests.length
    if (focused && !openIds.has(focused[0])) this.#onFocusLost(focused[1].callId)
  }

  async #choose(button) {
    const cards = [...this.#cards.values()]
    const card = cards.find(({ element }) => element.contains(button))
    const { decision } = button.dataset
    card.choose(decision)
    if (decision === "always") {
      for (const other of cards) if (other.choice === null && other.toolKey === card.toolKey) other.choose(decision)
    }
    const undecided = cards.filter(({ choice }) => choice === null)
    setText(find("remaining", this.#element), undecided.length ? strings.decisionsLeft(undecided.length) : "")
    if (undecided.length) return undecided[0].focus()
    const resume = [...this.#cards].map(([id, { choice }]) => ({
      interruptId: id,
      status: "resolved",
      payload: { approved: choice !== "no", always: choice === "always" || undefined },
    }))
    this.#setBusy(true)
    if (!(await this.#onDecision(resume))) card.choose(null)
    this.#setBusy(false)
  }

  // Instead of disabling the buttons, which would lose the focus.
  #setBusy(isBusy) {
    this.#isBusy = isBusy
    this.#element.setAttribute("aria-busy", isBusy)
  }

  #add(request) {
    const card = new Card(request)
    this.#cards.set(request.id, card)
    find("remaining", this.#element).before(card.element)
  }
}

class Card {
  element = cloneTemplate("approval-template")
  callId
  toolKey // what the user can allow for the whole conversation
  choice = null // "yes", "no" or "always"

  constructor({ id, message, toolCallId, call, metadata, responseSchema }) {
    this.callId = toolCallId
    this.toolKey = metadata?.toolKey
    const question = find("question", this.element)
    question.id = `approval-${id}`
    this.element.setAttribute("aria-labelledby", question.id)
    const name = strings.tool(call?.name ?? "")
    // The standard question names the tool, in words meant for programs, too; another one may not name it.
    setText(question, escapeInvisible(this.toolKey ? strings.allowTool(name) : message))
    setText(find("tool", this.element), this.toolKey ? "" : name)
    find("always", this.element).hidden = !responseSchema?.properties.always
    this.#showArguments(call?.arguments ?? "")
  }

  show({ expiresAt, isExpired }) {
    const until = expiresAt ? strings.dateTime(new Date(expiresAt)) : ""
    this.element.classList.toggle("approval--expired", isExpired)
    find("buttons", this.element).hidden = isExpired
    const sentence = isExpired ? strings.requestExpired(until) : strings.respondBy(until)
    setText(find("until", this.element), until && sentence)
  }

  focus() {
    this.element.querySelector("[data-decision]").focus()
  }

  /** Sets the decision: "yes", "no", "always", or null to ask again. */
  choose(choice) {
    this.choice = choice
    for (const button of this.element.querySelectorAll("[data-decision]")) {
      if (choice === null) button.removeAttribute("aria-pressed")
      else button.setAttribute("aria-pressed", button.dataset.decision === choice)
    }
  }

  #showArguments(json) {
    const list = find("facts", this.element)
    const unnamed = json ? [["", json]] : []
    for (const [name, value] of fieldsOf(json) ?? unnamed) {
      const fact = cloneTemplate("fact-template")
      setText(find("name", fact), escapeInvisible(name))
      setText(find("value", fact), escapeInvisible(value))
      list.append(fact)
    }
  }
}
