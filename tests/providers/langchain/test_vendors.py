"""The vendors that LangChain knows and the site has no row for: docs/providers.md says what of them is tested."""

from importlib.util import find_spec

import pytest

from chat import providers
from chat.providers import ProviderError
from chat.providers.langchain import vendors
from scripts.environment import ROOT


@pytest.fixture
def known():
    """Returns vendor -> the name of its package."""
    from langchain.chat_models import base

    return {vendor: row[0].partition(".")[0] for vendor, row in base._BUILTIN_PROVIDERS.items()}


def test_each_vendor_of_langchain_is_in_the_docs(known):
    table = (ROOT / "docs/providers.md").read_text().split("## A vendor of LangChain")[1].split("\n## ")[0]
    assert len(known) > 20
    assert [vendor for vendor in known if f"`{vendor}`" not in table] == []


def test_each_vendor_whose_package_is_missing_says_which(known):
    missing = [name for name in known if name not in vendors.VENDORS and find_spec(known[name]) is None]
    assert missing
    for vendor in missing:
        with pytest.raises(ProviderError, match=f"pip install {known[vendor].replace('_', '-')}") as error:
            providers.check(f"langchain:{vendor}:m")
        assert error.value.code == "not_installed"
