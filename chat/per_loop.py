"""One value for each event loop: clients, tasks and locks belong to the loop that they were made on."""

import asyncio
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """The running loop's value, made by `make` at its first use and forgotten with its loop.

    Production has one loop a process; tests have one a test.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, T] = weakref.WeakKeyDictionary()

    def get(self) -> T:
        loop = asyncio.get_running_loop()
        if loop not in self._values:
            self._values[loop] = self._make()
        return self._values[loop]

    def set(self, value: T) -> T:
        """Gives the running loop this value, which must not have one yet."""
        if self.exists():
            raise RuntimeError("This event loop has its value already")
        self._values[asyncio.get_running_loop()] = value
        return value

    def pop(self) -> T | None:
        """Forgets and returns the running loop's value, or None if it has none."""
        return self._values.pop(asyncio.get_running_loop(), None)

    def exists(self) -> bool:
        """Whether the running loop has a value already."""
        return asyncio.get_running_loop() in self._values
