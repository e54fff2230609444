// Where a bare address in a text ends. Uses no DOM.
//
// An address may have letters of any script in its host and path: https://ja.wikipedia.org/wiki/日本語. But Chinese, Japanese
// and Korean sentences go on behind an address without a space: https://example.com/aを見る. Their letters belong to it only
// at the beginning of a segment, and up to where a sentence goes on.

const MAX_ADDRESS_LENGTH = 2_000 // characters; a longer one is text
const SCHEME = /(?:(?:https?|ftp):\/\/|www\.)/iy
const HOST = /[\p{L}\p{N}\p{M}_-]+(?:\.[\p{L}\p{N}\p{M}_-]+)*(?::\d{1,5})?/uy
const CJK = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}ー・々]/u
const CJK_RUN = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}ー・々]+/uy
const SEPARATOR = /[/=_\-#&?+(~]/
const WIKI_TITLE = /\/wiki\/[A-Za-z\d+]+$/ // such as C言語
const PATH_CHARACTER = /[\w\-.~:/?#@!$&'()*+,;=%[\]{}]/
const NOT_TRAILING = /(?:[?!.,:;*_'~]|&[a-z\d]{2,8};)$/i
const CLOSING = { ")": "(", "]": "[", "}": "{" }

const SENTENCE_START = /^(?:を|です|でした|に(?:アクセス|ある|て)|から|まで|へ|が)/
const SENTENCE = /を|です|ます|ください|下さい|ました|でした|ません|から|まで|には|では|について|参照/
const PARTICLE =
  /(?<=[\p{Script=Han}\p{Script=Katakana}ー々])(?:を|は|が|に|で|へ|も|と|から|まで|より|です)(?!\p{Script=Katakana})/u
const LAST_PARTICLE =
  /(?<=[\p{Script=Han}\p{Script=Katakana}ー々])(?:を|は|が|に|で|へ|も|と|から|まで|です)$|(?:을|를|에서|으로|입니다)$/u
const CHINESE_VERB = /(?<=\p{Script=Han})(?:了解|查看|查阅|查閱|获取|獲取|可以|即可|或者|以及)/u

// How many letters of this run belong to a title in an address; a sentence may follow.
const titleLength = (run) => {
  if (SENTENCE_START.test(run)) return 0
  const end = SENTENCE.test(run) ? PARTICLE : LAST_PARTICLE
  return Math.min(...[end, CHINESE_VERB].map((rule) => rule.exec(run)?.index ?? run.length))
}

const hostEnd = (text, at) => {
  HOST.lastIndex = at
  const [host] = HOST.exec(text) ?? [""]
  const last = host.lastIndexOf(".") + 1
  const [, latin] = /^([\w-]+)[^\w:-]/.exec(host.slice(last)) ?? []
  const end = latin && CJK.test(host.slice(last + latin.length)) ? last + latin.length : host.length
  return end && (last > 0 || !CJK.test(host.slice(0, end))) ? at + end : -1
}

const mayContainCjk = (text, start, at) =>
  SEPARATOR.test(text[at - 1]) || (WIKI_TITLE.test(text.slice(start, at)) && !/\p{Script=Hiragana}/u.test(text[at]))

// Whether the address ends before this character of ASCII.
const isEnd = (text, start, at, open) => {
  const letter = text[at]
  if (!PATH_CHARACTER.test(letter) || text.startsWith("**", at) || text.startsWith("~~", at)) return true
  if (letter === "'") return text[start - 1] === "'" || !/[A-Za-z]/.test(text[at + 1] ?? "")
  if (/[,;]/.test(letter)) return /^https?:\/\//i.test(text.slice(at + 1, at + 9))
  if (letter in CLOSING) {
    open[letter] = (open[letter] ?? 0) - 1
    return open[letter] < 0
  }
  for (const [closing, opening] of Object.entries(CLOSING))
    if (letter === opening) open[closing] = (open[closing] ?? 0) + 1
  return false
}

/**
 * Returns the end of the address that begins here, or -1. `undecided` is where letters begin that the end of the text leaves
 * undecided.
 */
export const addressAt = (text, start) => {
  SCHEME.lastIndex = start
  if (!SCHEME.test(text)) return { end: -1 }
  let at = hostEnd(text, SCHEME.lastIndex)
  if (at < 0) return { end: -1 }
  const hostStop = at
  let undecided
  const open = {}
  const limit = Math.min(text.length, start + MAX_ADDRESS_LENGTH + 1)
  while (at < limit && /[/?#]/.test(text[hostStop])) {
    if (text[at] <= "\x7f") {
      if (isEnd(text, start, at, open)) break
      at += 1
    } else if (!CJK.test(text[at])) {
      if (!/[\p{L}\p{M}\p{N}]/u.test(text[at])) break
      at += 1
    } else {
      if (!mayContainCjk(text, start, at)) break
      CJK_RUN.lastIndex = at
      const [run] = CJK_RUN.exec(text)
      const length = titleLength(run)
      if (at + run.length === text.length) undecided = at
      at += length
      if (length < run.length) break
    }
  }
  if (at - start > MAX_ADDRESS_LENGTH) return { end: -1 }
  for (let match = NOT_TRAILING.exec(text.slice(start, at)); match; match = NOT_TRAILING.exec(text.slice(start, at))) {
    at = start + match.index
  }
  return { end: Math.max(at, hostStop), undecided }
}

/** Returns the text with its addresses replaced, for those who look for marks. `masked` is as long. */
export const maskAddresses = (text, masked) => {
  let result = ""
  for (const { index } of text.matchAll(/(?:https?|ftp):\/\/|(?<![a-z\d])www\./gi)) {
    const { end } = index < result.length ? { end: -1 } : addressAt(text, index)
    if (end > 0) result += masked.slice(result.length, index) + "a".repeat(end - index)
  }
  return result + masked.slice(result.length)
}
