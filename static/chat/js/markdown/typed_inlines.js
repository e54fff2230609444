// The text of a user within a block -> tokens: code in a line, links and addresses; everything else is text. Uses no DOM.

import { addressAt } from "./addresses.js"

const MARK = /`+|\[(?=[^\n[\]]{1,300}\]\(https?:)|\bhttps?:\/\//g
const LINK = /\[([^\n[\]]{1,300})\]\((https?:\/\/(?:[^\s()<>]|\([^\s()<>]{0,200}\)){1,2000})\)/y

/** Returns the tokens of a text. */
export const typedInlines = (text) => {
  const tokens = []
  let end = 0
  const lastRuns = lastBacktickRuns(text)
  const add = (start, length, token) => {
    if (start > end) tokens.push(textToken(text.slice(end, start)))
    if (token) tokens.push(token)
    end = start + length
    MARK.lastIndex = Math.max(MARK.lastIndex, end)
  }
  MARK.lastIndex = 0
  for (let match = MARK.exec(text); match; match = MARK.exec(text)) {
    const { 0: mark, index } = match
    const found = mark[0] === "`" ? codeAt(text, index, mark, lastRuns) : linkAt(text, index, mark)
    if (found) add(index, found.raw.length, found)
  }
  add(text.length, 0, null)
  return tokens
}

const textToken = (text) => ({ type: "escape", raw: text, text })

// Where the last run of each number of backticks is.
const lastBacktickRuns = (text) => {
  const runs = new Map()
  for (const { 0: run, index } of text.matchAll(/`+/g)) runs.set(run.length, index)
  return runs
}

// Code ends in its own line, at as many backticks as it began with.
const codeAt = (text, index, mark, lastRuns) => {
  if (lastRuns.get(mark.length) <= index) return null
  const start = index + mark.length
  for (let at = start; ; ) {
    const from = text.indexOf("`", at)
    if (text.slice(at, from).includes("\n")) return null
    let end = from
    while (text[end] === "`") end += 1
    if (end - from === mark.length) {
      const code = text.slice(start, from)
      return code.trim() ? { type: "codespan", raw: text.slice(index, end), text: unpadded(code) } : null
    }
    at = end
  }
}

const unpadded = (code) => (/^ .* $/.test(code) ? code.slice(1, -1) : code)

const linkAt = (text, index, mark) => {
  if (mark !== "[") {
    const { end } = addressAt(text, index)
    if (end < 0) return null
    const raw = text.slice(index, end)
    return { type: "link", raw, href: raw, autolink: true, tokens: [textToken(raw)] }
  }
  LINK.lastIndex = index
  const match = LINK.exec(text)
  return match && { type: "link", raw: match[0], href: match[2], tokens: [textToken(match[1])] }
}
