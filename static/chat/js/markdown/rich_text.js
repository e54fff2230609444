// A drawn text -> plain HTML, for word processors and mail programs. Loaded when something is copied.
//
// What a browser copies by itself has the page's colors, buttons and each formula twice. This has the elements alone.

const KEPT = new Set(
  (
    "p h1 h2 h3 h4 h5 h6 ul ol li blockquote strong em del sup thead tbody tr br hr code " +
    "sub kbd u mark small s ins b i ruby rt rp"
  ).split(" "),
)
const EMPTY = new Set(["br", "hr"])
const LEFT_OUT = ".code__header, .diagram__notice, .diagram__picture, .table__tools, svg, img, iframe"
const FORMULA_START = /^\s*[=+\-@＝＋－＠]/ // what a spreadsheet takes for a formula

/** Returns the HTML of nodes. */
export const htmlOf = (nodes) => [...nodes].map(htmlOfNode).join("")

const htmlOfNode = (node) => {
  if (node.nodeType === 3) return escaped(node.data)
  if (node.nodeType !== 1 || node.matches(LEFT_OUT)) return ""
  if (node.matches(".math")) return escaped(texOf(node))
  if (node.matches(".footnote-link")) return escaped(`[${node.dataset.note}] `)
  const name = node.localName
  if (name === "button") return ""
  if (name === "pre") return `<pre><code>${escaped(node.textContent)}</code></pre>`
  const content = htmlOf(node.childNodes)
  if (name === "a") return node.href ? `<a href="${escaped(node.href)}">${content}</a>` : content
  // Without a border of its own, a word processor shows none.
  if (name === "table")
    return `<table border="1" cellspacing="0" cellpadding="4" style="border-collapse:collapse">${content}</table>`
  if (name === "th" || name === "td") return `<${name}${cellAttributes(node)}>${content}</${name}>`
  if (name === "div" && node.matches(".footnote")) return `<div>${content}</div>`
  if (!KEPT.has(name)) return content
  if (EMPTY.has(name)) return `<${name}>`
  const start = name === "ol" && node.start !== 1 ? ` start="${node.start}"` : ""
  return `<${name}${start}>${content}</${name}>`
}

const cellAttributes = (cell) => {
  const align = /(?:^| )align-(left|right|center)(?: |$)/.exec(cell.className)?.[1]
  const isText = FORMULA_START.test(cell.textContent) && !isNumber(cell.textContent)
  return `${align ? ` align="${align}"` : ""}${isText ? ` style="mso-number-format:'\\@'"` : ""}`
}

const escaped = (text) =>
  text.replace(/[&<>"]/g, (character) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[character])

/** The TeX of a formula, which word processors can read; MathML few of them can. */
const texOf = (element) => {
  const tex = element.querySelector("annotation")?.textContent
  if (!tex) return element.textContent
  return element.matches(".math--displayed") ? `$$${tex}$$` : `$${tex}$`
}

// Tables as text

/** Returns the cells of a table as texts. */
export const rowsOf = (table) =>
  [...table.rows].map((row) =>
    [...row.cells].map((cell) =>
      textOf(cell)
        .trim()
        .replace(/[ \t]+/g, " "),
    ),
  )

const textOf = (node) => {
  if (node.nodeType === 3) return node.data
  if (node.nodeType !== 1) return ""
  if (node.localName === "br") return "\n"
  if (node.matches(".math")) return texOf(node)
  if (node.matches(".footnote-link")) return `[${node.dataset.note}]`
  return [...node.childNodes].map(textOf).join("")
}

/** CSV as in RFC 4180. A cell that a spreadsheet would run as a formula gets an apostrophe before it. */
export const csvOf = (rows) =>
  rows.map((row) => `${row.map((cell) => quoted(harmless(cell), ",")).join(",")}\r\n`).join("")

/** The same with tabs, as spreadsheets paste it. */
export const tsvOf = (rows) => rows.map((row) => row.map((cell) => quoted(harmless(cell), "\t")).join("\t")).join("\n")

const quoted = (cell, separator) =>
  cell.includes(separator) || /["\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell

const harmless = (cell) => (FORMULA_START.test(cell) && !isNumber(cell) ? `'${cell}` : cell)

// A number with a sign, such as -1,200.5 or +3 %, and a lone dash, which stands for nothing.
const isNumber = (text) => /^[+\-＋－]?[\d.,]{0,30}(?:e[+-]?\d{1,3})?\s?[%％]?$/i.test(text.trim())

// A selection

/** Returns the selected part of a text as { text, html }. */
export const selectionAsRichText = (selection) => {
  const range = wholeFormulas(selection.getRangeAt(0).cloneRange())
  const fragment = range.cloneContents()
  const { commonAncestorContainer: ancestor } = range
  const parent = ancestor.nodeType === 1 ? ancestor : ancestor.parentElement
  const html = within(parent, htmlOf(fragment.childNodes))
  return { html, text: fragment.querySelector(".math") ? plainText(fragment) : selection.toString() }
}

// A part of a formula means nothing.
const wholeFormulas = (range) => {
  const formulaAt = (node) => (node.nodeType === 1 ? node : node.parentElement).closest(".math")
  const [first, last] = [formulaAt(range.startContainer), formulaAt(range.endContainer)]
  if (first) range.setStartBefore(first)
  if (last) range.setEndAfter(last)
  return range
}

// What is selected inside of a table, a list or code stays one.
const within = (parent, html) => {
  const name = parent.closest("pre, tr, thead, tbody, table, ul, ol")?.localName
  if (name === "pre") return `<pre><code>${html}</code></pre>`
  if (name === "ul" || name === "ol") return /^<li/.test(html) ? `<${name}>${html}</${name}>` : html
  if (!name || !/^<t[hdrb]/.test(html)) return html
  const rows = /^<t[hd][ >]/.test(html) ? `<tr>${html}</tr>` : html
  return `<table border="1" cellspacing="0" cellpadding="4" style="border-collapse:collapse">${rows}</table>`
}

const BLOCKS = new Set("p h1 h2 h3 h4 h5 h6 ul ol blockquote pre table div".split(" "))

const plainText = (fragment) =>
  linesOf(fragment)
    .replace(/\n{3,}/g, "\n\n")
    .trim()

const linesOf = (node) => {
  if (node.nodeType === 3) return node.data
  if (node.nodeType === 1 && node.matches(`${LEFT_OUT}, button`)) return ""
  if (node.nodeType === 1 && node.matches(".math")) return texOf(node)
  const name = node.localName
  if (name === "br") return "\n"
  const content = [...node.childNodes].map(linesOf).join("")
  if (name === "li" || name === "tr") return `${content.trim()}\n`
  if (name === "td" || name === "th") return `${content}\t`
  return BLOCKS.has(name) ? `\n\n${content}\n\n` : content
}
