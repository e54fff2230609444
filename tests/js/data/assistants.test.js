import assert from "node:assert/strict"
import { test } from "node:test"

import { matches, sortAssistants } from "../../../static/chat/js/data/assistants.js"

const named = (name, fields = {}) => ({ name, slug: "slug", description: "", is_default: false, ...fields })
const names = (assistants) => assistants.map(({ name }) => name)

test("assistants are in natural order, behind the default one", () => {
  const items = ["Model 10", "Model 1", "model 2", "Écrivain", "Editor", "v1.10", "v1.9"].map((name) => named(name))
  assert.deepEqual(names(sortAssistants([...items, named("Zoe", { is_default: true })], "en")), [
    "Zoe",
    "Écrivain",
    "Editor",
    "Model 1",
    "model 2",
    "Model 10",
    "v1.9",
    "v1.10",
  ])
  assert.deepEqual(names(sortAssistants([named("モデル10"), named("モデル2"), named("あ")], "ja")), [
    "あ",
    "モデル2",
    "モデル10",
  ])
})

test("assistants with a position come first, in its order", () => {
  const items = [named("A"), named("B", { position: 10 }), named("C", { position: 2 }), named("D", { position: 2 })]
  const first = named("Z", { is_default: true, position: 99 })
  assert.deepEqual(names(sortAssistants([...items, named("E", { position: null }), first], "en")), [..."ZCDBAE"])
})

test("the search looks for all words, in any case and width", () => {
  const item = named("ＧＰＴ 5 Mini", { slug: "fast-one", description: "素早く回答します。" })
  for (const query of ["", "gpt", "mini gpt", "FAST", "回答", "５", " 5 "])
    assert.ok(matches(item, query.trim()), query)
  for (const query of ["claude", "gpt claude"]) assert.ok(!matches(item, query), query)
})
