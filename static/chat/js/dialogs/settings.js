// The settings: shows the preferences that the server has, and saves each change at once.

import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { setText } from "../ui/dom.js"
import { labelsOf } from "../ui/shortcuts.js"

const TYPING_DELAY = 800 // ms without a key press until the instructions are saved

export class SettingsDialog {
  #dialog
  #form
  #api
  #preferences
  #onImported
  #typingTimer
  #unsavedInstructions = null
  #saving = Promise.resolve() // one change after the other, so that the last one stays

  /** `onImported()` is called when conversations were imported. */
  constructor(element, api, preferences, { onImported }) {
    this.#dialog = new Dialog(element)
    this.#form = this.#dialog.find("settings")
    this.#api = api
    this.#preferences = preferences
    this.#onImported = onImported
    preferences.onChange(() => this.#fill())
    setText(this.#dialog.find("ctrl-enter"), labelsOf(["Mod", "Enter"]).join(" + "))
    this.#form.addEventListener("submit", (event) => event.preventDefault())
    this.#form.addEventListener("change", ({ target }) => this.#onControlChanged(target))
    this.#form.elements.instructions.addEventListener("input", () => this.#onTyped())
    element.addEventListener("close", () => this.#saveInstructions())
    this.#listenForImport()
  }

  async open() {
    this.#showProblem("")
    setText(this.#dialog.find("import-state"), "")
    this.#showLeftOut({ left_out: [], left_out_count: 0 })
    this.#fill()
    this.#dialog.open()
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
    return this.#save({ [control.name]: controlValue(control) })
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

  // Import

  #listenForImport() {
    const file = this.#dialog.find("file")
    const button = this.#dialog.find("import")
    button.addEventListener("click", () => !button.ariaBusy && file.click())
    file.addEventListener("change", async () => {
      const state = this.#dialog.find("import-state")
      button.ariaBusy = "true"
      setText(state, strings.importing)
      this.#showLeftOut({ left_out: [], left_out_count: 0 })
      try {
        const imported = await this.#api.importFile(file.files[0])
        setText(state, strings.imported(imported))
        this.#showLeftOut(imported)
        this.#onImported()
      } catch ({ message }) {
        setText(state, message)
      }
      this.#dialog.find("left-out").scrollIntoView({ block: "nearest" })
      state.scrollIntoView({ block: "nearest" })
      button.ariaBusy = null
      file.value = ""
    })
  }

  #showLeftOut({ left_out, left_out_count }) {
    const more = left_out_count - left_out.length
    const lines = [...left_out.map(strings.importProblem), ...(more ? [strings.moreImportProblems(more)] : [])]
    const items = lines.map((line) => {
      const item = document.createElement("li")
      item.textContent = line
      return item
    })
    this.#dialog.find("left-out").replaceChildren(...items)
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
