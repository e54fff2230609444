import assert from "node:assert/strict"
import { test } from "node:test"

import { JSDOM } from "jsdom"

const { window } = new JSDOM("<span></span>")
Object.assign(globalThis, { window, document: window.document })
const { hueOf, showAvatar } = await import("../../../static/chat/js/ui/avatar.js")

test("an avatar has the color of its slug, whatever the name", () => {
  assert.equal(hueOf("openai"), hueOf("openai"))
  const hues = new Set(Array.from({ length: 200 }, (_, number) => hueOf(`openai-${number}`)))
  assert.equal(hues.size, 12)
})

test("an avatar shows the first letter as a reader sees it, and is no text", () => {
  const element = document.querySelector("span")
  for (const [name, letter] of Object.entries({ astra: "A", アストラ: "ア", "👩‍🚀 Eva": "👩‍🚀", "": "" })) {
    showAvatar(element, "slug", name)
    assert.equal(element.dataset.letter, letter)
  }
  assert.equal(element.textContent, "")
  assert.equal(element.style.getPropertyValue("--avatar-hue"), String(hueOf("slug")))
  showAvatar(element, "", "Someone who left")
  assert.ok(element.classList.contains("avatar--unknown"))
})
