"""Replies and runs of `openai_responses:`."""

import pytest

from chat.models import Assistant
from chat.providers import openai_responses
from tests.providers.provider_runs import ProviderReply, wait_until_idle


@pytest.fixture
async def read_reply(upstream):
    """`await read_reply(*steps)`: the provider's reply, given this answer. At the end, none is in progress."""

    async def read_reply(*steps, params=None, turns=None, **how):
        if steps:
            upstream.answers(*steps, **how)
        params = {"base_url": upstream.base_url} | (params or {})
        return await ProviderReply().read(params, turns, provider=openai_responses)

    yield read_reply
    await wait_until_idle(upstream)


@pytest.fixture
async def start_run(upstream, ask):
    """`await start_run(*steps)`: a started run whose model answers so. At the end, none is in progress."""

    async def start_run(*steps, params=None, text="Hi", **fields):
        if steps:
            upstream.answers(*steps)
        fields = {
            "model": "openai_responses:scripted",
            "params": {"base_url": upstream.base_url} | (params or {}),
        } | fields
        slug = f"model-{await Assistant.objects.acount()}"
        return await ask(await Assistant.objects.acreate(slug=slug, name="Model", **fields), text)

    yield start_run
    await wait_until_idle(upstream)
