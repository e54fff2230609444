/** Loads the stylesheet that a template names, for something that not every page needs. */
export const loadStylesheet = (template) =>
  new Promise((resolve, reject) => {
    const element = document.getElementById(template)
    if (!element) return resolve()
    const link = document.createElement("link")
    link.rel = "stylesheet"
    link.href = element.dataset.stylesheet
    link.addEventListener("load", resolve)
    link.addEventListener("error", reject)
    document.head.append(link)
  })
