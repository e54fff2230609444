"""Self-hosted servers are recognized by their addresses: there, titles give way to answers."""

import pytest

from chat.local_hosts import is_local
from chat.providers import Server, server_of

GPU = Server("gpu:8000", is_self_hosted=True)
LOCAL_OLLAMA = Server("127.0.0.1:11434", is_self_hosted=True)
SERVERS = [
    ("openai:m", {}, {}, Server("openai", is_self_hosted=False)),
    ("openai:m", {"base_url": "https://api.openai.com/v1"}, {}, Server("api.openai.com", is_self_hosted=False)),
    ("openai:m", {"base_url": "https://openrouter.ai/api/v1"}, {}, Server("openrouter.ai", is_self_hosted=False)),
    ("openai:m", {"base_url": "https://api.groq.com/openai/v1"}, {}, Server("api.groq.com", is_self_hosted=False)),
    ("openai:m", {"base_url": "http://gpu:8000/v1"}, {}, GPU),
    ("openai_responses:m", {"base_url": "http://key:secret@gpu:8000/v1"}, {}, GPU),
    ("openai:m", {}, {"OPENAI_BASE_URL": "http://gpu:8000/v1"}, GPU),
    ("openai:m", {"base_url": "http://[::1]:8000/v1"}, {}, Server("[::1]:8000", is_self_hosted=True)),
    ("openai:m", {"base_url": "http://[::1"}, {}, Server("[::1", is_self_hosted=False)),
    (
        "azure_openai:m",
        {},
        {"AZURE_OPENAI_ENDPOINT": "https://a.azure.com/"},
        Server("a.azure.com", is_self_hosted=False),
    ),
    ("ollama:m", {}, {}, LOCAL_OLLAMA),
    ("langchain:ollama:m", {}, {}, LOCAL_OLLAMA),
    ("ollama:m", {}, {"OLLAMA_HOST": "gpu:11434"}, Server("gpu:11434", is_self_hosted=True)),
    ("ollama:m", {"base_url": "https://gpu.example.com"}, {}, Server("gpu.example.com", is_self_hosted=True)),
    ("ollama:m", {"base_url": "https://ollama.com"}, {}, Server("ollama.com", is_self_hosted=False)),
    ("anthropic:m", {}, {}, Server("anthropic", is_self_hosted=False)),
    ("our_own:m", {}, {}, Server("our_own", is_self_hosted=False)),
]


@pytest.mark.parametrize(("model_id", "params", "variables", "server"), SERVERS)
def test_self_hosted_server_is_recognized_by_its_address(monkeypatch, model_id, params, variables, server):
    for name in ("OPENAI_BASE_URL", "OLLAMA_HOST", "AZURE_OPENAI_ENDPOINT", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert server_of(model_id, params) == server


LOCAL = ["localhost", "127.0.0.1", "::1", "10.1.2.3", "192.168.0.7", "fd12::1", "100.64.0.1", "gpu", "GPU.local."]
LOCAL += ["host.docker.internal", "ollama.models.svc.cluster.local", "gpu.lan"]
PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "api.openai.com", "models.example.com", "localhost.example.com"]


@pytest.mark.parametrize(("host", "expected"), [*((host, True) for host in LOCAL), *((host, False) for host in PUBLIC)])
def test_host_is_local_by_its_address_or_name(host, expected):
    assert is_local(host) is expected
