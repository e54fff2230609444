"""Django's undocumented names that chat.django_internals relies on: one test each, and that each has a fallback."""

import threading

import pytest
from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.middleware import get_user
from django.contrib.messages.middleware import MessageMiddleware
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.deprecation import MiddlewareMixin

from chat import django_internals
from chat.django_internals import InLoopMixin, LeanASGIHandler, cached_user

SLOWER = "The site still works, but slower: see chat/django_internals.py."


class Hooks(MiddlewareMixin):
    """Notes the thread of each hook."""

    def process_request(self, request):
        request.threads = [threading.get_ident()]

    def process_response(self, request, response):
        request.threads.append(threading.get_ident())
        return response


class HooksInLoop(InLoopMixin, Hooks):
    pass


async def respond(request):
    return HttpResponse("Hello")


async def threads_of(middleware):
    request = RequestFactory().get("/")
    assert (await middleware(respond)(request)).content == b"Hello"
    return request.threads


async def test_django_calls_the_acall_method_of_a_middleware():
    assert iscoroutinefunction(MiddlewareMixin.__acall__), f"Django has no MiddlewareMixin.__acall__ now. {SLOWER}"
    here = threading.get_ident()
    assert await threads_of(HooksInLoop) == [here, here], f"Django runs the hooks in threads again. {SLOWER}"


async def test_django_without_acall_runs_the_hooks_in_threads(monkeypatch):
    monkeypatch.delattr(InLoopMixin, "__acall__")
    assert threading.get_ident() not in await threads_of(HooksInLoop)


async def test_django_caches_the_user_on_the_request(client_of, alice):
    request = (await client_of(alice).get("/")).asgi_request
    assert cached_user(request) == alice, f"Django keeps the user of a request elsewhere now. {SLOWER}"


async def test_django_without_a_cached_user_loads_it(client_of, alice, monkeypatch):
    request = (await client_of(alice).get("/")).asgi_request
    del request._cached_user
    assert cached_user(request) is None
    assert await request.auser() == await sync_to_async(get_user)(request) == alice


@pytest.mark.parametrize(
    "name", ["chunk_bytes", "create_request", "listen_for_disconnect", "read_body", "run_get_response"]
)
def test_django_handler_has_the_methods_that_ours_overrides(name):
    assert hasattr(ASGIHandler, name), f"ASGIHandler has no {name} now: what LeanASGIHandler does there is lost."
    assert name in vars(LeanASGIHandler)


def test_django_stores_messages_on_the_request(rf):
    request = rf.get("/")
    request.session = {}
    MessageMiddleware(respond).process_request(request)
    assert "_messages" in vars(request), "Django keeps messages elsewhere now: streams hold their request in a cycle."


async def test_django_sends_a_small_chunk_unchanged():
    assert list(django_internals.LeanASGIHandler.chunk_bytes(b"x")) == list(ASGIHandler.chunk_bytes(b"x"))
