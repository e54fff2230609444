"""The private names of LangChain that chat/providers/langchain/internals.py uses. See docs/upgrading.md."""

import inspect
from contextlib import aclosing
from importlib import import_module

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from chat.events import Finish, Text
from chat.providers import Request, langchain
from chat.providers.langchain import internals
from tests.upstream import END, Answer, tokens

pytestmark = pytest.mark.slow

NAMES = {
    "langchain_core.language_models.BaseChatModel._astream": "tokens cost more",
    "langchain_openai.ChatOpenAI._convert_chunk_to_generation_chunk": "the reasoning of OpenAI's format is lost",
    "langchain_openai.ChatOpenAI._get_request_payload": "thinking models refuse the results of their tools",
    "langchain_anthropic.ChatAnthropic._get_request_payload": "params are no longer checked when an assistant is saved",
    "langchain_anthropic.ChatAnthropic._make_message_chunk_from_anthropic_event": "input tokens may be missing",
    "langchain_anthropic.ChatAnthropic._client_params": "connections to Anthropic are not closed with a run",
    "langchain_anthropic.ChatAnthropic._async_client": "connections to Anthropic are not closed with a run",
}


@pytest.mark.parametrize("path", NAMES)
def test_installed_langchain_has(path):
    module, cls, name = path.rsplit(".", 2)
    assert hasattr(getattr(import_module(module), cls), name), (
        f"{path} is gone: {NAMES[path]}. See docs/upgrading.md and chat/providers/langchain/internals.py."
    )


def test_installed_langchain_parses_arguments_where_it_is_replaced():
    ai = import_module("langchain_core.messages.ai")
    internals.parse_short_arguments_only()
    assert "parse_partial_json" in inspect.getsource(ai.AIMessageChunk), "Long deltas of arguments delay all streams."
    assert AIMessageChunk("", tool_call_chunks=[delta('{"a": 1')]).tool_calls[0]["args"] == {"a": 1}
    assert AIMessageChunk("", tool_call_chunks=[delta('{"a": "' + "a" * 1000)]).tool_calls == []
    assert AIMessageChunk("", tool_call_chunks=[delta('{"a": "' + "a" * 1000 + '"}')]).tool_calls


def delta(arguments):
    return {"type": "tool_call_chunk", "name": "echo", "args": arguments, "id": "1", "index": 0}


def test_installed_google_model_has_a_client_cleanup():
    model = import_module("langchain_google_genai").ChatGoogleGenerativeAI
    assert "_client_cleanup" in model.__private_attributes__, "A replaced Google client is not closed any more."


async def test_answer_is_the_same_without_the_private_stream(upstream, monkeypatch):
    upstream.answers(Answer([*tokens("Hello there."), *END]))
    monkeypatch.setattr(internals, "has_private_stream", lambda model: False)
    request = Request(
        "m", [("user", [{"type": "text", "text": "Hi"}])], "openai", params={"base_url": upstream.base_url}
    )
    async with aclosing(langchain.reply(request)) as pieces:
        received = [piece async for piece in pieces]
    assert "".join(piece.delta for piece in received if isinstance(piece, Text)) == "Hello there."
    assert Finish("stop") in received


async def test_models_without_the_private_names_are_used_as_they_are():
    class Model:
        async def astream(self, messages, **kwargs):
            yield AIMessageChunk("Hello", response_metadata={"finish_reason": "stop"})

    assert internals.with_reasoning(Model) is Model
    assert internals.with_input_tokens(Model) is Model
    internals.use_transport_for_anthropic(Model(), None)
    internals.check_arguments(Model(), [])
    chunks = [chunk async for chunk in internals.stream(Model(), [HumanMessage("Hi")])]
    assert [(chunk.message.content, chunk.generation_info) for chunk in chunks] == [("Hello", None)]
