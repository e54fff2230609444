// The list of conversations: all of them, the archive, or what a search finds.

import { find, say } from "./dom.js";
import { extended, groupsOf, heard, newList, renewed, without } from "./listing.js";
import { Rows } from "./rows.js";
import { words } from "./words.js";

const TYPING = 250 // ms of rest before a search is asked for
const AHEAD = "800px" // how far from the end of what is loaded the next page is asked for

export class Sidebar {
  #element
  #api
  #options
  #onOpen
  #rows
  #list = newList("recent")
  #isArchive = false
  #current = null
  #wanted = this.#list // what was asked for last; the list shows it once it is there
  #isLoaded = false
  #isAsking = false // for a page
  #asked = 0 // answers that are on their way
  #isOutdated = false // there was news meanwhile, which they may not know
  #heard = 0 // news so far
  #problem = ""
  #turn = 0 // of another list; answers to an earlier one come too late
  #typing
  #day = ""
  #watcher

  // `options` is what a conversation's menu does; `onOpen(address)` opens one.
  constructor(element, api, { options, onOpen }) {
    this.#element = element
    this.#api = api
    this.#options = options
    this.#onOpen = onOpen
    const scroller = find("list", element)
    this.#rows = new Rows(scroller, find("groups", element), {
      titleOf: (key) => words.group[key] ?? words.month(new Date(`${key}-15`)),
      fill: (row, item) => this.#fill(row, item),
      onEmpty: () => find("search", element).focus(),
    })
    this.#watcher = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#more(), {
      root: scroller, rootMargin: AHEAD,
    })
    this.#listen()
  }

  async load() {
    await this.#show(newList("recent"))
  }

  // The list as it is by now; what lies further down stays loaded.
  async reload() {
    const [turn, known] = [this.#turn, this.#heard]
    if (this.#asked) return void (this.#isOutdated = true)
    if (!this.#isLoaded) return this.#show(this.#wanted)
    const pages = await this.#ask(this.#firstPages(this.#list)).catch(() => null) // another time, then
    if (!pages || turn !== this.#turn || known !== this.#heard) return // after news, it is asked for once more
    const [others, pinned] = pages
    this.#problem = ""
    this.#set({ ...this.#list, others: renewed(this.#list.others, others), pinned: renewed(this.#list.pinned, pinned) })
  }

  // This conversation is the open one.
  mark(id) {
    this.#current = id
    this.#draw()
  }

  // It is as in this row now.
  hear(conversation) {
    this.#heard += 1
    this.#isOutdated ||= this.#asked > 0
    this.#set(heard(this.#list, conversation))
  }

  forget(id) {
    this.#heard += 1
    this.#isOutdated ||= this.#asked > 0
    this.#set(without(this.#list, id))
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

  // The words that are looked for, if any.
  get search() {
    return this.#list.words
  }

  #listen() {
    const search = find("search", this.#element)
    const list = find("list", this.#element)
    search.addEventListener("input", () => {
      clearTimeout(this.#typing)
      this.#typing = setTimeout(() => this.#search(search.value.trim()), TYPING)
    })
    search.addEventListener("keydown", (event) => {
      if (event.isComposing || event.keyCode === 229) return
      if (event.key === "ArrowDown" && this.#rows.focusOn(0)) event.preventDefault()
      if (event.key !== "Enter") return
      event.preventDefault() // or it would make a line in the field that gets the keyboard
      this.#openFirst(search.value.trim())
    })
    find("more", this.#element).addEventListener("click", () => (this.#isLoaded ? this.#more() : this.#show(this.#wanted)))
    find("archive-close", this.#element).addEventListener("click", () => {
      this.#isArchive = false
      search.focus()
      this.load()
    })
    list.addEventListener("click", (click) => {
      const button = click.target.closest("[data-is=options]")
      if (button) this.#options.openFor(this.#itemAt(button), button, click)
    })
    list.addEventListener("keydown", (event) => {
      const item = this.#itemAt(event.target)
      const act = { F2: "rename", Delete: "remove" }[event.key]
      if (!item || !act || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
      event.preventDefault()
      this.#options[act](item)
    })
    setInterval(() => this.#day !== new Date().toDateString() && this.#draw(), 60_000)
  }

  #itemAt(element) {
    const id = element.closest("[data-id]")?.dataset.id
    return [...this.#list.pinned.items, ...this.#list.others.items].find((item) => item.id === id)
  }

  #search(found) {
    if (found === this.#wanted.words) return undefined
    return this.#show(found ? newList("search", found) : newList(this.#isArchive ? "archive" : "recent"))
  }

  async #openFirst(typed) {
    clearTimeout(this.#typing)
    await this.#search(typed)
    const [first] = this.#list.others.items
    if (typed && first && this.#list.words === typed) this.#onOpen(addressOf(first))
  }

  // What was shown before stays until the new list is there.
  async #show(list) {
    const turn = ++this.#turn
    this.#wanted = list
    this.#isAsking = false
    let pages = null
    try {
      pages = await this.#ask(this.#firstPages(list))
      if (turn !== this.#turn) return
    } catch {
      if (turn !== this.#turn) return
    }
    this.#isLoaded = Boolean(pages)
    this.#problem = pages ? "" : words.listFailed
    const [others, pinned] = pages ?? [nothing, nothing]
    this.#rows.rewind()
    this.#set({ ...list, others: extended(list.others, others), pinned: extended(list.pinned, pinned) })
    const { items, cursor } = this.#list.others
    say(find("found", this.#element), list.words && pages ? words.found(items.length, Boolean(cursor)) : "")
  }

  #firstPages({ kind, words: q }) {
    if (kind === "search") return Promise.all([this.#api.conversations({ q }), nothing])
    if (kind === "archive") return Promise.all([this.#api.conversations({ archived: true }), nothing])
    return Promise.all([this.#api.conversations({ pinned: false }), this.#api.conversations({ pinned: true })])
  }

  // An answer that news may have overtaken is asked for once more.
  async #ask(answer) {
    this.#asked += 1
    try {
      return await answer
    } finally {
      this.#asked -= 1
      if (!this.#asked && this.#isOutdated) {
        this.#isOutdated = false
        setTimeout(() => this.reload()) // once the answer is in its place
      }
    }
  }

  // The pinned ones come first, so their pages do, too.
  async #more() {
    const { kind, words: q, pinned, others } = this.#list
    const name = pinned.cursor ? "pinned" : "others"
    const { cursor } = this.#list[name]
    if (!cursor || this.#isAsking) return
    const turn = this.#turn
    this.#isAsking = true
    const asked = { search: { q }, archive: { archived: true }, recent: { pinned: name === "pinned" } }[kind]
    const page = await this.#ask(this.#api.conversations({ ...asked, cursor })).catch(() => null)
    if (turn !== this.#turn) return
    this.#isAsking = false
    this.#problem = page ? "" : words.listFailed
    if (!page) return this.#draw()
    this.#set({ ...this.#list, [name]: extended(this.#list[name], page) })
    this.#watchAgain()
  }

  // It tells of a change only; what is still in sight after a page would not bring the next one.
  #watchAgain() {
    const more = find("more", this.#element)
    this.#watcher.unobserve(more)
    if (!more.hidden) this.#watcher.observe(more)
  }

  #set(list) {
    const couldGrow = hasMore(this.#list)
    this.#list = list
    this.#draw()
    if (hasMore(list) !== couldGrow) this.#watchAgain()
  }

  #draw() {
    const { kind, pinned, others } = this.#list
    const isEmpty = !pinned.items.length && !others.items.length
    this.#day = new Date().toDateString()
    find("list", this.#element).classList.toggle("sidebar__list--found", kind === "search")
    find("archive-head", this.#element).hidden = kind !== "archive"
    find("more", this.#element).hidden = !hasMore(this.#list) && !this.#problem
    say(find("more", this.#element), this.#problem ? words.again : words.more)
    this.#rows.show(groupsOf(this.#list))
    find("none", this.#element).hidden = !this.#problem && !(isEmpty && this.#isLoaded)
    say(find("none", this.#element), this.#problem || words.none[kind])
  }

  #fill(row, item) {
    const { id, title, is_archived, snippet } = item
    const isFound = this.#list.kind === "search"
    const name = title || words.untitled
    const link = find("link", row)
    link.setAttribute("href", addressOf(item))
    if (id === this.#current) link.setAttribute("aria-current", "page")
    else link.removeAttribute("aria-current")
    link.title = name
    say(find("name", row), isFound && is_archived ? words.inArchive(name) : name)
    const place = find("snippet", row)
    place.hidden = !isFound || !snippet?.message_id
    for (const part of ["before", "match", "after"]) say(find(part, place), place.hidden ? "" : snippet[part])
    find("options", row).setAttribute("aria-label", words.options(name))
  }
}

// Where it was found in a message, that is where it opens.
const addressOf = ({ id, snippet }) => `/c/${id}/${snippet?.message_id ? `#m-${snippet.message_id}` : ""}`

const hasMore = ({ pinned, others }) => Boolean(pinned.cursor ?? others.cursor)

const nothing = { items: [], next_cursor: null }
