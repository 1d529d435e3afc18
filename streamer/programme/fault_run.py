"""How long a fault has lasted, when what is looked at comes ten times a second or every 2 s."""

from __future__ import annotations

from typing import NamedTuple

LATEST_S = 4.5
"""Seconds after its real beginning at which a fault is told, whatever the settings say. With the
0.2 s between two looks it stays within the promised 5 s."""
SURE_S = 1.0
"""Seconds that a fault must be seen at least, even when it may have begun long before."""


class Verdict(NamedTuple):
    """What a detector thinks now: told when `bad`, and once it was told, over when `over`."""

    bad: bool
    over: bool
    began: float = 0.0
    value: float = 0.0
    limit: float = 0.0


NO_VERDICT = Verdict(False, False)


class FaultRun:
    """Something is bad surely since the first look that saw it, and perhaps since the look before.

    With key frames every 2 s a picture that is black at one of them may have been black for 2 s.
    """

    def __init__(self, after_s: float) -> None:
        self.after_s = min(after_s, LATEST_S)
        self._good: float | None = None
        self._first: float | None = None
        self._perhaps = 0.0

    @property
    def running(self) -> bool:
        return self._first is not None

    def good(self, now: float) -> None:
        self._first, self._good = None, now

    def bad(self, now: float) -> None:
        if self._first is None:
            self._first = now
            self._perhaps = now if self._good is None else self._good

    def verdict(self, now: float) -> Verdict:
        """Bad with the seconds it lasts, as far as is sure."""
        if self._first is None:
            return NO_VERDICT
        sure = now - self._first
        late = now - self._perhaps >= LATEST_S and sure >= min(SURE_S, self.after_s)
        return Verdict(sure >= self.after_s or late, False, self._first, sure, self.after_s)

    def reset(self) -> None:
        self._first = self._good = None
