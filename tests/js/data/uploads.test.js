import assert from "node:assert/strict"
import { afterEach, beforeEach, mock, test } from "node:test"

import { Failure } from "../../../static/chat/js/data/api.js"
import { Uploads } from "../../../static/chat/js/data/uploads.js"

let sent, changes, uploads
const flush = () => new Promise((resolve) => setImmediate(resolve))
const newItem = (name = "a.pdf") => ({ file: { name }, part: null })
const add = (name) => {
  const item = newItem(name)
  uploads.add(item)
  return item
}
const answer = { kind: "file", url: "/x", id: "f", name: "a.pdf", unit: "page", count: 2, notes: [] }
const succeed = async (index = 0, value = answer) => {
  sent.splice(index, 1)[0].resolve(value)
  await flush()
}
const fail = async (error, index = 0) => {
  sent.splice(index, 1)[0].reject(error)
  await flush()
}
const failure = (status, fields = {}) => new Failure("No.", { status, ...fields })

beforeEach(() => {
  ;[sent, changes] = [[], []]
  mock.timers.enable({ apis: ["setTimeout"] })
  const upload = (file, options) =>
    new Promise((resolve, reject) => sent.push({ name: file.name, ...options, resolve, reject }))
  uploads = new Uploads(upload, ({ state }) => changes.push(state))
})
afterEach(() => mock.timers.reset())

test("a file is uploaded, read, and becomes the part that the server describes", async () => {
  const item = add()
  sent[0].onProgress(0.4)
  assert.deepEqual([item.state, item.progress], ["uploading", 0.4])
  sent[0].onProgress(1)
  assert.equal(item.state, "reading")
  await succeed()
  const { kind, url, ...fields } = answer
  assert.deepEqual([item.state, item.part], ["done", { type: "file", ...fields }])
})

test("the content decides: an upload may turn out to be an image", async () => {
  const item = add("a.pdf")
  await succeed(0, { kind: "image", url: "/x", id: "i", media_type: "image/png", width: 1, height: 2 })
  assert.deepEqual(item.part, { type: "image", id: "i", media_type: "image/png", width: 1, height: 2 })
})

test("many files are uploaded a few at a time, in order", async () => {
  for (let number = 0; number < 10; number += 1) add(`${number}`)
  const names = []
  while (sent.length) {
    assert.ok(sent.length <= 3)
    names.push(sent[0].name)
    await succeed()
  }
  assert.deepEqual(names, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"])
})

test("an upload that dies with the network goes on when it is back", async () => {
  const item = add()
  await fail(failure(0))
  assert.equal(item.state, "offline")
  assert.equal(sent.length, 0)
  uploads.resume()
  assert.equal(item.state, "uploading")
  await succeed()
  assert.equal(item.state, "done")
})

test("an upload that never gets a response fails in the end, and can be tried again", async () => {
  const item = add()
  for (let attempt = 0; attempt < 4; attempt += 1) {
    await fail(failure(0))
    uploads.resume()
  }
  await fail(failure(0))
  assert.deepEqual([item.state, item.canRetry, item.problem], ["failed", true, "No."])
  uploads.resume()
  assert.equal(sent.length, 0)
  uploads.retry(item)
  await succeed()
  assert.equal(item.state, "done")
})

test("a refused file keeps the sentence, and the others go on", async () => {
  const [bad, good] = [add("bad"), add("good")]
  await fail(failure(422, { code: "file_encrypted" }))
  await succeed()
  assert.deepEqual([bad.state, bad.problem, bad.canRetry, bad.part], ["failed", "No.", false, null])
  assert.equal(good.state, "done")
})

test("what the user or time can mend can be tried again", async () => {
  for (const error of [
    failure(413, { code: "storage_full" }),
    failure(500),
    failure(429, { code: "too_many_images" }),
    failure(429, { retryAfter: 3600 }),
  ]) {
    const item = add()
    await fail(error)
    assert.deepEqual([item.state, item.canRetry], ["failed", true])
  }
  const item = add()
  await fail(failure(413, { code: "file_too_large" }))
  assert.equal(item.canRetry, false)
})

test("a server that asks to wait is asked again after that time, and the others do not wait for it", async () => {
  const [first] = [add("first"), add("second"), add("third"), add("fourth")]
  await fail(failure(429, { retryAfter: 2 }))
  assert.equal(first.state, "delayed")
  assert.deepEqual(
    sent.map(({ name }) => name),
    ["second", "third", "fourth"],
  )
  await succeed()
  mock.timers.tick(1999)
  assert.equal(first.state, "delayed")
  mock.timers.tick(1)
  assert.equal(first.state, "uploading")
})

test("a removed upload is aborted, and nothing more is heard of it", async () => {
  const item = add()
  const [{ signal }] = sent
  uploads.remove(item)
  assert.ok(signal.aborted)
  const before = changes.length
  sent[0].onProgress(0.5)
  await succeed()
  assert.equal(changes.length, before)
  const delayed = add()
  await fail(failure(503, { retryAfter: 1 }))
  uploads.remove(delayed)
  mock.timers.tick(1000)
  assert.equal(sent.length, 0)
})
