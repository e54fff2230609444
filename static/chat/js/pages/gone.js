// What the page shows in place of a conversation that is gone, until another one is opened or this one is restored.

import { find } from "../ui/dom.js"

/** `onGone()` is called when it is shown. The focus moves to the way back, or to the composer when it is over. */
export const showGone = (isGone, { onGone, focusComposer }) => {
  const [notice, form] = [find("deleted"), find("composer")]
  if (form.hidden === isGone) return
  const hadFocus = [notice, form].some((element) => element.contains(document.activeElement))
  notice.hidden = !isGone
  form.hidden = isGone
  find("main").classList.toggle("main--gone", isGone)
  if (isGone) onGone()
  if (!hadFocus) return
  if (isGone) notice.querySelector("a").focus()
  else focusComposer()
}
