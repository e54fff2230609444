// The site as an app of its own: the worker that shows a page where there is no network, and the offer to install it.

// The page's policy lets no text become a script but through this, and this lets one through: the worker's address.
const onlyTheWorker = (address) => {
  const policy = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: () => address })
  return policy?.createScriptURL(address) ?? address
}

export const startWorker = (address) => {
  if (!navigator.serviceWorker) return // not in a secure context
  navigator.serviceWorker.register(onlyTheWorker(address)).catch(() => {}) // the site works without
}

// Shows the entry once the browser would install it; `entry` is a button.
export const offerInstall = (entry) => {
  let offer = null
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault() // no banner of the browser's own
    offer = event
    entry.hidden = false
  })
  addEventListener("appinstalled", () => {
    entry.hidden = true
  })
  entry.addEventListener("click", async () => {
    await offer.prompt()
    offer = null
    entry.hidden = true
  })
}
