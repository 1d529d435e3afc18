"""What can be wrong with a picture: black, or standing still."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np
from numpy.typing import NDArray

from streamer.config.service import DetectorSettings
from streamer.domain.signals import Detector
from streamer.programme.fault_run import LATEST_S, NO_VERDICT, SURE_S, FaultRun, Verdict

Luma = NDArray[np.uint8]

BRIGHT_SHARE = 0.005
"""Share of points that may be brighter in a black picture (a hot pixel, a logo's edge). A dark hall
has a lamp, a screen or a face in more than this."""
LIGHTER = 4
"""Steps of luma above the limit at which a black picture counts as lit again."""
LIT_S = 0.5

MOVED = 12
"""Steps of luma by which a point must differ to have moved. Key frames of an encoder that is given
one still picture differ by up to 11 (x264 at 500 kbit/s and more, 720p, noise frozen into the
picture); a mouth or a hand by 50 and more."""
MOVED_SHARE = 1 / 1800
NOISE = 1
NOISE_SHARE = 1 / 60
"""Share of points that change by more than NOISE from look to look when a camera's noise comes
through. A still picture that an encoder refines stays below 1/90 (1 Mbit/s, ultrafast)."""
NOISE_LOOKS = 16
CLOSE_S = 0.7
"""Pictures further apart are key frames: all of them differ a little, which says nothing."""
MOVES_WITHIN_S = 3.0
"""Two moves within this are motion; one alone is a slide turned over, or a link that jumps on."""


class Black:
    """Nearly every point is at most `black_luma`."""

    detector = Detector.BLACK

    def __init__(self, settings: DetectorSettings) -> None:
        self._limit = settings.black_luma
        self.run = FaultRun(settings.black_after.total_seconds())
        self._lit_since: float | None = None

    def picture(self, luma: Luma, now: float) -> None:
        if np.count_nonzero(luma > self._limit) <= luma.size * BRIGHT_SHARE:
            self.run.bad(now)
        else:
            self.run.good(now)
        lit = np.count_nonzero(luma > self._limit + LIGHTER) > luma.size * 2 * BRIGHT_SHARE
        if not lit:
            self._lit_since = None
        elif self._lit_since is None:
            self._lit_since = now

    def judge(self, now: float, told: bool) -> Verdict:
        if told:
            return Verdict(False, self._lit_since is not None and now - self._lit_since >= LIT_S)
        return self.run.verdict(now)

    def reset(self) -> None:
        self.run.reset()
        self._lit_since = None


class Frozen:
    """The same picture all the time, or pictures that ceased to come beside a living sound."""

    detector = Detector.FROZEN

    def __init__(self, settings: DetectorSettings) -> None:
        self._after_s = min(settings.frozen_after.total_seconds(), LATEST_S)
        self._noise: deque[float] = deque(maxlen=NOISE_LOOKS)
        self._moves: deque[float] = deque(maxlen=2)
        self._still: NDArray[np.int16] | None = None
        self._last: NDArray[np.int16] | None = None
        self._since = self._last_at = self._perhaps = self._gap = 0.0
        self._same = 0

    def picture(self, luma: Luma, now: float) -> None:
        values = luma.astype(np.int16)
        still, last = self._still, self._last
        if still is None or last is None or still.shape != values.shape:
            self._begin(values, now, now)
            return
        self._gap = now - self._last_at
        if self._noisy(values, last) or _differs(values, still):
            self._moves.append(now)
            # It may have stood still since right after the picture before this one.
            self._begin(values, now, self._last_at)
            return
        self._same += 1
        self._last, self._last_at = values, now

    def _begin(self, values: NDArray[np.int16], now: float, perhaps: float) -> None:
        self._still = self._last = values
        self._since = self._last_at = now
        self._perhaps, self._same = perhaps, 0

    def _noisy(self, values: NDArray[np.int16], last: NDArray[np.int16]) -> bool:
        if self._gap > CLOSE_S:
            self._noise.clear()
            return False
        changed = np.count_nonzero(np.abs(values - last) > NOISE)
        self._noise.append(changed / values.size)
        if len(self._noise) < NOISE_LOOKS or changed < values.size * NOISE_SHARE:
            return False
        return median(self._noise) >= NOISE_SHARE

    def judge(self, now: float, told: bool) -> Verdict:
        if told:
            return Verdict(False, self._moves_again())
        if self._still is None or not (self._same or self._comes_no_more(now)):
            return NO_VERDICT
        sure = now - self._since
        late = now - self._perhaps >= LATEST_S and sure >= min(SURE_S, self._after_s)
        return Verdict(sure >= self._after_s or late, False, self._since, sure, self._after_s)

    def _comes_no_more(self, now: float) -> bool:
        return now - self._last_at > max(self._after_s - 0.1, 2 * self._gap)

    def _moves_again(self) -> bool:
        within = max(MOVES_WITHIN_S, 1.5 * self._gap)
        return len(self._moves) == 2 and self._moves[1] - self._moves[0] <= within

    def told(self) -> None:
        """Only moves from now on count for its end."""
        self._moves.clear()

    def reset(self) -> None:
        self._still = self._last = None
        self._gap, self._same = 0.0, 0
        self._noise.clear()
        self._moves.clear()


def _differs(values: NDArray[np.int16], still: NDArray[np.int16]) -> bool:
    moved = np.count_nonzero(np.abs(values - still) > MOVED)
    return bool(moved >= max(2.0, values.size * MOVED_SHARE))
