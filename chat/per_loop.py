"""One value for each event loop: clients, tasks and locks belong to the loop that they were created in."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Holds the running loop's value, which `factory` creates on first use. It is dropped together with its loop.

    In production there is one loop per process; in the tests, one per test.
    """

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._values: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, T] = weakref.WeakKeyDictionary()

    def get(self) -> T:
        loop = asyncio.get_running_loop()
        if loop not in self._values:
            self._values[loop] = self._factory()
        return self._values[loop]

    def set(self, value: T) -> T:
        """Sets the running loop's value. It must not have one yet."""
        if self.exists():
            raise RuntimeError("This event loop already has a value")
        self._values[asyncio.get_running_loop()] = value
        return value

    def pop(self) -> T | None:
        """Removes and returns the running loop's value, or returns None if there is none."""
        return self._values.pop(asyncio.get_running_loop(), None)

    def exists(self) -> bool:
        """Whether the running loop already has a value."""
        return asyncio.get_running_loop() in self._values
