"""`scripted:NAME` — a provider that says what a test wrote for that name, and waits where the test wants it to.

A script is a list of pieces, exceptions (raised), awaitables made by calling what is callable (such as `gate.wait`),
or a function of the request that gives such a list.
"""

import inspect

from chat import providers

scripts = {}
requests = []  # in order
closed = []  # the names of the scripts whose stream was closed, however it ended

providers.REGISTRY["scripted"] = "tests.scripted"


def param_names(model_id, with_tools):
    return {name: name for name in ("temperature", "max_tokens", "max_completion_tokens", "response_format", "stop")}


async def reply(request):
    requests.append(request)
    script = scripts[request.model]
    try:
        for step in script(request) if inspect.isfunction(script) else script:
            if isinstance(step, BaseException):
                raise step
            if callable(step):
                await step()
            elif inspect.isawaitable(step):
                await step
            else:
                yield step
    finally:
        closed.append(request.model)
