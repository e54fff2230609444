"""No assistant's requests go to the metadata server of a cloud, whatever name it is given."""

import asyncio
import socket
from contextlib import aclosing

import pytest

from chat import providers
from chat.providers import forbidden_hosts

SENTENCE = "must not be a link-local address"
FORBIDDEN = [
    "http://169.254.169.254/v1",
    "http://169.254.170.2/v1",
    "http://2852039166/v1",
    "http://0xa9fea9fe/v1",
    "http://0251.0376.0251.0376/v1",
    "http://[fe80::1]/v1",
    "http://[fe80::1%25eth0]/v1",
    "http://[::ffff:169.254.169.254]/v1",
    "http://[64:ff9b::a9fe:a9fe]/v1",
    "http://[fd00:ec2::254]/v1",
    "http://100.100.100.200/v1",
    "http://metadata.google.internal/v1",
    "http://METADATA.google.internal./v1",
]
ALLOWED = [
    "http://127.0.0.1:11434/v1",
    "http://localhost:11434/v1",
    "http://[::1]/v1",
    "http://10.0.0.5/v1",
    "http://192.168.1.2/v1",
    "http://172.16.0.1/v1",
    "http://[fd12::1]/v1",
    "https://models.example.com/v1",
]
KEY = {"api_key": "sk-test"}


@pytest.mark.parametrize("base_url", FORBIDDEN)
@pytest.mark.parametrize("model", ["openai:m", "anthropic:m"])
def test_forbidden_address_is_refused_when_it_is_saved(base_url, model):
    with pytest.raises(providers.ProviderError, match=SENTENCE):
        providers.check(model, {"base_url": base_url, **KEY}, [])


@pytest.mark.parametrize("base_url", ALLOWED)
def test_loopback_and_private_addresses_are_allowed(base_url):
    providers.check("openai:m", {"base_url": base_url, **KEY}, [])


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
@pytest.mark.parametrize("address", ["169.254.169.254", "127.0.0.1"])
async def test_name_is_looked_up_before_each_request(upstream, provider, address, monkeypatch):
    """A name may stand for a harmless address when the assistant is saved, and for another one later."""
    loop, looked_up = asyncio.get_running_loop(), []

    async def getaddrinfo(host, port, **options):
        looked_up.append(host)
        family = socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address if host == "models.example.com" else host, port or 0))]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    reply, _ = providers.resolve(f"{provider}:m")
    turns = [("user", [{"type": "text", "text": "Hi"}])]
    key = {} if provider == "ollama" else KEY
    base_url = "http://models.example.com:9"  # where nothing listens
    request = providers.Request("m", turns, provider, params={"base_url": base_url, **key})
    with pytest.raises(providers.ProviderError) as raised:
        async with aclosing(reply(request)) as pieces:
            async for _ in pieces:
                pass
    assert raised.value.code == ("unreachable" if address == "127.0.0.1" else "not_configured")
    assert "models.example.com" in looked_up


async def test_hosts_of_vendors_and_the_operator_are_not_looked_up(monkeypatch):
    async def getaddrinfo(*args, **options):
        raise AssertionError("looked up")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    await forbidden_hosts.check_resolved("api.openai.com")
    with pytest.raises(providers.ProviderError):
        await forbidden_hosts.check_resolved("169.254.169.254")  # stored before there was this check
