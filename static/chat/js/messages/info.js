// Facts about an answer: which model wrote it, when, how long it took, and its tokens.

import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, placeBeside, setText } from "../ui/dom.js"
import { syncButton } from "../ui/popover.js"

export class InfoPopover {
  #popover
  #getRun
  #nameOf
  #button

  /** `getRun(runId)` fetches a run whose message lacks the facts; `nameOf(message)` names the assistant. */
  constructor(popover, { getRun, nameOf }) {
    this.#popover = popover
    this.#getRun = getRun
    this.#nameOf = nameOf
    syncButton(popover, () => this.#button)
  }

  async open(button, replies) {
    this.#button = button
    this.#show([])
    this.#popover.showPopover()
    this.#popover.focus()
    placeBeside(this.#popover, button)
    try {
      const runs = await Promise.all(replies.map((reply) => (reply.model ? reply : this.#getRun(reply.run_id))))
      if (this.#button !== button) return
      this.#show(runs.map((run, index) => factsOf(run, this.#nameOf(replies[index]))))
    } catch (error) {
      this.#show([], error.message)
    }
    placeBeside(this.#popover, button)
  }

  #show(answers, problem = "") {
    find("facts", this.#popover).replaceChildren(...answers.map(listOf))
    find("problem", this.#popover).hidden = !problem
    setText(find("problem", this.#popover), problem)
  }
}

/** Returns [name, value] pairs of what is known. */
export const factsOf = ({ model, instruction, usage, started_at, finished_at }, name) => {
  const { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens } = usage ?? {}
  const start = started_at && new Date(started_at)
  const end = finished_at && new Date(finished_at)
  const facts = [
    [strings.info.assistant, name],
    [strings.info.model, model],
    [strings.info.instruction, instruction],
    [strings.info.time, start && strings.fullDateTime(start)],
    [strings.info.duration, start && end && strings.duration((end - start) / 1000)],
    [strings.info.input, tokens(input_tokens, cached_input_tokens && strings.info.cachedTokens(cached_input_tokens))],
    [strings.info.output, tokens(output_tokens, reasoning_tokens && strings.info.reasoningTokens(reasoning_tokens))],
  ]
  return facts.filter(([, value]) => value)
}

const tokens = (count, detail) => {
  if (count === undefined || count === null) return null
  return detail ? `${strings.info.tokens(count)} (${detail})` : strings.info.tokens(count)
}

const listOf = (facts) => {
  const list = cloneTemplate("about-template")
  for (const [name, value] of facts) {
    const fact = cloneTemplate("about-fact-template")
    setText(find("name", fact), name)
    setText(find("value", fact), value)
    list.append(fact)
  }
  return list
}
