// A conversation that is only read: shared, reviewed or printed.

import { strings } from "../i18n/strings.js"
import { isRendering } from "../markdown/markdown_view.js"
import { readonlyParts } from "../messages/parts/kinds.js"
import { cloneTemplate, find, setText, showTime } from "../ui/dom.js"

const TEXT_TIMEOUT = 60_000 // ms that printing waits for the text, without which the paper is wrong
const IMAGE_TIMEOUT = 5_000 // ms that it then waits for images and diagrams
const POLL_INTERVAL = 100 // ms

const { messages, kind } = JSON.parse(document.getElementById("page-data").textContent)
const isForPrint = kind === "print"
const list = find("thread")

const imageUrl = (id) => (isForPrint ? `/api/attachments/${id}` : `/${kind}/images/${id}`)

// Consecutive replies of one assistant share a heading.
let previous = null
for (const message of messages) {
  const continues = message.role === "assistant" && previous?.role === "assistant" && previous.name === message.name
  const article = continues ? list.lastElementChild : list.appendChild(newArticle(message))
  const options = { role: message.role, isForPrint, imageUrl }
  for (const part of message.parts) {
    const draw = readonlyParts[part.type]
    if (draw) find("parts", article).append(draw(part, options))
  }
  previous = message
}

function newArticle({ role, name, created_at }) {
  const article = cloneTemplate("message-template")
  article.classList.add(`transcript-message--${role}`)
  article.dataset.role = role
  setText(find("name", article), role === "user" ? strings.you : name || strings.assistant)
  showTime(find("sent-at", article), created_at)
  return article
}

document.documentElement.classList.toggle("no-clipboard", !navigator.clipboard)
find("print").addEventListener("click", printPage)
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true
})

if (isForPrint) await printPage()

// Prints in the light theme, which diagrams have to be redrawn for.
async function printPage() {
  const { dataset } = document.documentElement
  const { theme } = dataset
  dataset.theme = "light"
  if (!isForPrint) addEventListener("afterprint", () => setTheme(theme), { once: true })
  await Promise.all([document.fonts.ready, pause(0)]) // after which diagrams have noticed the new colors
  await Promise.race([textShown(), pause(TEXT_TIMEOUT)])
  await Promise.race([imagesShown(), pause(IMAGE_TIMEOUT)])
  print()
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
}

async function textShown() {
  while (isRendering()) await pause(POLL_INTERVAL)
}

async function imagesShown() {
  while (list.querySelector(".diagram[aria-busy=true]")) await pause(POLL_INTERVAL)
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})))
}

function pause(time) {
  return new Promise((resolve) => setTimeout(resolve, time))
}
