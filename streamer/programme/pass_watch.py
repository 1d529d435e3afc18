"""What meters and detectors see in the copying mode: a keyframe now and then, a little sound.

It answers as `Watch` does for the mixer, so that the run need not know the difference.
"""

from __future__ import annotations

import threading
import time

import numpy as np
from numpy.typing import NDArray

from streamer.config.models import DetectorSettings
from streamer.domain.signals import SignalFault, SignalRecovered
from streamer.programme.detectors import SignalDetectors
from streamer.programme.scenes import HALL_FEED
from streamer.programme.sound import SILENT_DB, decibels


class PassWatch:
    """Detectors of the hall's signal, which is the programme as well. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._detectors = SignalDetectors(HALL_FEED, DetectorSettings())
        self._peaks = (0.0, 0.0)
        self._rms = 0.0

    def configure(self, settings: DetectorSettings) -> None:
        """Other thresholds; what was seen so far is forgotten."""
        with self._lock:
            self._detectors = SignalDetectors(HALL_FEED, settings)

    def bytes_came(self) -> None:
        with self._lock:
            self._detectors.bytes_came(time.monotonic())

    def picture(self, sample: NDArray[np.uint8]) -> None:
        """A sparse sample of the luma of the newest keyframe."""
        with self._lock:
            self._detectors.picture(sample, time.monotonic())

    def sound(self, peaks: tuple[float, float], rms: float, clipped: int) -> None:
        """The latest piece of sound, linear 0 to 1."""
        with self._lock:
            self._peaks, self._rms = peaks, rms
            self._detectors.sound(max(peaks), rms, clipped, time.monotonic())

    def silence(self) -> None:
        """Nothing comes: the meters fall."""
        with self._lock:
            self._peaks, self._rms = (0.0, 0.0), 0.0

    def look(self, now: float) -> list[SignalFault | SignalRecovered]:
        """Faults that began and ended; `now` in monotonic seconds."""
        with self._lock:
            return self._detectors.look(now)

    def meters(self) -> dict[str, tuple[float, float]]:
        """Peaks of left and right, dBFS."""
        with self._lock:
            left, right = self._peaks
        found = (decibels(left), decibels(right))
        return {"programme": found, HALL_FEED: found}

    def rms(self) -> dict[str, float]:
        """Effective values, dBFS."""
        with self._lock:
            level = decibels(self._rms) if self._rms else SILENT_DB
        return {"programme": level, HALL_FEED: level}

    def feeds(self) -> list[str]:
        return [HALL_FEED]
