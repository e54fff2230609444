// The service worker: where the site cannot be reached, it shows a page that says so. It answers for nothing else, and so
// nothing that people see is ever old. A click on a notification opens its conversation.

const PAGE = "{{ page|escapejs }}"
const FILES = [{% for file in files %}"{{ file|escapejs }}"{% if not forloop.last %}, {% endif %}{% endfor %}] // what that page needs
const NAME = ["offline", PAGE, ...FILES].join(" ") // other files, another cache

const addresses = FILES.map((file) => new URL(file, self.location).href)

self.addEventListener("install", (event) => event.waitUntil(keep()))
self.addEventListener("activate", (event) => event.waitUntil(begin()))
self.addEventListener("fetch", (event) => {
  const { mode, method, url } = event.request
  if (mode === "navigate" && method === "GET") event.respondWith(page(event))
  else if (addresses.includes(url)) event.respondWith(fetch(event.request).catch(() => kept(url)))
})

self.addEventListener("notificationclick", (event) => {
  event.notification.close()
  event.waitUntil(open(event.notification.data))
})

async function keep() {
  const cache = await caches.open(NAME)
  await cache.addAll([PAGE, ...addresses].map((address) => new Request(address, { cache: "reload" })))
  await self.skipWaiting()
}

async function begin() {
  for (const name of await caches.keys()) if (name !== NAME) await caches.delete(name)
  await self.registration.navigationPreload?.enable() // the page is asked for while the worker wakes up
  await self.clients.claim()
}

async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request))
  } catch {
    return kept(PAGE)
  }
}

async function open(address) {
  const [page] = await self.clients.matchAll({ type: "window" })
  if (!page) return self.clients.openWindow(address)
  await page.focus()
  return page.navigate(address)
}

const kept = async (address) => (await (await caches.open(NAME)).match(address)) ?? Response.error()
