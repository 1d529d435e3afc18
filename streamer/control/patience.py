"""Growing pauses, kept for each meeting apart: one bad meeting must not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """After each failure of a meeting it waits twice as long, from `first_s` up to `longest_s`."""

    def __init__(
        self, first_s: float, longest_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first_s, self._longest_s, self._clock = first_s, longest_s, clock
        self._held: dict[str, tuple[float, float]] = {}
        """Meeting -> until when, and how long the pause is (both in seconds)."""

    def waits(self, meeting: str) -> bool:
        """True while the pause after the last failure lasts."""
        until, _ = self._held.get(meeting, (0.0, 0.0))
        return self._clock() < until

    def failed(self, meeting: str) -> float:
        """Begin the next pause; its length in seconds."""
        _, before = self._held.get(meeting, (0.0, 0.0))
        pause = min(before * 2, self._longest_s) if before else self._first_s
        self._held[meeting] = (self._clock() + pause, pause)
        return pause

    def went_well(self, meeting: str) -> None:
        self._held.pop(meeting, None)
