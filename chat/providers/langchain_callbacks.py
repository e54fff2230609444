"""LangChain's callbacks as our pieces: for a chain that is invoked and not streamed.

    async def reply(messages, send):
        await chain.ainvoke({"question": messages[-1]["content"]}, {"callbacks": [Callbacks(send)]})

Use it in a function for `python:`, in the loop or (with `chain.invoke`) in a thread. LangChain is only loaded where
this file is imported.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.tools import ToolException

from ..events import Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Usage
from ..tools import MAX_RESULT_LENGTH, ToolError, to_text, truncate

logger = logging.getLogger(__name__)


class Callbacks(AsyncCallbackHandler):
    """Sends the models' output, tool calls and token counts. The chain's end is for its caller to handle.

    `answer`: the tag of the models that give the answer; the output of the others becomes reasoning. Without it, all
    output is the answer.
    """

    run_inline = True  # no task for each token
    raise_error = True  # fail loudly instead of dropping output

    def __init__(self, send: Callable[[Any], Awaitable[None]], answer: str | None = None) -> None:
        self.send = send
        self.answer = answer
        self.streamed: set[Any] = set()  # ids of the model calls that gave tokens

    async def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        """Does nothing, but without it LangChain would make one text of the messages for `on_llm_start`."""

    async def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: Any, tags: Any = None, **_: Any) -> None:
        self.streamed.add(run_id)
        if chunk is None:
            await self._send_blocks([{"type": "text", "text": token}], tags)
        else:
            await self._send_blocks(_content_blocks(chunk), tags)

    async def on_llm_end(self, response: Any, *, run_id: Any, tags: Any = None, **kwargs: Any) -> None:
        generations = [alternatives[0] for alternatives in response.generations if alternatives]
        if run_id not in self.streamed:
            for generation in generations:
                await self._send_blocks(_content_blocks(generation), tags)
        self.streamed.discard(run_id)
        for usage in _usages(generations, response.llm_output):
            await self.send(usage)

    async def on_llm_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        self.streamed.discard(run_id)

    async def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: Any, inputs: Any = None, **kw: Any
    ) -> None:
        name = kw.get("name") or (serialized or {}).get("name") or "tool"
        arguments = {"input": input_str} if inputs is None else inputs
        await self.send(ToolCallStart(str(run_id), name))
        text = json.dumps(arguments, default=str)
        await self.send(ToolCallArgs(str(run_id), truncate(text, MAX_RESULT_LENGTH)))
        await self.send(ToolCallEnd(str(run_id)))

    async def on_tool_end(self, output: Any, *, run_id: Any, **kwargs: Any) -> None:
        text = to_text(getattr(output, "content", output))
        await self._send_result(run_id, text, failed=getattr(output, "status", None) == "error")

    async def on_tool_error(self, error: BaseException, *, run_id: Any, **kwargs: Any) -> None:
        if isinstance(error, (ToolException, ToolError)):  # a sentence for the model, which the user may read as well
            await self._send_result(run_id, str(error), failed=True)
        else:
            logger.error("A tool of a chain failed", exc_info=error)
            await self._send_result(run_id, "The tool failed.", failed=True)

    async def _send_blocks(self, blocks: list[Any], tags: Any) -> None:
        is_answer = self.answer is None or self.answer in (tags or ())
        for block in blocks:
            if block["type"] == "text":
                await self.send(Text(block["text"]) if is_answer else Reasoning(block["text"]))
            elif block["type"] == "reasoning":
                await self.send(Reasoning(block.get("reasoning", "")))

    async def _send_result(self, run_id: Any, text: str, failed: bool) -> None:
        metadata = {"error": True} if failed else None
        await self.send(ToolCallResult(str(run_id), truncate(text, MAX_RESULT_LENGTH), metadata=metadata))

    # LangChain streams even for `invoke` if the handler defines these two methods.
    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output


def _content_blocks(generation: Any) -> list[Any]:
    """Returns a chat model's generation, or a chunk of it, as LangChain's content blocks; or a completion's text."""
    message = getattr(generation, "message", None)
    return [{"type": "text", "text": generation.text}] if message is None else message.content_blocks


def _usages(generations: list[Any], llm_output: dict[str, Any] | None) -> list[Usage]:
    """Returns the token counts of a model call: newer models have them on each message, older ones once for all."""
    usages = []
    for generation in generations:
        usage = getattr(getattr(generation, "message", None), "usage_metadata", None)
        if usage:
            usages.append(
                Usage(
                    usage["input_tokens"],
                    usage["output_tokens"],
                    usage["total_tokens"],
                    (usage.get("output_token_details") or {}).get("reasoning"),
                    (usage.get("input_token_details") or {}).get("cache_read"),
                )
            )
    if not usages and (usage := (llm_output or {}).get("token_usage")):
        usages = [Usage(usage.get("prompt_tokens"), usage.get("completion_tokens"), usage.get("total_tokens"))]
    return usages
