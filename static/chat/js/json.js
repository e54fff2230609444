// JSON of models and tools, for people to read.

// Arguments arrive in pieces, and a result may be any text: what is no JSON object or list (yet) stays as it is.
export const pretty = (json) => {
  const value = parsed(json)
  return value === undefined ? json : JSON.stringify(value, null, 2)
}

// The fields of an object as [name, text]; null where it is none.
export const fieldsOf = (json) => {
  const value = parsed(json)
  if (value === undefined || Array.isArray(value)) return null
  return Object.entries(value).map(([name, one]) => [name, typeof one === "string" ? one : JSON.stringify(one, null, 2)])
}

// What a person is to allow must not look like something else: characters that turn the text around are spelled out,
// and so are invisible ones. Joiners stay; scripts and emoji need them.
export const plain = (text) => text.replace(HIDDEN, (one) => `\\u${one.charCodeAt().toString(16).padStart(4, "0")}`)

const HIDDEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u2069\ufeff]/g

const parsed = (json) => {
  if (!/^\s*[[{]/.test(json)) return undefined
  try {
    return JSON.parse(json, exact)
  } catch {
    return undefined
  }
}

// A long number keeps its digits, where the browser can.
const exact = (key, value, context) =>
  typeof value === "number" && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value
