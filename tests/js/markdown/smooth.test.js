import assert from "node:assert/strict"
import { test } from "node:test"

import { prefixOf, SmoothReveal } from "../../../static/chat/js/markdown/smooth.js"

const FRAME = 1000 / 60

// Plays what arrives, [[time, length], …], to a reveal whose frames come each `frame` ms. Gives what was shown: [time, length].
const play = (arrivals, { reveal = new SmoothReveal(), frame = FRAME } = {}) => {
  const shown = []
  const left = [...arrivals]
  const end = arrivals.at(-1)[0] + 1000
  for (let now = 0; now < end; now += frame) {
    while (left.length && left[0][0] <= now) reveal.growTo(left[0][1], left.shift()[0])
    shown.push([now, reveal.lengthAt(now)])
  }
  return shown
}

// How long each length waited, at most.
const latest = (arrivals, shown) =>
  Math.max(...arrivals.map(([came, length]) => shown.find(([, seen]) => seen >= length)[0] - came))

const steps = (shown) => shown.slice(1).map(([, length], index) => length - shown[index][1])

const every = (period, size, count) => Array.from({ length: count }, (_, n) => [n * period, (n + 1) * size])

test("a burst is shown over several frames, within 300 ms", () => {
  const bursts = every(400, 120, 10)
  const shown = play(bursts)
  assert.ok(latest(bursts, shown) <= 300)
  assert.equal(shown.at(-1)[1], 1200)
  assert.ok(Math.max(...steps(shown).slice(5)) <= 20, "120 characters, at most 20 of them in a frame")
  assert.ok(steps(shown).every((step) => step >= 0))
})

test("an even stream is shown evenly, within 70 ms", () => {
  const tokens = every(5, 4, 400)
  const shown = play(tokens)
  assert.ok(latest(tokens, shown) <= 70)
  const even = steps(shown).slice(10, 110)
  assert.ok(Math.max(...even) - Math.min(...even) <= 8)
})

test("the first words are shown within 60 ms", () => {
  assert.ok(latest([[3, 5]], play([[3, 5]])) <= 60)
})

test("text is shown within 300 ms, whatever its length and timing", () => {
  let seed = 7
  const chance = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  for (let round = 0; round < 300; round += 1) {
    let [time, length] = [0, 0]
    const arrivals = Array.from({ length: 60 }, () => {
      time += chance() < 0.2 ? 1000 * chance() : 20 * chance()
      length += 1 + Math.floor(chance() * (chance() < 0.1 ? 900 : 9))
      return [time, length]
    })
    const shown = play(arrivals, { frame: 8 + 42 * chance() })
    assert.ok(latest(arrivals, shown) <= 300, `round ${round}`)
    assert.ok(steps(shown).every((step) => step >= 0))
    assert.ok(
      shown.every(([now, seen]) => seen <= Math.max(0, ...arrivals.filter(([at]) => at <= now).map(([, n]) => n))),
    )
  }
})

test("a very long text is shown at once", () => {
  const shown = play([[0, 30_000]])
  assert.equal(shown[1][1], 30_000)
})

test("after a time without frames, the next frame shows everything that is due", () => {
  const reveal = new SmoothReveal()
  for (const [time, length] of every(50, 4, 100)) reveal.growTo(length, time)
  assert.equal(reveal.lengthAt(60_000), 400)
  assert.equal(reveal.isBehind, false)
})

test("with reduced motion, text is shown in few steps", () => {
  const tokens = every(5, 4, 400)
  const shown = play(tokens, { reveal: new SmoothReveal(() => true) })
  assert.ok(latest(tokens, shown) <= 300)
  assert.ok(steps(shown).filter((step) => step > 0).length <= 9)
})

test("a shorter text is shown at once", () => {
  const reveal = new SmoothReveal()
  reveal.growTo(100, 0)
  reveal.growTo(10, 5)
  assert.equal(reveal.lengthAt(5), 10)
})

test("a prefix never cuts a grapheme", () => {
  const text = "ab👩‍👩‍👧c\u0065\u0301d🇯🇵が"
  const cuts = new Set(Array.from({ length: text.length + 1 }, (_, length) => prefixOf(text, length)))
  assert.deepEqual(
    [...cuts],
    ["", "a", "ab", "ab👩‍👩‍👧", "ab👩‍👩‍👧c", "ab👩‍👩‍👧ce\u0301", "ab👩‍👩‍👧ce\u0301d", "ab👩‍👩‍👧ce\u0301d🇯🇵", text],
  )
})
