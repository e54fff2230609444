import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { LazyLibrary } from "../../../static/chat/js/ui/lazy_library.js"

let results
const load = async () => {
  const result = results.shift()
  if (result instanceof Error) throw result
  return result
}
const failure = new Error("not found")

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }))
afterEach(() => mock.timers.reset())

const loadAfterDelay = async (library) => {
  const loaded = await library.load().catch(() => null)
  mock.timers.tick(1_000)
  return loaded
}

test("a library that failed to load is requested again after a delay", async () => {
  results = [failure, "library"]
  const library = new LazyLibrary(load, { retryDelay: 1_000 })
  await assert.rejects(library.load(), failure)
  mock.timers.tick(999)
  await assert.rejects(library.load(), failure)
  mock.timers.tick(1)
  assert.equal(await library.load(), "library")
  assert.deepEqual(results, [])
})

test("a library is unavailable after three failures, until it is loaded", async () => {
  results = [failure, failure, failure, "library"]
  const library = new LazyLibrary(load, { retryDelay: 1_000 })
  for (const expected of [false, false, true]) {
    assert.equal(await loadAfterDelay(library), null)
    assert.equal(library.isUnavailable, expected)
  }
  assert.equal(await loadAfterDelay(library), "library")
  assert.equal(library.isUnavailable, false)
})

test("failures that are forgotten do not count", async () => {
  results = [failure, failure, failure]
  const library = new LazyLibrary(load, { retryDelay: 1_000 })
  for (let attempt = 0; attempt < 3; attempt += 1) {
    library.forgetFailures()
    await loadAfterDelay(library)
  }
  assert.equal(library.isUnavailable, false)
})
