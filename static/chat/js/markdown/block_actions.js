// The buttons in an answer: copy, wrap and download code, show a diagram's source, and the links to a footnote and back.

import { copyRichWithFeedback, copyWithFeedback } from "../ui/copy_feedback.js"
import { download } from "../ui/download.js"
import { componentOf } from "./morph.js"

const BYTE_ORDER_MARK = "\ufeff" // without which Excel takes UTF-8 for Shift_JIS or Windows-1252

const withTable = async (button, use) =>
  use(await import("./rich_text.js"), button.closest(".table").querySelector("table"))

const blockOf = (button) => componentOf(button.closest(".code"))

const actions = {
  "copy-code": (button) => copyWithFeedback(`${blockOf(button).source}\n`, button),

  "copy-table": (button) =>
    withTable(button, ({ htmlOf, rowsOf, tsvOf }, table) =>
      copyRichWithFeedback({ text: tsvOf(rowsOf(table)), html: htmlOf([table]) }, button),
    ),

  "copy-csv": (button) =>
    withTable(button, ({ csvOf, rowsOf }, table) => copyWithFeedback(csvOf(rowsOf(table)), button)),

  "download-csv": (button) =>
    withTable(button, ({ csvOf, rowsOf }, table) =>
      download(BYTE_ORDER_MARK + csvOf(rowsOf(table)), "text/csv;charset=utf-8", "table.csv"),
    ),

  wrap(button) {
    button.setAttribute("aria-pressed", blockOf(button).toggleWrap())
  },

  download(button) {
    const { content, type, name } = blockOf(button).file
    download(content, type, name)
  },

  enlarge: (button) => blockOf(button).enlarge(),
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
