"""What staff search for and filter by is bounded in every list of the admin."""

import pytest
from django.contrib import admin

from chat.admin.base import MAX_SEARCH_LENGTH, MAX_SEARCH_WORDS

SENTENCE = "Search for at most 20 words and 200 characters."


def lists():
    models = [model for model, model_admin in admin.site._registry.items() if model_admin.search_fields]
    return [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in models]


def test_lists_are_those_of_the_site():
    assert {"/admin/auth/user/", "/admin/auth/group/", "/admin/chat/run/", "/admin/chat/assistant/"} <= set(lists())


@pytest.mark.parametrize("path", lists())
async def test_search_is_limited_and_says_so(client_of, bob, path):
    client = client_of(bob)
    for words in ("a" * (MAX_SEARCH_LENGTH + 1), "a " * (MAX_SEARCH_WORDS + 1), '\\" ' * 2_000, "bob\0"):
        response = await client.get(path, {"q": words})
        assert response.status_code == 200
        assert SENTENCE in response.content.decode() or "\0" in words  # the form has a field without it
        assert response.context["cl"].result_count == 0 or "\0" in words
    response = await client.get(path, {"q": "a " * MAX_SEARCH_WORDS})
    assert response.status_code == 200
    assert SENTENCE not in response.content.decode()


@pytest.mark.parametrize("lookup", ["username__regex", "username__iregex"])
async def test_users_are_not_found_by_expressions(client_of, bob, lookup):
    assert (await client_of(bob).get("/admin/auth/user/", {lookup: "(a+)+$"})).status_code == 400


@pytest.mark.parametrize(
    "query", ["username=%00", "groups__id__exact=99999999999999999999", "is_staff__exact=x", "p=x"]
)
async def test_invalid_filter_of_users_causes_no_500(client_of, bob, query):
    assert (await client_of(bob).get(f"/admin/auth/user/?{query}")).status_code < 400


async def test_autocomplete_is_limited(client_of, bob):
    source = {"app_label": "auth", "model_name": "user", "field_name": "groups"}
    for term in ("a" * 100_000, "\0"):
        response = await client_of(bob).get("/admin/autocomplete/", {**source, "term": term[:7_000]})
        assert response.status_code == 200
        assert response.json()["results"] == []
