// Draws diagrams, inside a frame that has no origin and no network: see diagram.js for who asks. A classic script, because
// modules are not given to a page without an origin.

/* global mermaid */

const FIXED = [
  "secure", "securityLevel", "startOnLoad", "maxTextSize", "maxEdges", "suppressErrorRendering", "htmlLabels", "theme",
  "themeCSS", "themeVariables", "fontFamily", "altFontFamily", "dompurifyConfig", "look", "layout",
]

// What stands beside each other as a series is told apart by its hue: the slices of a pie, the periods of a timeline.
const HUES = [185, 32, 262, 95, 340, 215, 55, 305, 150, 10, 240, 75]

const series = (name, saturation, lightness) =>
  Object.fromEntries(HUES.map((hue, index) => [name(index), `hsl(${hue} ${saturation}% ${lightness}%)`]))

const seriesFor = ({ page, text }) => {
  const isOnDark = isDark(page)
  const soft = (name) => series(name, 45, isOnDark ? 30 : 80)
  return {
    ...soft((index) => `pie${index + 1}`),
    ...soft((index) => `fillType${index}`),
    ...soft((index) => `git${index}`),
    ...Object.fromEntries(HUES.map((_, index) => [`gitBranchLabel${index}`, text])),
    ...soft((index) => `cScale${index}`),
    xyChart: { plotColorPalette: Object.values(series(String, 55, isOnDark ? 60 : 45)).join(",") },
  }
}

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
    pieOpacity: "1",
    pieStrokeColor: colours.page,
    pieOuterStrokeColor: colours.line,
    taskTextColor: colours.text,
    taskTextDarkColor: colours.text,
    taskTextLightColor: colours.text,
    taskTextOutsideColor: colours.text,
    activeTaskBkgColor: colours["accent-soft"],
    activeTaskBorderColor: colours.text,
    doneTaskBkgColor: colours.panel,
    doneTaskBorderColor: colours.edge,
    critBkgColor: `hsl(0, 55%, ${isDark(colours.page) ? 32 : 80}%)`,
    critBorderColor: colours.text,
    altSectionBkgColor: colours.page,
    gridColor: colours.line,
    ...seriesFor(colours),
  },
})

const isDark = (colour) => {
  const [red, green, blue] = (colour.match(/\d+/g) ?? [255, 255, 255]).map(Number) // rgb(…)
  return red + green + blue < 384
}

// A box that the diagram itself gives a colour has words that can be read on it, in the dark as in the light.
const makeReadable = (drawing) => {
  for (const box of drawing.querySelectorAll(".node, .cluster")) {
    const shape = box.querySelector("rect, polygon, circle, ellipse, path")
    const ground = shape && brightness(getComputedStyle(shape).fill)
    for (const text of box.querySelectorAll("text, tspan")) {
      const own = brightness(getComputedStyle(text).fill)
      if (ground === null || own === null || contrast(own, ground) >= READABLE) continue
      text.style.setProperty("fill", contrast(0, ground) > contrast(1, ground) ? "black" : "white", "important")
    }
  }
}

const READABLE = 4.5 // as WCAG has it
const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)

// Of a colour without transparency, from 0 to 1; null of any other.
const brightness = (colour) => {
  const channels = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(colour)?.slice(1)
  if (!channels) return null
  const [red, green, blue] = channels.map((one) => (one / 255) ** 2.2)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
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
  document.body.append(box) // only there it has its styles
  makeReadable(drawing)
  box.remove()
  const title = drawing.querySelector(":scope > title")?.textContent ?? ""
  return { svg: new XMLSerializer().serializeToString(drawing), width, height, title }
}

addEventListener("message", async ({ source, data }) => {
  if (source !== parent || source === window) return
  const answer = await draw(data).catch((error) => ({ error: String(error?.message ?? error) }))
  parent.postMessage(answer, "*") // whoever has us in a frame; `frame-ancestors` lets only this site
})
parent.postMessage({ isReady: true }, "*")
