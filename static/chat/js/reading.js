// What a person does with an answer's blocks: copy, wrap and download code, look at a diagram's source, follow a footnote.

import { say } from "./dom.js";
import { livingIn } from "./grow.js";
import { words } from "./words.js";

const blockOf = (button) => livingIn(button.closest(".code"))

const actions = {
  async "copy-code"(button) {
    await navigator.clipboard.writeText(`${blockOf(button).source}\n`)
    say(button, words.copied)
    setTimeout(() => say(button, words.copy), 1500)
  },

  wrap(button) {
    button.setAttribute("aria-pressed", blockOf(button).wrap())
  },

  download(button) {
    const { source, fileName } = blockOf(button)
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([`${source}\n`], { type: "text/plain;charset=utf-8" }))
    link.download = fileName
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  },

  source: (button) => blockOf(button).turn(),
  note: (button) => goTo(button, ".note-text > .note-mark"),
  "note-back": (button) => goTo(button, "sup > .note-mark"),
}

// The first of these buttons that has the same name, in the same answer.
const goTo = (button, places) => {
  const place = [...button.closest(".prose").querySelectorAll(places)].find(({ dataset }) => dataset.note === button.dataset.note)
  if (!place) return
  place.scrollIntoView({ block: "center" })
  place.focus({ preventScroll: true })
}

// Hears the buttons of all answers within this element.
export const hearButtons = (element) =>
  element.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-do]")
    if (button) actions[button.dataset.do]?.(button)
  })
