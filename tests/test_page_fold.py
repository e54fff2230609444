"""The page and the server make the same parts of the same events."""

import json
import random
import subprocess

from chat import events
from chat.events import Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart

from .site import ROOT

PAGE = """
import { apply, newReply } from "./static/chat/js/state.js"
const logs = JSON.parse(await new Promise((resolve) => {
  let text = ""
  process.stdin.on("data", (more) => { text += more }).on("end", () => resolve(text))
}))
const reply = newReply({ id: "r", run_id: "run" })
const partsOf = (log) => log.reduce((state, [seq, event]) => apply(state, event, seq), reply).parts
console.log(JSON.stringify(logs.map(partsOf)))
"""


def narrated(chance):
    """The events of a reply in which anything happens, and where time stands still now and then, or is not known."""
    times = chance.random() < 0.8
    now = [1_790_000_000_000]

    def clock():
        now[0] += chance.choice([0, 1, 7, 350, 12_345])
        return now[0] if times else None

    narrator = events.Narrator("r", clock, answers=["earlier", "before"])
    ids = ["a", "b", "c", "earlier", "before", "unknown"]
    log = [events.RunStarted("c", "run")]
    for _ in range(chance.randrange(40)):
        id, text = chance.choice(ids), chance.choice(["x", "né ", "🙂", "\n\n", '{"a":'])
        piece = chance.choice(
            [
                Text(text),
                Reasoning(text),
                ToolCallStart(id, "clock"),
                ToolCallArgs(id, text),
                ToolCallEnd(id),
                ToolCallResult(id, text, metadata=chance.choice([None, {"error": True}])),
            ]
        )
        log += narrator.tell(piece)
    return log[: chance.randrange(1, len(log) + 1)] if chance.random() < 0.3 else log + events.closing(log)


def test_it_folds_as_the_server_does():
    chance = random.Random(3)
    logs = [narrated(chance) for _ in range(300)]
    sent = json.dumps([[[seq, events.to_dict(event)] for seq, event in enumerate(log, 1)] for log in logs])
    command = ["node", "--input-type=module", "--eval", PAGE]
    told = subprocess.run(command, cwd=ROOT, input=sent, capture_output=True, text=True, check=True).stdout
    for log, parts in zip(logs, json.loads(told), strict=True):
        assert parts == events.fold(log), log
    kinds = {(part["type"], "seconds" in part) for log in logs for part in events.fold(log)}
    assert len(kinds) == 6  # each step with its time and without; texts and results have none
