// An answer on the page: its steps, its text, and what can be done with it.

import { activityOf } from "../data/activity.js"
import { isAttachment, plainText } from "../data/parts.js"
import { isInProgress } from "../data/reducer.js"
import { now } from "../data/server_clock.js"
import { isUnfinished, joinReplies, sections } from "../data/turns.js"
import { strings } from "../i18n/strings.js"
import { showAvatar } from "../ui/avatar.js"
import { cloneTemplate, find, setText, showTime } from "../ui/dom.js"
import { LazyLibrary } from "../ui/lazy_library.js"
import { textViews } from "./parts/kinds.js"
import { StepsView } from "./parts/steps.js"
import { sameVersions, showVersions } from "./versions.js"

const MIN_ELAPSED = 3 // seconds that are worth showing
const LONG_WAIT = 10 // seconds, after which a screen reader announces what is waited for

const approvals = new LazyLibrary(() => import("./approvals.js"))
const errorHelp = new LazyLibrary(() => import("./error_help.js"))

const sectionViews = { ...textViews, steps: StepsView }

const noteSentences = {
  images_trimmed: strings.imagesTrimmed,
  file_trimmed: strings.fileTrimmed,
  copied: strings.copiedUpTo,
}

export class AssistantMessage {
  element = cloneTemplate("reply-template")
  replies = []
  versions = null
  text = "" // as it is copied
  #shown = null // the options of the last `show`
  #sections = []
  #onDecision
  #errorHooks
  #errorHelp = null // once there was an error
  #approvals = null // once there was a question
  #expiresAt = Infinity // when the first open question expires
  #answer = null // the replies as one message
  #changedAt = 0 // when the replies changed last, in milliseconds of the server's clock
  #longWait = ""

  /** Hooks: `onDecision(runId, resume)`; and those of ErrorHelp. */
  constructor({ onDecision, ...errorHooks }) {
    this.#onDecision = onDecision
    this.#errorHooks = errorHooks
  }

  /** The images of the answer, by their id. */
  get images() {
    const parts = this.replies.flatMap(({ parts }) => parts)
    return new Map(parts.filter(isAttachment).map((part) => [part.id, part]))
  }

  /** The reply that has the user's rating, or would get it. */
  get ratedReply() {
    return this.replies.findLast(({ feedback }) => feedback) ?? this.replies.at(-1)
  }

  /** How much text has arrived, in characters. */
  get length() {
    return this.#sections.reduce((sum, { length = 0 }) => sum + length, 0)
  }

  /** How much of it is on the page, in characters. */
  get shownLength() {
    return this.#sections.reduce((sum, { shownLength = 0 }) => sum + shownLength, 0)
  }

  /** What has been waited for, for a long time; empty if there is something to read. */
  get longWait() {
    return this.#longWait
  }

  /**
   * Shows an answer. If nothing changed, this costs nothing. `isNewlyTrimmed`: it is the first for which the model did not
   * see the whole conversation. `isSameAuthor`: the answer before it is by the same assistant, so its name is not repeated.
   */
  show(replies, { isLast, isNewlyTrimmed, name, isSameAuthor, versions }) {
    const before = this.#shown
    const hasSameReplies =
      this.replies.length === replies.length && this.replies.every((reply, index) => reply === replies[index])
    const isSame =
      hasSameReplies &&
      before.isLast === isLast &&
      before.isNewlyTrimmed === isNewlyTrimmed &&
      before.name === name &&
      before.isSameAuthor === isSameAuthor &&
      sameVersions(before.versions, versions)
    if (isSame) return
    this.#shown = { isLast, isNewlyTrimmed, name, isSameAuthor, versions }
    this.replies = replies
    this.versions = versions
    if (!hasSameReplies) this.#changedAt = now()
    this.#draw(now())
  }

