// The JSON of models and tools, made readable.

const MAX_LENGTH = 200_000 // characters, as they come and indented
const MAX_DEPTH = 20 // of lists and objects; JSON nested 5,000 deep would be indented by 50 million spaces
const MAX_FIELDS = 100

/** Indents a JSON object or list. Other text, incomplete JSON, and what is too large or too deep are returned as they are. */
export const pretty = (json) => {
  const value = parse(json)
  if (value === undefined) return json
  const text = JSON.stringify(value, null, 2)
  return text.length > MAX_LENGTH ? json : text
}

/** Returns the fields of a JSON object as [name, text], or null if it is none, or too large to be shown field by field. */
export const fieldsOf = (json) => {
  const value = parse(json)
  if (value === undefined || Array.isArray(value) || Object.keys(value).length > MAX_FIELDS) return null
  return Object.entries(value).map(([name, field]) => [
    name,
    typeof field === "string" ? field : JSON.stringify(field, null, 2),
  ])
}

/**
 * Escapes invisible characters and those that change the direction of the text, so that a tool call to approve cannot look like
 * another one. Joiners stay: some scripts and emoji need them.
 */
export const escapeInvisible = (text) =>
  text.replace(INVISIBLE, (character) => `\\u${character.charCodeAt().toString(16).padStart(4, "0")}`)

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const INVISIBLE = /[\0-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u2069\ufeff]/g

const parse = (json) => {
  if (!/^\s*[[{]/.test(json) || json.length > MAX_LENGTH || isTooDeep(json)) return undefined
  try {
    return JSON.parse(json, keepDigits)
  } catch {
    return undefined
  }
}

const isTooDeep = (json) => {
  let depth = 0
  let isInString = false
  for (let at = 0; at < json.length && depth <= MAX_DEPTH; at += 1) {
    const character = json[at]
    if (character === "\\") at += 1
    else if (character === '"') isInString = !isInString
    else if (isInString) continue
    else if (character === "[" || character === "{") depth += 1
    else if (character === "]" || character === "}") depth -= 1
  }
  return depth > MAX_DEPTH
}

// Keeps all digits of a long number, where the browser can.
const keepDigits = (_key, value, context) =>
  typeof value === "number" && context?.source && JSON.rawJSON ? JSON.rawJSON(context.source) : value
