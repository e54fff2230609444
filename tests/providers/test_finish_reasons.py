"""Why the model stopped: one table for all providers."""

import json

import pytest

from chat.providers import ProviderError, finish_reasons, langchain
from chat.providers.langchain.completions import NormalizedChunks
from chat.providers.openai.chunks import Chunks
from tests.providers.provider_runs import outcome_of
from tests.upstream import DONE, Answer, chunk

# what servers send -> what it means
WORDS = {
    # seen from OpenAI, vLLM, SGLang, TGI, llama.cpp, Ollama, Mistral, Cohere, Anthropic, Bedrock
    "stop": "stop",
    "STOP": "stop",
    "eos_token": "stop",
    "eos": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "COMPLETE": "stop",
    "stopSequence": "stop",
    "length": "length",
    "MAX_TOKENS": "length",
    "max_tokens": "length",
    "maxTokens": "length",
    "max-tokens": "length",
    "FINISH_REASON_MAX_TOKENS": "length",
    "model_length": "length",
    "ERROR_LIMIT": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "TOOL_CALL": "tool_calls",
    "tool_use": "tool_calls",
    # Gemini, GLM, Anthropic, Bedrock, Cohere
    "SAFETY": "content_filter",
    "sensitive": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "refusal": "content_filter",
    "ERROR_TOXIC": "content_filter",
    "guardrail_intervened": "content_filter",
    # GLM, SGLang and vLLM, DeepSeek, Gemini, Cohere
    "network_error": "cut",
    "abort": "cut",
    "insufficient_system_resource": "cut",
    "MALFORMED_FUNCTION_CALL": "cut",
    "TIMEOUT": "cut",
    # nobody knows
    "Bored": "bored",
    "other": "other",
}


@pytest.mark.parametrize("word", WORDS)
def test_finish_reason_is_known_in_any_spelling(word):
    assert finish_reasons.normalize(word) == WORDS[word]


@pytest.mark.parametrize("word", WORDS)
def test_finish_reason_means_the_same_for_every_provider(word):
    from langchain_core.messages import AIMessageChunk

    chunks, pieces = Chunks(), langchain.Pieces()
    ends = [
        lambda: [*chunks.read(chunk(finish_reason=word)["choices"], {}), *chunks.close()],
        lambda: [*pieces.feed(AIMessageChunk(content="", response_metadata={"finish_reason": word})), *pieces.close()],
    ]
    for end in ends:
        if WORDS[word] == "cut":
            with pytest.raises(ProviderError) as error:
                end()
            assert (error.value.code, error.value.broken_off) == ("broken_off", True)
        else:
            assert [piece.reason for piece in end()] == [WORDS[word]]


@pytest.mark.slow
async def test_finish_reason_decides_how_the_run_ends(start_runs):
    endings = {  # -> status, finish reason, notice
        "max_tokens": ("completed", "length", "The answer reached its length limit."),
        "MAX_TOKENS": ("completed", "length", "The answer reached its length limit."),
        "SAFETY": ("completed", "content_filter", "The provider's content filter cut the answer short."),
        "eos_token": ("completed", "stop", None),
        "network_error": ("interrupted", "", None),
        "abort": ("interrupted", "", None),
    }
    runs = await start_runs({word: Answer(["Hel", chunk("lo", word), DONE]) for word in endings})
    for word, (status, reason, notice) in endings.items():
        error = "broken_off" if status == "interrupted" else ""
        assert (word, *await outcome_of(runs[word])) == (word, status, error, "Hello")
        assert (runs[word].finish_reason, runs[word].notice) == (reason, notice)
        assert runs[word].is_broken_off == (reason == "length" or status == "interrupted")


@pytest.mark.slow
async def test_cut_before_the_first_token_is_asked_again(start_run, upstream):
    upstream.answers(chunk(finish_reason="insufficient_system_resource"), DONE)
    run = await start_run("Hello", chunk(finish_reason="stop"), DONE)
    assert await outcome_of(run) == ("completed", "", "Hello")
    assert len(upstream.requests) == 2


SILENT_ENDS = {
    "an empty reason at the end": ["Hello", chunk({}, "")],
    "an empty reason in every chunk": [chunk("Hel", ""), chunk("lo", "")],
}


@pytest.mark.parametrize("reader", [Chunks, NormalizedChunks])
@pytest.mark.parametrize("kind", SILENT_ENDS)
def test_empty_finish_reason_before_done_is_an_end(reader, kind):
    chunks = reader()
    read = []
    for step in SILENT_ENDS[kind]:
        read += chunks.feed(json.dumps(chunk(step) if type(step) is str else step).encode())
    assert list(chunks.feed(b"[DONE]")) == []
    read += chunks.close()
    last = read[-1]
    assert (last["choices"][0]["finish_reason"] if type(last) is dict else last.reason) == "stop"


@pytest.mark.parametrize("reader", [Chunks, NormalizedChunks])
def test_finish_reason_may_be_an_object(reader):
    last = reader().feed(json.dumps(chunk("Hello", {"type": "length", "length": 5})).encode())[-1]
    assert (last["choices"][0]["finish_reason"] if type(last) is dict else last.reason) == "length"


def test_empty_finish_reason_without_done_is_a_cut():
    chunks = Chunks()
    chunks.read(chunk("Hello", "")["choices"], {})
    with pytest.raises(ProviderError):
        list(chunks.close())
