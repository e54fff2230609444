"""`anthropic: azure_openai: google_genai: google_vertexai: ollama:MODEL` and `langchain:PROVIDER:MODEL` — the models
that LangChain knows, by its own conversion of their formats.

Of an assistant's params, `base_url`, `api_key_env` and `api_key` choose the server; the rest are arguments of the
vendor's chat model. Nothing of LangChain or a vendor is imported before it is used, and then in a thread: that takes a
second or two, for which the streams of others cannot wait.

For agents there are `chat_model`, `messages`, `Pieces` and `sentences`. They give and take LangChain's types, which
stay here and in `agent.py`.
"""

import asyncio
import functools
import gc
import json
import logging
import os
import re
import weakref
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from importlib import import_module

import httpx2
from django.utils.translation import gettext

from ..events import Finish, Reasoning, Text, Usage
from . import ProviderError, Request, errors, not_set, openai, server

TRANSPORTS = ("aiohttp", "httpcore", "httpx", "httpx2")  # packages whose errors come from the wire

log = logging.getLogger(__name__)
_clients = weakref.WeakKeyDictionary()  # event loop -> {"httpx" or "httpx2": client}
_imported = {}  # (function, arguments) -> what it gave


async def reply(request):
    said = Pieces()
    async with chat_model(request) as model:
        with sentences():
            # Not `astream`, which merges all chunks and tells callbacks; nobody here listens to them.
            async with aclosing(model._astream(messages(request))) as chunks:
                async for chunk in chunks:
                    for piece in said.pieces(chunk.message, chunk.generation_info):
                        yield piece
    for piece in said.rest():
        yield piece


async def close():
    """Close this loop's connections."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.aclose()


def check(model_id, params):
    """Raises ProviderError with what to mend where nothing could even be asked."""
    provider, _, model = model_id.partition(":")
    request = Request(model, [("user", [{"type": "text", "text": "Hi"}])], provider, params=params)
    chat = _build(request, Line())
    if hasattr(chat, "_get_request_payload"):  # where some of them look at their arguments
        with sentences():
            chat._get_request_payload(messages(request))


# The vendors' models --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def chat_model(request):
    """LangChain's chat model for this request; whatever it leaves open upstream is closed behind it.

        async with chat_model(request) as model:
            agent = create_agent(model, …)

    Raises ProviderError where the vendor's package or the key is missing or a param is wrong. It never tries twice.
    """
    vendor, _ = _vendor(request)
    await imported(_class, vendor)
    async with AsyncExitStack() as afterwards, Line() as line:
        model = _build(request, line)
        if hasattr(model, "aclose"):
            afterwards.push_async_callback(model.aclose)
        yield model


async def imported(function, *args):
    """What a function gives that imports large packages: it runs once, in a thread, and nobody in the loop waits."""
    if (function, args) not in _imported:
        gc.disable()  # the collector would look again and again at thousands of modules, 70 to 140 ms each time
        try:
            _imported[function, args] = await asyncio.to_thread(function, *args)
        finally:
            gc.enable()
        gc.freeze()  # they stay, for the collector to pass over
    return _imported[function, args]


def _vendor(request):
    """LangChain's name of the provider, and the model's; `openai:` comes here from agents, `langchain:` names both."""
    if request.provider != "langchain":
        return request.provider, request.model
    vendor, colon, model = request.model.partition(":")
    if not colon:
        sentence = gettext("“langchain:%(model)s” has to be langchain:PROVIDER:MODEL.") % {"model": request.model}
        raise ProviderError(sentence, "unknown_provider")
    return vendor, model


def _build(request, line):
    vendor, model = _vendor(request)
    build, cls, params = BUILDERS.get(vendor, functools.partial(_any, vendor)), _class(vendor), dict(request.params)
    if request.provider == "openai":  # its params are the request's, with LangChain as without
        params, body = {}, params
        params |= {name: body.pop(name) for name in ("base_url", "api_key_env", "api_key") if name in body}
        params["extra_body"] = body
    try:
        return build(cls, model, params, line)
    except ProviderError:
        raise
    except Exception as error:  # each class has its own: ValidationError, ValueError, TypeError, those of its SDK
        raise _wrong(error) from error


PACKAGES = {  # vendor -> (its package, the class of its chat model)
    "anthropic": ("langchain_anthropic", "ChatAnthropic"),
    "azure_openai": ("langchain_openai", "AzureChatOpenAI"),
    "google_genai": ("langchain_google_genai", "ChatGoogleGenerativeAI"),
    "google_vertexai": ("langchain_google_genai", "ChatGoogleGenerativeAI"),  # the other package's is deprecated
    "ollama": ("langchain_ollama", "ChatOllama"),
    "openai": ("langchain_openai", "ChatOpenAI"),
}
ANY = ("langchain.chat_models", "init_chat_model")


def _class(vendor):
    """What makes this vendor's chat model; takes seconds when nobody asked for it before."""
    package, name = PACKAGES.get(vendor, ANY)
    try:
        return getattr(import_module(package), name)
    except ImportError as error:
        raise _not_installed(package.partition(".")[0].replace("_", "-"), error) from error


