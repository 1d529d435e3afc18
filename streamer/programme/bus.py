"""The sound bus: the sum of what may be heard, one block of it for each language of the programme.

`mix` is for the mixer's thread; everything else may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from streamer.programme.canvas import Block, Canvas
from streamer.programme.sound import FADE_S, Ramp, Splice


class SoundBus:
    """Gains and mutes of feeds; nothing of it ever makes a click."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._fade = round(FADE_S * canvas.sample_rate)
        self._lock = threading.Lock()
        self._ramps: dict[str, Ramp] = {}
        self._splice = Splice(self._fade)
        self._cut = False

    def cut(self) -> None:
        """What follows does not continue what was: a feed's buffer was replaced or taken away."""
        with self._lock:
            self._cut = True

    def forget(self, feed: str) -> None:
        """The feed is gone for good."""
        with self._lock:
            self._cut = self._ramps.pop(feed, None) is not None or self._cut

    def mix(
        self, sounds: Mapping[str, Block], heard: frozenset[str], muted: bool
    ) -> tuple[Block, ...]:
        """One tick: the main language first. `heard` are the feeds that the scene lets be heard.

        A lost feed is silent by itself.
        """
        with self._lock:
            cut, self._cut = self._cut, False
            ramps = {feed: self._ramp(feed) for feed in sounds}
        if cut:
            self._splice.cut()
        total = np.zeros((self._canvas.samples_per_tick, 2), dtype=np.float32)
        for feed, block in sounds.items():
            ramp = ramps[feed]
            ramp.target = 0.0 if muted or feed not in heard else 1.0
            if ramp.gain or ramp.target:
                total += ramp.apply(block)
        return (self._splice.run(total),)

    def _ramp(self, feed: str) -> Ramp:
        if feed not in self._ramps:
            self._ramps[feed] = Ramp(self._fade)
        return self._ramps[feed]
