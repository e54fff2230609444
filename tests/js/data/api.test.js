import assert from "node:assert/strict"
import { test } from "node:test"

test("a 401 opens the login page after the caller has been notified", async (t) => {
  const calls = []
  t.mock.method(globalThis, "fetch", async () =>
    Response.json({ error: { code: "not_authenticated", message: "Log in first." } }, { status: 401 }),
  )
  globalThis.document = { cookie: "", documentElement: { lang: "en" } }
  globalThis.location = { pathname: "/c/1/", search: "", assign: (address) => calls.push(address) }
  const api = await import("../../../static/chat/js/data/api.js")
  await assert.rejects(async () => {
    try {
      await api.send("1", { text: "Not lost" }, "key")
    } finally {
      calls.push("put down")
    }
  }, /Log in first/)
  await new Promise((resolve) => setTimeout(resolve))
  assert.deepEqual(calls, ["put down", "/accounts/login/?next=%2Fc%2F1%2F"])
})
