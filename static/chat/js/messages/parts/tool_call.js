import { strings } from "../../i18n/strings.js"
import { cloneTemplate, find, setText } from "../../ui/dom.js"
import { pretty } from "../../ui/pretty_json.js"
import { StepLine } from "./step_line.js"

export class ToolCallView extends StepLine {
  type = "tool_call"
  id = null
  element = cloneTemplate("tool-template")
  #shownJson = new Map() // by field: the text before it was formatted

  show({ id, name, arguments: args, result, error, state, needsApproval, since, seconds }) {
    this.id = id
    // A call that was approved or refused says its outcome on the line: the refusal, or why it failed.
    const status = needsApproval && error ? error.split("\n", 1)[0] : strings.step[state]
    this.element.classList.toggle("step--needs-approval", Boolean(needsApproval))
    this.showLine({ title: strings.tool(name), state, status, since, seconds })
    this.#showJson("arguments", args)
    find("outcome", this.element).hidden = error === null && result === null
    setText(find("outcome-label", this.element), error === null ? strings.result : strings.error)
    this.#showJson("result", error ?? result ?? "")
  }

  #showJson(field, text) {
    if (text === this.#shownJson.get(field)) return
    this.#shownJson.set(field, text)
    setText(find(field, this.element), pretty(text))
  }
}

/** A result whose call is not on the page. */
export class ToolResultView extends ToolCallView {
  type = "tool_result"

  show(part) {
    super.show({ ...part, name: "", arguments: "" })
  }
}
