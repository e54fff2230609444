import assert from "node:assert/strict"
import { test } from "node:test"

import { moonAt, moonPath, partOfDay, sunAt } from "../../../static/chat/js/data/sky.js"
import { strings as english } from "../../../static/chat/js/i18n/strings.en.js"
import { strings as japanese } from "../../../static/chat/js/i18n/strings.ja.js"

const at = (hour, minute = 0) => new Date(2026, 10, 30, hour, minute)

test("the greeting follows the time of day, in both languages, with a name and without", () => {
  const hours = {
    0: "night",
    4: "night",
    5: "morning",
    10: "morning",
    11: "afternoon",
    17: "afternoon",
    18: "evening",
    23: "night",
  }
  for (const [hour, part] of Object.entries(hours)) assert.equal(partOfDay(at(Number(hour))), part)
  assert.equal(english.greeting.morning("Ada"), "Good morning, Ada")
  assert.equal(english.greeting.night(""), "Up late?")
  assert.equal(japanese.greeting.evening("葵"), "葵さん、こんばんは")
  assert.equal(japanese.greeting.afternoon(""), "こんにちは")
})

test("the sun rises in the morning, is highest at noon, and is gone at night", () => {
  assert.equal(sunAt(at(6)), 0)
  assert.ok(Math.abs(sunAt(at(12, 15)) - 0.5) < 0.001)
  for (const hour of [0, 5, 19, 23]) assert.equal(sunAt(at(hour)), null)
})

test("the moon has the phase of the almanac", () => {
  const full = [Date.UTC(2024, 7, 19, 18, 26), Date.UTC(2025, 2, 14, 6, 55), Date.UTC(2026, 4, 31, 8, 45)]
  for (const time of full) assert.ok(Math.abs(moonAt(new Date(time)) - 0.5) < 0.03, String(moonAt(new Date(time))))
  const newMoon = moonAt(new Date(Date.UTC(2024, 3, 8, 18, 21)))
  assert.ok(Math.min(newMoon, 1 - newMoon) < 0.03)
})

test("the moon grows from the right and shrinks to the left", () => {
  const disc = { x: 0, y: 0, radius: 10 }
  const arcs = (phase) => [...moonPath(phase, disc).matchAll(/A\S+ \S+ 0 0 ([01])/g)].map(([, flag]) => Number(flag))
  assert.deepEqual(arcs(0.1), [1, 0]) // a crescent on the right: out along the limb, back along an arc inside it
  assert.deepEqual(arcs(0.4), [1, 1])
  assert.deepEqual(arcs(0.6), [0, 0])
  assert.deepEqual(arcs(0.9), [0, 1])
  assert.match(moonPath(0.25, disc), /A0\.00 10/) // a half moon ends at a straight line
})
