// The strings in the page's language. Only one of the two modules is loaded.

const isJapanese = globalThis.document?.documentElement.lang === "ja"

export const { strings } = await (isJapanese ? import("./strings.ja.js") : import("./strings.en.js"))
