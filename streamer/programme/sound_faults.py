"""What can be wrong with a sound: silent, too low, too loud, cut off at full scale.

Sound is looked at in bins of 0.2 s: long enough for a level, short enough for a pause of speech.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean
from typing import NamedTuple

from streamer.config.service import DetectorSettings
from streamer.domain.signals import Detector
from streamer.programme.fault_run import NO_VERDICT, FaultRun, Verdict

BIN_S = 0.2
KEPT_S = 6.0
"""Seconds of bins that are kept."""
LOW_AFTER_S = 4.2
LOUD_AFTER_S = 3.0
CLIP_WINDOW_S = 3.0
CLIP_SAMPLES = 10
"""Samples at full scale in a bin that make it a clipped one; a single peak may touch it."""
CLIP_BINS = 3
MARGIN_DB = 3.0
"""A level must be better than its limit by so much to count as good again."""
SPOKEN_DB = 5.0
"""Speech goes up and down by more than this for most of the time, the noise of a room does not (nor
with a knock in it): a pause is not `low`."""
TONE_CREST_DB = 6.0
"""Peak over mean level below which a sound is a tone."""
PAUSE_S = 2.0
"""Silence of this length ends what was low: it is judged anew from the next sound on."""
FLOOR_DB = -120.0


def level_db(value: float) -> float:
    """dBFS of a level from 0 to 1."""
    return max(20 * math.log10(value), FLOOR_DB) if value > 0 else FLOOR_DB


class Bin(NamedTuple):
    """A fifth of a second: when it began, levels in dBFS, samples at full scale."""

    at: float
    peak_db: float
    rms_db: float
    clipped: int


class Bins:
    """Gathers blocks of any length into bins."""

    def __init__(self) -> None:
        self.kept: deque[Bin] = deque()
        self._began: float | None = None
        self._peak = self._energy = 0.0
        self._blocks = self._clipped = 0

    def add(self, peak: float, rms: float, clipped: int, now: float) -> Bin | None:
        """The bin that this block finished, if it did."""
        finished = None
        if self._began is not None and now - self._began >= BIN_S - 1e-6:
            rms_db = level_db(math.sqrt(self._energy / self._blocks))
            finished = Bin(self._began, level_db(self._peak), rms_db, self._clipped)
            self.kept.append(finished)
            while self.kept[0].at < now - KEPT_S:
                self.kept.popleft()
            self._began = None
        if self._began is None:
            self._began, self._peak, self._energy = now, 0.0, 0.0
            self._blocks = self._clipped = 0
        self._peak = max(self._peak, peak)
        self._energy += rms * rms
        self._blocks += 1
        self._clipped += clipped
        return finished

    def since(self, at: float) -> list[Bin]:
        return [one for one in self.kept if one.at >= at]

    def clear(self) -> None:
        self.kept.clear()
        self._began = None


class Silent:
    """No sample above `silent_db`, or no sound at all beside a picture."""

    detector = Detector.SILENT

    def __init__(self, settings: DetectorSettings) -> None:
        self._limit_db = settings.silent_db
        self.run = FaultRun(settings.silent_after.total_seconds())
        self._last: float | None = None
        self._gap = 0.0
        self._heard: deque[bool] = deque(maxlen=5)

    def heard(self, peak: float, now: float) -> None:
        """A block of sound."""
        if self._last is not None:
            self._gap = now - self._last
        self._last = now
        if level_db(peak) < self._limit_db:
            self.run.bad(now)
        else:
            self.run.good(now)

    def add(self, one: Bin) -> None:
        self._heard.append(one.peak_db >= self._limit_db + MARGIN_DB)

    def judge(self, now: float, told: bool) -> Verdict:
        if self._last is not None and now - self._last > max(1.0, 2 * self._gap):
            self.run.bad(self._last)
        if told:
            # A click on a dead line is no sound: three bins of a second have to be heard.
            return Verdict(False, sum(self._heard) >= 3 and not self.run.running)
        return self.run.verdict(now)

    def reset(self) -> None:
        self.run.reset()
        self._last = None
        self._gap = 0.0
        self._heard.clear()


class Low:
    """Speech is there and nowhere reaches `low_db`."""

    detector = Detector.LOW

    def __init__(self, settings: DetectorSettings) -> None:
        self._limit_db, self._silent_db = settings.low_db, settings.silent_db
        self._run: deque[Bin] = deque()
        self._heard_at = 0.0

    def add(self, one: Bin) -> None:
        if one.peak_db >= self._silent_db:
            self._heard_at = one.at
        elif one.at - self._heard_at > PAUSE_S:
            self._run.clear()
            return
        self._run.append(one)
        while self._run[0].at < one.at - KEPT_S:
            self._run.popleft()

    def judge(self, now: float, told: bool) -> Verdict:
        if told:
            loud = [one for one in self._run if one.rms_db >= self._limit_db + MARGIN_DB]
            return Verdict(False, sum(one.at >= now - LOW_AFTER_S for one in loud) >= 3)
        bins = self._low_bins()
        if not bins or now - bins[0].at < LOW_AFTER_S:
            return NO_VERDICT
        heard = sorted(
            (one for one in bins if one.peak_db >= self._silent_db), key=lambda one: one.rms_db
        )
        loudest, often = heard[-1], len(heard) // 5
        goes = heard[-1 - often].rms_db - heard[often].rms_db >= SPOKEN_DB
        tone = loudest.peak_db - loudest.rms_db <= TONE_CREST_DB
        if not (goes or tone):
            return NO_VERDICT
        return Verdict(True, False, bins[0].at, loudest.rms_db, self._limit_db)

    def _low_bins(self) -> list[Bin]:
        """What was heard since the last good level; begins with a sound, not with its pause."""
        bins: list[Bin] = []
        for one in reversed(self._run):
            if one.rms_db >= self._limit_db:
                break
            bins.append(one)
        bins.reverse()
        while bins and bins[0].peak_db < self._silent_db:
            bins.pop(0)
        return bins

    def reset(self) -> None:
        self._run.clear()


class Loud:
    """The mean level of three seconds is above `loud_db`."""

    detector = Detector.LOUD

    def __init__(self, settings: DetectorSettings, bins: Bins) -> None:
        self._limit_db, self._bins = settings.loud_db, bins

    def add(self, one: Bin) -> None:
        """Nothing is kept besides the bins."""

    def judge(self, now: float, told: bool) -> Verdict:
        bins = self._bins.since(now - LOUD_AFTER_S - BIN_S)
        if not bins or bins[-1].at - bins[0].at < LOUD_AFTER_S - 2 * BIN_S:
            return NO_VERDICT
        mean_db = 10 * math.log10(fmean(10 ** (one.rms_db / 10) for one in bins))
        over = mean_db < self._limit_db - MARGIN_DB
        return Verdict(mean_db > self._limit_db, over, bins[0].at, mean_db, self._limit_db)

    def reset(self) -> None:
        """Nothing is kept besides the bins."""


class Clipping:
    """Again and again samples at full scale."""

    detector = Detector.CLIPPING

    def __init__(self, bins: Bins) -> None:
        self._bins = bins

    def add(self, one: Bin) -> None:
        """Nothing is kept besides the bins."""

    def judge(self, now: float, told: bool) -> Verdict:
        bins = self._bins.since(now - CLIP_WINDOW_S - BIN_S)
        clipped = [one for one in bins if one.clipped >= CLIP_SAMPLES]
        if len(clipped) < CLIP_BINS:
            return Verdict(False, bool(bins) and not clipped)
        count = float(sum(one.clipped for one in clipped))
        return Verdict(True, False, clipped[0].at, count, float(CLIP_BINS * CLIP_SAMPLES))

    def reset(self) -> None:
        """Nothing is kept besides the bins."""
