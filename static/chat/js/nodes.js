// Tokens of markdown.js -> elements. The one place where text of a model becomes elements.
//
// No text is ever parsed as HTML here: each element is made by name from the few kinds below, and text enters as text. The
// page's policy (Trusted Types) has the browser refuse anything else. Links leave in a new tab, tell nobody where from and
// lead to other sites only; nothing is loaded from elsewhere: a remote image is a link.

import { Code } from "./code.js";
import { Diagram } from "./diagram.js";
import { Formula } from "./formula.js";
import { part } from "./grow.js";
import { ADDRESS_TO_COME } from "./halfway.js";
import { spelledOut } from "./letters.js";
import { scrollable } from "./scrollable.js";
import { words } from "./words.js";

// One block -> its element, or null where nothing is to be seen. `about` tells what lies outside the block: `notes`, the names
// of the footnotes there are, and `isGrowing`.
export const nodeOf = (token, about) => blocks[token.type]?.(token, about) ?? null

// One item of a list. In a loose one, of which this item itself need not tell, its texts are paragraphs.
export const itemOf = (item, isLoose, about) => {
  const element = make("li")
  element.dir = "auto"
  if (item.task) element.className = "task"
  let home = element
  for (const token of item.tokens) {
    if (token.type === "checkbox" || token.type === "text" || token.type === "paragraph") {
      if (isLoose && home === element) element.append((home = make("p")))
      home.append(...inline(token.type === "checkbox" ? [token] : token.tokens, about))
      if (token.type !== "checkbox") home = element
    } else {
      const node = nodeOf(token, about)
      if (node) element.append(node)
      home = element
    }
  }
  return element
}

export const rowOf = (cells, about) => make("tr", ...cells.map((cell) => cellOf(cell, about)))

const cellOf = ({ tokens, header, align }, about) => {
  const cell = make(header ? "th" : "td", ...inline(tokens, about))
  cell.dir = "auto"
  if (align) cell.className = `align-${align}`
  return cell
}

const make = (tag, ...children) => {
  const element = document.createElement(tag)
  element.append(...children)
  return element
}

const auto = (element) => {
  element.dir = "auto"
  return element
}

const blocks = {
  paragraph: ({ tokens }, about) =>
    tokens.every(({ type }) => type === "comment") ? null : auto(make("p", ...inline(tokens, about))),
  text: ({ tokens }, about) => auto(make("p", ...inline(tokens, about))),
  heading: ({ depth, tokens }, about) => auto(make(`h${depth}`, ...inline(tokens, about))),
  hr: () => make("hr"),
  blockquote: ({ tokens }, about) => make("blockquote", ...within(tokens, about)),
  code({ lang, text, raw }, { isGrowing }) {
    const language = /^[\w+#.-]*/.exec(lang ?? "")[0]
    const isOpen = isGrowing && !/\n[ \t]*(?:`{3,}|~{3,})[ \t]*\n?$/.test(raw)
    return part(language.toLowerCase() === "mermaid" ? Diagram : Code, { language, text, isOpen })
  },
  formulaBlock: formula,
  list({ ordered, start, loose, items }, about) {
    const list = make(ordered ? "ol" : "ul", ...items.map((item) => itemOf(item, loose, about)))
    if (ordered && start !== 1) list.start = start
    return list
  },
  table({ header, rows }, about) {
    const table = make("table", make("thead", rowOf(header, about)))
    table.append(make("tbody", ...rows.map((row) => rowOf(row, about))))
    const box = make("div", table)
    box.className = "table-scroll"
    scrollable(box, table)
    return box
  },
  note({ label, tokens }, about) {
    const note = make("div", ...within(tokens, about))
    note.className = "note-text"
    note.dataset.note = label
    const mark = noteButton(label, words.noteBack(label))
    mark.dataset.do = "note-back"
    note.prepend(mark)
    return note
  },
}

const within = (tokens, about) => tokens.map((token) => nodeOf(token, about)).filter(Boolean)

const inline = (tokens, about) => tokens.map((token) => inlines[token.type]?.(token, about) ?? token.raw)

const inlines = {
  text: ({ text, tokens }, about) => (tokens ? fragment(inline(tokens, about)) : spelledOut(text)),
  escape: ({ text }) => text,
  strong: ({ tokens }, about) => make("strong", ...inline(tokens, about)),
  em: ({ tokens }, about) => make("em", ...inline(tokens, about)),
  del: ({ tokens }, about) => make("del", ...inline(tokens, about)),
  codespan: ({ text }) => make("code", text),
  br: () => make("br"),
  comment: () => "",
  checkbox({ checked }) {
    const box = make("span", checked ? "☑" : "☐")
    box.className = "task__box"
    box.role = "img"
    box.ariaLabel = checked ? words.done : words.toDo
    return fragment([box, " "])
  },
  formula,
  link({ href, tokens, autolink }, about) {
    const children = autolink ? [tokens[0].text] : inline(tokens, about)
    if (href === ADDRESS_TO_COME) return make("a", ...children)
    const url = addressOf(href)
    return url ? linkTo(url, children) : fragment(children)
  },
  image({ href, text, tokens }, about) {
    const url = addressOf(href)
    const alt = tokens ? fragment(inline(tokens, about)).textContent : text
    if (!/^https?:$/.test(url?.protocol)) return alt
    const link = leave(make("a", words.image(alt, url.host)), url)
    link.className = "remote-image"
    return link
  },
  noteMark({ label, raw }, { notes, isGrowing }) {
    const mayCome = isGrowing && LIKELY_NOTE.test(label)
    if (!notes.has(label) && !mayCome) return raw
    const mark = noteButton(label, words.note(label))
    mark.dataset.do = "note"
    return make("sup", mark)
  },
}

function formula({ text, raw, isDisplayed }) {
  return part(Formula, { text, raw, isDisplayed }, isDisplayed && !raw.startsWith(" ") ? "div" : "span")
}

const LIKELY_NOTE = /^(?:\d+|\p{L}{2,}[\p{L}\p{N}_-]*)$/u // while its text has not come; [^a-z] is no note

const fragment = (children) => {
  const all = document.createDocumentFragment()
  all.append(...children)
  return all
}

const noteButton = (label, says) => {
  const button = make("button", label)
  button.type = "button"
  button.className = "note-mark"
  button.dataset.note = label
  button.setAttribute("aria-label", says)
  return button
}

// Links

const addressOf = (href) => {
  try {
    const url = new URL(spelledOut(href))
    return /^(?:https?|mailto):$/.test(url.protocol) ? url : null
  } catch {
    return null // of no other site
  }
}

const leave = (link, url) => {
  link.href = url.href
  link.title = url.href
  link.target = "_blank"
  link.rel = "noopener noreferrer nofollow"
  return link
}

const linkTo = (url, children) => {
  const link = leave(make("a", ...children), url)
  if (misleads(link.textContent, url)) {
    const where = make("bdi", ` (${url.host})`)
    where.className = "link__host"
    link.append(where)
  }
  return link
}

// The text names a place, and it is another one than the link leads to.
const misleads = (text, { protocol, host, hostname, username, password }) => {
  if (protocol === "mailto:") return false
  if (username || password) return true
  const [named] = /(?:[\p{L}\p{N}\p{M}-]+\.)+[\p{L}\p{M}]{2,}/u.exec(text) ?? []
  if (!named) return false
  const bare = (name) => name.toLowerCase().replace(/^www\./, "")
  return bare(named) !== bare(hostname) && bare(text.trim()) !== bare(host) && !bare(hostname).endsWith(`.${bare(named)}`)
}