  /** Counts seconds, and lets questions expire. */
  tick(now) {
    if (now >= this.#expiresAt) this.#draw(now)
    for (const section of this.#sections) section.tick?.(now)
    if (isInProgress(this.#answer)) this.#showActivity(now)
  }

  #draw(now) {
    const { isLast, isNewlyTrimmed, name, isSameAuthor, versions } = this.#shown
    const { replies } = this
    const answer = joinReplies(replies, { isLast, now })
    this.#answer = answer
    const isLive = isInProgress(answer)
    const openRequests = answer.approvalRequests.filter(({ isExpired }) => !isExpired)
    const hasExpiredRequests = answer.approvalRequests.length > openRequests.length
    this.#expiresAt = Math.min(...openRequests.map(({ expiresAt }) => Date.parse(expiresAt) || Infinity))
    this.text = joinedText(replies)
    this.element.dataset.status = answer.status
    this.element.setAttribute("aria-busy", isLive)
    setText(find("name", this.element), name)
    showAvatar(find("avatar", this.element), replies[0].assistant ?? "", name)
    find("author", this.element).classList.toggle("visually-hidden", isSameAuthor)
    find("trimmed", this.element).hidden = !isNewlyTrimmed
    this.#showSections(sections(answer.parts), { isLive, isWaiting: openRequests.length > 0, now })
    this.#showActivity(now)
    this.#showApprovals(answer)
    this.#showNote(answer, isLive)
    const isComplete = answer.status === "completed" && answer.parts.length > 0
    find("retry", this.element).hidden = isLive || !isLast || (isComplete && !hasExpiredRequests)
    find("continue", this.element).hidden = isLive || !isLast || !isUnfinished(replies.at(-1)) || !answer.parts.length
    this.#showErrorHelp(isLast && !isLive ? answer : { error: null })
    this.#showFoot(answer, { isOver: !isLive && !openRequests.length, versions })
  }

  #showSections(sections, { isLive, isWaiting, now }) {
    const container = find("parts", this.element)
    sections.forEach((section, index) => {
      if (this.#sections[index]?.type !== section.type) this.#removeSectionsFrom(index)
      this.#sections[index] ??= new sectionViews[section.type](container)
      const view = this.#sections[index]
      const isLast = index === sections.length - 1
      view.show(section, { done: !isLive || !isLast, isOver: !isLast || (!isLive && !isWaiting) })
      view.tick?.(now)
    })
    this.#removeSectionsFrom(sections.length)
  }

  #removeSectionsFrom(index) {
    for (const view of this.#sections.splice(index)) view.element.remove()
  }

  // Three dots, what is going on and for how long, until there is text to read or a step that is running.
  #showActivity(now) {
    const areStepsShown = !document.body.classList.contains("without-steps")
    const options = { areStepsShown, changedAt: this.#changedAt, now }
    const activity = isInProgress(this.#answer) ? activityOf(this.#answer, this.replies.at(-1), options) : null
    const seconds = activity ? Math.floor((now - activity.since) / 1000) : 0
    const sentence = activity ? strings.activity[activity.kind] : ""
    this.#longWait = seconds >= LONG_WAIT ? sentence : ""
    find("pending", this.element).hidden = !activity
    setText(find("activity", this.element), sentence)
    setText(find("elapsed", this.element), seconds >= MIN_ELAPSED ? strings.elapsed(seconds) : "")
  }

  #showApprovals(answer) {
    if (this.#approvals) this.#approvals.show(answer.approvalRequests)
    if (this.#approvals || !answer.approvalRequests.length) return
    const show = ({ Approvals }) => {
      this.#approvals ??= new Approvals(find("approvals", this.element), {
        onDecision: (resume) => this.#onDecision(this.replies.at(-1).run_id, resume),
        onFocusLost: (callId) => this.#sections.some((section) => section.focusOn?.(callId)),
      })
      this.#approvals.show(this.#answer.approvalRequests)
    }
    approvals.use(show, () => {
      this.#expiresAt = 0 // the next tick tries again
    })
  }

  #showNote({ status, error, notice, parts }, isLive) {
    const isEmpty = status === "completed" && !parts.length
    const ending = isLive ? "" : error?.message || strings[status] || notice || (isEmpty ? strings.emptyAnswer : "")
    const notes = this.replies.flatMap((reply) => reply.parts).map((part) => noteSentences[part.type]?.(part))
    const sentence = [...notes, ending].filter(Boolean).join(" ")
    const note = find("note", this.element)
    note.hidden = !sentence
    note.classList.toggle("note--danger", status === "failed")
    setText(find("sentence", note), sentence)
  }

  #showErrorHelp({ error, run_id }) {
    if (!error && !this.#errorHelp) return
    errorHelp.use(({ ErrorHelp }) => {
      this.#errorHelp ??= new ErrorHelp(find("follow-ups", this.element), this.#errorHooks)
      this.#errorHelp.show(error?.code, run_id)
    })
  }

  #showFoot(answer, { isOver, versions }) {
    find("foot", this.element).hidden = !isOver
    find("copy", this.element).hidden = !this.text
    const rating = this.ratedReply.feedback?.rating
    for (const name of ["up", "down"]) {
      find(name, this.element).setAttribute("aria-pressed", rating === name)
      find(name, this.element).hidden = !answer.parts.length
    }
    showVersions(this.element, versions)
    showTime(find("sent-at", this.element), this.replies[0].created_at)
  }
}

// after a question to the user, the answer continues with a new paragraph; after a cut, in mid-sentence.
const joinedText = (replies) => {
  let text = ""
  replies.forEach((reply, index) => {
    const more = plainText(reply)
    const isNewParagraph = text && more && replies[index - 1].interrupts?.length
    text += isNewParagraph ? `\n\n${more}` : more
  })
  return text
}