def _not_installed(package, error):
    log.warning("A package cannot be imported: %s", errors.plain(error))
    sentence = gettext("The Python package of this model is not installed. Install it with: pip install %(package)s")
    return ProviderError(sentence % {"package": package}, "not_installed")


def _openai(cls, model, params, line):
    address, key = server(params, "OPENAI_API_KEY", address="OPENAI_BASE_URL")
    _known(cls, params)
    client = openai.sdk(address, key, httpx2.AsyncClient(transport=line))
    return _whole_openai(cls)(model=model, api_key=key or "none", **_through(client), **params)


def _azure_openai(cls, model, params, line):
    address, key = server(params, "AZURE_OPENAI_API_KEY")
    version = params.pop("api_version", None) or os.environ.get("OPENAI_API_VERSION") or "2024-10-21"
    _known(cls, params)
    client = import_module("openai").AsyncAzureOpenAI(
        azure_endpoint=address or _environment("AZURE_OPENAI_ENDPOINT"),
        azure_deployment=model,
        api_version=version,
        api_key=key or "none",
        http_client=httpx2.AsyncClient(transport=line),
        max_retries=0,
    )
    return _whole_openai(cls)(model=model, api_key=key or "none", api_version=version, **_through(client), **params)


def _through(client):
    """Arguments that make LangChain use this client, and make none of its own for sync calls either."""
    completions = Completions(client)
    return {
        "async_client": completions,
        "client": completions,
        "root_async_client": client,
        "root_client": client,
        "stream_usage": True,
        "stream_chunk_timeout": None,  # the engine has a clock for this
    }


def _anthropic(cls, model, params, line):
    address, key = server(params, "ANTHROPIC_API_KEY", address="ANTHROPIC_BASE_URL")
    _known(cls, params)
    address = address or os.environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com"
    chat = _whole_anthropic(cls)(model=model, base_url=address, api_key=key or "none", max_retries=0, **params)
    how = chat._client_params | {"http_client": httpx2.AsyncClient(transport=line)}
    vars(chat)["_async_client"] = import_module("anthropic").AsyncAnthropic(**how)  # it is a cached property
    return chat


def _google_genai(cls, model, params, line):
    address, key = server(params, "GOOGLE_API_KEY", "GEMINI_API_KEY", address="GOOGLE_GEMINI_BASE_URL")
    _known(cls, params)
    how = {"vertexai": False, "api_key": key or "none", "base_url": address, "client_args": _google_client_args(line)}
    return cls(model=model, max_retries=1, **how, **params)  # one try in all


def _google_vertexai(cls, model, params, line):
    """Vertex AI: by a project and Google's application default credentials, or by a key."""
    address, key = server(params, address="GOOGLE_VERTEX_BASE_URL", needed=False)
    project = params.pop("project", None)
    if address:
        key = key or "none"  # our project and its credentials go to Google alone
    elif not (project := project or os.environ.get("GOOGLE_CLOUD_PROJECT")) and not key:
        key = os.environ.get("GOOGLE_API_KEY", "").strip() or _environment("GOOGLE_CLOUD_PROJECT")
    _known(cls, params)
    location = params.pop("location", None) or os.environ.get("GOOGLE_CLOUD_LOCATION") or "global"
    args = _google_client_args(line)
    chat = cls(
        model=model,
        vertexai=True,
        base_url=address,
        client_args=args,
        max_retries=1,
        project=project or "none",
        location=location,
        **params,
    )
    if key:  # LangChain gives no key to Vertex AI
        genai = import_module("google.genai")
        options = genai.types.HttpOptions(
            base_url=address, api_version=chat.api_version, client_args=args, async_client_args=args
        )
        where = {"project": project, "location": location} if project else {}  # else the key alone tells
        chat.client = genai.Client(vertexai=True, api_key=key, http_options=options, **where)
        chat._client_cleanup = type(chat._client_cleanup)(chat.client)
    return chat


