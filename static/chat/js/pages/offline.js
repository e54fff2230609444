// The page that is shown without a connection: reloads as soon as the server can be reached.

const CHECK_INTERVAL = 5_000 // ms

const check = async () => {
  const response = await fetch("/health", { cache: "no-store" }).catch(() => null)
  if (response?.ok) location.reload()
}

addEventListener("online", check)
setInterval(check, CHECK_INTERVAL)
