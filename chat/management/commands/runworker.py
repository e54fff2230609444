"""A process that executes runs and serves nobody. Channels has a command of this name, which the site does not use."""

import asyncio
import logging
import signal

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from uvicorn.loops.auto import auto_loop_factory

from chat import engine
from chat.asgi.lifespan import warm_process
from chat.backends import limits

logger = logging.getLogger("chat.runworker")


class Command(BaseCommand):
    help = "Execute the runs that server processes with RUNNER=web or both have queued, until SIGTERM."

    def handle(self, **options):
        if settings.RUNNER == "embedded":
            raise CommandError("Server processes execute their runs themselves. Set RUNNER=web there, and worker here.")
        limits.set_for_servers()
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(work())


async def work() -> None:
    """Takes queued runs until SIGTERM or SIGINT. A second signal ends the process at once."""
    stopped = stop_signal()
    async with warm_process():
        engine.set_up(runner="worker")
        logger.info("Taking queued runs, at most %s at a time", settings.MAX_RUNS)
        await stopped.wait()
    await engine.shut_down()


def stop_signal() -> asyncio.Event:
    """Returns an event that the first SIGTERM or SIGINT sets; the next one does what it does by default."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: signal.Signals) -> None:
        logger.info("%s: taking no more runs; those that go on have %s s", number.name, settings.SHUTDOWN_GRACE)
        stopped.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return stopped
