/** Returns a function that runs `task` in the next frame, once however often it was called. */
export const oncePerFrame = (task) => {
  let isScheduled = false
  return () => {
    if (isScheduled) return
    isScheduled = true
    requestAnimationFrame(() => {
      isScheduled = false
      task()
    })
  }
}
