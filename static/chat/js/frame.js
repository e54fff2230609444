// What stands around the open conversation: the list, menus and dialogs, shortcuts, and the news from other windows.

import { find } from "./dom.js";
import { Drawer } from "./drawer.js";
import { hasSingleKeys, Help } from "./help.js";
import { offerInstall, startWorker } from "./install.js";
import { shortcutOf } from "./keys.js";
import { Menu } from "./menu.js";
import { News } from "./news.js";
import { Options } from "./options.js";
import { Settings, showTheme } from "./settings.js";
import { ShareDialog } from "./share.js";
import { Sidebar } from "./sidebar.js";
import { Temporary } from "./temporary.js";
import { Toast } from "./toast.js";

const WRITING = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=button])"

export class Frame {
  #api
  #hooks
  #row = null // the open conversation as the server has it; null while that is unknown, and for a new one
  #openId = null
  #heardLast = null // a new conversation's news may come before the page knows its name
  #sidebar
  #drawer
  #toast
  #options
  #settings
  #help
  #temporary
  #news

  // `likes` is what the page was made with. Hooks: open(address, { hasFocus }) shows another conversation, and puts the
  // keyboard where one writes unless told not to; onHeard(row): something happened in the open one, or it is there again;
  // onGone(): it was deleted elsewhere; onLate(): something may have happened that nobody told; onLikes(likes, before);
  // focus() puts the keyboard where one writes; stop() ends the answer that is being written, quote() takes what is
  // selected, and both tell whether there was any; onLogout(): nothing of this person may stay in the browser;
  // onAnonymous() where the session ended.
  constructor({ likes, worker }, api, hooks) {
    this.#api = api
    this.#hooks = hooks
    this.#toast = new Toast(find("toast"), () => hooks.focus())
    const share = new ShareDialog(find("share-dialog"), api)
    this.#options = new Options({ menu: find("menu"), renameDialog: find("rename-dialog") }, api, {
      toast: this.#toast,
      share: (conversation) => share.open(conversation),
      onChanged: (row) => this.#heard(row),
      onLeft: (id) => this.#left(id),
      onBack: (row, wasOpen) => this.#back(row, wasOpen),
    })
    this.#sidebar = new Sidebar(find("sidebar"), api, { options: this.#options, onOpen: (address) => hooks.open(address) })
    this.#drawer = new Drawer(find("sidebar"), find("main"))
    this.#settings = new Settings(find("settings-dialog"), api, likes, {
      onChange: (now, before) => this.#liked(now, before),
      onImported: () => this.#sidebar.reload(),
    })
    this.#help = new Help(find("help-dialog"))
    this.#temporary = new Temporary(api, () => hooks.open("/"))
    this.#news = new News({
      onChanged: (row) => this.#options.isLeaving(row.id) || this.#heard(row),
      onDeleted: (id) => this.#forgotten(id),
      onReady: () => this.#sidebar.reload(), // it was asked for at once, and may be older than what is heard
      onAgain: () => {
        this.#sidebar.reload()
        hooks.onLate()
      },
      onAnonymous: () => hooks.onAnonymous(),
    })
    this.#listen()
    startWorker(worker)
  }

  get likes() {
    return this.#settings.likes
  }

  // What a link in the list was found by.
  get search() {
    return this.#sidebar.search
  }

  // Whether the new chat is to be a temporary one.
  get isTemporary() {
    return this.#temporary.isWanted
  }

  load() {
    this.#sidebar.load()
  }

  // The page shows this conversation now; null is a new one.
  opened(id) {
    this.#openId = id
    this.#row = null
    this.#sidebar.mark(id)
    this.#drawer.close()
    this.#temporary.opened(id)
    find("bar-options").hidden = true
  }

  // The open one as the server has it.
  learned(row) {
    const isNew = row.id !== this.#openId
    this.#openId = row.id
    this.#row = row
    if (this.#heardLast?.id === row.id && this.#heardLast.updated_at > row.updated_at) this.#heard(this.#heardLast)
    if (isNew) this.#sidebar.mark(row.id)
    this.#temporary.learned(row)
    find("bar-options").hidden = false
  }

  // Something happened in that conversation; where news come, they tell it.
  async touched(id) {
    if (this.#news.isConnected) return
    const row = await this.#api.conversation(id).catch(() => null)
    if (row) this.#heard(row)
  }

  // Liked in another tab.
  likedElsewhere(likes) {
    this.#settings.hear(likes)
  }

  look(isVisible) {
    if (isVisible) this.#news.show()
    else this.#news.hide()
  }

  leave() {
    this.#news.close()
  }

  #heard(row) {
    this.#heardLast = row
    this.#sidebar.hear(row)
    if (row.id !== this.#openId) return
    this.#row = row
    this.#hooks.onHeard(row)
  }

  #forgotten(id) {
    this.#sidebar.forget(id)
    if (id === this.#openId) this.#hooks.onGone()
  }

  // Deleted here. Tells whether it was open.
  #left(id) {
    const wasOpen = id === this.#openId
    const isInList = find("list").contains(document.activeElement)
    this.#sidebar.forget(id)
    if (wasOpen) this.#hooks.open("/", isInList ? { hasFocus: false } : {})
    return wasOpen
  }

  #back(row, wasOpen) {
    this.#sidebar.hear(row)
    if (wasOpen && !this.#openId) this.#hooks.open(`/c/${row.id}/`)
    else if (!this.#drawer.isOpen || !this.#sidebar.focusOn(row.id)) this.#hooks.focus()
  }

  #liked(now, before) {
    showTheme(now.theme)
    document.body.classList.toggle("without-steps", !now.shows_steps)
    if (now.language !== before.language) location.reload() // drafts are kept
    this.#hooks.onLikes(now, before)
  }

  #listen() {
    const account = new Menu(find("account-menu"), (entry) => ({
      settings: () => this.#settings.open(),
      archive: () => this.#sidebar.showArchive(),
      help: () => this.#help.open(),
    })[entry]?.())
    find("account").addEventListener("click", (click) => account.open(find("account"), click))
    offerInstall(document.querySelector("[data-entry=install]"))

    find("bar-options").addEventListener("click", (click) => {
      if (this.#row) this.#options.openFor(this.#row, find("bar-options"), click)
    })

    const logout = find("logout")
    logout.addEventListener("submit", async (event) => {
      event.preventDefault()
      await this.#temporary.end()
      this.#hooks.onLogout()
      sessionStorage.clear() // the next person at this screen finds nothing
      logout.submit()
    })

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
      undo: () => this.#toast.canUndo && this.#toast.undo(),
      settings: () => this.#settings.open(),
      help: () => this.#help.open(),
    }
    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || document.querySelector("dialog[open]")) return
      const isWriting = event.target.matches(WRITING)
      const name = shortcutOf(event, { isWriting, hasSingle: hasSingleKeys() })
      // Escape means what is open first, and in the search field its text.
      if (name === "stop" && (document.querySelector(":popover-open") || event.target.type === "search")) return
      if (name && commands[name]() !== false) event.preventDefault()
    })
  }
}

// As a press on the button of the last answer would; false where there is none.
const copyLastAnswer = () => {
  const buttons = [...document.querySelectorAll("[data-copy=message]")].filter((button) => button.checkVisibility())
  buttons.at(-1)?.click()
  return buttons.length > 0
}
