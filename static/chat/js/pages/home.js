// What a new chat greets with: the sky outside, a greeting, and the recent chats.

import { moonAt, moonPath, partOfDay, sunAt } from "../data/sky.js"
import { strings } from "../i18n/strings.js"
import { cloneTemplate, find, setText, showTimeAgo } from "../ui/dom.js"

const RECENT = 3 // conversations
const REFRESH_INTERVAL = 300_000 // ms; a page may stay open until the evening
const MOON = { x: 24, y: 19, radius: 11 }
const STARS = [
  [7, 13],
  [41, 8],
  [38, 31],
]

export class Home {
  #rows = []

  constructor() {
    this.#draw()
    setInterval(() => this.#draw(), REFRESH_INTERVAL)
  }

  /** Shows the latest of the user's conversations. */
  showRecent(rows) {
    this.#rows = rows.toSorted((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at)).slice(0, RECENT)
    this.#drawRecent()
  }

  #draw() {
    const now = new Date()
    const greeting = find("greeting")
    setText(greeting, strings.greeting[partOfDay(now)](greeting.dataset.name))
    find("sky").replaceChildren(...sky(now))
    this.#drawRecent()
  }

  #drawRecent() {
    const list = find("recent-rows")
    find("recent").hidden = !this.#rows.length
    while (list.children.length > this.#rows.length) list.lastElementChild.remove()
    this.#rows.forEach(({ id, title, updated_at }, index) => {
      const row = list.children[index] ?? list.appendChild(cloneTemplate("recent-template"))
      find("link", row).href = `/c/${id}/`
      setText(find("name", row), title || strings.untitled)
      showTimeAgo(find("time", row), updated_at)
    })
  }
}

// The sun on its way over the horizon; at night the moon as it is, with three stars.
const sky = (now) => {
  const passed = sunAt(now)
  const horizon = shape("path", { class: "sky__horizon", d: "M5 40H43" })
  if (passed === null) {
    const { x: cx, y: cy, radius: r } = MOON
    return [
      ...STARS.map(([cx, cy]) => shape("circle", { class: "sky__star", cx, cy, r: 1 })),
      shape("circle", { class: "sky__moon", cx, cy, r }),
      shape("path", { class: "sky__light", d: moonPath(moonAt(now), MOON) }),
      horizon,
    ]
  }
  const cx = 11 + 26 * passed
  const cy = 40 - 24 * Math.sin(Math.PI * passed)
  return [
    shape("circle", { class: "sky__glow", cx, cy, r: 14 }),
    shape("circle", { class: "sky__sun", cx, cy, r: 8 }),
    horizon,
  ]
}

const shape = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  return element
}
