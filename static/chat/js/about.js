// What is known of an answer: which model wrote it, when, how long it took, what it cost.

import { copyOf, find, placeBeside, say } from "./dom.js";
import { words } from "./words.js";

export class About {
  #popover
  #ask
  #nameOf
  #button

  // `ask(runId)` fetches a run, where the message does not tell; `nameOf(message)` names the assistant.
  constructor(popover, { ask, nameOf }) {
    this.#popover = popover
    this.#ask = ask
    this.#nameOf = nameOf
    popover.addEventListener("toggle", ({ newState }) => {
      this.#button.setAttribute("aria-expanded", newState === "open")
      if (newState === "closed" && (popover.contains(document.activeElement) || document.activeElement === document.body)) this.#button.focus()
    })
  }

  async open(button, replies) {
    this.#button = button
    this.#show([])
    this.#popover.showPopover()
    this.#popover.focus()
    placeBeside(this.#popover, button)
    try {
      const told = await Promise.all(replies.map((reply) => (reply.model ? reply : this.#ask(reply.run_id))))
      if (this.#button !== button) return
      this.#show(told.map((one, index) => factsOf(one, this.#nameOf(replies[index]))))
    } catch (error) {
      this.#show([], error.message)
    }
    placeBeside(this.#popover, button)
  }

  #show(answers, problem = "") {
    find("facts", this.#popover).replaceChildren(...answers.map(listOf))
    find("problem", this.#popover).hidden = !problem
    say(find("problem", this.#popover), problem)
  }
}

export const factsOf = ({ model, usage, started_at, finished_at }, name) => {
  const { input_tokens, output_tokens, reasoning_tokens, cached_input_tokens } = usage ?? {}
  const [began, ended] = [started_at, finished_at].map((moment) => moment && new Date(moment))
  const facts = [
    [words.about.assistant, name],
    [words.about.model, model],
    [words.about.began, began && words.exactly(began)],
    [words.about.took, began && ended && words.took((ended - began) / 1000)],
    [words.about.read, tokens(input_tokens, cached_input_tokens && words.about.cached(cached_input_tokens))],
    [words.about.written, tokens(output_tokens, reasoning_tokens && words.about.thought(reasoning_tokens))],
  ]
  return facts.filter(([, value]) => value)
}

const tokens = (count, more) => (count === undefined || count === null ? null : `${words.about.tokens(count)}${more ? ` (${more})` : ""}`)

const listOf = (facts) => {
  const list = copyOf("about-template")
  for (const [name, value] of facts) {
    const fact = copyOf("about-fact-template")
    say(find("name", fact), name)
    say(find("value", fact), value)
    list.append(fact)
  }
  return list
}
