// The browser's notifications, for those who asked for them.

import { strings } from "../i18n/strings.js"
import { isAnyVisible } from "./visible_tabs.js"

const CLAIM_DURATION = 10_000 // ms; in this time all tabs have heard of an event

/** Asks the browser for permission, in a click. Resolves to whether it is given. */
export const askPermission = async () =>
  Boolean(globalThis.Notification && navigator.locks) && (await Notification.requestPermission()) === "granted"

/**
 * Notifies of what happened in a conversation, in one of the tabs and only if all are hidden. `showsTitle`: with the title of the
 * conversation. `onOpen(address)` is called if the user clicks it.
 */
export const notify = async ({ id, title, activity, updated_at }, { showsTitle, siteName, onOpen }) => {
  if (globalThis.Notification?.permission !== "granted" || !navigator.locks) return
  if ((await isAnyVisible()) || !(await claim(`notification ${id} ${activity} ${updated_at}`))) return
  const heading = (showsTitle && title) || siteName
  const address = `/c/${id}/`
  const options = { body: strings.notification[activity], tag: id, data: address }
  try {
    const notification = new Notification(heading, options)
    notification.onclick = () => {
      focus()
      notification.close()
      onOpen(address)
    }
  } catch {
    const worker = await navigator.serviceWorker?.ready // Chrome on Android allows only those of a worker
    await worker?.showNotification(heading, options)
  }
}

// Resolves to whether this tab is the first.
const claim = (name) =>
  new Promise((resolve) => {
    const hold = (lock) => {
      resolve(Boolean(lock))
      return lock && new Promise((done) => setTimeout(done, CLAIM_DURATION))
    }
    navigator.locks.request(name, { ifAvailable: true }, hold).catch(() => resolve(false))
  })
