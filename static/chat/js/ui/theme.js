/** Shows the page in a theme, "light" or "dark"; an empty one is the device's. */
export const showTheme = (theme) => {
  if (theme) document.documentElement.dataset.theme = theme
  else delete document.documentElement.dataset.theme
  // The color of a phone's bars: that of the theme, or of the device's.
  for (const meta of document.querySelectorAll("meta[name=theme-color]")) {
    const device = `(prefers-color-scheme: ${meta.dataset.theme})`
    meta.media = theme ? (meta.dataset.theme === theme ? "all" : "not all") : device
  }
}
