// The language of a text, as far as its letters show it: screen readers choose their voice by it, and browsers the shapes of
// Chinese characters.

const SAMPLE_LENGTH = 1_000 // characters

const count = (text, letters) => text.match(letters)?.length ?? 0

/** Returns a code such as "ja", or "" if the letters are those of the page's language, or of many languages. */
export const detectLanguage = (text, page = document.documentElement.lang) => {
  const sample = text.slice(0, SAMPLE_LENGTH)
  const latin = count(sample, /\p{sc=Latin}/gu)
  const kana = count(sample, /[\p{sc=Hiragana}\p{sc=Katakana}]/gu)
  const han = count(sample, /\p{sc=Han}/gu)
  const hangul = count(sample, /\p{sc=Hangul}/gu)
  if (3 * hangul > latin) return "ko"
  if (kana && 6 * (kana + han) > latin) return "ja" // Japanese texts have Latin names in them, too
  if (page === "ja" && latin > 3 * han) return "en"
  return ""
}

/** Sets the `lang` of an element to the language of its text. */
export const setLanguage = (element, text) => {
  const language = detectLanguage(text)
  if (element.lang === language) return
  if (language) element.lang = language
  else element.removeAttribute("lang")
}
