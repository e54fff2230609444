// A conversation in the admin: draws its messages as its owner sees them, and loads the others in parts.

import { strings } from "../i18n/strings.js"
import { stepViews } from "../messages/parts/kinds.js"
import { readonlyParts } from "../messages/parts/readonly.js"
import { find } from "../ui/dom.js"

const options = { isForPrint: false, imageUrl: (id) => `/api/attachments/${id}` }
const rows = find("rows")
const sourceButton = find("source")

if (rows) {
  for (const row of rows.children) draw(row)
  sourceButton.hidden = false
  sourceButton.addEventListener("click", toggleSource)
  for (const place of document.querySelectorAll("[data-more]")) place.addEventListener("click", onMore)
  new IntersectionObserver(onLaterInSight, { rootMargin: "600px" }).observe(more("later"))
  document.getElementById(location.hash.slice(1))?.scrollIntoView()
}
document.addEventListener("click", onJump)

function draw(row) {
  const data = row.querySelector(":scope > script")
  if (!data) return
  const { role } = row.dataset
  const sources = find("source-parts", row).children
  const drawn = JSON.parse(data.textContent).map(
    (part, index) => drawPart(part, role, sources[index]) ?? sources[index].cloneNode(true),
  )
  find("drawn", row).append(...drawn)
  row.classList.add("row--drawn")
}

// Returns nothing for a part that the page shows to nobody, or whose image or file has been deleted.
function drawPart(part, role, source) {
  if ("gone" in source.dataset) return
  if (part.type === "file") return drawFile(part, source)
  const View = stepViews[part.type]
  if (!View) return readonlyParts[part.type]?.(part, { ...options, role })
  const view = new View()
  view.show({ ...part, state: stateOf(part) })
  return view.element
}

function drawFile(part, source) {
  const element = document.createElement("div")
  const link = readonlyParts.file(part, options)
  link.href = options.imageUrl(part.id)
  const notes = strings.fileNotes(part).map((note) => {
    const line = document.createElement("p")
    line.className = "note"
    line.textContent = note
    return line
  })
  element.className = "row__file"
  element.append(link, ...notes, find("read", source).cloneNode(true))
  return element
}

function stateOf({ type, result, error }) {
  if (type === "reasoning") return "done"
  if (typeof error === "string") return "failed"
  return typeof result === "string" ? "done" : "stopped"
}

function toggleSource() {
  const showsSource = document.body.classList.toggle("shows-source")
  sourceButton.setAttribute("aria-pressed", showsSource)
}

function more(direction) {
  return document.querySelector(`[data-more=${direction}]`)
}

function onMore(event) {
  if (!event.target.closest("a")) return
  event.preventDefault()
  load(event.currentTarget.dataset.more)
}

function onLaterInSight([{ isIntersecting }]) {
  if (isIntersecting) load("later")
}

async function load(direction) {
  const place = more(direction)
  const link = place.querySelector("a")
  if (!link || place.ariaBusy === "true") return
  place.ariaBusy = "true"
  try {
    const page = await fetchDocument(link.href)
    const added = [...find("rows", page).children].map((row) => document.adoptNode(row))
    for (const row of added) draw(row)
    const before = document.documentElement.scrollHeight
    if (direction === "later") rows.append(...added)
    else {
      rows.prepend(...added)
      scrollBy(0, document.documentElement.scrollHeight - before)
    }
    const next = page.querySelector(`[data-more=${direction}] a`)
    place.replaceChildren(...(next ? [document.adoptNode(next)] : []))
  } finally {
    place.ariaBusy = "false"
  }
}

// XMLHttpRequest, because it gives a document in which no script runs, without parsing text as HTML here.
function fetchDocument(url) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.responseType = "document"
    request.addEventListener("load", () => (request.response ? resolve(request.response) : reject(new Error(url))))
    request.addEventListener("error", () => reject(new Error(url)))
    request.open("GET", url)
    request.send()
  })
}

// A message that is on the page is not loaded again.
function onJump(event) {
  const link = event.target.closest('a[href^="?message="]')
  const target = link && document.getElementById(link.hash.slice(1))
  if (!target) return
  event.preventDefault()
  history.replaceState(null, "", link.href)
  target.scrollIntoView()
}
