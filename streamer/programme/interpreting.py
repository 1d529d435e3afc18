"""The interpreter in the second language: the original goes down while he speaks."""

from __future__ import annotations

from streamer.programme.canvas import Block, Canvas
from streamer.programme.sound import Ramp, from_decibels

INTERPRETER_FEED = "feed:interpreter"
"""Id of the feed that is heard in the second language only."""
DUCK_DB = -18.0
DUCK_S = 0.25
"""How far and how fast the original goes down, and comes back."""
RETURN_S = 1.5
"""Seconds of silence after which the original is full again: longer than between sentences."""
START_S = 0.08
"""Seconds that somebody must be heard to count as speaking: no click, no bump."""
SPEECH_LUFS = -45.0
BELOW_DB = 18.0
"""Speech is louder than the first, and no further than the second below how he mostly speaks."""


class Ducking:
    """Notices whether he speaks, and holds the original's gain accordingly."""

    def __init__(self, canvas: Canvas) -> None:
        self._start = max(1, round(START_S * canvas.fps))
        self._return = round(RETURN_S * canvas.fps)
        self._original = Ramp(round(DUCK_S * canvas.sample_rate), 1.0)
        self._loud = 0
        self._quiet = self._return
        self.speaking = False

    def tick(self, lufs: float, level: float | None, there: bool) -> None:
        """One tick in which he is about as loud as `lufs`; he mostly is at `level`."""
        loud = there and lufs > max(SPEECH_LUFS, -120.0 if level is None else level - BELOW_DB)
        self._loud = self._loud + 1 if loud else 0
        if self._loud >= self._start or (loud and self.speaking):
            self._quiet, self.speaking = 0, True
        else:
            self._quiet += 1
        if not there or self._quiet >= self._return:
            self.speaking = False
        self._original.target = from_decibels(DUCK_DB) if self.speaking else 1.0

    def original(self, block: Block) -> Block:
        """The original as it is heard under him."""
        return self._original.apply(block)
