"""A clock by hand: an event loop in which waiting takes no time.

When nothing else can happen, its time jumps to the next moment for which somebody waits. So pauses
and deadlines of minutes are tested exactly, in milliseconds. Not for code that uses threads.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    loop: InstantLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits and nothing will come")
            self.loop.now += max(0.0, timeout)
        return ready


class InstantLoop(asyncio.SelectorEventLoop):
    """`now` is its time in seconds; it begins at 1000."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 1000.0
        super().__init__(selector)
        # Timers within the clock's resolution count as due; rounding must not make it spin.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end on an instant loop."""
    with asyncio.Runner(loop_factory=InstantLoop) as runner:
        return runner.run(work)
