"""Assistants and replies of the providers that LangChain brings."""

import pytest

from chat.models import Assistant
from tests.providers.langchain.vendors import VENDORS, LangChainReply, root_url
from tests.providers.provider_runs import wait_until_idle


@pytest.fixture(autouse=True)
def no_metadata_server(monkeypatch):
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # otherwise Google's library looks for the metadata server of its cloud


@pytest.fixture
async def assistant(transactional_db):
    """`await assistant(vendor, root_url, **params)`: an assistant of this vendor, whose API is at that URL."""

    async def make(vendor, root_url, **params):
        model, params_for = VENDORS[vendor]
        slug = f"{vendor}-{await Assistant.objects.acount()}"
        return await Assistant.objects.acreate(
            slug=slug, name=vendor, model=model, params=params_for(root_url) | params
        )

    return make


@pytest.fixture
async def read_reply(upstream):
    """`await read_reply(vendor, *steps)`: the provider's reply, given this answer. At the end, none is in progress."""

    async def read_reply(vendor, *steps, params=None, **fields):
        if steps:
            upstream.written.clear()
            upstream.answers(*steps)
        model, params_for = VENDORS[vendor]
        return await LangChainReply().read(model, params_for(root_url(upstream)) | (params or {}), **fields)

    yield read_reply
    await wait_until_idle(upstream)
