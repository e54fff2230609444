// Where the page's parts meet.

import * as api from "./api.js";
import { find, say } from "./dom.js";
import { Frame } from "./frame.js";
import { stayAboveKeyboard } from "./keyboard.js";
import { Talk } from "./talk.js";
import { words } from "./words.js";

const page = JSON.parse(document.getElementById("page-data").textContent)
const siteName = document.body.dataset.site
const otherTabs = new BroadcastChannel("chat")

const addressOf = (id) => (id ? `/c/${id}/` : "/")
const idOf = (path) => path.match(/^\/c\/([0-9a-f-]+)\/$/i)?.[1] ?? null
const messageOf = (hash) => hash.match(/^#m-([0-9a-f-]+)$/i)?.[1] ?? null

const onAnonymous = () => api.goToLogin()

const frame = new Frame(page, api, {
  open: (address, options) => go(new URL(address, location.href), options),
  onHeard: (row) => talk.hear(row),
  onGone: () => talk.refresh(),
  onLate: () => talk.refresh(),
  onLikes(likes, before) {
    if (likes.transport !== before.transport) talk.liked(likes)
    if (JSON.stringify(likes) !== JSON.stringify(before)) otherTabs.postMessage(likes)
  },
  onLogout: () => talk.forget(),
  focus: () => talk.focus(),
  stop: () => talk.stop(),
  quote: () => talk.quote(),
  onAnonymous,
})

const talk = new Talk({
  user: page.user,
  limit: page.maxTextLength,
  likes: () => frame.likes,
  isTemporary: () => frame.isTemporary,
}, api, {
  onKnown: (row) => nameIt(row),
  onCreated(row) {
    history.replaceState(null, "", addressOf(row.id))
    nameIt(row)
  },
  onTouched: (id) => frame.touched(id),
  onAnonymous,
})

otherTabs.onmessage = ({ data: likes }) => frame.likedElsewhere(likes)

function nameIt(row) {
  const name = row?.title || words.untitled
  say(find("title"), name)
  find("title").hidden = !row
  document.title = `${name} · ${siteName}`
  if (row) frame.learned(row)
}

// Going from one conversation to another

async function show({ pathname, hash }, options) {
  const [id, messageId] = [idOf(pathname), messageOf(hash)]
  const isOpen = id && id === talk.id
  if (!isOpen) {
    if (!id) nameIt(null)
    frame.opened(id)
  }
  const shown = isOpen ? null : talk.show(id, options)
  await shown
  if (messageId && id === talk.id) await talk.reveal(messageId, frame.search)
}

function go(url, options) {
  history.pushState(null, "", url.pathname + url.hash)
  return show(url, options)
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-open]")
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  go(new URL(link.href))
})
addEventListener("popstate", () => show(location))

find("skip").addEventListener("click", (event) => {
  event.preventDefault() // the address is a conversation's
  talk.focus()
})

// Somebody may be looking, or not

const look = () => {
  const isVisible = document.visibilityState === "visible"
  talk.look(isVisible)
  frame.look(isVisible)
}
document.addEventListener("visibilitychange", look)
addEventListener("pagehide", () => {
  talk.look(false)
  frame.leave()
})
addEventListener("pageshow", look)
addEventListener("focus", () => talk.refresh())
addEventListener("online", () => {
  talk.look(false)
  look()
})

stayAboveKeyboard()
frame.load()
// Who was faster than this script keeps the keyboard where it is.
show(location, document.activeElement === document.body ? {} : { hasFocus: false })
