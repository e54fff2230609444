"""What a LangChain chain tells its callbacks, as our pieces: for a chain that one calls and does not read.

    async def reply(messages, send):
        await chain.ainvoke({"question": messages[-1]["content"]}, {"callbacks": [Callbacks(send)]})

It belongs into a function for `python:`, in the loop or (with `chain.invoke`) in a thread. No LangChain is loaded
before somebody imports this file.
"""

import json
import logging

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.tools import ToolException

from ..events import Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from ..tools import MAX_RESULT, ToolError, bounded, written

logger = logging.getLogger(__name__)


class Callbacks(AsyncCallbackHandler):
    """Sends what models say, which tools are used, and tokens. How the chain ends is for whoever calls it to tell.

    `answer`: the tag of the models that give the answer; what others say on the way to it becomes reasoning. Without
    it, all that is said is the answer.
    """

    run_inline = True  # no task for each token
    raise_error = True  # what cannot be sent is not to be missing silently

    def __init__(self, send, answer=None):
        self.send, self.answer = send, answer
        self.heard = set()  # models that spoke token by token

    async def on_chat_model_start(self, serialized, messages, **kwargs):
        """Defined, because LangChain would otherwise make one text of the messages for `on_llm_start`."""

    async def on_llm_new_token(self, token, *, chunk=None, run_id, tags=None, **kwargs):
        self.heard.add(run_id)
        if chunk is None:
            await self._say([{"type": "text", "text": token}], tags)
        else:
            await self._say(_blocks(chunk), tags)

    async def on_llm_end(self, response, *, run_id, tags=None, **kwargs):
        generations = [several[0] for several in response.generations if several]
        if run_id not in self.heard:  # it does not stream
            for generation in generations:
                await self._say(_blocks(generation), tags)
        self.heard.discard(run_id)
        for usage in _usages(generations, response.llm_output):
            await self.send(usage)

    async def on_llm_error(self, error, *, run_id, **kwargs):
        self.heard.discard(run_id)

    async def on_tool_start(self, serialized, input_str, *, run_id, inputs=None, **kwargs):
        name = kwargs.get("name") or (serialized or {}).get("name") or "tool"
        arguments = {"input": input_str} if inputs is None else inputs
        await self.send(ToolCallStart(str(run_id), name))
        await self.send(ToolCallArgs(str(run_id), bounded(json.dumps(arguments, default=str), MAX_RESULT)))
        await self.send(ToolCallEnd(str(run_id)))

    async def on_tool_end(self, output, *, run_id, **kwargs):
        text = written(getattr(output, "content", output))
        await self._result(run_id, text, failed=getattr(output, "status", None) == "error")

    async def on_tool_error(self, error, *, run_id, **kwargs):
        if isinstance(error, (ToolException, ToolError)):  # a sentence for the model, which the person may read, too
            await self._result(run_id, str(error), failed=True)
        else:
            logger.error("A tool of a chain failed", exc_info=error)
            await self._result(run_id, "The tool failed.", failed=True)

    async def _say(self, blocks, tags):
        is_answer = self.answer is None or self.answer in (tags or ())
        for block in blocks:
            if block["type"] == "text":
                await self.send(Text(block["text"]) if is_answer else Reasoning(block["text"]))
            elif block["type"] == "reasoning":
                await self.send(Reasoning(block.get("reasoning", "")))

    async def _result(self, run_id, text, failed):
        await self.send(
            ToolCallResult(str(run_id), bounded(text, MAX_RESULT), metadata={"error": True} if failed else None)
        )

    # That a handler has these two is how LangChain knows that a model which can stream should, also for `invoke`.
    def tap_output_aiter(self, run_id, output):
        return output

    def tap_output_iter(self, run_id, output):
        return output


def _blocks(generation):
    """What a chat model's generation, or a chunk of it, says as LangChain's content blocks; or a completion's text."""
    message = getattr(generation, "message", None)
    return [{"type": "text", "text": generation.text}] if message is None else message.content_blocks


def _usages(generations, llm_output):
    """The tokens of one use of a model, as newer models tell them with each message, or older ones all at once."""
    told = [
        Usage(
            usage["input_tokens"],
            usage["output_tokens"],
            usage["total_tokens"],
            (usage.get("output_token_details") or {}).get("reasoning"),
            (usage.get("input_token_details") or {}).get("cache_read"),
        )
        for generation in generations
        if (usage := getattr(getattr(generation, "message", None), "usage_metadata", None))
    ]
    if not told and (usage := (llm_output or {}).get("token_usage")):
        told = [Usage(usage.get("prompt_tokens"), usage.get("completion_tokens"), usage.get("total_tokens"))]
    return told
