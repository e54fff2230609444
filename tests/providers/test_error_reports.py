"""Errors that come with HTTP 200 in other shapes than OpenAI's: the server's words, and no second request."""

import json

import pytest

from chat.providers.error_reports import find_error
from tests.providers.langchain.vendors import LangChainReply
from tests.providers.provider_runs import outcome_of
from tests.upstream import DONE, Answer, chunk, event, usage, whole

# kind -> (the document, the words that the sentence must have)
DOCUMENTS = {
    # FastAPI, as in front of many self-hosted servers
    "detail": ({"detail": "Model is loading."}, "Model is loading."),
    "a list of details": (
        {"detail": [{"loc": ["body", "model"], "msg": "field required"}, {"msg": "extra"}]},
        "field required; extra",
    ),
    # vLLM before 0.9
    "object error": (
        {"object": "error", "message": "No such adapter.", "type": "BadRequestError", "param": None, "code": 400},
        "No such adapter.",
    ),
    "type error": ({"type": "error", "message": "It broke."}, "It broke."),
    # gateways of many vendors
    "code and msg": ({"code": 500, "msg": "Upstream is gone."}, "Upstream is gone."),
    "code as text": ({"code": "500", "msg": "Upstream is gone.", "data": None}, "Upstream is gone."),
    "code and message": ({"code": 1301, "message": "Not allowed here."}, "Not allowed here."),
    "error_code and error_msg": ({"error_code": 336003, "error_msg": "the max length"}, "the max length"),
    "success is false": ({"success": False, "message": "No luck."}, "No luck."),
    "status is error": ({"status": "error", "message": "No luck."}, "No luck."),
    "status is a number": ({"timestamp": "now", "status": 503, "message": "No luck.", "path": "/v1"}, "No luck."),
    # MiniMax, Cloudflare, proxies
    "base_resp": ({"choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail"}}, "login fail"),
    "errors": ({"result": None, "success": False, "errors": [{"code": 7003, "message": "No route."}]}, "No route."),
    "errors as texts": ({"errors": ["No route."]}, "No route."),
    "a message alone": ({"message": "no Route matched with those values", "request_id": "ab"}, "no Route matched"),
    "Error": ({"Error": {"Message": "x", "message": "Denied by policy."}}, "Denied by policy."),
}
TEXTS = {  # body -> words
    b"upstream connect error or disconnect": "upstream connect error",
    b"OK": "OK",
    b'"model not found"': "model not found",
    b"Too busy.\nCome back later.\n": "Come back later.",
    b'error: {"code": 400, "message": "slot is gone", "type": "invalid_request_error"}\n\n': "slot is gone",
    b"error: Too long a prompt.\n\n": "Too long a prompt.",
    b"id: 1\nevent: error\ndata: out of memory\n\n": "out of memory",
    "モデルを読み込めません".encode(): "モデルを読み込めません",
}
NOTHING = {
    "an empty object": b"{}",
    "an object without choices": b'{"object": "list"}',
    "an empty list": b"[]",
    "space": b" \n\n ",
    "no byte": None,
}


@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_error_document_with_status_200_gives_the_servers_words(read_reply, kind, caplog):
    document, words = DOCUMENTS[kind]
    reply = await read_reply(whole(document))
    assert words in str(reply.error)
    assert (reply.error.retryable, reply.error.broken_off) == (False, False)
    assert words in caplog.text
    assert "{" not in str(reply.error)


@pytest.mark.parametrize("kind", DOCUMENTS)
async def test_error_document_as_an_event_gives_the_servers_words(read_reply, kind):
    document, words = DOCUMENTS[kind]
    reply = await read_reply("Hello", event(document), "more", DONE)
    assert (reply.text, reply.error.retryable) == ("Hello", False)
    assert words in str(reply.error)


@pytest.mark.parametrize("body", TEXTS)
async def test_text_in_place_of_a_stream_gives_the_servers_words(read_reply, body):
    reply = await read_reply(body)
    assert TEXTS[body] in str(reply.error)
    assert (reply.error.retryable, reply.error.broken_off) == (False, False)


@pytest.mark.parametrize("kind", NOTHING)
async def test_body_without_an_answer_is_reported_as_empty(read_reply, kind):
    body = NOTHING[kind]
    reply = await read_reply(Answer([body] if body else []))
    assert str(reply.error) == "The model's server sent a response without an answer."
    assert (reply.error.code, reply.error.retryable) == ("empty_response", False)


async def test_error_with_status_200_is_asked_once(start_runs, upstream):
    answers = {kind: whole(document) for kind, (document, _) in DOCUMENTS.items()}
    answers |= {f"text {number}": Answer([body]) for number, body in enumerate(TEXTS)}
    answers |= {f"nothing: {kind}": Answer([body] if body else []) for kind, body in NOTHING.items()}
    for kind, run in (await start_runs(answers)).items():
        status, code, _ = await outcome_of(run)
        assert (kind, status, code in ("refused", "empty_response")) == (kind, "failed", True)
        assert (kind, upstream.times(kind)) == (kind, 1)


@pytest.mark.parametrize("kind", ["detail", "object error", "code and msg", "base_resp"])
async def test_error_document_gives_the_servers_words_through_langchain(upstream, kind):
    document, words = DOCUMENTS[kind]
    upstream.answers(whole(document))
    reply = await LangChainReply().read("langchain:openai:gpt-5-mini", {"base_url": upstream.base_url})
    assert words in str(reply.error)
    assert not reply.error.retryable


@pytest.mark.parametrize("kind", NOTHING)
async def test_body_without_an_answer_is_reported_as_empty_through_langchain(upstream, kind):
    body = NOTHING[kind]
    upstream.answers(Answer([body] if body else []))
    reply = await LangChainReply().read("langchain:openai:gpt-5-mini", {"base_url": upstream.base_url})
    assert reply.error.code == "empty_response"


NO_ERRORS = [  # what servers send between the chunks of an answer
    {"id": "x"},
    {"status": "queued", "message": "You are number 3."},
    {"type": "progress", "message": "Loading", "progress": 0.5},
    {"type": "ping"},
    {"code": 0, "msg": "success"},
    {"code": 200, "message": "ok", "success": True},
    {"base_resp": {"status_code": 0, "status_msg": ""}},
    {"base_resp": {"status_code": 0, "status_msg": "success"}},
    {"error": None, "errors": [], "detail": None},
    {"choices": [], "usage": {"total_tokens": 1}, "message": None},
    chunk("Hello", code=0, msg=""),
    usage(9, 3),
]


@pytest.mark.parametrize("document", NO_ERRORS, ids=json.dumps)
def test_progress_and_success_are_not_errors(document):
    assert find_error(document) is None
