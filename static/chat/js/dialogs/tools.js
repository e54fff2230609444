// The dialog that lists the tools that may run in a conversation without asking, and takes that back.

import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { cloneTemplate, find, setText } from "../ui/dom.js"
import { rememberFocus } from "../ui/focus.js"
import { escapeInvisible } from "../ui/pretty_json.js"

export class ToolsDialog {
  #dialog
  #api
  #onChanged
  #id = null // of the conversation
  #keys = []

  /** `onChanged(conversation)` takes the conversation as it is afterwards. */
  constructor(element, api, { onChanged }) {
    this.#dialog = new Dialog(element)
    this.#api = api
    this.#onChanged = onChanged
    this.#dialog.find("tools").addEventListener("click", ({ target }) => {
      const button = target.closest("button")
      if (button) this.#remove(this.#keys[[...this.#dialog.find("tools").children].indexOf(button.closest("li"))])
    })
  }

  open({ id, allowed_tools }) {
    this.#id = id
    setText(this.#dialog.find("status"), "")
    this.#showProblem("")
    this.#show(allowed_tools)
    this.#dialog.open()
    this.#dialog.find("tools").querySelector("button").focus()
  }

  async #remove(key) {
    const id = this.#id
    const index = this.#keys.indexOf(key)
    const isFocusKept = rememberFocus()
    this.#showProblem("")
    try {
      const row = await this.#api.changeConversation(id, { allowed_tools: this.#keys.filter((other) => other !== key) })
      this.#onChanged(row)
      if (id !== this.#id) return
      this.#show(row.allowed_tools)
      setText(this.#dialog.find("status"), strings.toolAsksAgain(toolName(key)))
      if (!isFocusKept()) return
      const rows = this.#dialog.find("tools").children
      const next = rows[Math.min(index, rows.length - 1)]
      if (next) find("remove", next).focus()
      else this.#dialog.find("close").focus()
    } catch ({ message }) {
      this.#showProblem(message)
    }
  }

  #showProblem(sentence) {
    this.#dialog.find("problem").hidden = !sentence
    setText(this.#dialog.find("problem"), sentence)
  }

  #show(keys) {
    this.#keys = keys
    this.#dialog.find("none").hidden = keys.length > 0
    this.#dialog.find("tools").replaceChildren(...keys.map(newRow))
  }
}

const newRow = (key) => {
  const row = cloneTemplate("allowed-tool-template")
  const slash = key.indexOf("/")
  setText(find("name", row), toolName(key))
  setText(find("server", row), slash < 0 ? "" : escapeInvisible(key.slice(0, slash)))
  find("remove", row).setAttribute("aria-label", strings.removeTool(toolName(key)))
  return row
}

// The key of an MCP server's tool is `server/name`.
const toolName = (key) => escapeInvisible(strings.tool(key.slice(key.indexOf("/") + 1)))
