// The popovers of a message, loaded when they are first opened.

import { strings } from "../i18n/strings.js"
import { find } from "../ui/dom.js"

/**
 * `getRun(runId)`, `nameOf(message)`: see InfoPopover. `onRate(button, feedback)`: see RatingPopover. `assistants()` are those
 * that another answer may come from.
 */
export const createPopovers = ({ getRun, nameOf, onRate, assistants }) => {
  let info = null
  let regenerate = null
  let rating = null
  return {
    async openInfo(button, replies) {
      const { InfoPopover } = await load(import("./info.js"))
      info ??= new InfoPopover(find("about-popover"), { getRun, nameOf })
      await info.open(button, replies)
    },
    async openRegenerate(button, onChoose) {
      const { RegenerateMenu } = await load(import("./regenerate_menu.js"))
      regenerate ??= new RegenerateMenu(find("regenerate-menu-popover"), assistants)
      regenerate.open(button, onChoose)
    },
    /** As `openRegenerate`, with the assistants alone, and without the one of this slug. */
    async openAssistants(button, without, onChoose) {
      const { RegenerateMenu } = await load(import("./regenerate_menu.js"))
      regenerate ??= new RegenerateMenu(find("regenerate-menu-popover"), assistants)
      regenerate.open(button, onChoose, { hasInstructions: false, without })
    },
    async openRating(button, value) {
      const { RatingPopover } = await load(import("./rating.js"))
      rating ??= new RatingPopover(find("rating"), onRate)
      rating.open(button, value)
    },
  }
}

const load = (loading) =>
  loading.catch(() => {
    throw new Error(strings.unreachable)
  })
