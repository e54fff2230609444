// The site as an installed app: the service worker with its offline page, and the button that installs the app.

// Trusted Types let text become a script only through this policy, and it passes only the worker's URL.
const trustedScriptUrl = (url) => {
  const policy = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: () => url })
  return policy?.createScriptURL(url) ?? url
}

export const startWorker = (url) => {
  if (!navigator.serviceWorker) return // in an insecure context
  navigator.serviceWorker.register(trustedScriptUrl(url)).catch(() => {}) // the site works without it
}

/** Shows the button once the browser offers to install the app. */
export const offerInstall = (button) => {
  let offer = null
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault() // instead of the browser's own banner
    offer = event
    button.hidden = false
  })
  addEventListener("appinstalled", () => {
    button.hidden = true
  })
  button.addEventListener("click", async () => {
    await offer.prompt()
    offer = null
    button.hidden = true
  })
}
