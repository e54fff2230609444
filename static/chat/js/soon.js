// Work that may wait: done at once while the frame has room for it, else in the frames that follow, a little in each.

const ROOM = 5 // ms of a frame
const FRAME = 16

const waiting = []
let began = -Infinity // when the frame's room was opened
let used = 0
let isComing = false

export const soon = (task) => {
  if (typeof requestAnimationFrame === "undefined") return task()
  if (!waiting.length && hasRoom()) return timed(task)
  waiting.push(task)
  if (!isComing) requestAnimationFrame(go)
  isComing = true
}

const hasRoom = () => {
  const now = performance.now()
  if (now - began > FRAME) [began, used] = [now, 0]
  return used < ROOM
}

const timed = (task) => {
  const since = performance.now()
  try {
    task()
  } finally {
    used += performance.now() - since
  }
}

function go() {
  ;[began, used] = [performance.now(), 0]
  while (waiting.length && used < ROOM) timed(waiting.shift())
  isComing = waiting.length > 0
  if (isComing) requestAnimationFrame(go)
}
