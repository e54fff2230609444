// A conversation that is only read: shared, or to be printed.

import { copyOf, find, say, tellTime } from "./dom.js";
import { isGrowing, Prose } from "./prose.js";
import { hearButtons } from "./reading.js";
import { tellTongue } from "./tongue.js";
import { words } from "./words.js";

const LONGEST_WAIT = 5_000 // ms that printing waits for images and diagrams

const { messages, kind } = JSON.parse(document.getElementById("page-data").textContent)
const isForPrint = kind === "print"
const thread = find("thread")

const parts = {
  text({ text }, role) {
    if (role === "user") {
      const element = copyOf("words-template")
      say(element, text)
      tellTongue(element, text)
      return element
    }
    const element = document.createElement("div")
    element.className = "prose"
    tellTongue(element, text)
    new Prose(element).show(text, { done: true })
    return element
  },
  image({ id, width, height }) {
    const element = copyOf("image-template")
    element.alt = words.picture
    element.width = width
    element.height = height
    element.src = isForPrint ? `/api/attachments/${id}` : `/${kind}/images/${id}`
    return element
  },
  document({ name, text }) {
    const element = copyOf("document-template")
    say(find("name", element), name)
    say(find("text", element), text)
    element.open = isForPrint
    return element
  },
  tool_call({ name }) {
    const element = copyOf("used-template")
    say(element, words.used(words.tool(name)))
    return element
  },
}

// What answers in several pieces has one heading.
let before = null
for (const message of messages) {
  const isMore = message.role === "assistant" && before?.role === "assistant" && before.name === message.name
  const article = isMore ? thread.lastElementChild : thread.appendChild(newArticle(message))
  const place = find("parts", article)
  for (const part of message.parts) if (parts[part.type]) place.append(parts[part.type](part, message.role))
  before = message
}

function newArticle({ role, name, created_at }) {
  const article = copyOf("said-template")
  article.classList.add(`said--${role}`)
  say(find("name", article), role === "user" ? words.you : name || words.assistant)
  tellTime(find("said-at", article), created_at)
  return article
}

hearButtons(thread)
document.documentElement.classList.toggle("no-clipboard", !navigator.clipboard)
find("print").addEventListener("click", toPaper)
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true
})

if (isForPrint) await toPaper()

// Paper is light, and diagrams with it.
async function toPaper() {
  const { dataset } = document.documentElement
  const { theme } = dataset
  dataset.theme = "light"
  if (!isForPrint) addEventListener("afterprint", () => showTheme(theme), { once: true })
  await Promise.race([complete(), pause(LONGEST_WAIT)])
  print()
}

function showTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
}

async function complete() {
  await Promise.all([document.fonts.ready, pause(0)]) // by then, diagrams know that their colours have changed
  while (isGrowing() || thread.querySelector(".diagram[aria-busy=true]")) await pause(100)
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})))
}

function pause(time) {
  return new Promise((resolve) => setTimeout(resolve, time))
}
