// The list of conversations: all of them, the archive, or the results of a search.

import {
  groupByDate,
  newList,
  snippetText,
  withFirstPage,
  withNextPage,
  withoutRow,
  withRow,
} from "../data/conversation_list.js"
import { strings } from "../i18n/strings.js"
import { find, setText } from "../ui/dom.js"
import { VirtualList } from "./virtual_list.js"

const TYPING_DELAY = 250 // ms without a key press until a search starts
const LOAD_MARGIN = "800px" // the next page is loaded this far from the end of the list

export class Sidebar {
  #element
  #api
  #menu
  #onOpen
  #onRecent
  #onRows
  #rows
  #list = newList("recent")
  #isArchive = false
  #current = null
  #requestedList = this.#list // shown once it is loaded
  #isLoaded = false
  #isLoadingPage = false
  #pendingRequests = 0
  #isOutdated = false // an update came while they were pending, so their responses may not have it
  #updates = 0 // number of updates so far
  #problem = ""
  #generation = 0 // counts the lists that were requested; the response to an earlier one is dropped
  #typingTimer
  #day = ""
  #observer
  #setMarkedText // loaded with the first search

  /**
   * `menu` is the ConversationMenu; `onOpen(address)` opens a conversation; `onRecent(rows)` gets those in the list, and
   * `onRows(rows)` those of the archive and of searches, too.
   */
  constructor(element, api, { menu, onOpen, onRecent, onRows }) {
    this.#element = element
    this.#api = api
    this.#menu = menu
    this.#onOpen = onOpen
    this.#onRecent = onRecent
    this.#onRows = onRows
    const scroller = find("list", element)
    this.#rows = new VirtualList(scroller, find("groups", element), {
      titleOf: (key) => strings.group[key] ?? strings.month(new Date(`${key}-15`)),
      fill: (row, item) => this.#fill(row, item),
      onEmpty: () => find("search", element).focus(),
    })
    this.#observer = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#loadNextPage(), {
      root: scroller,
      rootMargin: LOAD_MARGIN,
    })
    this.#listen()
  }

  async load() {
    await this.#show(newList("recent"))
  }

  /** Loads the first page again. The pages after it stay. */
  async reload() {
    const generation = this.#generation
    const updates = this.#updates
    if (this.#pendingRequests) {
      this.#isOutdated = true
      return
    }
    if (!this.#isLoaded) return this.#show(this.#requestedList)
    const pages = await this.#track(this.#firstPages(this.#list)).catch(() => null) // tried again with the next update
    if (!pages || generation !== this.#generation || updates !== this.#updates) return // after an update it is requested again
    const [others, pinned] = pages
    this.#problem = ""
    this.#set({
      ...this.#list,
      others: withFirstPage(this.#list.others, others),
      pinned: withFirstPage(this.#list.pinned, pinned),
    })
  }

  /** Marks the open conversation. */
  setCurrent(id) {
    this.#current = id
    this.#draw()
  }

  /** Takes a new or changed conversation. */
  update(conversation) {
    this.#updates += 1
    this.#isOutdated ||= this.#pendingRequests > 0
    this.#set(withRow(this.#list, conversation))
  }

  remove(id) {
    this.#updates += 1
    this.#isOutdated ||= this.#pendingRequests > 0
    this.#set(withoutRow(this.#list, id))
  }

  /** Returns the row of a conversation if the list has it. */
  rowOf(id) {
    const { pinned, others } = this.#list
    return [...pinned.items, ...others.items].find((row) => row.id === id)
  }

  focusOn(id) {
    return this.#rows.focusOnItem(id)
  }

  focusSearch() {
    find("search", this.#element).focus()
    find("search", this.#element).select()
  }

  async showArchive() {
    this.#isArchive = true
    find("search", this.#element).value = ""
    await this.#show(newList("archive"))
    find("archive-close", this.#element).focus()
  }

  /** The query of the search; empty if there is none. */
  get search() {
    return this.#list.query
  }

  #listen() {
    const search = find("search", this.#element)
    const list = find("list", this.#element)
    search.addEventListener("input", () => {
      clearTimeout(this.#typingTimer)
      this.#typingTimer = setTimeout(() => this.#search(search.value.trim()), TYPING_DELAY)
    })
    search.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return
      if (event.key === "ArrowDown" && this.#rows.focusOn(0)) event.preventDefault()
      if (event.key !== "Enter") return
      event.preventDefault() // or it would add a line to the field that gets the focus
      this.#openFirst(search.value.trim())
    })
    find("more", this.#element).addEventListener("click", () =>
      this.#isLoaded ? this.#loadNextPage() : this.#show(this.#requestedList),
    )
    find("archive-close", this.#element).addEventListener("click", () => {
      this.#isArchive = false
      search.focus()
      this.load()
    })
    list.addEventListener("click", (click) => {
      const button = click.target.closest("[data-ref=options]")
      if (button) this.#menu.openFor(this.#itemAt(button), button, click)
    })
    list.addEventListener("keydown", (event) => {
      const item = this.#itemAt(event.target)
      const action = { F2: "rename", Delete: "remove" }[event.key]
      if (!item || !action || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
      event.preventDefault()
      this.#menu[action](item)
    })
    setInterval(() => this.#day !== new Date().toDateString() && this.#draw(), 60_000)
  }

  #itemAt(element) {
    const id = element.closest("[data-id]")?.dataset.id
    return [...this.#list.pinned.items, ...this.#list.others.items].find((item) => item.id === id)
  }

  #search(query) {
    if (query === this.#requestedList.query) return undefined
    return this.#show(query ? newList("search", query) : newList(this.#isArchive ? "archive" : "recent"))
  }

  async #openFirst(query) {
    clearTimeout(this.#typingTimer)
    await this.#search(query)
    const [first] = this.#list.others.items
    if (query && first && this.#list.query === query) this.#onOpen(addressOf(first))
  }

  // The previous list stays until the new one is loaded.
  async #show(list) {
    const generation = ++this.#generation
    this.#requestedList = list
    this.#isLoadingPage = false
    let pages = null
    try {
      pages = await this.#track(this.#firstPages(list))
      if (generation !== this.#generation) return
    } catch {
      if (generation !== this.#generation) return
    }
    this.#isLoaded = Boolean(pages)
    this.#problem = pages ? "" : strings.listFailed
    const [others, pinned] = pages ?? [emptyPage, emptyPage]
    this.#rows.scrollToTop()
    this.#set({ ...list, others: withNextPage(list.others, others), pinned: withNextPage(list.pinned, pinned) })
    const { items, cursor } = this.#list.others
    setText(
      find("result-count", this.#element),
      list.query && pages ? strings.searchResults(items.length, Boolean(cursor)) : "",
    )
  }

  #firstPages({ kind, query: q }) {
    if (kind === "search") return Promise.all([this.#api.conversations({ q }), emptyPage, this.#loadMarks()])
    if (kind === "archive") return Promise.all([this.#api.conversations({ archived: true }), emptyPage])
    return Promise.all([this.#api.conversations({ pinned: false }), this.#api.conversations({ pinned: true })])
  }

  // Results are shown without marks if this fails.
  async #loadMarks() {
    this.#setMarkedText ??= (await import("./marked_text.js").catch(() => null))?.setMarkedText
  }

  // Requests again what an update may have overtaken.
  async #track(request) {
    this.#pendingRequests += 1
    try {
      return await request
    } finally {
      this.#pendingRequests -= 1
      if (!this.#pendingRequests && this.#isOutdated) {
        this.#isOutdated = false
        setTimeout(() => this.reload()) // after the response was applied
      }
    }
  }

  // Pinned conversations come first, so their pages do, too.
  async #loadNextPage() {
    const { kind, query: q, pinned } = this.#list
    const name = pinned.cursor ? "pinned" : "others"
    const { cursor } = this.#list[name]
    if (!cursor || this.#isLoadingPage) return
    const generation = this.#generation
    this.#isLoadingPage = true
    const filter = { search: { q }, archive: { archived: true }, recent: { pinned: name === "pinned" } }[kind]
    const page = await this.#track(this.#api.conversations({ ...filter, cursor })).catch(() => null)
    if (generation !== this.#generation) return
    this.#isLoadingPage = false
    this.#problem = page ? "" : strings.listFailed
    if (!page) return this.#draw()
    this.#set({ ...this.#list, [name]: withNextPage(this.#list[name], page) })
    this.#observeAgain()
  }

  // The observer reports changes only. If the end is still in view after a page, it has to be observed again.
  #observeAgain() {
    const more = find("more", this.#element)
    this.#observer.unobserve(more)
    if (!more.hidden) this.#observer.observe(more)
  }

  #set(list) {
    const couldGrow = hasMore(this.#list)
    this.#list = list
    this.#draw()
    if (hasMore(list) !== couldGrow) this.#observeAgain()
  }

  #draw() {
    const { kind, pinned, others } = this.#list
    const isEmpty = !pinned.items.length && !others.items.length
    this.#day = new Date().toDateString()
    find("list", this.#element).classList.toggle("sidebar__list--search", kind === "search")
    find("archive-head", this.#element).hidden = kind !== "archive"
    find("more", this.#element).hidden = !hasMore(this.#list) && !this.#problem
    setText(find("more", this.#element), this.#problem ? strings.tryAgain : strings.showMore)
    this.#rows.show(groupByDate(this.#list))
    const rows = [...pinned.items, ...others.items]
    this.#onRows(rows)
    if (kind === "recent") this.#onRecent(rows)
    find("list-message", this.#element).hidden = !this.#problem && !(isEmpty && this.#isLoaded)
    setText(find("list-message", this.#element), this.#problem || strings.emptyList[kind])
  }

  #fill(row, item) {
    const { id, title, is_archived, snippet, activity } = item
    const isResult = this.#list.kind === "search"
    const name = title || strings.untitled
    const link = find("link", row)
    link.setAttribute("href", addressOf(item))
    if (id === this.#current) link.setAttribute("aria-current", "page")
    else link.removeAttribute("aria-current")
    link.title = name
    const show = this.#setMarkedText ?? setText
    const words = isResult ? this.#list.query : ""
    show(find("name", row), isResult && is_archived ? strings.inArchive(name) : name, words)
    showActivity(find("activity", row), id === this.#current && activity !== "answering" ? null : activity)
    const snippetElement = find("snippet", row)
    snippetElement.hidden = !isResult || !snippet?.message_id
    show(snippetElement, snippetElement.hidden ? "" : snippetText(snippet), words)
    find("options", row).setAttribute("aria-label", strings.conversationOptions(name))
  }
}

const showActivity = (element, activity) => {
  element.hidden = !activity
  element.dataset.activity = activity ?? ""
  element.title = strings.conversationActivity[activity] ?? ""
  setText(find("sentence", element), element.title)
}

// A search result opens at the message that was found.
const addressOf = ({ id, snippet }) => `/c/${id}/${snippet?.message_id ? `#m-${snippet.message_id}` : ""}`

const hasMore = ({ pinned, others }) => Boolean(pinned.cursor ?? others.cursor)

const emptyPage = { items: [], next_cursor: null }
