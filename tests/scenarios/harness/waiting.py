"""Waiting for things to happen, never for time to pass."""

from __future__ import annotations

import asyncio
import os
from typing import Awaitable, Callable, TypeVar

T = TypeVar("T")

#: Seconds within which everything that should happen does. Generous: only a failure ever takes this long.
PATIENCE = float(os.environ.get("SALLYPORT_PATIENCE", "8"))


async def within(awaitable: Awaitable[T], what: str, seconds: float = PATIENCE) -> T:
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        raise AssertionError(f"waited {seconds:g} s in vain for {what}") from None


class Bell:
    """Rung whenever something changed; whoever waits looks again."""

    def __init__(self):
        self._waiting: set[asyncio.Future] = set()

    def ring(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def until(self, look: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
        """The first thing that `look` finds true. `look` may end the wait early by raising AssertionError."""

        async def wait() -> T:
            while not (found := look()):
                future = asyncio.get_running_loop().create_future()
                self._waiting.add(future)
                await future
            return found

        return await within(wait(), what, seconds)
