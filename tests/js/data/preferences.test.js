import assert from "node:assert/strict"
import { beforeEach, test } from "node:test"

import { Preferences } from "../../../static/chat/js/data/preferences.js"

const VALUES = { theme: "system", language: "en" }
let channels, tabs, changes

// Delivers to all others, and later: a BroadcastChannel does both.
class Channel {
  waiting = []

  constructor() {
    channels.push(this)
  }

  postMessage(data) {
    for (const channel of channels) if (channel !== this) channel.waiting.push(structuredClone(data))
  }

  deliver() {
    for (const data of this.waiting.splice(0)) this.onmessage({ data })
  }
}

const deliverAll = () => {
  while (channels.some((channel) => channel.waiting.length)) for (const channel of channels) channel.deliver()
}

beforeEach(() => {
  channels = []
  changes = []
  tabs = [0, 1, 2].map(() => new Preferences(VALUES, new Channel()))
  for (const [index, tab] of tabs.entries()) {
    tab.onChange((values, before) => changes.push([index, before.theme, values.theme]))
  }
})

test("a change reaches the other tabs", () => {
  tabs[0].set({ theme: "dark" })
  deliverAll()
  for (const tab of tabs) assert.deepEqual(tab.values, { theme: "dark", language: "en" })
  assert.deepEqual(changes.sort(), [
    [0, "system", "dark"],
    [1, "system", "dark"],
    [2, "system", "dark"],
  ])
})

test("a change from another tab does not come back and undo a later one", () => {
  tabs[0].set({ theme: "dark" })
  channels[1].deliver()
  tabs[0].set({ theme: "light" })
  deliverAll()
  for (const tab of tabs) assert.equal(tab.values.theme, "light")
})

test("values that are the same tell nobody", () => {
  tabs[0].set({ ...VALUES })
  assert.deepEqual(changes, [])
  assert.equal(channels[1].waiting.length, 0)
})
