// Folds texts as the server's search does (chat/folding.py), to mark in a text what a search has found. No DOM.

const MIN_LENGTH_TO_CUT = 4 // characters of a word that is searched without the long vowel mark at its end

// A character with what may unite with it: marks, half-width voicing marks, and the parts of Korean syllables. At most 31 of
// them, because normalization takes quadratic time for a run of marks.
const CLUSTER = /.[\p{M}\uff9e\uff9f\u1160-\u11ff\u3131-\u318e\uffa0-\uffdc]{0,31}/gsu

const ACCENTS = /[\u0300-\u0337\u0339-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]/gu // without the stroke of ≠
const VOWELS = /[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]/gu // Hebrew, Arabic
const INVISIBLE = /[\u00ad\u200b-\u200f\u2060\ufeff]|[\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]/gu // and variants

const SPELLINGS = new Map(
  Object.entries({ ß: "ss", ς: "σ", æ: "ae", œ: "oe", ø: "o", đ: "d", ł: "l", ı: "i" }).concat(
    [..."‘’‚‛′ʼ"].map((mark) => [mark, "'"]),
    [..."“”„‟"].map((mark) => [mark, '"']),
    [..."‐‑‒–—―−"].map((mark) => [mark, "-"]),
  ),
)
const KATAKANA = /[\u30a1-\u30f6\u30fd\u30fe]/

/** Returns the text as it is compared. */
export const fold = (text) => clustersOf(text).map(foldCluster).join("")

/** Returns the different words of a search, folded. A long word goes without the long vowel mark at its end. */
export const foldWords = (words) => {
  const folded = fold(words).split(/\s+/).filter(Boolean)
  const isLong = (word) => [...word].length >= MIN_LENGTH_TO_CUT
  return [...new Set(folded.map((word) => (isLong(word) ? word.replace(/ー$/, "") : word)))]
}

/** Returns where the words of a search are in the text, as [start, end], in order and without overlaps. */
export const findWords = (text, words) => {
  const searched = foldWords(words)
  if (!searched.length) return []
  let folded = ""
  const starts = [] // of what each place in the folded text comes from
  const ends = []
  let index = 0
  for (const cluster of clustersOf(text)) {
    const part = foldCluster(cluster)
    const end = index + cluster.length
    for (let place = 0; place < part.length; place += 1) {
      starts.push(index)
      ends.push(end)
    }
    folded += part
    index = end
  }
  const found = []
  for (const word of searched) {
    for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length))
      found.push([starts[at], ends[at + word.length - 1]])
  }
  return united(found.sort(([a], [b]) => a - b))
}

const clustersOf = (text) => text.match(CLUSTER) ?? []

const foldCluster = (cluster) => {
  if (cluster.length === 1 && cluster < "\x80") return cluster.toLowerCase() // as most are
  return cluster
    .replaceAll("´", "'")
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\0-\x7f]/gu, foldCharacter)
}

const foldCharacter = (character) =>
  Array.from(bare(character.normalize("NFD")), spell)
    .join("")
    .normalize("NFC")

const bare = (letters) => letters.replace(ACCENTS, "").replace(VOWELS, "").replace(INVISIBLE, "")

const spell = (letter) =>
  KATAKANA.test(letter) ? String.fromCharCode(letter.charCodeAt(0) - 0x60) : (SPELLINGS.get(letter) ?? letter)

const united = (spans) => {
  const separate = []
  for (const [start, end] of spans) {
    const last = separate.at(-1)
    if (last && start <= last[1]) last[1] = Math.max(last[1], end)
    else separate.push([start, end])
  }
  return separate
}
