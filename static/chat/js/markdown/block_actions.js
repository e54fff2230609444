// The buttons in an answer: copy, wrap and download code, show a diagram's source, and the links to a footnote and back.

import { copyWithFeedback } from "../ui/copy_feedback.js"
import { componentOf } from "./morph.js"

const REVOKE_DELAY = 60_000 // ms; until then the browser has begun the download

const blockOf = (button) => componentOf(button.closest(".code"))

const actions = {
  "copy-code": (button) => copyWithFeedback(`${blockOf(button).source}\n`, button),

  wrap(button) {
    button.setAttribute("aria-pressed", blockOf(button).toggleWrap())
  },

  download(button) {
    const { source, fileName } = blockOf(button)
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([`${source}\n`], { type: "text/plain;charset=utf-8" }))
    link.download = fileName
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_DELAY)
  },

  source: (button) => blockOf(button).toggleSource(),
  note: (button) => goToFootnoteLink(button, ".footnote > .footnote-link"),
  "note-back": (button) => goToFootnoteLink(button, "sup > .footnote-link"),
}

// Scrolls to and focuses the first link of the same footnote, in the same answer.
const goToFootnoteLink = (button, selector) => {
  const links = [...button.closest(".prose").querySelectorAll(selector)]
  const link = links.find(({ dataset }) => dataset.note === button.dataset.note)
  if (!link) return
  link.scrollIntoView({ block: "center" })
  link.focus({ preventScroll: true })
}

/** Listens to the buttons in the text of an answer. */
export const listenForBlockActions = (element) =>
  element.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-block-action]")
    if (button) actions[button.dataset.blockAction]?.(button)
  })
