import assert from "node:assert/strict";
import { test } from "node:test";

test("the page leaves for the login only after whoever asked has been told", async (t) => {
  const told = []
  t.mock.method(globalThis, "fetch", async () => Response.json({ error: { code: "not_authenticated", message: "Log in first." } }, { status: 401 }))
  globalThis.document = { cookie: "", documentElement: { lang: "en" } }
  globalThis.location = { pathname: "/c/1/", search: "", assign: (address) => told.push(address) }
  const api = await import("../../static/chat/js/api.js")
  await assert.rejects(async () => {
    try {
      await api.send("1", { text: "Not lost" }, "key")
    } finally {
      told.push("put down")
    }
  }, /Log in first/)
  await new Promise((resolve) => setTimeout(resolve))
  assert.deepEqual(told, ["put down", "/accounts/login/?next=%2Fc%2F1%2F"])
})
