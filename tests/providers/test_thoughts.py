"""Thoughts that a model writes into its text: they become reasoning, and a text that speaks of the tags stays text."""

import json
import random

import pytest

from chat import engine
from chat.events import (
    EventBuilder,
    Finish,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallStart,
    closing_events,
    fold,
)
from chat.providers import Request, langchain
from chat.providers.openai.chunks import Chunks
from chat.providers.thoughts import ThoughtReader, reader_for
from tests.providers.agent_runs import FINAL_ANSWER, messages_after_question
from tests.providers.agent_runs import outcome_of as agent_outcome_of
from tests.providers.langchain.vendors import LangChainReply, ollama
from tests.providers.provider_runs import outcome_of
from tests.upstream import CALLS, END, call, chunk, tokens
from tests.waiting import wait_for_run

THOUGHTS = {  # what a model writes -> (its thoughts, its answer)
    "<think>hm</think>Hello": ("hm", "Hello"),
    "<think>\nThe user says hi.\nI greet.\n</think>\n\nHello": ("The user says hi.\nI greet.", "Hello"),
    "\n\n<think>\nhm\n</think>\n\nHello\n\nand more": ("hm", "Hello\n\nand more"),
    "<thinking>hm</thinking>\nHello": ("hm", "Hello"),
    "<thinking>\nhm\n</think>\nHello": ("hm", "Hello"),
    "<Thinking>hm</Thinking>Hello": ("hm", "Hello"),
    "<thought>\nhm\n</thought>\nHello": ("hm", "Hello"),
    "<reasoning>hm</reasoning>Hello": ("hm", "Hello"),
    "<seed:think>hm</seed:think>Hello": ("hm", "Hello"),
    "[THINK]hm[/THINK]Hello": ("hm", "Hello"),
    "◁think▷hm◁/think▷Hello": ("hm", "Hello"),
    "<|begin_of_thought|>\nhm\n<|end_of_thought|>\n\n<|begin_of_solution|>\nHello\n<|end_of_solution|>": (
        "hm",
        "Hello",
    ),
    "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>": ("hm", "Hello"),
    "<think>hm</think><answer>Hello</answer>": ("hm", "Hello"),
    "<think>hm</think>\n<response>\n1 < 2 </b>\n</response>\n": ("hm", "1 < 2 </b>"),
    "<|channel>thought\nhm\n<channel|>Hello": ("hm", "Hello"),
    # an empty thought, as of a model that was told not to think
    "<think>\n\n</think>\n\nHello": ("", "Hello"),
    "<think></think>Hello": ("", "Hello"),
    # a rest that a server's own reader left behind
    "</think>\n\nHello": ("", "Hello"),
    "\n</think>Hello": ("", "Hello"),
    # thoughts about tags, and in another language
    "<think>I close with </thin, then < and </ and <b>.</think>Hello": (
        "I close with </thin, then < and </ and <b>.",
        "Hello",
    ),
    "<think>「こんにちは」と返そう。</think>こんにちは": ("「こんにちは」と返そう。", "こんにちは"),
    "<think>はい、挨拶だ。</think>こんにちは": ("はい、挨拶だ。", "こんにちは"),
    "<think> Okay, so the user </think> Hello": ("Okay, so the user", "Hello"),
    # several
    "<think>h</think>\n<think>m</think>\nHello": ("hm", "Hello"),
    "<think>h</think>Hel\n<think>m</think>lo": ("hm", "Hel\nlo"),
    # never closed
    "<think>\nhm": ("hm", ""),
    "<think>hm < 5": ("hm < 5", ""),
    "<think>hm</thi": ("hm</thi", ""),
    # only closed: the opening tag was in the prompt
    "I should greet.</think>Hello": ("I should greet.", "Hello"),
    "I should greet.\n</think>\n\nHello": ("I should greet.", "Hello"),
    "Okay, a greeting\n</think>\nHello": ("Okay, a greeting", "Hello"),
    "hm</think>Hello": ("hm", "Hello"),
    "I greet.\n</thinking>\n\nHello": ("I greet.", "Hello"),
    "挨拶する。</think>こんにちは": ("挨拶する。", "こんにちは"),
    "挨拶する\n</think>\n\nこんにちは": ("挨拶する", "こんにちは"),
    "Run `a < b` in code.\n```\n<div></div>\n```\nOkay.\n</think>\n\nHello": (
        "Run `a < b` in code.\n```\n<div></div>\n```\nOkay.",
        "Hello",
    ),
    "I greet.\n</think>": ("I greet.", ""),
    "I greet.</think>\n\n<answer>Hello</answer>": ("I greet.", "Hello"),
    # gpt-oss
    "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>": (
        "hm",
        "Hello",
    ),
    "<|start|>assistant<|channel|>analysis<|message|>hm<|end|>\n<|start|>assistant<|channel|>final<|message|>Hello": (
        "hm",
        "Hello",
    ),
    "<|channel|>final<|message|>Hello": ("", "Hello"),
    "<|channel|>final <|constrain|>json<|message|>{}": ("", "{}"),
    "<|channel|>analysis<|message|>hm<|end|>Hello": ("hm", "Hello"),
    "<|channel|>analysis<|message|>a <b> < <| c": ("a <b> < <| c", ""),
}
TEXTS = [  # which only speak of the tags, or have nothing to do with them
    "Hello",
    "\n\nHello <b>you</b>, 1 < 2 and <th",
    "The `<think>` tag opens, `</think>` closes.",
    "`<think>` opens the thought.",
    "`</think>` closes the thought.",
    "DeepSeek writes <think> and </think> around its thoughts.",
    "<think> is a tag, and </think> closes it.",
    "<think> and </think> are tags.",
    "<think> tags mark thoughts.",
    "<think>, </think>: tags.",
    "<think>タグは思考の始まりを、</think>タグは終わりを示します。",
    "<think>は思考の始まり、</think>は終わりを示します。",
    "<think>标签表示思考。",
    "モデルは終わりに</think>を書きます。",
    "モデルは「</think>」と書きます。",
    "A model ends its thoughts with </think> and then answers.",
    "A model ends its thoughts with “</think>”.\n\nThen it answers.",
    'It writes "</think>" there.',
    "It ends with </think>, which is a tag.",
    "It ends with a tag (</think>)\nand goes on.",
    "Look:\n\n```xml\n<think>\nhm\n</think>\n\nHello\n```\n\nSo it ends.",
    "Look:\n\n~~~\nhm.</think>Hello\n~~~\n",
    "Look:\n\n````\n```\nhm.\n</think>\n```\n````\n\nDone.",
    "```\n<think>hm</think>\n```",
    "    <thinkpad> is not a tag, nor is <thinker>hm</thinker>",
    "<b>bold</b> <i>x</i>",
    "analysis",
    "analysis of trains",
    "Analysis: assistantfinal",
    "<answer>42</answer>",
    "[THIN]k [THINKING] about it",
    "<|im_start|> begins a turn",
    "channel|> is a part of a mark",
    "a </div> b </thin> c </think",
    "<",
    "</",
    " ",
    "\n",
    "",
]


