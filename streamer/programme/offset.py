"""Sound against picture, from the flashes and beeps of a test signal."""

from __future__ import annotations

from collections import deque
from statistics import median

from streamer.config.service import DetectorSettings
from streamer.domain.signals import Detector
from streamer.programme.fault_run import NO_VERDICT, Verdict

FLASH = 40.0
"""Steps of mean luma, from one picture to the next, that make a flash."""
CLOSE_S = 0.1
"""Pictures further apart than this say nothing exact."""
DEAD_S = 0.3
"""Seconds after a flash within which there is no other."""
BEEP, QUIET = 0.1, 0.02
"""Peaks (0 to 1) that a beep reaches, and that what is before it stays below."""
QUIET_S = 0.15
REACH_S = 0.48
"""Seconds by which a beep may be away from its flash; less than half of the usual second."""
PAIRS = 3
AGREE_S = 0.06
"""Pairs of a test signal agree within this; cuts of a film and its sounds do not."""
OLD_S = 12.0


class Offset:
    """Median of the last pairs; positive: the sound comes after its picture."""

    detector = Detector.OFFSET

    def __init__(self, settings: DetectorSettings) -> None:
        self._limit_s = settings.offset_ms / 1000
        self._flashes: deque[float] = deque(maxlen=4)
        self._beeps: deque[float] = deque(maxlen=8)
        self._pairs: deque[tuple[float, float]] = deque(maxlen=5)
        self._mean = 255.0
        self._mean_at = self._flash_at = float("-inf")
        self._quiet_since: float | None = None

    def brightness(self, mean: float, now: float) -> None:
        """Mean luma of the picture that is shown from `now` on."""
        before, at = self._mean, self._mean_at
        self._mean, self._mean_at = mean, now
        if now - at > CLOSE_S or mean - before < FLASH or now - self._flash_at < DEAD_S:
            return
        self._flash_at = now
        self._flashes.append(now)

    def heard(self, peak: float, now: float) -> None:
        """Peak of a block that begins at `now`."""
        if peak >= BEEP:
            if self._quiet_since is not None and now - self._quiet_since >= QUIET_S:
                self._beeps.append(now)
            self._quiet_since = None
        elif peak >= QUIET:
            self._quiet_since = None
        elif self._quiet_since is None:
            self._quiet_since = now

    def judge(self, now: float, told: bool) -> Verdict:
        self._pair(now)
        fresh = [(at, offset) for at, offset in self._pairs if at >= now - OLD_S]
        if len(fresh) < PAIRS:
            return NO_VERDICT
        offset = median(offset for _, offset in fresh)
        agreeing = sum(abs(one - offset) <= AGREE_S for _, one in fresh)
        if agreeing < PAIRS:
            return NO_VERDICT
        return Verdict(
            abs(offset) > self._limit_s, abs(offset) <= self._limit_s * 0.8,
            fresh[0][0], 1000 * offset, 1000 * self._limit_s,
        )  # fmt: skip

    def _pair(self, now: float) -> None:
        """Every flash whose beep must have come by now gets it."""
        while self._flashes and now - self._flashes[0] > REACH_S:
            flash = self._flashes.popleft()
            beep = min(self._beeps, key=lambda at: abs(at - flash), default=None)
            if beep is not None and abs(beep - flash) <= REACH_S:
                self._pairs.append((flash, beep - flash))

    def reset(self) -> None:
        self._flashes.clear()
        self._beeps.clear()
        self._pairs.clear()
        self._mean = 255.0
        self._mean_at = self._flash_at = float("-inf")
        self._quiet_since = None