def _google_client_args(line):
    """A transport of ours, so that it is httpx, which does not try again by itself; without reading certificates."""
    return {"transport": line, "follow_redirects": False, "verify": openai.trusted(), "ssl": openai.trusted()}


def _ollama(cls, model, params, line):
    address, key = server(params, "OLLAMA_API_KEY", needed=False)
    _known(cls, params)
    headers = {"authorization": f"Bearer {key or 'none'}"} if key or address else {}  # else Ollama takes the variable's
    return cls(
        model=model,
        base_url=address,
        client_kwargs={"headers": headers},
        sync_client_kwargs={"verify": openai.trusted()},
        async_client_kwargs={"headers": headers, "transport": line, "follow_redirects": False},
        **params,
    )


BUILDERS = {
    "anthropic": _anthropic,
    "azure_openai": _azure_openai,
    "google_genai": _google_genai,
    "google_vertexai": _google_vertexai,
    "ollama": _ollama,
    "openai": _openai,
}


def _any(vendor, init_chat_model, model, params, line):
    """A vendor that we know nothing of. Most speak OpenAI's format; the others' packages have their own connections."""
    address, key = server(params, needed=False)
    chosen = {"base_url": address, "api_key": key or ("none" if address else None)}
    chosen = {name: value for name, value in chosen.items() if value}
    build = functools.partial(init_chat_model, model, model_provider=vendor, **chosen, **params)
    try:
        cls = type(build())
        _known(cls, params, chosen)
        ours = {"max_retries": 0, "http_async_client": httpx2.AsyncClient(transport=line), "stream_usage": True}
        if not any(base.__name__ == "BaseChatOpenAI" for base in cls.__mro__):  # such take our connections
            ours = {"max_retries": 0} if "max_retries" in cls.model_fields else {}
        return build(**ours)
    except ImportError as error:
        pip = re.search(r"pip install -?U?\s*([\w-]+)", str(error))
        raise _not_installed(pip[1] if pip else f"langchain-{vendor.replace('_', '-')}", error) from error


def _environment(name):
    if value := os.environ.get(name, "").strip():
        return value
    raise ProviderError(not_set(name), "not_configured")


# Params that are not an assistant's to set: what the engine decides, and other ways to say where a key is sent.
OURS = re.compile(
    r"(.*_)?(api_key|access_key|key_id|(ad|api|auth|session)_token|token_provider|credentials"
    r"|url|api_base|api_type|endpoint|host|proxy|headers|query|deployment|organization|vertexai"
    r"|client|(client|model)_(kwargs|args|options)|socket_options|timeout|retries|rate_limiter"
    r"|callbacks|cache|metadata|metadata_input|profile|tags|verbose|custom_get_token_ids|response_headers)"
    r"|validate_.*|streaming|disable_streaming|stream_.*|deployment_name|model|model_name|name|n|candidate_count"
)


def _known(cls, params, ours=()):
    """Raises ProviderError if one of these params is not the assistant's to set, or not this model's."""
    fields = {name for field, info in cls.model_fields.items() for name in (field, info.alias) if name}
    for name in [*params, *ours]:
        if name not in fields or (OURS.fullmatch(name) and name not in ours):
            sentence = gettext("The model has no param “%(name)s”.") % {"name": name[:100]}
            raise ProviderError(sentence, "not_configured")


def _wrong(error):
    """What a chat model says to its arguments, as a sentence. The whole of it may hold the key."""
    log.warning("The chat model cannot be built: %s", type(error).__name__)
    if variable := re.search(r"\b[A-Z][A-Z0-9_]*_API_KEY\b", str(error)):
        return ProviderError(not_set(variable[0]), "not_configured")
    if "nsupported" in str(error) and "provider" in str(error):
        return ProviderError(gettext("LangChain knows no provider of this name."), "unknown_provider")
    told = error.errors(include_url=False, include_input=False) if hasattr(error, "errors") else ()
    wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told)[:300]
    sentence = gettext("The model's params are wrong: %(reason)s.")
    return ProviderError(sentence % {"reason": wrong or gettext("it does not take them")}, "not_configured")


