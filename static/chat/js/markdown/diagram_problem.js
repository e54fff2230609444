// Why a diagram could not be drawn, in one sentence: from the error of Mermaid's several parsers. No DOM.

import { strings } from "../i18n/strings.js"

const MAX_QUOTE_LENGTH = 60 // characters
const COMMENT = /^\s*%%/

/** Returns the sentence for an error with `message` and `token`, the text at which the parser stopped, if it is known. */
export const problemOf = ({ message = "", token = "" }, source) => {
  const line = Number(/\bline (\d{1,6})\b/i.exec(message)?.[1])
  const problem = strings.diagramProblem
  if (line) {
    const text = lineOf(source, line)
    return problem.syntax(text.number, quotable(text.text), quotable(token || unexpected(message)))
  }
  if (/^No diagram type detected/.test(message)) return problem.unknown(quotable(lineOf(source, 1).text))
  return problem.other(quotable(message.split("\n", 1)[0]))
}

// Mermaid removes comments and the blank lines at the beginning before it counts.
const lineOf = (source, count) => {
  const lines = source.split("\n").map((text, index) => ({ text, number: index + 1 }))
  const first = lines.findIndex(({ text }) => text.trim() && !COMMENT.test(text))
  const counted = lines.slice(Math.max(0, first)).filter(({ text }) => !COMMENT.test(text))
  return counted[Math.min(count, counted.length) - 1] ?? lines[0]
}

const unexpected = (message) =>
  /unexpected character: ->(.{1,40})<-|but found `([^`\n]{1,100})`/.exec(message)?.slice(1).find(Boolean)

const quotable = (text = "") => {
  const short = text.trim().replace(/\s+/g, " ")
  return short.length > MAX_QUOTE_LENGTH ? `${short.slice(0, MAX_QUOTE_LENGTH - 1)}…` : short
}
