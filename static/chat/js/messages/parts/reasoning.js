import { strings } from "../../i18n/strings.js"
import { MarkdownView } from "../../markdown/markdown_view.js"
import { cloneTemplate, find } from "../../ui/dom.js"
import { StepLine } from "./step_line.js"

export class ReasoningView extends StepLine {
  type = "reasoning"
  element = cloneTemplate("reasoning-template")
  #markdown = new MarkdownView(find("text", this.element))

  show({ text, state, since, seconds }) {
    const title = state === "running" ? strings.activity.thinking : strings.reasoningTitle(seconds) // which includes the seconds
    this.showLine({ title, state, since })
    this.#markdown.show(text, { done: state !== "running" })
  }
}