# The wire -------------------------------------------------------------------------------------------------------------


class Line:
    """A request's way over the loop's connections: a transport for clients of httpx and httpx2.

    Closing it hangs up whatever still speaks. The vendors' SDKs and LangChain leave that to the garbage collector when
    their stream is not read to its end.
    """

    def __init__(self):
        self.responses = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self.aclose()

    async def handle_async_request(self, request):
        client = _connections(type(request).__module__.partition(".")[0])
        request.extensions["timeout"] = client.timeout.as_dict()  # each SDK has its own, which the engine's replace
        try:
            self.responses.append(await client.send(request, stream=True))
        except Exception as error:
            raise errors.unreachable(error) from error
        return self.responses[-1]

    async def aclose(self):
        while self.responses:
            with suppress(Exception):  # it may have ended by itself, in whatever way
                await self.responses.pop().aclose()

    def close(self):
        """Google's client has a sync twin, which closes it, too."""


def _connections(library):
    """The loop's client of httpx or httpx2, which keeps its connections."""
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    if library not in clients:
        if library == "httpx2":
            clients[library] = openai.connections(follow_redirects=False)
        else:
            httpx = import_module(library)
            clients[library] = httpx.AsyncClient(
                verify=openai.trusted(),
                timeout=httpx.Timeout(None, connect=openai.CONNECT_TIMEOUT),
                limits=httpx.Limits(max_connections=None, keepalive_expiry=openai.KEPT),
            )
    return clients[library]


class Completions:
    """OpenAI's chat completions as LangChain asks for them; the stream is of dicts, which it takes, too.

    They come by the same way as those of `openai:`, which costs a fraction of the SDK's objects and forgives more.
    """

    def __init__(self, client):
        self.client = client

    async def create(self, **payload):
        return aclosing(openai.listen(self.client.chat.completions.with_streaming_response.create(**payload), Whole()))


class Whole(openai.Chunks):
    """The data of a stream's events -> chunks as dicts, with what LangChain counts on and would overlook."""

    def __init__(self):
        super().__init__()
        self.counted = None
        self.numbers = {}  # index of a tool call that is open -> (its id, the number that we give it)

    def read(self, choices, chunk):
        if usage := chunk.pop("usage", None):
            self.counted = usage  # the last one counts; LangChain would add them up
        for choice in choices:
            delta = choice["delta"] = choice.pop("delta", choice.get("message")) or {}
            if refusal := delta.get("refusal"):
                delta["content"] = (delta.get("content") or "") + refusal
            if calls := delta.get("tool_calls"):
                delta["tool_calls"] = [self._call(call) for call in calls]
            if choice.get("finish_reason") == "error":
                raise errors.reported(choice.get("error"))
        return [chunk | {"choices": [choice]} for choice in choices]

    def _call(self, call):
        """A delta of a tool call with a number and arguments that are text, and with id and name in its first alone."""
        index, function, id = call.get("index") or 0, call.get("function") or {}, call.get("id")
        name, arguments = function.get("name"), function.get("arguments")
        known, number = self.numbers.get(index, (None, None))
        if known is None or (id and name and str(id) != known):
            number, self.calls.made = self.calls.made, self.calls.made + 1
            id, name = str(id or f"call_{number}"), str(name or "unknown")
            self.numbers[index] = id, number
        else:
            id = name = None
        if arguments is not None and type(arguments) is not str:
            arguments = json.dumps(arguments)
        return {"index": number, "id": id, "function": {"name": name, "arguments": arguments or ""}}

    def rest(self):
        """Whether the model had finished is seen where the chunks are read."""
        if self.counted:
            yield {"choices": [], "usage": self.counted}


@functools.cache
def _whole_openai(cls):
    """That class of chat model, which tells of thoughts, too."""

    class Model(cls):
        def _convert_chunk_to_generation_chunk(self, chunk, *args):
            generation = super()._convert_chunk_to_generation_chunk(chunk, *args)
            for choice in chunk["choices"]:
                delta = choice["delta"]
                if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                    generation.message.additional_kwargs["reasoning_content"] = openai.text(thought)
            return generation

    return Model


@functools.cache
def _whole_anthropic(cls):
    """That class of chat model, which counts the question's tokens where they are told at the beginning only, too."""

    class Model(cls):
        def _make_message_chunk_from_anthropic_event(self, event, **how):
            if event.type == "message_start":
                vars(self)["begun"] = event.message.usage
            elif event.type == "message_delta" and (begun := vars(self).get("begun")):
                for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
                    if not getattr(event.usage, name, None):
                        setattr(event.usage, name, getattr(begun, name, None))
            return super()._make_message_chunk_from_anthropic_event(event, **how)

    return Model


