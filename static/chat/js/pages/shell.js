// What surrounds the open conversation: the sidebar, menus and dialogs, shortcuts, and updates from other windows.

import { Attention } from "../data/attention.js"
import { hasSingleKeys } from "../data/single_keys.js"
import { Updates } from "../data/updates.js"
import { strings } from "../i18n/strings.js"
import { ConversationMenu } from "../sidebar/conversation_menu.js"
import { Drawer } from "../sidebar/drawer.js"
import { Sidebar } from "../sidebar/sidebar.js"
import { TemporaryChat } from "../sidebar/temporary.js"
import { find } from "../ui/dom.js"
import { offerInstall, startWorker } from "../ui/install.js"
import { LazyLibrary } from "../ui/lazy_library.js"
import { Menu } from "../ui/menu.js"
import { markPage } from "../ui/page_mark.js"
import { shortcutOf } from "../ui/shortcuts.js"
import { showTheme } from "../ui/theme.js"
import { Toast } from "../ui/toast.js"
import { holdVisible } from "../ui/visible_tabs.js"
import { Home } from "./home.js"

const TEXT_FIELDS = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button])"

export class Shell {
  #api
  #hooks
  #row = null // of the open conversation, as the server has it; null while unknown, and for a new one
  #openId = null
  #lastUpdate = null // the update of a new conversation may arrive before its id
  #sidebar
  #drawer
  #home = new Home()
  #toast
  #conversationMenu
  #dialogs
  #temporary
  #updates
  #attention

  /**
   * Hooks: `open(address, { focusComposer })` shows another conversation, and focuses the composer unless told not to;
   * `onUpdated(row)` when the open conversation changed or was restored; `onDeleted()` when it was deleted elsewhere;
   * `onMissed()` when updates may have been missed; `focus()` focuses the composer;
   * `stop()` stops the answer and `quote()` quotes the selection, and both return whether there was one; `print()`
   * returns false if the browser is to print the page; `onLogout()`
   * removes the user's data from this browser; `onSignedOut()` when the session has ended.
   */
  constructor({ preferences, worker }, api, hooks) {
    this.#api = api
    this.#hooks = hooks
    this.#toast = new Toast(find("toast"), () => hooks.focus())
    preferences.onChange(applyPreferences)
    this.#dialogs = lazyDialogs(api, preferences, {
      onChanged: (row) => this.#update(row),
      onImported: () => this.#sidebar.reload(),
    })
    this.#attention = new Attention({
      onCount: markPage,
      onSeen: (id) => this.#updates.see(id),
      onEvent: (row) => notifyOf(row, preferences.values.notifications, hooks.open),
    })
    this.#conversationMenu = new ConversationMenu({ menu: find("menu"), renameDialog: find("rename-dialog") }, api, {
      toast: this.#toast,
      open: (dialog, conversation) => this.#open(dialog, conversation),
      onChanged: (row) => this.#update(row),
      onDeleted: (id) => this.#onDeletedHere(id),
      onRestored: (row, options) => this.#onRestored(row, options),
    })
    this.#sidebar = new Sidebar(find("sidebar"), api, {
      menu: this.#conversationMenu,
      onOpen: (address) => hooks.open(address),
      onRecent: (rows) => this.#home.showRecent(rows),
      onRows: (rows) => this.#attention.take(rows),
    })
    this.#drawer = new Drawer(find("sidebar"), find("main"))
    this.#updates = new Updates({
      onChanged: (row) => this.#conversationMenu.isDeleting(row.id) || this.#update(row),
      onDeleted: (id) => this.#onDeletedElsewhere(id),
      onReady: () => this.#sidebar.reload(), // the first list may be older than the first update
      onMissed: () => {
        this.#sidebar.reload()
        hooks.onMissed()
      },
      onSignedOut: () => hooks.onSignedOut(),
    })
    this.#temporary = new TemporaryChat(api, this.#updates, () => hooks.open("/"))
    this.#listenToButtons()
    this.#listenToShortcuts()
    startWorker(worker)
  }

  /** The search whose results the sidebar shows. */
  get search() {
    return this.#sidebar.search
  }

  /** Whether the next new chat is a temporary one. */
  get isTemporary() {
    return this.#temporary.isWanted
  }

  /** Returns the row of a conversation that the sidebar lists; it may be older than the server's. */
  listedRow(id) {
    return this.#sidebar.rowOf(id)
  }

  load() {
    this.#sidebar.load()
  }

  /** The page shows this conversation; null is a new one. */
  setOpen(id) {
    this.#openId = id
    this.#row = null
    this.#sidebar.setCurrent(id)
    this.#attention.setOpen(id)
    this.#drawer.close()
    this.#temporary.onOpened(id)
    showRowButtons(null)
  }

  /** Takes the row of the open conversation. */
  setRow(row) {
    const isNew = row.id !== this.#openId
    this.#openId = row.id
    this.#row = row
    const hasNewerUpdate = this.#lastUpdate?.id === row.id && this.#lastUpdate.updated_at > row.updated_at
    if (hasNewerUpdate) this.#update(this.#lastUpdate)
    if (isNew) this.#sidebar.setCurrent(row.id)
    this.#attention.setOpen(row.id)
    this.#attention.take([row])
    this.#temporary.onLoaded(row)
    showRowButtons(row)
  }

  /** This page did something in a conversation. Without a connection for updates, its row is fetched. */
  async onActivity(id) {
    if (this.#updates.isConnected) return
    const row = await this.#api.conversation(id).catch(() => null)
    if (row) this.#update(row)
  }

  setVisible(isVisible) {
    if (isVisible) this.#updates.show()
    else this.#updates.hide()
    holdVisible(isVisible)
    this.#attention.setVisible(isVisible)
  }

  /** The page is left, and perhaps kept for going back. */
  disconnect() {
    holdVisible(false)
    this.#updates.close()
  }

  #open(dialog, ...args) {
    this.#dialogs[dialog].use(
      (loaded) => loaded.open(...args),
      () => this.#toast.show(strings.unreachable),
    )
  }

  #update(row) {
    this.#lastUpdate = row
    this.#attention.take([row], { isNews: true })
    this.#sidebar.update(row)
    if (row.id !== this.#openId) return
    this.#row = row
    this.#hooks.onUpdated(row)
  }

  #onDeletedElsewhere(id) {
    this.#attention.remove(id)
    this.#sidebar.remove(id)
    if (id === this.#openId) this.#hooks.onDeleted()
  }

  // Returns whether the conversation was open.
  #onDeletedHere(id) {
    const wasOpen = id === this.#openId
    const isFocusInList = find("list").contains(document.activeElement)
    this.#attention.remove(id)
    this.#sidebar.remove(id)
    if (wasOpen) this.#hooks.open("/", isFocusInList ? { focusComposer: false } : {})
    return wasOpen
  }

  #onRestored(row, { wasOpen, canFocus }) {
    this.#sidebar.update(row)
    if (wasOpen && !this.#openId) this.#hooks.open(`/c/${row.id}/`, canFocus ? {} : { focusComposer: false })
    else if (!canFocus) return
    else if (!this.#drawer.isOpen || !this.#sidebar.focusOn(row.id)) this.#hooks.focus()
  }

  #listenToButtons() {
    const accountActions = {
      settings: () => this.#open("settings"),
      archive: () => this.#sidebar.showArchive(),
      help: () => this.#open("help"),
    }
    const accountMenu = new Menu(find("account-menu"), (entry) => accountActions[entry]?.())
    find("account").addEventListener("click", (click) => accountMenu.open(find("account"), click))
    offerInstall(document.querySelector("[data-choice=install]"))

    find("bar-options").addEventListener("click", (click) => {
      if (this.#row) this.#conversationMenu.openFor(this.#row, find("bar-options"), click)
    })
    find("rename").addEventListener("click", () => this.#row && this.#conversationMenu.rename(this.#row))
    find("share").addEventListener("click", () => this.#row && this.#open("share", this.#row))

    const logout = find("logout")
    logout.addEventListener("submit", async (event) => {
      event.preventDefault()
      await this.#temporary.end()
      this.#hooks.onLogout()
      sessionStorage.clear() // the next user of this browser sees nothing of it
      logout.submit()
    })
  }

  #listenToShortcuts() {
    const commands = {
      newChat: () => this.#hooks.open("/"),
      search: () => {
        this.#drawer.open()
        this.#sidebar.focusSearch()
      },
      sidebar: () => this.#drawer.toggle(),
      composer: () => {
        this.#drawer.close()
        this.#hooks.focus()
      },
      stop: () => this.#hooks.stop(),
      copyAnswer: () => copyLastAnswer(),
      quote: () => this.#hooks.quote(),
      print: () => this.#hooks.print(),
      undo: () => this.#toast.canUndo && this.#toast.undo(),
      settings: () => this.#open("settings"),
      help: () => this.#open("help"),
    }
    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || document.querySelector("dialog[open]")) return
      const isWriting = event.target.matches(TEXT_FIELDS)
      const name = shortcutOf(event, { isWriting, hasSingle: hasSingleKeys() })
      // Escape first closes a popover, or clears the search field.
      if (name === "stop" && (document.querySelector(":popover-open") || event.target.type === "search")) return
      if (name && commands[name]() !== false) event.preventDefault()
    })
  }
}

