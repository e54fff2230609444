// The chat page: connects the open conversation with what surrounds it, and goes from one conversation to another.

import * as api from "../data/api.js"
import { announcePageUser, setPageUser } from "../data/page_user.js"
import { Preferences } from "../data/preferences.js"
import { strings } from "../i18n/strings.js"
import { find, setText } from "../ui/dom.js"
import { setPageTitle } from "../ui/page_mark.js"
import { sendKeyHere } from "../ui/send_key.js"
import { stayAboveKeyboard } from "../ui/soft_keyboard.js"
import { ConversationView } from "./conversation_view.js"
import { Shell } from "./shell.js"

const readJson = (id) => JSON.parse(document.getElementById(id).textContent)

const page = readJson("page-data")
const siteName = document.body.dataset.site

const addressOf = (id) => (id ? `/c/${id}/` : "/")
const conversationIdIn = (path) => path.match(/^\/c\/([0-9a-f-]+)\/$/i)?.[1] ?? null
const messageIdIn = (hash) => hash.match(/^#m-([0-9a-f-]+)$/i)?.[1] ?? null

// The page and all that it shows and sends is over: what it has not sent is stored for its own user.
setPageUser(page.userId, () => {
  document.body.hidden = true
  location.replace(page.anotherUser)
})
announcePageUser()

const onSignedOut = () => api.goToLogin()

const preferences = new Preferences(readJson("preferences-data"), new BroadcastChannel(`chat of ${page.userId}`))
preferences.onChange((values, before) => {
  if (values.transport !== before.transport) view.setTransport(values.transport)
})

const shell = new Shell({ preferences, worker: page.worker }, api, {
  open: (address, options) => navigate(new URL(address, location.href), options),
  onUpdated: (row) => view.update(row),
  onDeleted: () => view.refresh(),
  onMissed: () => view.refresh(),
  onLogout: () => view.clear(),
  focus: () => view.focus(),
  stop: () => view.stop(),
  quote: () => view.quote(),
  print: () => !find("beginning").hidden && printWhole(view.id),
  onSignedOut,
})

const view = new ConversationView(
  {
    user: page.user,
    isStaff: page.isStaff,
    limit: page.maxTextLength,
    maxFileSize: page.maxFileBytes,
    preferences: () => preferences.values,
    sendKey: () => sendKeyHere(preferences.values.send_key),
    isTemporary: () => shell.isTemporary,
  },
  api,
  {
    onLoaded: (row) => showTitle(row),
    onCreated(row) {
      history.replaceState(null, "", addressOf(row.id))
      showTitle(row)
    },
    onActivity: (id) => shell.onActivity(id),
    onNewChat: () => navigate(new URL("/", location.href)),
    onGone: () => showTitle({ title: strings.gone }, { isGone: true }),
    onSignedOut,
  },
)

// The page has only the end of a long conversation.
function printWhole(id) {
  open(`/c/${id}/print/`)
}

// `row` null: a new conversation.
function showTitle(row, { isGone = false } = {}) {
  setTitle(row, { isHidden: !row || isGone })
  if (isGone) shell.setOpen(view.id)
  else if (row) shell.setRow(row)
}

function setTitle(row, { isHidden }) {
  const title = row?.title || (row?.is_temporary ? strings.temporary : strings.untitled)
  setText(find("rename"), title)
  find("title").hidden = isHidden
  setPageTitle(`${title} · ${siteName}`)
}

// Until a conversation is loaded, it has the title that the list shows, or none, but not the one that was open before. What the
// server rendered stays.
function showTitleAhead(id) {
  const row = id ? shell.listedRow(id) : null
  if (row !== undefined || view.id) setTitle(row, { isHidden: !row })
}

// Navigation

async function show({ pathname, hash }, options) {
  const id = conversationIdIn(pathname)
  const messageId = messageIdIn(hash)
  const isOpen = id && id === view.id
  if (!isOpen) {
    showTitleAhead(id)
    shell.setOpen(id)
    await view.show(id, options)
  }
  if (messageId && id === view.id) await view.reveal(messageId, shell.search)
}

function navigate(url, options) {
  history.pushState(null, "", url.pathname + url.hash)
  return show(url, options)
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-open]")
  if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  navigate(new URL(link.href))
})
addEventListener("popstate", () => show(location))

find("skip").addEventListener("click", (event) => {
  event.preventDefault() // the address is a conversation's
  view.focus()
})

// Visibility and connection

const updateVisibility = () => {
  const isVisible = document.visibilityState === "visible"
  view.setVisible(isVisible)
  shell.setVisible(isVisible)
}
document.addEventListener("visibilitychange", updateVisibility)
addEventListener("pagehide", () => {
  view.setVisible(false)
  shell.disconnect()
})
addEventListener("pageshow", updateVisibility)
addEventListener("focus", () => view.refresh())
addEventListener("online", () => {
  view.setVisible(false)
  updateVisibility()
})

stayAboveKeyboard()
shell.load()
// If the user was faster than this script, the focus stays where they put it.
show(location, document.activeElement === document.body ? {} : { focusComposer: false })
