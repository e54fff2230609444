// Where the page's parts meet.

import * as api from "./api.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { find, say } from "./dom.js";
import { Drawer } from "./drawer.js";
import { SocketFollower, StreamFollower } from "./follow.js";
import { Picker } from "./picker.js";
import { Scroll } from "./scroll.js";
import { setTransport, transport } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { Thread } from "./thread.js";
import { words } from "./words.js";

const page = JSON.parse(document.getElementById("page-data").textContent)
const siteName = document.body.dataset.site
const otherTabs = new BroadcastChannel("chat")

const addressOf = (id) => (id ? `/c/${id}/` : "/")
const idOf = (path) => path.match(/^\/c\/([0-9a-f-]+)\/$/i)?.[1] ?? null

// The parts

const makers = {
  sse: (id, listener) => new StreamFollower(listener, { ask: api.run }),
  websocket: (conversationId, listener) => new SocketFollower(listener, { conversationId, ask: api.run }),
}

const conversation = new Conversation(api, makers[transport()], {
  onChange: () => drawSoon(),
  onCreated(created) {
    history.replaceState(null, "", addressOf(created.id))
    composer.moveTo(created.id)
    nameIt(created)
  },
  onStarted(runId) {
    scroll.toEnd()
    announce(words.answering)
    sidebar.mark(conversation.id)
    sidebar.touch(conversation.id)
    otherTabs.postMessage({ conversationId: conversation.id, runId })
  },
  onEnded({ status, error }) {
    announce(error?.message || words[status] || words.answered)
    sidebar.touch(conversation.id)
  },
  onAnonymous: () => api.goToLogin(),
})

const composer = new Composer(find("composer"), {
  user: page.user,
  limit: page.maxTextLength,
  onSend: (text, key) => conversation.send(text, { key, assistant: picker.slug }),
  onStop: () => conversation.stop().catch(({ message }) => composer.stopFailed(message)),
})

const sidebar = new Sidebar(find("sidebar"), api, {
  onChanged(changed) {
    if (changed.id === conversation.id) nameIt(changed)
  },
  onDeleted(id) {
    otherTabs.postMessage({ conversationId: id, isDeleted: true })
    if (id === conversation.id) go(null)
  },
  onFailure: ({ message }) => composer.problem(message),
})

const picker = new Picker(find("picker"), document.getElementById("assistants"), () => {
  composer.startAnew()
  composer.focus()
})

const drawer = new Drawer(find("sidebar"), find("main"))

const nameOf = ({ assistant }) => picker.nameOf(assistant) ?? assistant ?? words.assistant
const thread = new Thread(find("thread"), nameOf)
const scroll = new Scroll(find("scroller"), find("thread"), (isAtEnd) => {
  find("to-end").hidden = isAtEnd
})

// Drawing: at most once a frame, and with a rest after a frame that cost much

let isDrawing = false
let rest = 0

function drawSoon() {
  if (isDrawing) return
  isDrawing = true
  const atNextFrame = () => requestAnimationFrame(draw)
  if (rest > 8) setTimeout(atNextFrame, rest)
  else atNextFrame()
}

function draw() {
  isDrawing = false
  const began = performance.now()
  thread.show(conversation.messages)
  composer.live(Boolean(conversation.live))
  find("main").classList.toggle("main--empty", !conversation.id && !conversation.messages.length)
  find("gone").hidden = !conversation.isGone
  find("composer").hidden = conversation.isGone
  say(find("connection"), conversation.isConnected ? "" : words.reconnecting)
  rest = 2 * (performance.now() - began)
}

const announce = (sentence) => say(find("live"), sentence)

// Going from one conversation to another

function nameIt({ title }) {
  const name = title || words.untitled
  say(find("title"), name)
  find("title").hidden = !conversation.id
  document.title = `${name} · ${siteName}`
}

async function show(id) {
  const opened = conversation.open(id)
  composer.open(id)
  sidebar.mark(id)
  drawer.close()
  announce("")
  if (!id) {
    picker.slug = null
    nameIt({})
  }
  if (matchMedia("(pointer: fine)").matches) composer.focus()
  scroll.toEnd()
  await Promise.all([opened, id && introduce(id)])
}

async function introduce(id) {
  const found = await api.conversation(id).catch(() => null)
  if (!found || id !== conversation.id) return
  nameIt(found)
  picker.slug = found.assistant
}

function go(id) {
  history.pushState(null, "", addressOf(id))
  show(id)
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-open]")
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  go(idOf(new URL(link.href).pathname))
})
addEventListener("popstate", () => show(idOf(location.pathname)))

// Buttons in and around messages

find("thread").addEventListener("click", async ({ target }) => {
  const retry = target.closest("[data-is=retry]")
  const copy = target.closest("[data-copy]")
  if (retry) {
    retry.disabled = true
    composer.problem("")
    const { message: id } = retry.closest("[data-message]").dataset
    await conversation.retry(id, { assistant: picker.slug }).catch(({ message }) => composer.problem(message))
    retry.disabled = false
    composer.focus()
  }
  if (copy) {
    const code = copy.dataset.copy === "code" && copy.closest(".code").querySelector("pre")
    const text = code ? code.textContent : thread.textAround(copy)
    await navigator.clipboard.writeText(text)
    const label = copy.querySelector("span") ?? copy
    say(label, words.copied)
    setTimeout(() => say(label, words.copy), 1500)
  }
})
find("to-end").addEventListener("click", () => scroll.toEnd())
document.documentElement.classList.toggle("no-clipboard", !navigator.clipboard)

// Settings

const wire = find("wire")
wire.checked = transport() === "websocket"
wire.addEventListener("change", () => {
  setTransport(wire.checked ? "websocket" : "sse")
  conversation.rewire(makers[transport()])
})
find("logout").addEventListener("submit", () => sessionStorage.clear()) // the next person at this screen finds no drafts

// A stream is open only while somebody may be looking

const look = () => (document.visibilityState === "visible" ? conversation.resume() : conversation.pause())
document.addEventListener("visibilitychange", look)
addEventListener("pagehide", () => conversation.pause())
addEventListener("pageshow", look)
addEventListener("focus", () => conversation.refresh())
addEventListener("online", () => {
  conversation.pause()
  look()
})

otherTabs.onmessage = ({ data: { conversationId, runId, isDeleted } }) => {
  if (isDeleted) sidebar.forget(conversationId)
  else sidebar.touch(conversationId)
  if (conversationId !== conversation.id) return
  if (isDeleted) conversation.refresh()
  else conversation.hearOf(runId)
}

api.assistants().then((items) => {
  picker.items = items
  drawSoon()
}, ({ message }) => composer.problem(message))
sidebar.load()
show(page.conversationId)
