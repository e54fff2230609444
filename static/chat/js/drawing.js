// Draws diagrams, inside a frame that has no origin and no network: see diagram.js for who asks. A classic script, because
// modules are not given to a page without an origin.

/* global mermaid */

const FIXED = [
  "secure", "securityLevel", "startOnLoad", "maxTextSize", "maxEdges", "suppressErrorRendering", "htmlLabels", "theme",
  "themeCSS", "themeVariables", "fontFamily", "altFontFamily", "dompurifyConfig", "look", "layout",
]

const configured = ({ colours, font }) => ({
  startOnLoad: false,
  securityLevel: "strict",
  secure: FIXED, // the text of a diagram may not change these
  maxTextSize: 20_000,
  maxEdges: 400,
  suppressErrorRendering: true,
  htmlLabels: false,
  flowchart: { htmlLabels: false },
  class: { htmlLabels: false },
  fontFamily: font,
  theme: "base",
  themeVariables: {
    darkMode: isDark(colours.page),
    background: colours.page,
    fontFamily: font,
    fontSize: "15px",
    primaryColor: colours["accent-soft"],
    primaryTextColor: colours.text,
    primaryBorderColor: colours.accent,
    secondaryColor: colours.panel,
    tertiaryColor: colours.panel,
    lineColor: colours.muted,
    textColor: colours.text,
    mainBkg: colours["accent-soft"],
    nodeBorder: colours.accent,
    clusterBkg: colours.panel,
    clusterBorder: colours.line,
    edgeLabelBackground: colours.page,
    titleColor: colours.text,
    noteBkgColor: colours.panel,
    noteTextColor: colours.text,
    noteBorderColor: colours.edge,
    errorTextColor: colours.text,
  },
})

const isDark = (colour) => {
  const [red, green, blue] = (colour.match(/\d+/g) ?? [255, 255, 255]).map(Number) // rgb(…)
  return red + green + blue < 384
}

let count = 0

const draw = async ({ source, look }) => {
  mermaid.initialize(configured(look))
  const { svg } = await mermaid.render(`drawing-${(count += 1)}`, source)
  const box = document.createElement("div")
  box.innerHTML = svg
  const drawing = box.querySelector("svg")
  const [, , width, height] = drawing.getAttribute("viewBox").split(/[\s,]+/).map(Number)
  drawing.setAttribute("width", width)
  drawing.setAttribute("height", height)
  const title = drawing.querySelector(":scope > title")?.textContent ?? ""
  return { svg: new XMLSerializer().serializeToString(drawing), width, height, title }
}

addEventListener("message", async ({ source, data }) => {
  if (source !== parent || source === window) return
  const answer = await draw(data).catch((error) => ({ error: String(error?.message ?? error) }))
  parent.postMessage(answer, "*") // whoever has us in a frame; `frame-ancestors` lets only this site
})
parent.postMessage({ isReady: true }, "*")
