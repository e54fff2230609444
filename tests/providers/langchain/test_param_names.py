"""The parameters that a request may set are arguments of the vendors' chat models."""

from importlib import import_module

import pytest

from chat import providers
from chat.providers.langchain.params import PARAM_NAMES, check_params
from chat.providers.langchain.vendors import VENDORS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("vendor", PARAM_NAMES)
def test_params_of_requests_are_arguments_of_the_chat_model(vendor):
    row = VENDORS[vendor]
    cls = getattr(import_module(row.package), row.class_name)
    check_params(cls, PARAM_NAMES[vendor].values())


@pytest.mark.parametrize("provider", ["openai", "openai_responses"])
def test_params_of_requests_to_agents_are_arguments_of_langchains_model(provider):
    names = providers.param_names(f"{provider}:gpt-5", True)
    check_params(import_module("langchain_openai").ChatOpenAI, names.values())


def test_params_depend_on_the_provider():
    assert providers.param_names("openai:x", False)["response_format"] == "response_format"
    assert "response_format" not in providers.param_names("openai:x", True)
    assert providers.param_names("openai_responses:x", False)["max_tokens"] == "max_output_tokens"
    assert providers.param_names("ollama:x", False)["max_completion_tokens"] == "num_predict"
    assert providers.param_names("langchain:anthropic:x", False)["stop"] == "stop_sequences"
    assert providers.param_names("langchain:unknown:x", False) == providers.param_names("demo:", False) == {}
