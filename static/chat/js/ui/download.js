const REVOKE_DELAY = 60_000 // ms; until then the browser has begun the download

/** Downloads something as a file of this name. */
export const download = (content, type, name) => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([content], { type }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_DELAY)
}