# To LangChain ---------------------------------------------------------------------------------------------------------


def messages(request):
    """The system prompt and the turns as LangChain's messages.

    Each tool call is followed by its ToolMessage: with the result of its part, of a later `tool_result` part, of the
    request's answers where they are dicts, or with an error that says that there is none.
    """
    types = import_module("langchain_core.messages")
    results = {id: answer for id, answer in request.answers.items() if isinstance(answer, dict)}
    results |= {part["id"]: part for _, parts in request.turns for part in parts if part["type"] == "tool_result"}
    made = [types.SystemMessage(request.system_prompt)] if request.system_prompt else []
    for role, parts in request.turns:
        if role == "user":
            if content := _content(parts):
                made.append(types.HumanMessage(content))
        else:
            made += _answer(types, parts, results)
    return made


def _content(parts):
    """A person's words as text; with images as a list of LangChain's standard blocks."""
    blocks = []
    for part in parts:
        if part["type"] == "text" and part["text"]:
            blocks.append({"type": "text", "text": part["text"]})
        elif part["type"] == "image":
            where = {"url": part["url"]} if part.get("url") else {"base64": part.get("data")}
            kind = {"mime_type": part["media_type"]} if part.get("media_type") else {}
            blocks.append({"type": "image", **where, **kind})
    if all(block["type"] == "text" for block in blocks):
        return "".join(block["text"] for block in blocks)
    return blocks


def _answer(types, parts, results):
    """A reply: each text with the calls that follow it is a message, and so is each result."""
    text, calls = "", []
    for part in [*parts, None]:
        if calls and (part is None or part["type"] == "text"):
            yield types.AIMessage(text, tool_calls=[_call(call) for call in calls])
            for call in calls:
                yield _result(types, call, results.get(call["id"], {}))
            text, calls = "", []
        if part is None:
            break
        if part["type"] == "text":
            text += part["text"]
        elif part["type"] == "tool_call":
            calls.append(part)
    if text:
        yield types.AIMessage(text)


def _call(part):
    """A call whose arguments are no JSON object was never made; vendors still want an object."""
    try:
        arguments = json.loads(part["arguments"])
    except (ValueError, RecursionError):
        arguments = {}
    return {"id": part["id"], "name": part["name"], "args": arguments if isinstance(arguments, dict) else {}}


def _result(types, call, later):
    error = call.get("error") or later.get("error")
    result = next((told for told in (call.get("result"), later.get("result")) if told is not None), None)
    if result is None and not error:
        error = "This tool call was not carried out."
    return types.ToolMessage(
        error or result, tool_call_id=call["id"], name=call["name"], status="error" if error else "success"
    )


# From LangChain -------------------------------------------------------------------------------------------------------

REASONS = {  # a vendor's word, in lower case -> OpenAI's
    "completed": "stop",
    "end_turn": "stop",
    "pause_turn": "stop",
    "stop_sequence": "stop",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "incomplete": "length",
    "max_output_tokens": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "model_length": "length",
    "blocklist": "content_filter",
    "guardrail_intervened": "content_filter",
    "image_safety": "content_filter",
    "prohibited_content": "content_filter",
    "recitation": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "spii": "content_filter",
}


