// The language that a text is written in, as far as its letters tell: a screen reader chooses its voice by it, and a browser
// the shapes of Chinese characters.

const ENOUGH = 1_000 // characters

const count = (text, letters) => text.match(letters)?.length ?? 0

// A code such as "ja", or "" where the letters are those of the page's own language, or of many.
export const tongueOf = (text, page = document.documentElement.lang) => {
  const beginning = text.slice(0, ENOUGH)
  const latin = count(beginning, /\p{sc=Latin}/gu)
  const kana = count(beginning, /[\p{sc=Hiragana}\p{sc=Katakana}]/gu)
  const han = count(beginning, /\p{sc=Han}/gu)
  const hangul = count(beginning, /\p{sc=Hangul}/gu)
  if (3 * hangul > latin) return "ko"
  if (kana && 6 * (kana + han) > latin) return "ja" // names of programs and the like are Latin in Japanese, too
  if (page === "ja" && latin > 3 * han) return "en"
  return ""
}

export const tellTongue = (element, text) => {
  const tongue = tongueOf(text)
  if (element.lang === tongue) return
  if (tongue) element.lang = tongue
  else element.removeAttribute("lang")
}
