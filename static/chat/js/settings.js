// What the person likes: the server keeps it, this dialog changes it, and each change is kept at once.

import { Dialog } from "./dialog.js";
import { say } from "./dom.js";
import { labelsOf } from "./keys.js";
import { words } from "./words.js";

const TYPING = 800 // ms of rest before instructions are kept

export class Settings {
  #dialog
  #form
  #api
  #likes
  #onChange
  #onImported
  #typing
  #written = null // instructions that are not kept yet
  #keeping = Promise.resolve() // one after the other, so that the last one stays

  // `likes` is what the page was made with, without the instructions. `onChange(likes, before)` whenever they are others;
  // `onImported()` when conversations have come in.
  constructor(element, api, likes, { onChange, onImported }) {
    this.#dialog = new Dialog(element)
    this.#form = this.#dialog.place("settings")
    this.#api = api
    this.#likes = likes
    this.#onChange = onChange
    this.#onImported = onImported
    say(this.#dialog.place("ctrl-enter"), labelsOf(["Mod", "Enter"]).join(" + "))
    this.#form.addEventListener("submit", (event) => event.preventDefault())
    this.#form.addEventListener("change", ({ target }) => this.#changed(target))
    this.#form.elements.instructions.addEventListener("input", () => this.#typed())
    element.addEventListener("close", () => this.#keepInstructions())
    this.#listenForFiles()
  }

  get likes() {
    return this.#likes
  }

  async open() {
    this.#problem("")
    say(this.#dialog.place("import-state"), "")
    this.#fill()
    this.#dialog.open()
    try {
      this.#take(await this.#api.me())
      this.#fill()
      this.#form.elements.instructions.readOnly = false
    } catch ({ message }) {
      this.#problem(message)
    }
  }

  // They were changed in another tab.
  hear(likes) {
    this.#take(likes)
    this.#fill()
  }

  #changed({ name, type, value, checked }) {
    if (!name || name === "instructions") return
    if (name === "transport") return this.#keep({ transport: checked ? "websocket" : "sse" })
    return this.#keep({ [name]: type === "checkbox" ? checked : value })
  }

  // A change that the server does not take is taken back.
  #keep(changes) {
    this.#keeping = this.#keeping.then(async () => {
      try {
        this.#take(await this.#api.changeMe(changes))
        this.#problem("")
        return true
      } catch ({ message }) {
        this.#problem(message)
        return false
      } finally {
        this.#fill()
      }
    })
    return this.#keeping
  }

  #take(likes) {
    const before = this.#likes
    if (Object.keys(likes).every((name) => likes[name] === before[name])) return
    this.#likes = { ...before, ...likes }
    this.#onChange(this.#likes, before)
  }

  #fill() {
    const { instructions, transport, shows_steps, theme, send_key, language } = this.#likes
    const { elements } = this.#form
    for (const radio of elements.theme) radio.checked = radio.value === theme
    for (const radio of elements.send_key) radio.checked = radio.value === send_key
    elements.language.value = language
    elements.transport.checked = transport === "websocket"
    elements.shows_steps.checked = shows_steps
    if (this.#written === null) elements.instructions.value = instructions ?? ""
  }

  // The instructions

  #typed() {
    this.#written = this.#form.elements.instructions.value
    say(this.#dialog.place("instructions-state"), "")
    clearTimeout(this.#typing)
    this.#typing = setTimeout(() => this.#keepInstructions(), TYPING)
  }

  async #keepInstructions() {
    clearTimeout(this.#typing)
    const text = this.#written
    if (text === null) return
    say(this.#dialog.place("instructions-state"), words.saving)
    const isKept = await this.#keep({ instructions: text })
    if (isKept && text === this.#written) this.#written = null
    say(this.#dialog.place("instructions-state"), isKept ? words.saved : words.notSaved)
  }

  // Bringing conversations

  #listenForFiles() {
    const file = this.#dialog.place("file")
    const button = this.#dialog.place("import")
    button.addEventListener("click", () => !button.ariaBusy && file.click())
    file.addEventListener("change", async () => {
      const state = this.#dialog.place("import-state")
      button.ariaBusy = "true"
      say(state, words.importing)
      try {
        say(state, words.imported(await this.#api.importFile(file.files[0])))
        this.#onImported()
      } catch ({ message }) {
        say(state, message)
      }
      button.ariaBusy = null
      file.value = ""
    })
  }

  #problem(sentence) {
    this.#dialog.place("problem").hidden = !sentence
    say(this.#dialog.place("problem"), sentence)
  }
}

// The theme as the page shows it; an empty one is the device's.
export const showTheme = (theme) => {
  if (theme) document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
  // What lies around the page on a phone: one colour for the theme, or the first, which is for light devices, as it was.
  for (const meta of document.querySelectorAll("meta[name=theme-color]")) {
    meta.media = theme ? (meta.dataset.theme === theme ? "all" : "not all") : `(prefers-color-scheme: ${meta.dataset.theme})`
  }
}