// The buttons in the bar that need the row of the open conversation. A temporary one has no name, and no links.
function showRowButtons(row) {
  find("bar-options").hidden = !row
  find("share").hidden = !row || row.is_temporary
  find("rename").disabled = !row || row.is_temporary
}

// `preference`: "plain" or "title"; empty: the user wants no notifications.
async function notifyOf(row, preference, onOpen) {
  if (!preference || document.visibilityState === "visible") return
  const options = { showsTitle: preference === "title", siteName: document.body.dataset.site, onOpen }
  const { notify } = await import("../ui/notifications.js")
  await notify(row, options)
}

function applyPreferences(values, before) {
  showTheme(values.theme)
  document.body.classList.toggle("without-steps", !values.shows_steps)
  if (values.language !== before.language) location.reload() // drafts are kept
}

// Dialogs that are loaded when they are first opened.
const lazyDialogs = (api, preferences, { onChanged, onImported }) => ({
  share: new LazyLibrary(async () => {
    const { ShareDialog } = await import("../dialogs/share.js")
    return new ShareDialog(find("share-dialog"), api)
  }),
  tools: new LazyLibrary(async () => {
    const { ToolsDialog } = await import("../dialogs/tools.js")
    return new ToolsDialog(find("tools-dialog"), api, { onChanged })
  }),
  settings: new LazyLibrary(async () => {
    const { SettingsDialog } = await import("../dialogs/settings.js")
    return new SettingsDialog(find("settings-dialog"), api, preferences, { onImported })
  }),
  help: new LazyLibrary(async () => {
    const { HelpDialog } = await import("../dialogs/help.js")
    return new HelpDialog(find("help-dialog"))
  }),
})

// Presses the copy button of the last answer. Returns false if there is none.
const copyLastAnswer = () => {
  const buttons = [...document.querySelectorAll("[data-copy=message]")].filter((button) => button.checkVisibility())
  buttons.at(-1)?.click()
  return buttons.length > 0
}
