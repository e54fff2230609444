// Draws diagrams in an iframe without origin and network, for markdown/diagram.js. A classic script, because a page without
// an origin cannot load modules.

/* global mermaid */

// Settings that the text of a diagram may not change.
const PROTECTED_SETTINGS = [
  "secure",
  "securityLevel",
  "startOnLoad",
  "maxTextSize",
  "maxEdges",
  "suppressErrorRendering",
  "htmlLabels",
  "theme",
  "themeCSS",
  "themeVariables",
  "fontFamily",
  "altFontFamily",
  "dompurifyConfig",
  "look",
  "layout",
]

// Hues that tell the items of a series apart: the slices of a pie, the periods of a timeline.
const HUES = [185, 32, 262, 95, 340, 215, 55, 305, 150, 10, 240, 75]

const seriesColors = (nameOf, saturation, lightness) =>
  Object.fromEntries(HUES.map((hue, index) => [nameOf(index), `hsl(${hue} ${saturation}% ${lightness}%)`]))

const seriesVariables = ({ background, text }) => {
  const isOnDark = isDark(background)
  const soft = (nameOf) => seriesColors(nameOf, 45, isOnDark ? 30 : 80)
  return {
    ...soft((index) => `pie${index + 1}`),
    ...soft((index) => `fillType${index}`),
    ...soft((index) => `git${index}`),
    ...Object.fromEntries(HUES.map((_, index) => [`gitBranchLabel${index}`, text])),
    ...soft((index) => `cScale${index}`),
    xyChart: { plotColorPalette: Object.values(seriesColors(String, 55, isOnDark ? 60 : 45)).join(",") },
  }
}

const mermaidConfig = ({ colors, font }) => ({
  startOnLoad: false,
  securityLevel: "strict",
  secure: PROTECTED_SETTINGS,
  maxTextSize: 20_000,
  maxEdges: 400,
  suppressErrorRendering: true,
  htmlLabels: false,
  flowchart: { htmlLabels: false },
  class: { htmlLabels: false },
  fontFamily: font,
  theme: "base",
  themeVariables: {
    darkMode: isDark(colors.background),
    background: colors.background,
    fontFamily: font,
    fontSize: "15px",
    primaryColor: colors["accent-soft"],
    primaryTextColor: colors.text,
    primaryBorderColor: colors.accent,
    secondaryColor: colors.surface,
    tertiaryColor: colors.surface,
    lineColor: colors["text-muted"],
    textColor: colors.text,
    mainBkg: colors["accent-soft"],
    nodeBorder: colors.accent,
    clusterBkg: colors.surface,
    clusterBorder: colors.border,
    edgeLabelBackground: colors.background,
    titleColor: colors.text,
    noteBkgColor: colors.surface,
    noteTextColor: colors.text,
    noteBorderColor: colors["border-strong"],
    errorTextColor: colors.text,
    pieOpacity: "1",
    pieStrokeColor: colors.background,
    pieOuterStrokeColor: colors.border,
    taskTextColor: colors.text,
    taskTextDarkColor: colors.text,
    taskTextLightColor: colors.text,
    taskTextOutsideColor: colors.text,
    activeTaskBkgColor: colors["accent-soft"],
    activeTaskBorderColor: colors.text,
    doneTaskBkgColor: colors.surface,
    doneTaskBorderColor: colors["border-strong"],
    critBkgColor: `hsl(0, 55%, ${isDark(colors.background) ? 32 : 80}%)`,
    critBorderColor: colors.text,
    altSectionBkgColor: colors.background,
    gridColor: colors.border,
    ...seriesVariables(colors),
  },
})

const isDark = (color) => {
  const [red, green, blue] = (color.match(/\d+/g) ?? [255, 255, 255]).map(Number) // rgb(…)
  return red + green + blue < 384
}

// Makes text readable on boxes that the diagram's source colors, in both themes.
const makeReadable = (drawing) => {
  for (const box of drawing.querySelectorAll(".node, .cluster")) {
    const shape = box.querySelector("rect, polygon, circle, ellipse, path")
    const background = shape && luminance(getComputedStyle(shape).fill)
    for (const text of box.querySelectorAll("text, tspan")) {
      const foreground = luminance(getComputedStyle(text).fill)
      if (background === null || foreground === null) continue
      if (contrast(foreground, background) >= MIN_CONTRAST) continue
      const color = contrast(0, background) > contrast(1, background) ? "black" : "white"
      text.style.setProperty("fill", color, "important")
    }
  }
}

const MIN_CONTRAST = 4.5 // WCAG AA
const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)

// The relative luminance of an opaque color, from 0 to 1; null of any other color.
const luminance = (color) => {
  const channels = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(color)?.slice(1)
  if (!channels) return null
  const [red, green, blue] = channels.map((channel) => (channel / 255) ** 2.2)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

let count = 0

const draw = async ({ source, theme }) => {
  mermaid.initialize(mermaidConfig(theme))
  count += 1
  const { svg } = await mermaid.render(`drawing-${count}`, source)
  const box = document.createElement("div")
  box.innerHTML = svg
  const drawing = box.querySelector("svg")
  const [, , width, height] = drawing
    .getAttribute("viewBox")
    .split(/[\s,]+/)
    .map(Number)
  drawing.setAttribute("width", width)
  drawing.setAttribute("height", height)
  drawing.style.backgroundColor = theme.colors.background // a downloaded picture is shown on any background
  document.body.append(box) // styles apply only in the document
  makeReadable(drawing)
  box.remove()
  const title = drawing.querySelector(":scope > title")?.textContent ?? ""
  return { svg: new XMLSerializer().serializeToString(drawing), width, height, title }
}

addEventListener("message", async ({ source, data }) => {
  if (source !== parent || source === window) return
  const result = await draw(data).catch((error) => ({
    error: {
      message: String(error?.message ?? error).slice(0, 1_000),
      token: String(error?.hash?.text ?? "").slice(0, 100),
    },
  }))
  parent.postMessage(result, "*") // `frame-ancestors` allows only this site as the parent
})
parent.postMessage({ isReady: true }, "*")
