// Reads a JSON list of {source, flags} and prints what recheck finds of each: {status, complexity, attack}. With paths of
// JavaScript files as arguments it prints their regular expressions instead: [{file, line, source, flags}]. An expression
// that is made while the page runs has no source.

import { readFileSync } from "node:fs"
import { parse } from "acorn"
import { checkSync } from "recheck"

const TIMEOUT = 120_000 // ms for one expression; some take ten seconds on a machine of their own
const REPEATS = 8_000 // of an attack, and four times as many: linear time grows by 4, quadratic by 16
const MAX_FACTOR = 8
const NEGLIGIBLE = 5_000 // µs
const ATTEMPTS = 5

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
  const { status, checker, complexity, attack, error } = checkSync(source, flags, { timeout: TIMEOUT, randomSeed: 1 })
  const isGuess = status === "vulnerable" && checker === "fuzz" && complexity.type === "polynomial"
  if (isGuess && !isConfirmed(new RegExp(source, flags), attack)) return { status: "safe" }
  return { status, complexity: complexity?.summary, attack: attack?.pattern, error: error?.kind }
}

// Where recheck cannot decide, it counts the steps of an engine of its own for random texts, and calls expressions slow
// that V8 runs in linear time.
function isConfirmed(expression, { pumps, suffix }) {
  const textOf = (count) => pumps.map(({ prefix, pump, bias }) => prefix + pump.repeat(count + bias)).join("") + suffix
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const long = cpuTime(expression, textOf(4 * REPEATS))
    if (long < NEGLIGIBLE || long / cpuTime(expression, textOf(REPEATS)) < MAX_FACTOR) return false
  }
  return true
}

function cpuTime(expression, text) {
  expression.lastIndex = 0
  const start = process.cpuUsage()
  expression.test(text)
  const { user, system } = process.cpuUsage(start)
  return Math.max(user + system, 1)
}

const files = process.argv.slice(2)
const result = files.length ? files.flatMap(expressionsOf) : JSON.parse(readFileSync(0, "utf8")).map(check)
console.log(JSON.stringify(result))
