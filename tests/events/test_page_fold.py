"""The page and the server make the same parts of the same events."""

import json
import random
import subprocess

from chat import events
from chat import parts as part_table
from chat.events import Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Withdraw
from scripts.environment import ROOT

PAGE = """
import { apply, newReply } from "./static/chat/js/data/reducer.js"
const logs = JSON.parse(await new Promise((resolve) => {
  let text = ""
  process.stdin.on("data", (more) => { text += more }).on("end", () => resolve(text))
}))
const reply = newReply({ id: "r", run_id: "run" })
const partsOf = (log) => log.reduce((state, [seq, event]) => apply(state, event, seq), reply).parts
console.log(JSON.stringify(logs.map(partsOf)))
"""


TABLE = """
import { partKinds } from "./static/chat/js/data/parts.js"
console.log(JSON.stringify(Object.keys(partKinds)))
"""


def run_module(source, stdin=""):
    """Returns the JSON that a JavaScript module prints."""
    command = ["node", "--input-type=module", "--eval", source]
    return json.loads(subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=True).stdout)


def narrated(chance):
    """The events of a reply in which anything happens, and where time stands still now and then, or is not known."""
    times = chance.random() < 0.8
    now = [1_790_000_000_000]

    def clock():
        now[0] += chance.choice([0, 1, 7, 350, 12_345])
        return now[0] if times else None

    builder = events.EventBuilder("r", clock, resumed_calls=["earlier", "before"])
    ids = ["a", "b", "c", "earlier", "before", "unknown"]
    log = [events.RunStarted("c", "run")]
    for _ in range(chance.randrange(40)):
        id, text = chance.choice(ids), chance.choice(["x", "né ", "🙂", "\n\n", '{"a":'])
        piece = chance.choice(
            [
                Text(text),
                Reasoning(text),
                Withdraw(chance.choice(["text", "reasoning"])),
                ToolCallStart(id, "clock"),
                ToolCallArgs(id, text),
                ToolCallEnd(id),
                ToolCallResult(id, text, metadata=chance.choice([None, {"error": True}])),
            ]
        )
        log += builder.feed(piece)
        if chance.random() < 0.05:
            log += builder.feed(events.ContextTrimmed(chance.randrange(1, 9)))
            log += builder.feed(events.ImagesTrimmed(chance.randrange(9)))
            log += builder.feed(events.FileTrimmed(f"{id}.pdf", "page", 9, chance.randrange(9)))
            log.append(events.Custom("other", {"kept": 1}))
        if chance.random() < 0.05:
            log += builder.feed(
                events.StoredImage({"id": f"image-{id}", "media_type": "image/png", "width": 4, "height": 3})
            )
    return log[: chance.randrange(1, len(log) + 1)] if chance.random() < 0.3 else log + events.closing_events(log)


def test_page_knows_the_servers_kinds_of_part():
    assert sorted(run_module(TABLE)) == sorted(part_table.KINDS)


def test_page_folds_events_as_the_server_does():
    chance = random.Random(3)
    logs = [narrated(chance) for _ in range(300)]
    sent = json.dumps([[[seq, events.to_dict(event)] for seq, event in enumerate(log, 1)] for log in logs])
    for log, parts in zip(logs, run_module(PAGE, sent), strict=True):
        assert parts == events.fold(log), log
    kinds = {(part["type"], "seconds" in part) for log in logs for part in events.fold(log)}
    assert len(kinds) == 10  # each step with its time and without; texts, results, images and the context have none