def parts_of(pieces):
    builder = EventBuilder("m")
    log = [event for piece in pieces for event in builder.feed(piece)]
    return fold([*log, *closing_events(log)])


def read(deltas, reason="stop", reader=None):
    """The thoughts and the text of a response in these deltas."""
    reader = reader or ThoughtReader()
    parts = parts_of([*reader.feed_all(map(Text, deltas)), *reader.feed_all([Finish(reason)])])
    joined = {kind: "".join(part["text"] for part in parts if part["type"] == kind) for kind in ("reasoning", "text")}
    return joined["reasoning"].strip(), joined["text"]


def cut_anywhere(text):
    """The text in deltas: whole, in two at each place, in single characters, and in some random ones."""
    yield [text]
    yield from ([text[:place], text[place:]] for place in range(1, len(text)))
    yield list(text)
    chance = random.Random(len(text))
    for _ in range(20):
        cuts = sorted(chance.choices(range(len(text) + 1), k=chance.randrange(2, 9)))
        yield [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.parametrize("text", THOUGHTS)
def test_thoughts_in_the_text_are_reasoning_wherever_it_is_cut(text):
    for deltas in cut_anywhere(text):
        thought, answer = read(deltas)
        assert (thought, answer.rstrip()) == THOUGHTS[text], deltas


@pytest.mark.parametrize("text", TEXTS)
def test_text_about_the_tags_stays_text_wherever_it_is_cut(text):
    for deltas in cut_anywhere(text):
        assert read(deltas) == ("", text), deltas


@pytest.mark.parametrize("text", [*THOUGHTS, *TEXTS])
def test_text_before_a_cut_is_kept(text):
    thought, answer = THOUGHTS.get(text, ("", text))
    for reason in ("length", None):
        reader = ThoughtReader()
        parts = parts_of([*reader.feed(text), *reader.finish(reason)])
        shown = {"reasoning": "", "text": ""}
        for part in parts:
            shown[part["type"]] += part["text"]
        assert (shown["reasoning"].strip(), shown["text"].strip()) == (thought, answer.strip())


def test_thoughts_are_sent_while_they_are_written():
    reader = ThoughtReader()
    assert reader.feed("<think>") == []
    assert reader.feed("Okay, the user says") == [Reasoning("Okay, the user says")]
    assert reader.feed(" hi.") == [Reasoning(" hi.")]
    assert reader.feed("</think>") == []
    assert reader.feed("\n\n") == []
    assert reader.feed("Hello") == [Text("Hello")]
    assert reader.feed(" <b>") == [Text(" <b>")]


def test_model_that_begins_within_a_thought_is_remembered():
    model = ("openai", "qwq", "http://one/v1")
    assert read(["I greet.", "\n</think>\n\n", "Hello"], reader=ThoughtReader(model)) == ("I greet.", "Hello")
    second = ThoughtReader(model)
    assert second.feed("I greet again.") == [Reasoning("I greet again.")]
    assert second.feed("\n</think>\n\nHello") == [Text("Hello")]
    assert ThoughtReader(("openai", "qwq", "http://two/v1")).feed("Hello") == [Text("Hello")]
    assert read(["<think>hm</think>Hello"], reader=ThoughtReader(model)) == ("hm", "Hello")


def test_remembered_model_that_does_not_think_has_answered():
    model = ("openai", "hybrid", "http://one/v1")
    read(["I greet.\n</think>\n\nHello"], reader=ThoughtReader(model))
    assert read(["Hel", "lo"], reader=ThoughtReader(model)) == ("", "Hello")
    assert ThoughtReader(model).feed("Hello") == [Text("Hello")]


def test_model_that_has_answered_without_a_thought_is_not_remembered():
    model = ("openai", "plain", "http://one/v1")
    assert read(["Hello"], reader=ThoughtReader(model)) == ("", "Hello")
    assert read(["I greet.\n</think>\n\nHello"], reader=ThoughtReader(model)) == ("I greet.", "Hello")
    assert ThoughtReader(model).feed("Hello") == [Text("Hello")]


def test_remembered_model_that_is_cut_was_thinking():
    model = ("openai", "cut", "http://one/v1")
    read(["I greet.\n</think>\n\nHello"], reader=ThoughtReader(model))
    assert read(["I greet"], reason="length", reader=ThoughtReader(model)) == ("I greet", "")


BARE = {  # the channels of gpt-oss without their marks
    "analysisThe user says hi.assistantfinalHello": ("The user says hi.", "Hello"),
    "analysisWe pass an assistant.assistantfinal\nHello": ("We pass an assistant.", "Hello"),
    "analysisResult is a variable, and so is assistantfina": (
        "",
        "analysisResult is a variable, and so is assistantfina",
    ),
}


@pytest.mark.parametrize("text", BARE)
def test_channels_without_their_marks_are_read(text):
    for place in range(4, len(text)):
        assert read([text[:place], text[place:]]) == BARE[text]
        assert read([text[:place], *text[place:]]) == BARE[text]


def test_answer_that_begins_with_a_is_not_held():
    assert ThoughtReader().feed("a") == [Text("a")]
    assert ThoughtReader().feed("ana") == [Text("ana")]


def test_server_that_separates_thoughts_is_trusted():
    reader = ThoughtReader()
    pieces = reader.feed_all([Reasoning("hm"), Text("It ends with a tag.</think>Look."), Finish("stop")])
    assert [part["text"] for part in parts_of(pieces)] == ["hm", "It ends with a tag.</think>Look."]
    reader = ThoughtReader()
    pieces = reader.feed_all([Reasoning("hm"), Text("</think>\n\n"), Text("Hello"), Finish("stop")])
    assert [part["text"] for part in parts_of(pieces)] == ["hm", "Hello"]


def test_remembered_model_whose_server_now_separates_thoughts():
    model = ("openai", "upgraded", "http://one/v1")
    read(["I greet.\n</think>\n\nHello"], reader=ThoughtReader(model))
    pieces = ThoughtReader(model).feed_all([Reasoning("hm"), Text("Hello"), Finish("stop")])
    assert [(part["type"], part["text"]) for part in parts_of(pieces)] == [("reasoning", "hm"), ("text", "Hello")]


def test_channels_of_gpt_oss_carry_tool_calls():
    text = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.clock "
    text += '<|constrain|>json<|message|>{"zone": "UTC"}<|call|>'
    for deltas in cut_anywhere(text):
        reader = ThoughtReader()
        pieces = reader.feed_all([*map(Text, deltas), Finish("stop")])
        assert ToolCallStart("call_0", "clock") in pieces
        arguments = "".join(piece.delta for piece in pieces if type(piece) is ToolCallArgs)
        assert json.loads(arguments) == {"zone": "UTC"}
        assert [part["type"] for part in parts_of(pieces)] == ["reasoning", "tool_call"]
    reader = ThoughtReader()
    pieces = reader.feed_all([Text(text.removesuffix("<|call|>")), Finish("stop")])
    assert pieces[-2:] == [ToolCallEnd("call_0"), Finish("stop")]


# Through the providers ------------------------------------------------------------------------------------------------

SAMPLES = ["<think>hm</think>Hello", "hm.</think>Hello", "<thinking>\nhm\n</thinking>\n\nHello"]
SAMPLES.append("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello")


@pytest.mark.parametrize("text", SAMPLES)
@pytest.mark.parametrize("provider", ["openai", "langchain", "ollama"])
async def test_every_provider_reads_thoughts_in_the_text(upstream, read_reply, provider, text):
    deltas = [text[start : start + 3] for start in range(0, len(text), 3)]
    if provider == "openai":
        reply = await read_reply(*deltas, *END)
    elif provider == "langchain":
        upstream.answers(*deltas, *END)
        reply = await LangChainReply().read("langchain:openai:gpt-oss", {"base_url": upstream.base_url})
    else:
        upstream.answers(*map(ollama, deltas), ollama(done="stop"))
        reply = await LangChainReply().read("ollama:gpt-oss", {"base_url": upstream.base_url.removesuffix("/v1")})
    assert reply.error is None
    assert [(part["type"], part["text"].rstrip(".")) for part in reply.parts] == [
        ("reasoning", "hm"),
        ("text", "Hello"),
    ]


@pytest.mark.slow
async def test_thoughts_in_the_text_are_stored_apart_and_not_sent_back(start_run, upstream, ask):
    upstream.answers(*tokens("<think>\nThey say hi.\n</think>\n\nHello there"), *END)
    upstream.answers(*tokens("They ask again.\n</think>\n\nHello again"), *END)
    run = await start_run()
    assert await outcome_of(run) == ("completed", "", "Hello there")
    assert [part["type"] for part in run.message.parts] == ["reasoning", "text"]
    run = await run.conversation.ask("And now?")
    await engine.start(run)
    await wait_for_run(run)
    assert [(part["type"], part["text"].strip()) for part in run.message.parts] == [
        ("reasoning", "They ask again."),
        ("text", "Hello again"),
    ]
    sent = upstream.requests[-1].body["messages"]
    assert [message["content"] for message in sent if message["role"] == "assistant"] == ["Hello there"]


@pytest.mark.slow
async def test_agents_thoughts_in_the_text_are_steps(agent_run, upstream):
    turn = (*tokens("I need the tool.\n</think>\n\nLet me see."), *call("echo", {"text": "a"}), *CALLS)
    run = await agent_run(turn, (*tokens("<think>Good.</think>"), *FINAL_ANSWER))
    _, _, parts = await agent_outcome_of(run)
    assert [(part["type"], part.get("text")) for part in parts] == [
        ("reasoning", "I need the tool.\n\nLet me see."),
        ("tool_call", None),
        ("reasoning", "Good."),
        ("text", "All is done."),
    ]
    made, _ = messages_after_question(upstream)
    assert "I need the tool." in made["content"]  # within the turn the model sees what it wrote


@pytest.mark.slow
async def test_agent_uses_a_tool_that_gpt_oss_calls_in_its_text(agent_run, upstream):
    text = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.echo "
    text += '<|constrain|>json<|message|>{"text": "a"}<|call|>'
    run = await agent_run((*tokens(text), *END), FINAL_ANSWER)
    status, _, parts = await agent_outcome_of(run)
    assert (status, [part["type"] for part in parts]) == ("completed", ["reasoning", "tool_call", "text"])
    made, _ = messages_after_question(upstream)
    assert "<|" not in json.dumps(made)


def test_readers_of_one_model_share_what_they_learn():
    request = Request("m", [], "openai", params={"base_url": "http://127.0.0.1:1"})
    read(["hm.\n</think>\n\nHello"], reader=reader_for(request))
    assert reader_for(request).feed("hm again") == [Reasoning("hm again")]


def test_learned_fast_path_reads_thoughts_as_well():
    chunks = Chunks()
    pieces = []
    for text in ("<think>", "Okay, the user", " says hi", "</think>", "Hello", " there", " you"):
        pieces += chunks.feed(json.dumps(chunk(text)).encode())
    assert chunks.prefix
    assert pieces == [Reasoning("Okay, the user"), Reasoning(" says hi"), Text("Hello"), Text(" there"), Text(" you")]


def test_langchains_blocks_of_text_are_read():
    from langchain_core.messages import AIMessageChunk

    pieces = langchain.Pieces()
    read = pieces.feed(AIMessageChunk(content=[{"type": "text", "text": "<think>hm</think>Hello, you"}]))
    assert read == [Reasoning("hm"), Text("Hello, you")]
