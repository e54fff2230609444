// Tokens of parse.js -> elements. The only place where a model's text becomes elements.
//
// No text is ever parsed as HTML: each element is made by name, of the few kinds below, and text is inserted as text. The page's
// policy (Trusted Types) makes the browser refuse anything else. Links open in a new tab, send no referrer and lead to other
// sites only; nothing is loaded from other sites: a remote image is a link.

import { strings } from "../i18n/strings.js"
import { newCopyButton, newLabelledButton } from "./block_buttons.js"
import { CodeBlock } from "./code.js"
import { Diagram } from "./diagram.js"
import { decodeEntities } from "./entities.js"
import { INCOMPLETE_URL } from "./incomplete.js"
import { Formula } from "./math.js"
import { component } from "./morph.js"
import { makeScrollable } from "./scrollable.js"
import { piecesOf, WINDOW_LENGTH } from "./windows.js"

/**
 * Returns the element of a block, or null if it shows nothing. `context` has `notes`, the names of the text's footnotes, and
 * `isGrowing`.
 */
export const renderBlock = (token, context) => blocks[token.type]?.(token, context) ?? null

/**
 * Returns the element of a list's item. In a loose list, which the item alone does not show, its texts are paragraphs. `number`
 * and `mark` are what a user typed before it.
 */
export const renderItem = (item, isLoose, context) => {
  const element = make("li")
  context = within(context)
  if (item.task) element.className = "task"
  if (item.number) element.value = item.number
  if (item.mark) element.style.listStyleType = JSON.stringify(`${item.mark} `)
  let container = element
  for (const token of item.tokens) {
    if (token.type === "checkbox" || token.type === "text" || token.type === "paragraph") {
      if (isLoose && container === element) {
        container = make("p")
        element.append(container)
      }
      container.append(...renderInline(token.type === "checkbox" ? [token] : token.tokens, context))
      if (token.type !== "checkbox") container = element
    } else {
      const node = renderBlock(token, context)
      if (node) element.append(node)
      container = element
    }
  }
  return element
}

/** Returns the element of a table's row. */
export const renderRow = (cells, context) => make("tr", ...cells.map((cell) => renderCell(cell, context)))

const renderCell = ({ tokens, header, align }, context) => {
  const cell = make(header ? "th" : "td", ...renderInline(tokens, context))
  if (align) cell.className = `align-${align}`
  return cell
}

const make = (tag, ...children) => {
  const element = document.createElement(tag)
  element.append(...children)
  return element
}

// A block has the direction of its first letter, so that the marks of a list or quote and the columns of a table are on the right
// side. What is inside has none of its own, because the browser looks at no text whose element has one.
const withAutoDirection = (element, { isWithin }) => {
  if (!isWithin) element.dir = "auto"
  return element
}

const within = (context) => ({ ...context, isWithin: true })

