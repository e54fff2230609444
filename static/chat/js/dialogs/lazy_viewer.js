import { strings } from "../i18n/strings.js"
import { LazyLibrary } from "../ui/lazy_library.js"

/** Returns the viewer of attachments, which is loaded when it is first used. */
export const lazyViewer = (element, api, onProblem) => {
  const library = new LazyLibrary(async () => {
    const { Viewer } = await import("./viewer.js")
    return new Viewer(element, api)
  })
  return {
    show: (part) =>
      library.use(
        (viewer) => viewer.show(part),
        () => onProblem(strings.unreachable),
      ),
  }
}
