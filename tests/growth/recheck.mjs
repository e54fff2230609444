// Reads a JSON list of {source, flags} and prints what recheck finds of each: {status, complexity, attack}. With paths of
// JavaScript files as arguments it prints their regular expressions instead: [{file, line, source, flags}]. An expression
// that is made while the page runs has no source.

import { readFileSync } from "node:fs"
import { parse } from "acorn"
import { checkSync } from "recheck"

const TIMEOUT = 30_000 // ms for one expression

function* nodesOf(value) {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item)
  else if (value && typeof value === "object" && !(value instanceof RegExp)) {
    if (value.type) yield value
    for (const key of Object.keys(value)) if (key !== "loc") yield* nodesOf(value[key])
  }
}

function expressionsOf(file) {
  const tree = parse(readFileSync(file, "utf8"), { ecmaVersion: "latest", sourceType: "module", locations: true })
  const nodes = [...nodesOf(tree)]
  const constants = new Map() // name -> text
  for (const { type, id, init } of nodes)
    if (type === "VariableDeclarator" && isRaw(init)) constants.set(id.name, rawText(init, constants))
  const found = []
  for (const node of nodes) {
    const place = { file, line: node.loc?.start.line }
    if (node.regex) found.push({ ...place, source: node.regex.pattern, flags: node.regex.flags })
    else if (node.type === "NewExpression" && node.callee.name === "RegExp")
      found.push({ ...place, source: rawText(node.arguments[0], constants), flags: node.arguments[1]?.value ?? "" })
  }
  return found
}

const isRaw = (node) => node?.type === "TaggedTemplateExpression" && node.tag.property?.name === "raw"

// The text of String.raw`…${CONSTANT}…`, or undefined if it is not known before the page runs.
const rawText = (node, constants) => {
  if (!isRaw(node)) return undefined
  const { quasis, expressions } = node.quasi
  const values = expressions.map(({ name }) => constants.get(name))
  if (values.includes(undefined)) return undefined
  return quasis.map(({ value }, index) => value.raw + (values[index] ?? "")).join("")
}

const check = ({ source, flags }) => {
  const { status, complexity, attack, error } = checkSync(source, flags, { timeout: TIMEOUT })
  return { status, complexity: complexity?.summary, attack: attack?.pattern, error: error?.kind }
}

const files = process.argv.slice(2)
const result = files.length ? files.flatMap(expressionsOf) : JSON.parse(readFileSync(0, "utf8")).map(check)
console.log(JSON.stringify(result))
