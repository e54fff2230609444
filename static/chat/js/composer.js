// The form at the foot of the page. What is written stays there, and in the browser's storage, until it is sent.

import { newKey } from "./api.js";
import { Attachments } from "./attachments.js";
import { find, say } from "./dom.js";
import { sends } from "./enter.js";
import { words } from "./words.js";

const LONG = 4_000 // characters; a longer paste is a text of its own
const REST = 300 // ms after a keystroke until the draft is kept

export class Composer {
  #form
  #field
  #limit
  #hooks
  #drafts
  #attachments
  #place = null // the conversation that this draft is for
  #kept = "" // as this page has found or kept it: see written()
  #key = null // names the send that the text comes back from
  #live = null // the id of the reply that is being written
  #isSending = false
  #timer

  // Hooks: sendKey(), "enter" or "ctrl+enter"; onSend({key, text, images, documents}), when the person sends it; onStop();
  // upload and viewer as Attachments wants them; assistant(), which may not see images; picked(), the slug of the one that
  // was picked, or null; isKept(), not so in a temporary chat.
  constructor(form, { drafts, limit, ...hooks }) {
    this.#form = form
    this.#field = form.elements.text
    this.#limit = limit
    this.#hooks = hooks
    this.#drafts = drafts
    this.#attachments = new Attachments(find("enclosed", form), {
      limit,
      upload: hooks.upload,
      viewer: hooks.viewer,
      mayAddImages: () => this.#mayAddImages(),
      onChange: () => this.#changed(),
      onProblem: (sentence) => this.problem(sentence),
      onAsText: (text) => this.#insert(text),
      onLeave: () => this.focus(),
    })
    this.#listen()
  }

  get isEmpty() {
    return !this.#field.value.trim() && this.#attachments.isEmpty
  }

  // Show the draft of that conversation.
  open(place) {
    this.keep()
    this.#place = place
    const draft = this.#drafts.of(place)
    this.#set(draft)
    this.#kept = written(draft)
    this.problem("")
  }

  // The new conversation has got its name.
  moveTo(place) {
    this.keep()
    if (this.#kept) this.#drafts.keep(this.#place, this.#draft("", [], []))
    this.#place = place
    this.#kept = ""
    this.keep()
  }

  focus() {
    this.#field.focus({ preventScroll: true })
  }

  // Put this in front of what is being written: it was sent, and comes back. With a key it may have arrived all the same.
  restore({ text, images, documents, key = null }) {
    const isAlone = !this.#field.value.trim()
    this.#field.value = isAlone ? text : `${text}\n\n${this.#field.value}`
    this.#attachments.add({ images, documents })
    this.#key = isAlone ? key : null
    this.keep()
    this.#show()
  }

  // A passage that the person wants to write about.
  quote(text) {
    const passage = text.trim().replace(/^/gm, "> ").replace(/^> $/gm, ">")
    const before = this.#field.value.trimEnd()
    this.#field.value = `${before}${before && "\n\n"}${passage}\n\n`
    this.#key = null
    this.focus()
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length)
    this.#field.scrollTop = this.#field.scrollHeight
    this.#changed()
  }

  // The next send is another one, even with the same text.
  startAnew() {
    this.#key = null
  }

  // While a reply is being written, the one with this id, there is a stop button.
  live(id) {
    if (id === this.#live) return // showing it measures the field, and a page that streams asks in every frame
    find("stop", this.#form).disabled = false
    this.#live = id
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

  // The server answers again: that it does not is no problem any more.
  reached() {
    if (find("problem", this.#form).textContent === words.unreachable) this.problem("")
  }

  // Nothing of it is left, here or in the browser.
  forget() {
    clearTimeout(this.#timer)
    this.#set(this.#draft("", [], []))
    this.#kept = ""
    this.#drafts.forget()
  }

  // Write the draft down now, if anything was written here: another tab may have kept its own since.
  keep() {
    clearTimeout(this.#timer)
    const draft = this.#draft(this.#field.value, this.#attachments.images, this.#attachments.documents)
    if (!this.#place || !this.#hooks.isKept() || written(draft) === this.#kept) return
    this.#drafts.keep(this.#place, draft)
    this.#kept = written(draft)
  }

  addFiles(files) {
    return this.#attachments.addFiles(files)
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
      if (!sends(event, this.#hooks.sendKey())) return
      event.preventDefault()
      this.#send()
    })
    this.#field.addEventListener("input", () => {
      this.#key = null
      this.problem("")
      this.#changed()
    })
    this.#field.addEventListener("paste", (event) => this.#paste(event))
    find("attach", form).addEventListener("click", () => find("files", form).click())
    find("files", form).addEventListener("change", async ({ target }) => {
      this.problem("")
      await this.addFiles([...target.files])
      target.value = ""
    })
    addEventListener("pagehide", () => this.keep())
    addEventListener("resize", () => this.#fit())
  }

  // Programs copy a picture of a text beside the text; the text is meant.
  #paste(event) {
    const { clipboardData } = event
    const text = clipboardData.getData("text/plain")
    const isLong = text.length > LONG
    if (!isLong && (text || !clipboardData.files.length)) return
    event.preventDefault()
    this.problem("")
    if (isLong) this.#attachments.addPasted(text)
    else this.addFiles([...clipboardData.files])
  }

  // As if it was typed, so that it can be undone.
  #insert(text) {
    this.focus()
    if (!document.execCommand("insertText", false, text)) this.#field.setRangeText(text, this.#field.selectionStart, this.#field.selectionEnd, "end")
    this.#changed()
  }

  #mayAddImages() {
    const { name, sees_images } = this.#hooks.assistant() ?? {}
    return name && !sees_images ? words.seesNoImages(name) : ""
  }

  async #send() {
    const text = this.#field.value
    if (this.#isSending) return
    if (!text.trim()) return this.isEmpty ? undefined : this.problem(words.writeSomething)
    const count = [...text].length // as the server counts: characters, not halves of them
    if (count > this.#limit) return this.problem(words.tooLong(this.#limit))
    const blind = this.#attachments.images.length ? this.#mayAddImages() : ""
    if (blind) return this.problem(blind)
    const place = this.#place
    this.problem("")
    this.#sending(true)
    const isComplete = await this.#attachments.settled()
    this.#sending(false)
    if (place !== this.#place) return
    if (!isComplete) return this.problem(words.imageNotUploaded)
    const { images, documents } = this.#attachments
    const key = this.#key ?? newKey()
    this.#set(this.#draft("", [], []))
    this.keep()
    this.#hooks.onSend({ key, text, images, documents })
  }

  #draft(text, images, documents) {
    const isNew = this.#place?.startsWith("new:") // else the conversation tells its assistant
    return { text, images, documents, key: this.#key, assistant: isNew ? this.#hooks.picked() : null }
  }

  #set({ text, images, documents, key }) {
    this.#field.value = text
    this.#attachments.set({ images, documents })
    this.#key = text ? key : null
    this.#show()
  }

  #changed() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.keep(), REST)
    this.#show()
  }

  #sending(isSending) {
    this.#isSending = isSending
    this.#field.readOnly = isSending
    this.#form.setAttribute("aria-busy", isSending)
    this.#show()
  }

  // While an answer is written, the stop button stands alone until there is something to send after it.
  #show() {
    find("send", this.#form).disabled = this.isEmpty || this.#isSending
    find("send", this.#form).hidden = Boolean(this.#live) && this.isEmpty
    find("stop", this.#form).hidden = !this.#live
    this.#field.enterKeyHint = this.#hooks.sendKey() === "enter" ? "send" : "enter" // on a phone's keyboard
    this.#fit()
  }

  #fit() {
    this.#field.style.height = "auto"
    this.#field.style.height = `${this.#field.scrollHeight}px`
  }
}

// To compare drafts by; empty where there is none.
const written = ({ text, key, images, documents, assistant }) =>
  text || images.length || documents.length ? JSON.stringify([text, key, images, documents, assistant]) : ""