class Pieces:
    """AIMessageChunks of one model call -> our pieces, whatever shape the vendor's content has.

    said = Pieces()
    for each chunk: said.pieces(chunk)    # the pieces that it makes, in order
    said.rest()                           # at the end: what is left; ProviderError if the model had not finished
    """

    def __init__(self):
        self.finished = False
        self.calls = openai.Calls()
        self.counts = []  # usage as LangChain tells it: that of all chunks together is the call's

    def pieces(self, message, info=None):
        """`info` is the generation's, where the chunk has one of its own."""
        made = []
        if content := message.content:
            if type(content) is str:
                made.append(Text(content))
            else:
                made += self._blocks(content)
        if more := message.additional_kwargs:
            if thought := _words(more.get("reasoning_content")):
                made.insert(0, Reasoning(thought))
        for call in message.tool_call_chunks:
            made += self.calls.pieces(call.get("index"), call.get("id"), call.get("name"), call.get("args"))
        if message.usage_metadata:
            self.counts.append(message.usage_metadata)
        if info or message.response_metadata:
            made += self._finish({**(info or {}), **message.response_metadata})
        return made

    def rest(self):
        if (usage := self._usage()).total_tokens:
            yield usage
        if not self.finished:
            raise errors.broken_off()

    def _blocks(self, content):
        for block in content:
            if type(block) is str:
                yield Text(block)
                continue
            match block.get("type"):
                case "text" | "output_text":
                    if text := _words(block.get("text")):
                        yield Text(text)
                case "refusal":
                    yield Text(_words(block.get("refusal")))
                case "thinking" | "reasoning" | "reasoning_content":
                    told = (block.get(name) for name in ("thinking", "reasoning", "reasoning_content", "summary"))
                    if thought := "".join(map(_words, told)):
                        yield Reasoning(thought)

    def _finish(self, told):
        """Each vendor has its own name for it, and its own words."""
        reason = next(
            (
                reason
                for name in ("finish_reason", "stop_reason", "stopReason", "done_reason", "status")
                if (reason := told.get(name)) and type(reason) is str
            ),
            None,
        )
        if reason is None and (feedback := told.get("prompt_feedback")):
            reason = feedback.get("block_reason") and "content_filter"
        if not reason or self.finished:
            return
        if reason == "incomplete":
            reason = (told.get("incomplete_details") or {}).get("reason") or reason
        reason = REASONS.get(reason.lower(), reason.lower())
        if reason == "stop" and self.calls.made:
            reason = "tool_calls"
        self.finished = True
        yield from self.calls.end()
        yield Finish(reason)

    def _usage(self):
        def total(*path):
            told = [functools.reduce(lambda at, name: (at or {}).get(name), path, counts) for counts in self.counts]
            told = [count for count in told if type(count) is int]
            return max(0, sum(told)) if told else None

        return Usage(
            total("input_tokens"),
            total("output_tokens"),
            total("total_tokens"),
            total("output_token_details", "reasoning"),
            total("input_token_details", "cache_read"),
        )


def _words(value):
    """The text in what may be a string, a block with it, or a list of both."""
    if type(value) is list:
        return "".join(map(_words, value))
    if type(value) is dict:
        return next((_words(value[name]) for name in ("text", "thinking", "reasoning") if value.get(name)), "")
    return value if type(value) is str else ""


@contextmanager
def sentences():
    """Whatever LangChain, a vendor's SDK and the transports raise, as a ProviderError with a sentence."""
    try:
        yield
    except Exception as error:
        told = _sentence(error)
        if told is error:
            raise
        raise told from told.__cause__ or error


def _sentence(error):
    """The ProviderError for this error; the error itself where it is none that a model's server may cause."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, ProviderError):
            return cause
    if any(kind.__name__ == "ContextOverflowError" for kind in type(error).__mro__):
        log.warning("The conversation is too long: %s", type(error).__name__)
        return errors.too_long()
    for cause in causes:
        package = type(cause).__module__.partition(".")[0]
        status = getattr(cause, "status_code", None) or getattr(cause, "code", None)
        if type(status) is int:
            body = next((getattr(cause, name) for name in ("body", "details", "error") if hasattr(cause, name)), None)
            headers = getattr(getattr(cause, "response", None), "headers", None)
            return errors.reported(body, status if status >= 400 else None, headers)
        if hasattr(cause, "body"):  # an error in mid-stream
            return errors.reported(cause.body or str(cause))
        if type(cause).__module__.startswith("google.auth") or type(cause).__name__ == "InvalidURL":
            return errors.not_set_up(cause)
        if package in TRANSPORTS or isinstance(cause, OSError):
            return errors.broken_off(cause)
    if type(error) is ValueError:  # LangChain's own words, about what it was asked or what it was told
        return _told(str(error))
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError | RecursionError):
        log.warning("The model's answer cannot be read", exc_info=error)
        return errors.malformed()
    return error


def _told(words):
    """What OpenAI's responses report, as `code: message` or as an object's repr, or a sentence for developers."""
    found = re.search(r"code='(\w+)', message='(.*?)'", words) or re.fullmatch("([a-z_]+): (.+)", words)
    code, message = found.groups() if found else (None, words)
    return errors.reported({"code": code, "message": message})


def _causes(error):
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        error = error.__cause__ or error.__context__
    return seen
