"""Detectors of one feed or of the programme: what is wrong is told once, and once when it is over.

Pure: the caller brings samples and the time (monotonic seconds, one clock for all calls) and looks
a few times a second. Works with every picture, and with key frames 2 s apart alone.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.config.service import DetectorSettings
from streamer.domain.signals import Detector, SignalFault, SignalRecovered
from streamer.programme.fault_run import LATEST_S, NO_VERDICT, Verdict
from streamer.programme.offset import Offset
from streamer.programme.picture_faults import Black, Frozen
from streamer.programme.sound_faults import Bins, Clipping, Loud, Low, Silent

__all__ = ["SignalDetectors", "SignalFault", "SignalRecovered"]

Told = SignalFault | SignalRecovered

SLIDES = "feed:slides"
"""Slides stand still and make no sound by nature."""
AWAY_S = 1.0
"""Seconds without a byte after which nothing else is said: perhaps the feed is lost."""
BACK_S = 0.5
"""Seconds for which bytes must come again."""


class _Detector(Protocol):
    @property
    def detector(self) -> Detector: ...

    def judge(self, now: float, told: bool) -> Verdict: ...

    def reset(self) -> None: ...


class _NoBytes:
    detector = Detector.NO_BYTES

    def __init__(self, settings: DetectorSettings) -> None:
        self._after_s = min(settings.no_bytes_after.total_seconds(), LATEST_S)
        self._came: float | None = None
        self._since = 0.0

    def came(self, now: float) -> None:
        if self._came is None or now - self._came > AWAY_S:
            self._since = now
        self._came = now

    def away(self, now: float) -> bool:
        return self._came is not None and now - self._came > AWAY_S

    def judge(self, now: float, told: bool) -> Verdict:
        if self._came is None:  # never was there: its leg says so
            return NO_VERDICT
        missing = now - self._came
        back = missing < AWAY_S and now - self._since >= BACK_S
        return Verdict(missing >= self._after_s, back, self._came, missing, self._after_s)

    def reset(self) -> None:
        self._came = None


class SignalDetectors:
    """Not thread-safe: all calls come from one thread."""

    def __init__(self, name: str, settings: DetectorSettings) -> None:
        self.name = name
        self._bytes = _NoBytes(settings)
        self._bins = Bins()
        self._black, self._frozen = Black(settings), Frozen(settings)
        self._silent, self._low = Silent(settings), Low(settings)
        self._loud, self._clipping = Loud(settings, self._bins), Clipping(self._bins)
        self._offset = Offset(settings)
        self._began: dict[Detector, float] = {}
        """What is wrong just now, and since when."""
        self._still = self._quiet = name == SLIDES

    def expect(self, *, still: bool, quiet: bool) -> None:
        """Whether a still picture (slate, slides) or silence (muted) is as it should be now."""
        self._still, self._quiet = still or self.name == SLIDES, quiet or self.name == SLIDES

    def picture(self, luma: NDArray[np.uint8], now: float) -> None:
        """A sparse sample of Y, two-dimensional, always of one size; it is not kept."""
        self._black.picture(luma, now)
        self._frozen.picture(luma, now)

    def brightness(self, mean: float, now: float) -> None:
        """Mean luma of every picture, where pictures are looked at one by one (for `offset`)."""
        self._offset.brightness(mean, now)

    def sound(
        self, peak: float, rms: float, clipped: int, now: float, *, onset: float = 0.0
    ) -> None:
        """Levels (0 to 1) of a block of sound that begins at `now`; samples at full scale in it.

        `onset`: seconds from `now` to the first loud sample, where that is known.
        """
        self._silent.heard(peak, now)
        self._offset.heard(peak, now + onset)
        finished = self._bins.add(peak, rms, clipped, now)
        if finished is not None:
            self._silent.add(finished)
            self._low.add(finished)

    def bytes_came(self, now: float) -> None:
        """Something arrived."""
        self._bytes.came(now)

    @property
    def faults(self) -> dict[Detector, float]:
        """What is wrong just now, and since when (the clock of the caller)."""
        return dict(self._began)

    def look(self, now: float) -> list[Told]:
        """What began or ended since the last look."""
        said: list[Told] = []
        self._judge(self._bytes, now, said)
        others: list[_Detector] = [
            self._black, self._frozen, self._silent, self._low, self._loud, self._clipping,
            self._offset,
        ]  # fmt: skip
        if Detector.NO_BYTES in self._began:
            for one in others:
                self._drop(one, now, said)
            self._bins.clear()
        elif not self._bytes.away(now):
            for one in others:
                if self._excused(one.detector):
                    self._drop(one, now, said)
                else:
                    self._judge(one, now, said)
        return said

    def close(self, now: float) -> list[Told]:
        """It is gone for good: everything that was wrong with it is over."""
        said: list[Told] = []
        for detector in list(self._began):
            self._recovered(detector, now, said)
        return said

    def _excused(self, detector: Detector) -> bool:
        """Not a fault just now, or said by another detector already."""
        match detector:
            case Detector.FROZEN:
                return self._still or self._black.run.running
            case Detector.SILENT:
                return self._quiet
            case Detector.LOW:
                return self._quiet or Detector.SILENT in self._began
            case _:
                return False

    def _judge(self, one: _Detector, now: float, said: list[Told]) -> None:
        detector = one.detector
        verdict = one.judge(now, detector in self._began)
        if detector in self._began:
            if verdict.over:
                self._recovered(detector, now, said)
                if one is not self._bytes:
                    one.reset()
        elif verdict.bad:
            self._began[detector] = verdict.began
            value, limit = round(verdict.value, 1), round(verdict.limit, 1)
            said.append(SignalFault(self.name, detector, value, limit))
            if one is self._frozen:
                self._frozen.told()

    def _drop(self, one: _Detector, now: float, said: list[Told]) -> None:
        one.reset()
        if one.detector in self._began:
            self._recovered(one.detector, now, said)

    def _recovered(self, detector: Detector, now: float, said: list[Told]) -> None:
        seconds = round(now - self._began.pop(detector), 1)
        said.append(SignalRecovered(self.name, detector, seconds))
