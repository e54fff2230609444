// Whether any tab of the site is visible. Each holds a shared lock while it is; without locks, in an insecure context, there
// are no notifications either.

const NAME = "visible tab"
let release = null

export const holdVisible = (isVisible) => {
  if (!navigator.locks || isVisible === Boolean(release)) return
  if (!isVisible) {
    release()
    release = null
    return
  }
  const hidden = new Promise((resolve) => {
    release = resolve
  })
  navigator.locks.request(NAME, { mode: "shared" }, () => hidden).catch(() => {})
}

export const isAnyVisible = async () => (await navigator.locks.query()).held.some(({ name }) => name === NAME)
