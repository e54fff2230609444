// The popovers of a message, loaded when they are first opened.

import { strings } from "../i18n/strings.js"
import { find } from "../ui/dom.js"

/** `getRun(runId)`, `nameOf(message)`: see InfoPopover. `onRate(button, feedback)`: see RatingPopover. */
export const createPopovers = ({ getRun, nameOf, onRate }) => {
  let info = null
  let rating = null
  return {
    async openInfo(button, replies) {
      const { InfoPopover } = await load(import("./info.js"))
      info ??= new InfoPopover(find("about-popover"), { getRun, nameOf })
      await info.open(button, replies)
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
