// Markdown -> DOM. The one place where text of a model becomes elements, and the one sanitiser.
//
// Raw HTML stays text. Links leave in a new tab and tell nobody where from. Nothing is ever loaded from elsewhere: a remote
// image becomes a link. Formulas keep their TeX source. (Imports end with a semicolon because Django's manifest storage
// only sees those.)

import { Marked, Tokenizer } from "../../vendor/marked.js";
import DOMPurify from "../../vendor/purify.js";
import hljs from "../../vendor/highlight.js";
import { words } from "./words.js";

const LONGEST_HIGHLIGHT = 20_000 // characters; colouring more costs a phone whole frames

// Text -> blocks. Each has `raw`, the text it was made from; `links` are the block list's link definitions.
export const blocksOf = (text) => marked.lexer(text)

// One block -> nodes that are safe to insert.
export const nodesOf = (block) => {
  const fragment = purifier.sanitize(marked.parser([block]), { ...SAFE, RETURN_DOM_FRAGMENT: true })
  for (const pre of fragment.querySelectorAll("pre")) frame(pre)
  for (const table of fragment.querySelectorAll("table")) wrap(table, "table-scroll")
  return fragment
}

const SAFE = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a", "span", "div",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
  ],
  ALLOWED_ATTR: ["href", "title", "class", "align", "start"],
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
}

const purifier = DOMPurify(window)
purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A" || !node.hasAttribute("href")) return
  node.setAttribute("target", "_blank")
  node.setAttribute("rel", "noopener noreferrer nofollow")
})

const escape = (text) =>
  text.replace(/[&<>"']/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" })[sign])

const host = (address) => {
  try {
    const { protocol, host } = new URL(address)
    return /^https?:$/.test(protocol) ? host : null
  } catch {
    return null
  }
}

const coloured = (text, language) => {
  if (!hljs.getLanguage(language) || text.length > LONGEST_HIGHLIGHT) return escape(text)
  return hljs.highlight(text, { language, ignoreIllegals: true }).value
}

const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303f\uff00-\uffef]/u

const tokenizer = {
  // Raw HTML is no HTML here; it falls through to text. Only a line break, which models write into table cells, is one.
  html: () => undefined,
  tag(source) {
    const raw = /^<br\s*\/?>/i.exec(source)?.[0]
    return raw && { type: "br", raw }
  },

  // CommonMark refuses **「強調」** between letters, because it expects spaces between words; Japanese has none.
  emStrong(source, masked, before) {
    const usual = Tokenizer.prototype.emStrong.call(this, source, masked, before)
    if (usual || !source.startsWith("**")) return usual
    const raw = /^\*\*(?=[^\s*])(?:[^*\n]|\*(?!\*))*?[^\s*]\*\*(?!\*)/u.exec(masked.slice(-source.length))?.[0]
    if (!raw) return undefined
    const text = source.slice(2, raw.length - 2)
    const edges = before + text.at(0) + text.at(-1) + (source[raw.length] ?? "")
    if (!CJK.test(edges)) return undefined
    return { type: "strong", raw: source.slice(0, raw.length), text, tokens: this.lexer.inlineTokens(text) }
  },

  // A bare address ends where ASCII ends: in Japanese the sentence goes on behind it without a space.
  url(source) {
    const address = /^[\x21-\x7e]+/.exec(source)?.[0]
    return address && Tokenizer.prototype.url.call(this, address)
  },
}

const renderer = {
  html: ({ text }) => escape(text),
  checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  code({ text, lang }) {
    const language = /^[\w+#.-]*/.exec(lang ?? "")[0]
    return `<pre><code class="language-${escape(language)}">${coloured(text, language)}\n</code></pre>`
  },
  image({ href, text }) {
    const from = host(href)
    const label = escape(from ? words.image(text, from) : text)
    return from ? `<a class="remote-image" href="${escape(href)}">${label}</a>` : label
  },
}

// $$…$$ and \[…\] as blocks, $…$ and \(…\) in a line. Prices are no formulas: "$5 and $6".
const formula = (name, level, rule, start) => ({
  name,
  level,
  start: (source) => source.match(start)?.index,
  tokenizer(source) {
    const match = rule.exec(source)
    return match ? { type: name, raw: match[0], text: (match[1] ?? match[2]).trim() } : undefined
  },
  renderer: ({ text }) =>
    level === "block" ? `<div class="math">${escape(text)}</div>` : `<span class="math">${escape(text)}</span>`,
})

const marked = new Marked({
  gfm: true,
  breaks: true, // models write verses and addresses, and expect each line to stay one
  tokenizer,
  renderer,
  extensions: [
    formula("mathBlock", "block", /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n+|$)/, /\$\$|\\\[/),
    formula("math", "inline", /^(?:\$((?! )[^$\n]*[^$\s\\])\$(?!\d)|\\\(([^\n]+?)\\\))/, /\$|\\\(/),
  ],
})

function wrap(element, name) {
  const box = document.createElement("div")
  box.className = name
  element.replaceWith(box)
  box.append(element)
  return box
}

// A code block gets its language and a button that copies it; the page listens for [data-copy].
function frame(pre) {
  const head = document.createElement("div")
  head.className = "code__head"
  const language = document.createElement("span")
  language.textContent = pre.firstElementChild?.className.replace("language-", "") || words.code
  const copy = document.createElement("button")
  copy.type = "button"
  copy.className = "code__copy"
  copy.dataset.copy = "code"
  copy.textContent = words.copy
  head.append(language, copy)
  pre.tabIndex = 0 // so that the keyboard can scroll it
  wrap(pre, "code").prepend(head)
}
