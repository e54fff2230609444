// The import in the settings: sends a file, and shows how far the newest import is, also one that another page began.

import { strings } from "../i18n/strings.js"
import { setText } from "../ui/dom.js"
import { rememberFocus } from "../ui/focus.js"

const POLL_INTERVAL = 1000 // ms
const isOpen = ({ state }) => ["waiting", "reading", "saving"].includes(state)

export class ImportPanel {
  #dialog
  #api
  #onImported
  #isSending = false
  #timer

  /** `onImported()` is called when conversations were imported. */
  constructor(dialog, api, onImported) {
    this.#dialog = dialog
    this.#api = api
    this.#onImported = onImported
    const [button, file] = [dialog.find("import"), dialog.find("file")]
    button.addEventListener("click", () => !button.ariaBusy && file.click())
    file.addEventListener("change", () => this.#send(file.files[0]))
  }

  /** The dialog was opened. */
  async open() {
    if (this.#isSending) return
    clearTimeout(this.#timer)
    this.#show()
    await this.#poll()
  }

  async #send(file) {
    const isFocusKept = rememberFocus()
    this.#isSending = true
    this.#showProgress(strings.importUploading(0), 0)
    this.#dialog.find("import-result").scrollIntoView({ block: "nearest" })
    let failure = null
    try {
      await this.#api.importFile(file, (part) => this.#onSent(part))
    } catch (error) {
      failure = error
    }
    this.#isSending = false
    this.#dialog.find("file").value = ""
    if (failure?.isRefusal) this.#showEnd({ name: file.name, started_at: Date.now(), problem: failure.message })
    else await this.#poll(failure)
    this.#bringIntoSight(isFocusKept())
  }

  // After the last byte, the server reads the file.
  #onSent(part) {
    if (part < 1) return this.#showProgress(strings.importUploading(part), part)
    this.#showProgress(strings.importing)
    this.#pollLater()
  }

  #pollLater() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#poll(), POLL_INTERVAL)
  }

  // `failure` is that of the call that brought the file: the server goes on without the connection.
  async #poll(failure = null) {
    clearTimeout(this.#timer)
    const newest = await this.#newest()
    if (isOpen(newest)) {
      const { done, total } = newest
      if (total) this.#showProgress(strings.importProgress(done, total), done / total)
      else this.#showProgress(newest.state === "waiting" ? strings.importWaiting : strings.importing)
      return this.#pollLater()
    }
    if (this.#isSending) return this.#pollLater() // it is that of an earlier import
    const wasOpen = this.#dialog.find("import").ariaBusy
    if (failure && !newest.state) this.#showEnd({ problem: failure.message })
    else if (newest.state) this.#showEnd(newest)
    if (newest.state === "finished" && wasOpen) this.#onImported()
  }

  async #newest() {
    try {
      return await this.#api.newestImport()
    } catch {
      return {}
    }
  }

  // `part` is how much is done, from 0 to 1, or undefined. Not announced each time, unlike the end.
  #showProgress(sentence, part) {
    const bar = this.#dialog.find("import-progress")
    if (part) bar.value = part
    else bar.removeAttribute("value")
    this.#show({ isBusy: true, about: sentence })
  }

  #showEnd({ name, started_at, result, problem }) {
    const about = name ? strings.importOf(name, strings.dateTime(new Date(started_at))) : ""
    this.#show({ about, sentence: result ? strings.imported(result) : problem, result })
  }

  #show({ isBusy = false, about = "", sentence = "", result = null } = {}) {
    this.#dialog.find("import-progress").hidden = !isBusy
    this.#dialog.find("import").ariaBusy = isBusy || null
    setText(this.#dialog.find("import-about"), about)
    setText(this.#dialog.find("import-state"), sentence)
    this.#showLeftOut(result ?? { left_out: [], left_out_count: 0 }) // a failed import has no result
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

  #bringIntoSight(takesFocus) {
    const result = this.#dialog.find("import-result")
    if (takesFocus) result.focus({ preventScroll: true })
    result.scrollIntoView({ block: "nearest" })
  }
}
