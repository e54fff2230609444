// The settings: shows the preferences that the server has, and saves each change at once.

import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { setText } from "../ui/dom.js"
import { askPermission } from "../ui/notifications.js"
import { labelsOf } from "../ui/shortcuts.js"
import { ImportPanel } from "./import.js"

const TYPING_DELAY = 800 // ms without a key press until the instructions are saved

export class SettingsDialog {
  #dialog
  #form
  #api
  #preferences
  #import
  #typingTimer
  #unsavedInstructions = null
  #saving = Promise.resolve() // one change after the other, so that the last one stays

  /** `onImported()` is called when conversations were imported. */
  constructor(element, api, preferences, { onImported }) {
    this.#dialog = new Dialog(element)
    this.#form = this.#dialog.find("settings")
    this.#api = api
    this.#preferences = preferences
    preferences.onChange(() => this.#fill())
    setText(this.#dialog.find("ctrl-enter"), labelsOf(["Mod", "Enter"]).join(" + "))
    this.#form.addEventListener("submit", (event) => event.preventDefault())
    this.#form.addEventListener("change", ({ target }) => this.#onControlChanged(target))
    this.#form.elements.instructions.addEventListener("input", () => this.#onTyped())
    element.addEventListener("close", () => this.#saveInstructions())
    this.#import = new ImportPanel(this.#dialog, api, onImported)
  }

  async open() {
    this.#showProblem("")
    this.#fill()
    this.#dialog.open()
    this.#import.open()
    try {
      this.#preferences.set(await this.#api.me())
      this.#fill()
      this.#form.elements.instructions.readOnly = false
    } catch ({ message }) {
      this.#showProblem(message)
    }
  }

  #onControlChanged(control) {
    if (!control.name || control.name === "instructions") return
    if (control.name === "notifications" && control.value) return this.#allowNotifications(control.value)
    return this.#save({ [control.name]: controlValue(control) })
  }

  async #allowNotifications(value) {
    const isAllowed = await askPermission()
    if (isAllowed) return this.#save({ notifications: value })
    this.#fill()
    this.#showProblem(strings.notificationsBlocked)
  }

  // The form shows what the server has: a change that it refuses is undone.
  #save(changes) {
    this.#saving = this.#saving.then(async () => {
      try {
        this.#preferences.set(await this.#api.changeMe(changes))
        this.#showProblem("")
        return true
      } catch ({ message }) {
        this.#showProblem(message)
        return false
      } finally {
        this.#fill()
      }
    })
    return this.#saving
  }

  // Each control shows the preference of its name.
  #fill() {
    for (const control of this.#form.elements) {
      const isBeingTyped = control.name === "instructions" && this.#unsavedInstructions !== null
      if (control.name && !isBeingTyped) setValue(control, this.#preferences.values[control.name])
    }
  }

  // Instructions

  #onTyped() {
    this.#unsavedInstructions = this.#form.elements.instructions.value
    setText(this.#dialog.find("instructions-state"), "")
    clearTimeout(this.#typingTimer)
    this.#typingTimer = setTimeout(() => this.#saveInstructions(), TYPING_DELAY)
  }

  async #saveInstructions() {
    clearTimeout(this.#typingTimer)
    const text = this.#unsavedInstructions
    if (text === null) return
    setText(this.#dialog.find("instructions-state"), strings.saving)
    const isSaved = await this.#save({ instructions: text })
    if (isSaved && text === this.#unsavedInstructions) this.#unsavedInstructions = null
    setText(this.#dialog.find("instructions-state"), isSaved ? strings.saved : strings.notSaved)
  }

  #showProblem(sentence) {
    this.#dialog.find("problem").hidden = !sentence
    setText(this.#dialog.find("problem"), sentence)
  }
}

// A checkbox is a preference of true and false, or of two words: its `value` and its `data-unchecked`.
const hasWords = (control) => "unchecked" in control.dataset

const controlValue = (control) => {
  if (control.type !== "checkbox") return control.value
  if (hasWords(control)) return control.checked ? control.value : control.dataset.unchecked
  return control.checked
}

const setValue = (control, value) => {
  if (control.type === "radio") control.checked = control.value === value
  else if (control.type === "checkbox") control.checked = hasWords(control) ? control.value === value : value
  else control.value = value ?? ""
}
