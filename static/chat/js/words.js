// The words of the page's language: words.en.js and words.ja.js hold them, and only one of them is loaded.

const isJapanese = globalThis.document?.documentElement.lang === "ja"

export const { words } = await (isJapanese ? import("./words.ja.js") : import("./words.en.js"))
