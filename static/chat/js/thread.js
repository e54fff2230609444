// The messages on the page. What did not change keeps its nodes.

import { copyOf, find, say } from "./dom.js";
import { Prose } from "./prose.js";
import { isOpen, textOf } from "./state.js";
import { words } from "./words.js";

export class Thread {
  #list
  #nameOf
  #views = new Map()

  // `nameOf(message)` is the name of the assistant that wrote it.
  constructor(list, nameOf) {
    this.#list = list
    this.#nameOf = nameOf
  }

  show(messages) {
    const wanted = new Set(messages.map(({ id }) => id))
    for (const [id, view] of this.#views) {
      if (wanted.has(id)) continue
      view.element.remove()
      this.#views.delete(id)
    }
    messages.forEach((message, index) => {
      const view = this.#views.get(message.id) ?? this.#create(message)
      view.show(message, { isLast: index === messages.length - 1, name: this.#nameOf(message) })
      if (this.#list.children[index] !== view.element) this.#list.insertBefore(view.element, this.#list.children[index])
    })
  }

  // The words of the message that this element stands in.
  textAround(element) {
    return this.#views.get(element.closest("[data-message]")?.dataset.message)?.text ?? ""
  }

  #create(message) {
    const view = message.role === "user" ? new Question() : new Reply()
    view.element.dataset.message = message.id
    this.#views.set(message.id, view)
    return view
  }
}

class Question {
  element = copyOf("question-template")
  text = ""

  show({ text }) {
    this.text = text
    say(find("text", this.element), text)
  }
}

class Reply {
  element = copyOf("reply-template")
  text = ""
  #shown = null // what is on the page, so that an unchanged reply costs nothing
  #parts = []

  show(message, { isLast, name }) {
    const old = this.#shown
    if (old?.message === message && old.isLast === isLast && old.name === name) return
    this.#shown = { message, isLast, name }
    this.text = textOf(message)
    const isLive = isOpen(message)
    this.element.dataset.status = message.status
    this.element.setAttribute("aria-busy", isLive)
    say(find("name", this.element), name)
    this.#showParts(message.parts, isLive)
    this.#showPending(message, isLive)
    this.#showEnd(message, isLive)
    find("retry", this.element).hidden = isLive || !isLast || message.status === "completed"
    find("copy", this.element).hidden = isLive || !this.text
  }

  #showParts(parts, isLive) {
    const place = find("parts", this.element)
    parts.forEach((part, index) => {
      if (this.#parts[index]?.type !== part.type) this.#drop(index)
      const view = (this.#parts[index] ??= new views[part.type](place))
      view.show(part, { done: !isLive || index < parts.length - 1 })
    })
    this.#drop(parts.length)
  }

  #drop(from) {
    for (const view of this.#parts.splice(from)) view.element.remove()
  }

  // Three dots until there are words to read, and what it is doing meanwhile.
  #showPending({ status, parts }, isLive) {
    const last = parts.at(-1)
    const isSilent = !last || last.type !== "text" || !last.text
    const isUsing = last?.type === "tool_call" && last.result === null && last.error === null
    const sentence = status === "queued" ? words.waiting : isUsing ? words.using(last.name) : words.thinking
    find("pending", this.element).hidden = !isLive || !isSilent
    say(find("doing", this.element), isLive && isSilent ? sentence : "")
  }

  #showEnd({ status, error, notice, parts }, isLive) {
    const isEmpty = status === "completed" && !parts.length
    const sentence = isLive ? "" : (error?.message || words[status] || notice || (isEmpty ? words.noAnswer : ""))
    const note = find("note", this.element)
    note.hidden = !sentence
    note.classList.toggle("note--danger", status === "failed")
    say(find("sentence", note), sentence)
  }
}

class TextPart {
  type = "text"
  element = document.createElement("div")
  #prose = new Prose(this.element)

  constructor(place) {
    this.element.className = "prose"
    place.append(this.element)
  }

  show({ text }, { done }) {
    this.#prose.show(text, { done })
  }
}

class ReasoningPart {
  type = "reasoning"
  element = copyOf("reasoning-template")
  #prose = new Prose(find("text", this.element))

  constructor(place) {
    place.append(this.element)
  }

  show({ text }, { done }) {
    say(find("title", this.element), done ? words.thought : words.thinking)
    this.#prose.show(text, { done })
  }
}

class ToolPart {
  type = "tool_call"
  element = copyOf("tool-template")

  constructor(place) {
    place.append(this.element)
  }

  show({ name, arguments: given, result, error }) {
    const isRunning = result === null && error === null
    const title = error !== null ? words.toolFailed(name) : isRunning ? words.using(name) : words.used(name)
    say(find("title", this.element), title)
    say(find("arguments", this.element), pretty(given))
    say(find("result", this.element), error ?? result ?? "")
    find("outcome", this.element).hidden = isRunning
    this.element.classList.toggle("step--failed", error !== null)
  }
}

const views = { text: TextPart, reasoning: ReasoningPart, tool_call: ToolPart }

// Arguments arrive as JSON text in pieces; what is no JSON (yet) is shown as it is.
const pretty = (json) => {
  try {
    return JSON.stringify(JSON.parse(json), null, 2)
  } catch {
    return json
  }
}
