// An answer on the page: its steps, its words, and what can be done with it.

import { Approvals } from "./approvals.js";
import { now } from "./clock.js";
import { copyOf, find, say, tellTime } from "./dom.js";
import { Prose } from "./prose.js";
import { answerOf, isOpen, isUnfinished, sectionsOf, textOf } from "./state.js";
import { Steps } from "./steps.js";
import { tellTongue } from "./tongue.js";
import { sameVersions, showVersions } from "./versions.js";
import { words } from "./words.js";

export class Reply {
  element = copyOf("reply-template")
  replies = []
  versions = null
  text = ""
  #shown = null // what is on the page, so that an unchanged reply costs nothing
  #sections = []
  #approvals
  #due = Infinity // when a question that waits expires

  // Hooks: onAnswer(runId, resume).
  constructor({ onAnswer }) {
    this.#approvals = new Approvals(find("approvals", this.element), {
      onAnswer: (resume) => onAnswer(this.replies.at(-1).run_id, resume),
      onLeave: (callId) => this.#sections.some((section) => section.focusOn?.(callId)),
    })
  }

  // What the person thinks of it, and the reply that says so.
  get rated() {
    return this.replies.findLast(({ feedback }) => feedback) ?? this.replies.at(-1)
  }

  show(replies, { isLast, name, versions }) {
    const old = this.#shown
    const isSame = this.replies.length === replies.length && this.replies.every((reply, index) => reply === replies[index])
    if (isSame && old.isLast === isLast && old.name === name && sameVersions(old.versions, versions)) return
    this.#shown = { isLast, name, versions }
    this.replies = replies
    this.versions = versions
    this.#draw(now())
  }

  tick(now) {
    if (now >= this.#due) this.#draw(now)
    for (const section of this.#sections) section.tick?.(now)
  }

  #draw(now) {
    const { isLast, name, versions } = this.#shown
    const { replies } = this
    const answer = answerOf(replies, { isLast, now })
    const isLive = isOpen(answer)
    const waiting = answer.asks.filter(({ isExpired }) => !isExpired)
    const isUnanswered = answer.asks.length > waiting.length
    this.#due = Math.min(...waiting.map(({ expiresAt }) => Date.parse(expiresAt) || Infinity))
    this.text = wordsOf(replies)
    this.element.dataset.status = answer.status
    this.element.setAttribute("aria-busy", isLive)
    say(find("name", this.element), name)
    this.#showSections(sectionsOf(answer.parts), { isLive, isWaiting: waiting.length > 0, now })
    this.#showPending(answer, isLive)
    this.#approvals.show(answer.asks)
    this.#showEnd(answer, isLive)
    find("retry", this.element).hidden = isLive || !isLast || (answer.status === "completed" && !isUnanswered)
    find("continue", this.element).hidden = isLive || !isLast || !isUnfinished(replies.at(-1)) || !answer.parts.length
    this.#showFoot(answer, { isOver: !isLive && !waiting.length, versions })
  }

  #showSections(sections, { isLive, isWaiting, now }) {
    const place = find("parts", this.element)
    sections.forEach((section, index) => {
      if (this.#sections[index]?.type !== section.type) this.#drop(index)
      const view = (this.#sections[index] ??= new views[section.type](place))
      const isLast = index === sections.length - 1
      view.show(section, { done: !isLive || !isLast, isOver: !isLast || (!isLive && !isWaiting) })
      view.tick?.(now)
    })
    this.#drop(sections.length)
  }

  #drop(from) {
    for (const view of this.#sections.splice(from)) view.element.remove()
  }

  // Three dots until there are words to read or a step that is under way, and what it is doing meanwhile.
  #showPending({ status, parts }, isLive) {
    const mine = this.replies.at(-1).parts.at(-1)
    const isTalking = mine?.type === "text" && mine.text
    const isStepSeen = parts.at(-1)?.state === "running" || hasRunningCall(parts)
    const isSilent = isLive && !isTalking && !(isStepSeen && !document.body.classList.contains("without-steps"))
    find("pending", this.element).hidden = !isSilent
    say(find("doing", this.element), !isSilent ? "" : status === "queued" ? words.waiting : words.thinking)
  }

  #showEnd({ status, error, notice, parts }, isLive) {
    const isEmpty = status === "completed" && !parts.length
    const sentence = isLive ? "" : (error?.message || words[status] || notice || (isEmpty ? words.noAnswer : ""))
    const note = find("note", this.element)
    note.hidden = !sentence
    note.classList.toggle("note--danger", status === "failed")
    say(find("sentence", note), sentence)
  }

  #showFoot(answer, { isOver, versions }) {
    find("foot", this.element).hidden = !isOver
    find("copy", this.element).hidden = !this.text
    const rating = this.rated.feedback?.rating
    for (const name of ["up", "down"]) {
      find(name, this.element).setAttribute("aria-pressed", rating === name)
      find(name, this.element).hidden = !answer.parts.length
    }
    showVersions(this.element, versions)
    tellTime(find("said-at", this.element), this.replies[0].created_at)
  }
}

const hasRunningCall = (parts) => parts.some(({ type, state }) => type !== "reasoning" && state === "running")

// After a question to the person a new paragraph begins; an answer that had broken off goes on in mid-sentence.
const wordsOf = ([first, ...others]) => {
  let [text, before] = [textOf(first), first]
  for (const reply of others) {
    const more = textOf(reply)
    text += text && more && before.interrupts?.length ? `\n\n${more}` : more
    before = reply
  }
  return text
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
    tellTongue(this.element, text)
    this.#prose.show(text, { done })
  }
}

const views = { text: TextPart, steps: Steps }
