// On the page without a connection: goes on as soon as there is one.

const EVERY = 5_000 // ms

const look = async () => {
  const answer = await fetch("/health", { cache: "no-store" }).catch(() => null)
  if (answer?.ok) location.reload()
}

addEventListener("online", look)
setInterval(look, EVERY)
