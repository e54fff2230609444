// What a person can do after an error: buttons beside "Try again", and for staff what to mend.

import { strings } from "../i18n/strings.js"
import { find, setText } from "../ui/dom.js"

const OTHER = ["other-assistant"]
const ONLY_STAFF = ["authentication", "not_configured", "permission", "quota", "redirected", "unknown_model"]
const MODEL_FAILS = [
  ...["empty_response", "malformed", "no_answer", "overloaded", "provider_error", "rate_limited", "refused"],
  ...["sees_no_images", "timeout", "unreachable"],
]

/** error code -> the actions that help besides another try: see actions.js. */
export const actionsFor = {
  ...Object.fromEntries([...ONLY_STAFF, ...MODEL_FAILS].map((code) => [code, OTHER])),
  context_length: ["shorten", "new-chat", ...OTHER],
}

const RETRY_IS_USELESS = new Set(["context_length"])

export class ErrorHelp {
  #followUps
  #hooks
  #help = document.createElement("p")
  #code = null
  #runId = null // whose advice is shown

  /** `followUps` has the buttons below an answer. Hooks: `getRun(runId)`, null if the user is not staff; `hasOtherAssistants()`. */
  constructor(followUps, hooks) {
    this.#followUps = followUps
    this.#hooks = hooks
    this.#help.className = "note"
    this.#help.hidden = true
    followUps.before(this.#help)
  }

  /** `code` undefined: there is no error. */
  show(code, runId) {
    if (RETRY_IS_USELESS.has(code)) find("retry", this.#followUps).hidden = true
    if (code !== this.#code) this.#showButtons(code)
    const choice = this.#followUps.querySelector("[data-action=other-assistant]")
    if (choice) choice.hidden = !this.#hooks.hasOtherAssistants()
    if (this.#hooks.getRun) return this.#showAdvice(code, runId)
    this.#help.hidden = !ONLY_STAFF.includes(code)
    setText(this.#help, strings.onlyStaffCanFix)
  }

  #showButtons(code) {
    this.#code = code
    for (const button of this.#followUps.querySelectorAll("[data-error-help]")) button.remove()
    for (const action of actionsFor[code] ?? []) {
      const button = document.createElement("button")
      button.type = "button"
      button.className = "button button--small"
      button.dataset.action = action
      button.dataset.errorHelp = ""
      if (action === "other-assistant") button.ariaHasPopup = "menu"
      button.textContent = strings.errorHelp[action]
      this.#followUps.append(button)
    }
  }

  async #showAdvice(code, runId) {
    if (runId === this.#runId) return
    this.#runId = runId
    this.#help.hidden = true
    const run = code ? await this.#hooks.getRun(runId).catch(() => null) : null
    if (runId !== this.#runId || !run?.advice) return
    const { sentence, assistant_url, run_url } = run.advice
    const links = [
      [assistant_url, strings.openAssistant],
      [run_url, strings.openRun],
    ]
    const shown = links.filter(([url]) => url).flatMap(([url, label]) => [" ", newLink(url, label)])
    const text = document.createElement("span")
    text.append(sentence, ...shown)
    this.#help.replaceChildren(text)
    this.#help.hidden = !text.textContent
  }
}

const newLink = (url, label) => {
  const link = document.createElement("a")
  link.href = url
  link.target = "_blank"
  link.textContent = label
  return link
}
