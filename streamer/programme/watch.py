"""What meters and detectors see of the feeds and of the programme.

The mixer shows every tick; that must cost it next to nothing.
"""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from streamer.programme.canvas import Block, Canvas, Picture
from streamer.programme.feed_buffer import Pulled
from streamer.programme.sound import decibels

METER_S = 0.2
"""Seconds that a meter looks back."""


class Watch:
    """Takes in what the mixer's thread shows; may be asked from any thread."""

    def __init__(self, canvas: Canvas) -> None:
        self._lock = threading.Lock()
        self._peaks: deque[tuple[float, float]] = deque(maxlen=max(1, round(METER_S * canvas.fps)))

    def feed(self, feed: str, pulled: Pulled) -> None:
        """One tick of a feed."""

    def forget(self, feed: str) -> None:
        """The feed is gone for good."""

    def programme(self, picture: Picture, sounds: tuple[Block, ...]) -> None:
        """One finished tick of the programme."""
        left, right = np.abs(sounds[0]).max(axis=0)
        with self._lock:
            self._peaks.append((float(left), float(right)))

    def peak_db(self) -> tuple[float, float]:
        """Peak of the programme per channel, dBFS over the last 200 ms."""
        with self._lock:
            peaks = list(self._peaks)
        return (
            decibels(max((left for left, _ in peaks), default=0.0)),
            decibels(max((right for _, right in peaks), default=0.0)),
        )
