// The menu of a conversation, in the list and in the bar, and the actions of its entries.

import { strings } from "../i18n/strings.js"
import { Dialog } from "../ui/dialog.js"
import { find, setText } from "../ui/dom.js"
import { rememberFocus } from "../ui/focus.js"
import { Menu } from "../ui/menu.js"

export class ConversationMenu {
  #api
  #toast
  #open
  #hooks
  #element
  #menu
  #rename
  #chosen = null
  #deleting = new Set() // ids of conversations being deleted, whose updates do not count

  /**
   * `open(dialog, conversation)` opens the "share" or the "tools" dialog. Hooks: `onChanged(conversation)`; `onDeleted(id)` when it disappears, which returns
   * whether it was open; `onRestored(conversation, { wasOpen, canFocus })`, where `canFocus` tells that the focus did not move
   * meanwhile.
   */
  constructor({ menu, renameDialog }, api, { toast, open, ...hooks }) {
    this.#api = api
    this.#toast = toast
    this.#open = open
    this.#hooks = hooks
    this.#element = menu
    this.#menu = new Menu(menu, (entry) => this.#run(entry))
    this.#rename = new Dialog(renameDialog)
    renameDialog.querySelector("form").addEventListener("submit", ({ target }) => {
      const title = target.elements.title.value.trim()
      if (title) this.#change({ title })
    })
  }

  openFor(conversation, button, click) {
    this.#setChosen(conversation)
    this.#menu.open(button, click)
  }

  isDeleting(id) {
    return this.#deleting.has(id)
  }

  rename(conversation) {
    this.#setChosen(conversation)
    this.#rename.open()
    const { title } = this.#rename.element.querySelector("form").elements
    title.value = conversation.title
    title.select()
  }

  // Disappears at once, and comes back if that fails.
  async remove(conversation) {
    const { id } = conversation
    const deleting = this.#api.deleteConversation(id)
    this.#deleting.add(id)
    const wasOpen = this.#hooks.onDeleted(id)
    const isFocusKept = rememberFocus()
    this.#toast.show(strings.deleted(conversation.title || strings.untitled), {
      label: strings.undo,
      undo: () => this.#restore(conversation, deleting, wasOpen),
    })
    try {
      await deleting
    } catch (error) {
      if (error.status === 404) return // deleted elsewhere already
      this.#toast.show(error.message)
      this.#hooks.onRestored(conversation, { wasOpen, canFocus: isFocusKept() })
    } finally {
      this.#deleting.delete(id)
    }
  }

  async #restore(conversation, deleting, wasOpen) {
    const isFocusKept = rememberFocus()
    try {
      await deleting
      const restored = await this.#api.restoreConversation(conversation.id)
      this.#hooks.onRestored(restored, { wasOpen, canFocus: isFocusKept() })
    } catch (error) {
      this.#toast.show(error.status === 404 ? strings.tooLateToUndo : error.message)
    }
  }

  #setChosen(conversation) {
    const { id, is_pinned, is_archived, is_temporary } = conversation
    this.#chosen = conversation
    const entry = (name) => this.#element.querySelector(`[data-choice=${name}]`)
    for (const name of ["share", "rename", "pin", "archive"]) entry(name).hidden = is_temporary
    entry("tools").hidden = !conversation.allowed_tools?.length
    setText(find("label", entry("pin")), is_pinned ? strings.unpin : strings.pin)
    setText(find("label", entry("archive")), is_archived ? strings.unarchive : strings.archive)
    entry("markdown").href = this.#api.exportAddress(id, "markdown")
    entry("json").href = this.#api.exportAddress(id, "json")
    entry("print").href = `/c/${id}/print/`
  }

  #run(entry) {
    const conversation = this.#chosen
    const actions = {
      share: () => this.#open("share", conversation),
      tools: () => this.#open("tools", conversation),
      rename: () => this.rename(conversation),
      pin: () => this.#change({ is_pinned: !conversation.is_pinned }),
      archive: () => this.#archive(!conversation.is_archived),
      delete: () => this.remove(conversation),
    }
    actions[entry]?.()
  }

  async #archive(is_archived) {
    const { id, title } = this.#chosen
    if (!(await this.#change({ is_archived })) || !is_archived) return
    this.#toast.show(strings.archived(title || strings.untitled), {
      label: strings.undo,
      undo: () => this.#change({ is_archived: false }, id),
    })
  }

  // Resolves to whether it was saved.
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
