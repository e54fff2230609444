// The form at the foot of the page. What is typed stays there, and in the tab's storage, until the server has it.

import { find, say } from "./dom.js";
import { words } from "./words.js";

export class Composer {
  #form
  #field
  #limit
  #onSend
  #drafts
  #place = null // the conversation that this draft is for
  #key = null // names one send; the same text tried again keeps it
  #isLive = false
  #isSending = false

  // `onSend(text, key)` resolves when the server has it, or throws what carries a sentence.
  constructor(form, { user, limit, onSend, onStop }) {
    this.#form = form
    this.#field = form.elements.text
    this.#limit = limit
    this.#onSend = onSend
    this.#drafts = new Drafts(user)
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      this.#send()
    })
    find("stop", form).addEventListener("click", (event) => {
      event.currentTarget.disabled = true // until the reply has ended
      this.#field.focus()
      onStop()
    })
    this.#field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return
      event.preventDefault()
      this.#send()
    })
    this.#field.addEventListener("input", () => {
      this.#key = null
      this.#drafts.keep(this.#place, this.#field.value)
      this.problem("")
      this.#show()
    })
  }

  // Show the draft of that conversation; null is a new one.
  open(place) {
    this.#place = place
    this.#field.value = this.#drafts.of(place)
    this.#key = null
    this.problem("")
    this.#show()
  }

  // The new conversation has got its name.
  moveTo(place) {
    this.#drafts.keep(this.#place, "")
    this.#place = place
  }

  focus() {
    this.#field.focus({ preventScroll: true })
  }

  // The next send is another one, even with the same text.
  startAnew() {
    this.#key = null
  }

  // While a reply is being written there is a stop button.
  live(isLive) {
    if (isLive !== this.#isLive) find("stop", this.#form).disabled = false
    this.#isLive = isLive
    this.#show()
  }

  stopFailed(sentence) {
    find("stop", this.#form).disabled = false
    this.problem(sentence)
  }

  problem(sentence) {
    const element = find("problem", this.#form)
    element.hidden = !sentence
    say(element, sentence)
  }

  async #send() {
    const text = this.#field.value
    if (!text.trim() || this.#isLive || this.#isSending) return
    const count = [...text].length // as the server counts: characters, not halves of them
    if (count > this.#limit) return this.problem(words.tooLong(this.#limit))
    const place = this.#place
    this.#key ??= newKey()
    this.#sending(true)
    this.problem("")
    try {
      await this.#onSend(text, this.#key)
      this.#drafts.keep(place, "")
      if (this.#field.value === text) this.#empty()
    } catch (error) {
      if (this.#place !== place) return
      if (error.isRefusal) this.startAnew()
      this.problem(error.message)
    } finally {
      this.#sending(false)
    }
  }

  #empty() {
    this.#key = null
    this.#field.value = ""
  }

  #sending(isSending) {
    this.#isSending = isSending
    this.#field.readOnly = isSending
    this.#form.setAttribute("aria-busy", isSending)
    this.#show()
  }

  #show() {
    find("send", this.#form).disabled = !this.#field.value.trim() || this.#isSending
    find("send", this.#form).hidden = this.#isLive
    find("stop", this.#form).hidden = !this.#isLive
    this.#field.style.height = "auto"
    this.#field.style.height = `${this.#field.scrollHeight}px`
  }
}

// Enter that ends an input method's composition is no Enter for us. Safari reports it after the composition, as 229.
const isComposing = ({ isComposing, keyCode }) => isComposing || keyCode === 229

// Browsers offer randomUUID in secure contexts only; a site in the local network may not be one.
const newKey = () => crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-")

class Drafts {
  #user

  constructor(user) {
    this.#user = user
  }

  of(place) {
    try {
      return sessionStorage.getItem(this.#name(place)) ?? ""
    } catch {
      return ""
    }
  }

  keep(place, text) {
    try {
      if (text) sessionStorage.setItem(this.#name(place), text)
      else sessionStorage.removeItem(this.#name(place))
    } catch {
      // a full or forbidden storage costs the draft on reload, nothing else
    }
  }

  #name(place) {
    return `draft:${this.#user}:${place ?? "new"}`
  }
}
