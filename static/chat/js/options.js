// What can be done with a conversation: its menu in the list and in the bar, and what the entries do.

import { Dialog } from "./dialog.js";
import { find, say } from "./dom.js";
import { Menu } from "./menu.js";
import { words } from "./words.js";

export class Options {
  #api
  #toast
  #share
  #hooks
  #element
  #menu
  #rename
  #chosen = null
  #leaving = new Set() // being deleted: what is still heard of them is no news

  // `share(conversation)` opens that dialog. Hooks: onChanged(conversation) · onLeft(id): it is deleted, as far as one
  // sees · onBack(conversation): it is there again · onFailure(error).
  constructor({ menu, renameDialog }, api, { toast, share, ...hooks }) {
    this.#api = api
    this.#toast = toast
    this.#share = share
    this.#hooks = hooks
    this.#element = menu
    this.#menu = new Menu(menu, (entry) => this.#act(entry))
    this.#rename = new Dialog(renameDialog)
    renameDialog.querySelector("form").addEventListener("submit", ({ target }) => {
      const title = target.elements.title.value.trim()
      if (title) this.#change({ title })
    })
  }

  openFor(conversation, button, click) {
    this.#choose(conversation)
    this.#menu.open(button, click)
  }

  isLeaving(id) {
    return this.#leaving.has(id)
  }

  rename(conversation) {
    this.#choose(conversation)
    this.#rename.open()
    const { title } = this.#rename.element.querySelector("form").elements
    title.value = conversation.title
    title.select()
  }

  // At once for the eyes; should it fail, it comes back.
  async remove(conversation) {
    const { id } = conversation
    const deleting = this.#api.deleteConversation(id)
    this.#leaving.add(id)
    const wasOpen = this.#hooks.onLeft(id)
    this.#toast.show(words.deleted(conversation.title || words.untitled), {
      label: words.undo,
      undo: () => this.#restore(conversation, deleting, wasOpen),
    })
    try {
      await deleting
    } catch (error) {
      if (error.status === 404) return // somebody else was faster
      this.#toast.show(error.message)
      this.#hooks.onBack(conversation, wasOpen)
    } finally {
      this.#leaving.delete(id)
    }
  }

  async #restore(conversation, deleting, wasOpen) {
    try {
      await deleting
      const restored = await this.#api.restoreConversation(conversation.id)
      this.#hooks.onBack(restored, wasOpen)
    } catch (error) {
      this.#toast.show(error.status === 404 ? words.tooLateToUndo : error.message)
    }
  }

  #choose(conversation) {
    const { id, is_pinned, is_archived, is_temporary } = conversation
    this.#chosen = conversation
    const entry = (name) => this.#element.querySelector(`[data-entry=${name}]`)
    for (const name of ["share", "rename", "pin", "archive"]) entry(name).hidden = is_temporary
    say(find("words", entry("pin")), is_pinned ? words.unpin : words.pin)
    say(find("words", entry("archive")), is_archived ? words.unarchive : words.archive)
    entry("markdown").href = this.#api.exportAddress(id, "markdown")
    entry("json").href = this.#api.exportAddress(id, "json")
    entry("print").href = `/c/${id}/print/`
  }

  #act(entry) {
    const conversation = this.#chosen
    const acts = {
      share: () => this.#share(conversation),
      rename: () => this.rename(conversation),
      pin: () => this.#change({ is_pinned: !conversation.is_pinned }),
      archive: () => this.#archive(!conversation.is_archived),
      delete: () => this.remove(conversation),
    }
    acts[entry]?.()
  }

  async #archive(is_archived) {
    const { id, title } = this.#chosen
    if (!(await this.#change({ is_archived })) || !is_archived) return
    this.#toast.show(words.archived(title || words.untitled), {
      label: words.undo,
      undo: () => this.#change({ is_archived: false }, id),
    })
  }

  // Tells whether it is done.
  async #change(fields, id = this.#chosen.id) {
    try {
      this.#hooks.onChanged(await this.#api.changeConversation(id, fields))
      return true
    } catch (error) {
      this.#toast.show(error.message)
      return false
    }
  }
}
