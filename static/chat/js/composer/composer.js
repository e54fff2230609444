// The form at the bottom of the page. Its text stays there, and as a draft in the browser's storage, until it is sent.

import { newKey } from "../data/api.js"
import { strings } from "../i18n/strings.js"
import { find, setText } from "../ui/dom.js"
import { isSendKey } from "../ui/send_key.js"
import { Attachments } from "./attachments.js"
import { filesOf } from "./drop_target.js"

const MAX_PASTE_LENGTH = 4_000 // characters; a longer paste becomes an attached document
const MIN_OUTAGE = 3 // s after which the page says how long it lasts
const SAVE_DELAY = 300 // ms without a key press until the draft is saved

export class Composer {
  #form
  #field
  #limit
  #hooks
  #drafts
  #attachments
  #conversationKey = null // the conversation that the draft belongs to
  #openCount = 0 // how often a draft was opened
  #saved = "" // the draft as this page loaded or saved it: see serialize()
  #key = null // of the failed send that the text came back from
  #runningReply = null // its id
  #isSending = false
  #timer

  /**
   * Hooks: `sendKey()`, "enter" or "ctrl+enter"; `onSend({ key, text, attachments })`; `onStop()`; `upload`, `maxFileSize`,
   * `announce` and `viewer` as for Attachments; `assistant()`, the chosen one; `pickedSlug()`, of the one that was picked, or null; `savesDrafts()`, false in
   * a temporary chat.
   */
  constructor(form, { drafts, limit, ...hooks }) {
    this.#form = form
    this.#field = form.elements.text
    this.#limit = limit
    this.#hooks = hooks
    this.#drafts = drafts
    this.#attachments = new Attachments(find("attachments", form), {
      upload: hooks.upload,
      maxFileSize: hooks.maxFileSize,
      announce: hooks.announce,
      viewer: hooks.viewer,
      imageProblem: () => this.#imageProblem(),
      onChange: () => this.#onEdited(),
      onProblem: (sentence) => this.showProblem(sentence),
      onAsText: (text) => this.#insert(text),
      onFocusLost: () => this.focus(),
    })
    this.#listen()
  }

  get isEmpty() {
    return !this.#field.value.trim() && this.#attachments.isEmpty
  }

  /** Shows the draft of a conversation. */
  open(conversationKey) {
    this.save()
    this.#conversationKey = conversationKey
    const draft = this.#drafts.get(conversationKey)
    this.#set(draft)
    this.#saved = serialize(draft)
    this.showProblem("")
    this.#reportLost()
  }

  /** The new conversation has got its id, or the key of an earlier page. */
  moveTo(conversationKey) {
    this.save()
    if (this.#saved) this.#drafts.save(this.#conversationKey, this.#draft("", []))
    this.#drafts.saveUploads(this.#conversationKey, [])
    this.#conversationKey = conversationKey
    this.#saved = ""
    this.save()
  }

  focus() {
    this.#field.focus({ preventScroll: true })
  }

  /** Puts a message that could not be sent before the text. With a `key` the server may have received it all the same. */
  restore({ text, attachments, key = null }) {
    const wasEmpty = !this.#field.value.trim()
    this.#field.value = wasEmpty ? text : `${text}\n\n${this.#field.value}`
    this.#attachments.add(attachments)
    this.#key = wasEmpty ? key : null
    this.#dropGone()
    this.save()
    this.#show()
  }

  /** Quotes a passage below the text. */
  quote(text) {
    const quotation = text.trim().replace(/^/gm, "> ").replace(/^> $/gm, ">")
    const before = this.#field.value.trimEnd()
    this.#field.value = `${before}${before && "\n\n"}${quotation}\n\n`
    this.#key = null
    this.focus()
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length)
    this.#field.scrollTop = this.#field.scrollHeight
    this.#onEdited()
  }

  /** With which the text was sent before it came back, if the server may have received it; null once it was changed. */
  get key() {
    return this.#key
  }

  /** Removes the text, because the server has it. */
  discard() {
    this.#set(this.#draft("", []))
    this.save()
  }

  /** The next send is a new one, even with the same text. */
  resetKey() {
    this.#key = null
  }

  /** Shows the stop button while the reply with this id is running; null hides it. */
  setRunningReply(id) {
    if (id === this.#runningReply) return // called in every frame of a stream, and showing measures the field
    find("stop", this.#form).disabled = false
    this.#runningReply = id
    this.#show()
  }

  stopFailed(sentence) {
    find("stop", this.#form).disabled = false
    this.showProblem(sentence)
  }

  showProblem(sentence) {
    const element = find("problem", this.#form)
    element.hidden = !sentence
    setText(element, sentence)
  }

  /** Shows whether the server can be reached. Its style shows for how long: a screen reader is not told each second. */
  showConnection({ state, downSeconds }) {
    const element = find("connection", this.#form)
    setText(element, strings.connection[state] ?? "")
    element.dataset.state = state
    element.dataset.time = downSeconds < MIN_OUTAGE ? "" : strings.elapsed(Math.floor(downSeconds))
  }

  /** The server can be reached again. */
  onConnected() {
    this.#attachments.resume()
    if (find("problem", this.#form).textContent === strings.unreachable) this.showProblem("")
  }

  /** Removes the text and all drafts from this browser. */
  clear() {
    clearTimeout(this.#timer)
    this.#set(this.#draft("", []))
    this.#saved = ""
    this.#drafts.clear()
  }

  /** Saves the draft now if it was changed here: another tab may have saved a newer one. */
  save() {
    clearTimeout(this.#timer)
    if (!this.#conversationKey || !this.#hooks.savesDrafts()) return
    this.#drafts.saveUploads(this.#conversationKey, this.#attachments.unfinished)
    const draft = this.#draft(this.#field.value, this.#attachments.parts)
    if (serialize(draft) === this.#saved) return
    this.#drafts.save(this.#conversationKey, draft)
    this.#saved = serialize(draft)
  }

  addFiles(dropped) {
    return this.#attachments.addFiles(dropped)
  }

  #listen() {
    const form = this.#form
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      this.#send()
    })
    find("stop", form).addEventListener("click", (event) => {
      event.currentTarget.disabled = true // until the reply has ended
      this.#field.focus()
      this.#hooks.onStop()
    })
    this.#field.addEventListener("keydown", (event) => {
      if (!isSendKey(event, this.#hooks.sendKey())) return
      event.preventDefault()
      this.#send()
    })
    this.#field.addEventListener("input", () => {
      this.#key = null
      this.showProblem("")
      this.#onEdited()
    })
    this.#field.addEventListener("paste", (event) => this.#paste(event))
    find("attach", form).addEventListener("click", () => find("files", form).click())
    for (const type of ["pointerenter", "focus"])
      find("attach", form).addEventListener(type, () => this.#attachments.preload())
    find("files", form).addEventListener("change", async ({ target }) => {
      this.showProblem("")
      await this.addFiles({ files: [...target.files] })
      target.value = ""
    })
    addEventListener("pagehide", () => this.save())
    addEventListener("resize", () => this.#fit())
  }

  // Some programs copy a text with an image of it; the text is what people want.
  #paste(event) {
    const { clipboardData } = event
    const text = clipboardData.getData("text/plain")
    const isLong = text.length > MAX_PASTE_LENGTH
    if (!isLong && (text || !clipboardData.files.length)) return
    event.preventDefault()
    this.showProblem("")
    if (isLong) this.#attachments.addPasted(text)
    else this.addFiles(filesOf(clipboardData))
  }

  // As if it was typed, so that undo works.
  #insert(text) {
    this.focus()
    if (!document.execCommand("insertText", false, text))
      this.#field.setRangeText(text, this.#field.selectionStart, this.#field.selectionEnd, "end")
    this.#onEdited()
  }

  #imageProblem() {
    const { name, sees_images } = this.#hooks.assistant() ?? {}
    return name && !sees_images ? strings.imagesNotSupported(name) : ""
  }

  async #send() {
    const text = this.#field.value
    if (this.#isSending) return
    if (!text.trim()) return this.isEmpty ? undefined : this.showProblem(strings.messageRequired)
    const count = [...text].length // code points, as the server counts
    if (count > this.#limit) return this.showProblem(strings.tooLong(this.#limit))
    const conversationKey = this.#conversationKey
    this.showProblem("")
    this.#setSending(true)
    await this.#attachments.whenUploaded()
    this.#setSending(false)
    if (conversationKey !== this.#conversationKey) return
    const attachments = this.#attachments.parts
    const hasImages = attachments.some(({ type }) => type === "image")
    const problem = this.#attachments.problem || (hasImages && this.#imageProblem())
    if (problem) return this.showProblem(problem)
    const key = this.#key ?? newKey()
    this.discard()
    this.#hooks.onSend({ key, text, attachments })
  }

  // Says what the draft that was just opened has lost.
  async #reportLost() {
    this.#openCount += 1
    const count = this.#openCount
    const uploads = await this.#drafts.interruptedUploads(this.#conversationKey)
    if (count !== this.#openCount) return
    this.#drafts.forgetUploads(uploads)
    if (uploads.length) this.#addProblem(strings.filesNotUploaded(uploads.flatMap(({ names }) => names)))
    await this.#dropGone()
  }

  // As long as the draft has its key, its attachments may belong to the message that the server has received: not gone.
  async #dropGone() {
    const names = this.#key ? [] : await this.#attachments.dropGone()
    if (names.length) this.#addProblem(strings.filesGone(names))
  }

  // Below what is said already.
  #addProblem(sentence) {
    this.showProblem([find("problem", this.#form).textContent, sentence].filter(Boolean).join("\n"))
  }

  #draft(text, attachments) {
    const isNew = this.#conversationKey?.startsWith("new:") // otherwise the conversation has its assistant
    return { text, attachments, key: this.#key, assistant: isNew ? this.#hooks.pickedSlug() : null }
  }

  #set({ text, attachments, key }) {
    this.#field.value = text
    this.#attachments.set(attachments)
    this.#key = text ? key : null
    this.#show()
  }

  #onEdited() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.save(), SAVE_DELAY)
    this.#show()
  }

  #setSending(isSending) {
    this.#isSending = isSending
    this.#field.readOnly = isSending
    this.#form.setAttribute("aria-busy", isSending)
    this.#show()
  }

  // While a reply runs, the stop button replaces the send button as long as there is nothing to send.
  #show() {
    find("send", this.#form).disabled = this.isEmpty || this.#isSending
    find("send", this.#form).hidden = Boolean(this.#runningReply) && this.isEmpty
    find("stop", this.#form).hidden = !this.#runningReply
    this.#field.enterKeyHint = this.#hooks.sendKey() === "enter" ? "send" : "enter" // on a phone's keyboard
    this.#fit()
  }

  #fit() {
    this.#field.style.height = "auto"
    this.#field.style.height = `${this.#field.scrollHeight}px`
  }
}

// To compare drafts; empty for an empty draft.
const serialize = ({ text, key, attachments, assistant }) =>
  text || attachments.length ? JSON.stringify([text, key, attachments, assistant]) : ""
