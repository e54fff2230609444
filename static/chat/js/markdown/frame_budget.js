// Work that can wait: run at once while the frame has time left, else in the following frames, a little in each.

const FRAME_BUDGET = 5 // ms of a frame
const FRAME_DURATION = 16 // ms

const queue = []
let frameStart = -Infinity
let used = 0 // ms of the frame's budget
let isScheduled = false

export const runSoon = (task) => {
  if (typeof requestAnimationFrame === "undefined") return task()
  if (!queue.length && hasTimeLeft()) return runTimed(task)
  queue.push(task)
  if (!isScheduled) requestAnimationFrame(runQueue)
  isScheduled = true
}

const startFrame = (now) => {
  frameStart = now
  used = 0
}

const hasTimeLeft = () => {
  const now = performance.now()
  if (now - frameStart > FRAME_DURATION) startFrame(now)
  return used < FRAME_BUDGET
}

const runTimed = (task) => {
  const start = performance.now()
  try {
    task()
  } finally {
    used += performance.now() - start
  }
}

function runQueue() {
  startFrame(performance.now())
  while (queue.length && used < FRAME_BUDGET) runTimed(queue.shift())
  isScheduled = queue.length > 0
  if (isScheduled) requestAnimationFrame(runQueue)
}
