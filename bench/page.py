"""What the page costs the user's own machine, in Chromium: its main thread while an answer streams, and bytes."""

import asyncio
import gzip
import os
from bisect import bisect_left
from dataclasses import dataclass
from statistics import median, quantiles

from playwright.async_api import async_playwright, expect

from bench import system
from scripts.debian import chromium

DETAILS = "disabled-by-default-devtools.timeline"
TRACED = {"includedCategories": ["-*", "blink.user_timing", DETAILS, f"{DETAILS}.frame"]}

# Marks when the answer's first text is there and when it is over. Waiting from outside would ask the page again and
# again, and each question costs its main thread more than a frame of ours.
UNTIL_THE_END = """() => new Promise((resolve) => {
  const thread = document.querySelector(".thread")
  const reply = () => [...thread.querySelectorAll(".message--reply")].at(-1)
  const waiting = new MutationObserver(() => {
    if (!reply()?.querySelector(".prose")) return
    waiting.disconnect()
    performance.mark("first")
    const writing = new MutationObserver(() => {
      if (reply().ariaBusy === "true") return
      writing.disconnect()
      performance.mark("last")
      resolve()
    })
    writing.observe(reply(), { attributeFilter: ["aria-busy"] })
  })
  waiting.observe(thread, { subtree: true, childList: true })
})"""


# The newest message is on the screen, and the thread is free for what the user does next.
UNTIL_SHOWN = """(number) => new Promise((resolve) => {
  const look = () => {
    const isThere = document.querySelector(".thread")?.lastElementChild?.textContent.includes(`number ${number}.`)
    if (!isThere || document.activeElement?.id !== "text") requestAnimationFrame(look)
    else requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
  }
  look()
})"""


class Browser:
    """Chromium with all cores, and a logged-in page of the site."""

    def __init__(self, site):
        self.site = site

    async def __aenter__(self):
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, system.CORES)  # what is started inherits it
        self.playwright = await async_playwright().start()
        options = {"executable_path": chromium(), "args": ["--no-sandbox", "--disable-gpu"]}
        self.browser = await self.playwright.chromium.launch(**options)
        os.sched_setaffinity(0, before)
        context = await self.browser.new_context(viewport={"width": 1280, "height": 900})
        self.address = f"http://127.0.0.1:{self.site.port}"
        session = self.site.cookies[0]["Cookie"].partition("sessionid=")[2].partition(";")[0]
        await context.add_cookies([{"name": "sessionid", "value": session, "url": self.address}])
        self.page = await context.new_page()
        return self

    async def __aexit__(self, *exc):
        await self.browser.close()
        await self.playwright.stop()


async def weight(site):
    """What loads before the first message: compressed bytes of fonts, those of all else, and how many requests."""
    async with Browser(site) as browser:
        answers = []
        browser.page.on("response", lambda answer: answers.append(answer))
        await browser.page.goto(f"{browser.address}/", wait_until="networkidle")
        fonts = others = 0
        for answer in answers:
            body = await answer.body()
            if answer.request.resource_type == "font":
                fonts += len(body)  # woff2 is compressed already
            else:
                others += len(gzip.compress(body, 9))
        return fonts, others, len(answers)


@dataclass
class Opened:
    ms: float  # from the navigation to the newest message on the screen
    heap: float  # MB of JavaScript's, after a collection


async def opening(site, messages, times=5):
    """A conversation of so many messages, opened a few times: medians."""
    conversation = site.fill(1, messages)
    took = []
    async with Browser(site) as browser:
        page = browser.page
        devtools = await page.context.new_cdp_session(page)
        await page.goto(f"{browser.address}/c/{conversation}/", wait_until="networkidle")  # the cache is warm from here
        for _ in range(times):
            await page.goto(f"{browser.address}/c/{conversation}/", wait_until="commit")
            took.append(await page.evaluate(UNTIL_SHOWN, messages - 1))
        await page.wait_for_load_state("networkidle")
        await devtools.send("HeapProfiler.collectGarbage")
        heap = await devtools.send("Runtime.getHeapUsage")
    return Opened(median(took), heap["usedSize"] / 1e6)


async def streaming(site, rate, kilobytes):
    """What each frame cost the main thread, while an answer streams: [(how much of the answer was there, ms), …]."""
    model = f"page-{rate}-{kilobytes}"
    site.offer(model)
    conversation = site.post("/api/conversations", {"assistant": model})["id"]
    async with Browser(site) as browser:
        page = browser.page
        await page.goto(f"{browser.address}/c/{conversation}/")
        await expect(page.locator("[data-ref=assistant-name]")).to_have_text(model)
        tracing = await browser.browser.new_browser_cdp_session()
        events, ended = [], asyncio.Event()
        tracing.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
        tracing.on("Tracing.tracingComplete", lambda _: ended.set())
        await tracing.send("Tracing.start", {"traceConfig": TRACED})
        await page.locator("#text").fill("Hello")
        await page.locator("#text").press("Enter")
        await page.evaluate(UNTIL_THE_END)
        await tracing.send("Tracing.end")
        await ended.wait()
        return frames(events)


def frames(events):
    """Of a trace: see `streaming`."""
    marks = {e["name"]: e for e in events if e["name"] in ("first", "last") and "blink.user_timing" in e["cat"]}
    first, last = marks["first"]["ts"], marks["last"]["ts"]
    thread = marks["first"]["pid"], marks["first"]["tid"]
    mine = [e for e in events if (e["pid"], e["tid"]) == thread and first <= e["ts"] <= last]
    ends = sorted(e["ts"] for e in mine if e["name"] == "Commit")  # of frames: what was done is handed on
    costs = [0.0] * len(ends)
    for event in mine:
        if event["name"] == "RunTask" and event["ts"] <= ends[-1]:
            costs[bisect_left(ends, event["ts"])] += event.get("dur", 0) / 1000
    return [((end - first) / (last - first), cost) for end, cost in zip(ends, costs, strict=True)]


def p99(costs):
    return quantiles(costs, n=100)[98]


def share(measured, low, high):
    """Main-thread time of the frames in which this part of the answer came."""
    return sum(cost for at, cost in measured if low <= at < high)
