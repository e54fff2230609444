// A conversation that is only read: shared, reviewed or printed.

import { strings } from "../i18n/strings.js"
import { isRendering } from "../markdown/markdown_view.js"
import { listenForCopies } from "../messages/copy.js"
import { readonlyParts } from "../messages/parts/readonly.js"
import { isDrawingTypedText } from "../messages/parts/typed_text.js"
import { cloneTemplate, find, setText, showTime } from "../ui/dom.js"

const TEXT_TIMEOUT = 60_000 // ms that printing waits for the text, without which the paper is wrong
const IMAGE_TIMEOUT = 5_000 // ms that it then waits for images and diagrams
const POLL_INTERVAL = 100 // ms

const { messages, kind, author, sharedAt, token, userId } = JSON.parse(document.getElementById("page-data").textContent)
const isForPrint = kind === "print"
const list = find("thread")
listenForCopies(list)

const userName = isForPrint ? strings.you : author || strings.user
const imageUrl = (id) => (isForPrint ? `/api/attachments/${id}` : `/${kind}/images/${id}`)

if (sharedAt) {
  showTime(find("shared-at"), sharedAt)
  setText(find("shared-at"), strings.date(new Date(sharedAt))) // always with the day, and what is printed is read later
}

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
  setText(find("name", article), role === "user" ? userName : name || strings.assistant)
  showTime(find("sent-at", article), created_at)
  return article
}

document.documentElement.classList.toggle("no-clipboard", !navigator.clipboard)
find("print").addEventListener("click", printPage)
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true
})

if (userId) offerCopy()
if (isForPrint) await printPage()

// A reader may go on in a conversation of their own.
function offerCopy() {
  const button = find("continue")
  let key = null // of the copy: a click after one whose answer was lost does not make another
  button.addEventListener("click", async () => {
    if (button.ariaBusy) return
    button.ariaBusy = "true"
    showProblem("")
    try {
      const [{ copyShare, newKey }, { setPageUser }] = await Promise.all([
        import("../data/api.js"),
        import("../data/page_user.js"),
      ])
      setPageUser(userId, () => location.reload())
      key ??= newKey()
      const { id } = await copyShare(token, key)
      location.assign(`/c/${id}/`)
    } catch ({ message }) {
      showProblem(message)
    }
    button.ariaBusy = null
  })
  if (location.hash === "#continue") button.focus() // they came back from the login
}

function showProblem(sentence) {
  find("problem").hidden = !sentence
  setText(find("problem"), sentence)
}

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
  while (isRendering() || isDrawingTypedText()) await pause(POLL_INTERVAL)
}

async function imagesShown() {
  while (list.querySelector(".diagram[aria-busy=true]")) await pause(POLL_INTERVAL)
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})))
}

function pause(time) {
  return new Promise((resolve) => setTimeout(resolve, time))
}