const blocks = {
  paragraph: ({ tokens }, context) =>
    tokens.every(({ type }) => type === "comment")
      ? null
      : withAutoDirection(make("p", ...renderInline(tokens, context)), context),
  text: ({ tokens }, context) => withAutoDirection(make("p", ...renderInline(tokens, context)), context),
  heading: ({ depth, tokens }, context) =>
    withAutoDirection(make(`h${depth}`, ...renderInline(tokens, context)), context),
  hr: () => make("hr"),
  blockquote: ({ tokens }, context) =>
    withAutoDirection(make("blockquote", ...renderBlocks(tokens, within(context))), context),
  code({ lang, text, raw }, { isGrowing }) {
    const language = /^[\w+#.-]*/.exec(lang ?? "")[0]
    const isOpen = isGrowing && !/\n[ \t]*(?:`{3,}|~{3,})[ \t]*\n?$/.test(raw)
    return component(language.toLowerCase() === "mermaid" ? Diagram : CodeBlock, { language, text, isOpen })
  },
  formulaBlock: formula,
  list({ ordered, start, loose, items }, context) {
    const list = make(ordered ? "ol" : "ul", ...items.map((item) => renderItem(item, loose, context)))
    if (ordered && start !== 1) list.start = start
    return withAutoDirection(list, context)
  },
  table({ header, rows }, context) {
    const table = make("table", make("thead", renderRow(header, context)))
    table.append(make("tbody", ...rows.map((row) => renderRow(row, context))))
    const box = make("div", withAutoDirection(table, context))
    box.className = "table-scroll"
    makeScrollable(box, table)
    const element = make("div", box, newTableTools())
    element.className = "table"
    return element
  },
  note({ label, tokens }, context) {
    const note = make("div", ...renderBlocks(tokens, within(context)))
    withAutoDirection(note, context)
    note.className = "footnote"
    note.dataset.note = label
    const mark = footnoteButton(label, strings.footnoteBack(label))
    mark.dataset.blockAction = "note-back"
    note.prepend(mark)
    return note
  },
}

const newTableTools = () => {
  const tools = make(
    "div",
    newCopyButton("copy-table", strings.copyTable),
    newCopyButton("copy-csv", strings.copyCsv),
    newLabelledButton("download-csv", strings.downloadCsv, "download"),
  )
  tools.className = "table__tools"
  return tools
}

const renderBlocks = (tokens, context) => tokens.map((token) => renderBlock(token, context)).filter(Boolean)

const renderInline = (tokens, context) => tokens.map((token) => inlines[token.type]?.(token, context) ?? token.raw)

// Browsers take time in proportion to the square of the length to find the direction of each line of a text.
const plainText = (text) => {
  const decoded = decodeEntities(text)
  if (decoded.length <= WINDOW_LENGTH) return decoded
  const pieces = piecesOf(decoded, WINDOW_LENGTH).map((piece) => make("span", piece))
  for (const piece of pieces) piece.className = "piece"
  return fragment(pieces)
}

const inlines = {
  text: ({ text, tokens }, context) => (tokens ? fragment(renderInline(tokens, context)) : plainText(text)),
  escape: ({ text }) => text,
  strong: ({ tokens }, context) => make("strong", ...renderInline(tokens, context)),
  em: ({ tokens }, context) => make("em", ...renderInline(tokens, context)),
  del: ({ tokens }, context) => make("del", ...renderInline(tokens, context)),
  element: ({ name, tokens }, context) => make(name, ...renderInline(tokens, context)),
  codespan: ({ text }) => make("code", text),
  br: () => make("br"),
  comment: () => "",
  checkbox({ checked }) {
    const box = make("span", checked ? "☑" : "☐")
    box.className = "task__box"
    box.role = "img"
    box.ariaLabel = checked ? strings.taskDone : strings.taskToDo
    return fragment([box, " "])
  },
  formula,
  link({ href, tokens, autolink }, context) {
    const children = autolink ? [tokens[0].text] : renderInline(tokens, context)
    if (href === INCOMPLETE_URL) return make("a", ...children)
    const url = parseUrl(href)
    return url ? newLink(url, children) : fragment(children)
  },
  image({ href, text, tokens }, context) {
    const url = parseUrl(href)
    const alt = tokens ? fragment(renderInline(tokens, context)).textContent : text
    if (!/^https?:$/.test(url?.protocol)) return alt
    const link = toOtherSite(make("a", strings.remoteImage(alt, url.host)), url)
    link.className = "remote-image"
    return link
  },
  noteMark({ label, raw }, { notes, isGrowing }) {
    const mayFollow = isGrowing && LIKELY_NOTE.test(label)
    if (!notes.has(label) && !mayFollow) return raw
    const mark = footnoteButton(label, strings.footnote(label))
    mark.dataset.blockAction = "note"
    return make("sup", mark)
  },
}

function formula({ text, raw, isDisplayed }) {
  return component(Formula, { text, raw, isDisplayed }, isDisplayed && !raw.startsWith(" ") ? "div" : "span")
}

const LIKELY_NOTE = /^(?:\d+|\p{L}\p{L}[\p{L}\p{N}_-]*)$/u // a footnote whose text may still follow; [^a-z] is none

const fragment = (children) => {
  const result = document.createDocumentFragment()
  result.append(...children)
  return result
}

const footnoteButton = (label, description) => {
  const button = make("button", label)
  button.type = "button"
  button.className = "footnote-link"
  button.dataset.note = label
  button.setAttribute("aria-label", description)
  return button
}

// Links

const parseUrl = (href) => {
  try {
    const url = new URL(decodeEntities(href))
    return /^(?:https?|mailto):$/.test(url.protocol) ? url : null
  } catch {
    return null // relative, so of this site
  }
}

const toOtherSite = (link, url) => {
  link.href = url.href
  link.title = url.href
  link.target = "_blank"
  link.rel = "noopener noreferrer nofollow"
  return link
}

const newLink = (url, children) => {
  const link = toOtherSite(make("a", ...children), url)
  if (misleads(link.textContent, url)) {
    const host = make("bdi", ` (${url.host})`)
    host.className = "link__host"
    link.append(host)
  }
  return link
}

// The first text that looks like a host name: labels with points between them, the last with two letters at its beginning.
const firstHostName = (text) => {
  for (const name of text.split(/[^\p{L}\p{N}\p{M}.-]+|\.{2,}/u)) {
    const labels = name.replace(/^\./, "").split(".")
    for (let last = labels.length - 1; last > 0; last -= 1) {
      const [letters] = /^[\p{L}\p{M}]{2,}/u.exec(labels[last]) ?? []
      if (letters) return [...labels.slice(0, last), letters].join(".")
    }
  }
  return null
}

// Host names in these letters resemble no others, so that their "xn--" form need not be shown.
const OWN_SCRIPT = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}ー々\w.-]+$/u

// Whether the text names another site than the link leads to.
const misleads = (text, { protocol, host, hostname, username, password }) => {
  if (protocol === "mailto:") return false
  if (username || password) return true
  const named = firstHostName(text)
  if (!named || (OWN_SCRIPT.test(named) && parseUrl(`https://${named}`)?.hostname === hostname)) return false
  const bare = (name) => name.toLowerCase().replace(/^www\./, "")
  return (
    bare(named) !== bare(hostname) && bare(text.trim()) !== bare(host) && !bare(hostname).endsWith(`.${bare(named)}`)
  )
}
