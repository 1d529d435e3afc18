"""What meters and detectors see of the feeds and of the programme.

The mixer shows every tick; that must cost it next to nothing: it leaves a few thousand points of
the picture and the block of sound, and whoever looks works on them in his own thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.config.service import DetectorSettings
from streamer.domain.signals import SignalFault, SignalRecovered
from streamer.programme.canvas import Block, Canvas, Picture
from streamer.programme.detectors import SignalDetectors
from streamer.programme.feed_buffer import Pulled
from streamer.programme.preview import jpeg
from streamer.programme.sound import decibels

PROGRAMME = "programme"
METER_S = 0.2
"""Seconds that a meter looks back."""
SAMPLES_PER_S = 8
"""Pictures per second that black and frozen are judged from."""
POINTS = 3600
"""Points of a picture that are looked at, about."""
BRIGHTNESS_POINTS = 128
KEPT_S = 2.0
"""Seconds of what was shown that wait for a look at most; the oldest are left out."""
FORGOTTEN_S = 1.0
"""Seconds of the programme without a tick of a feed, after which the feed is no part of it."""
FULL_SCALE = 0.999
ONSET = 0.1
"""Peak that a beep reaches."""
STILL_SCENES = ("slate", "slides")
SILENT_SCENE = "slate"


class _Tick(NamedTuple):
    """What the mixer's thread leaves of one tick."""

    at: float
    arrived: bool
    points: NDArray[np.uint8] | None
    """Sparse sample of Y, not of every tick."""
    few: NDArray[np.uint8] | None
    """Sparser still, of every tick: for the mean."""
    block: Block
    still: bool = False
    quiet: bool = False


class _Seen:
    """One feed, or the programme."""

    def __init__(self, name: str, settings: DetectorSettings, fps: int, phase: int) -> None:
        self.ticks: deque[_Tick] = deque(maxlen=max(1, round(KEPT_S * fps)))
        self.blocks: deque[Block] = deque(maxlen=max(1, round(METER_S * fps)))
        self.picture: Picture | None = None
        self.count = phase  # feeds take their samples at different ticks
        self.last_tick = 0.0
        self.detectors = SignalDetectors(name, settings)

    def sound(self) -> NDArray[np.float32]:
        """Sound of the last 200 ms: (samples, 2)."""
        blocks = list(self.blocks)
        return np.concatenate(blocks) if blocks else np.zeros((1, 2), dtype=np.float32)


class Watch:
    """Takes in what the mixer's thread shows; the rest may be asked from any thread.

    Blocks of sound are kept for a moment and must not be written to after they were shown; the
    pictures of feeds must stay what they are until the next one is pulled.
    """

    def __init__(
        self, canvas: Canvas, settings: DetectorSettings | None = None, *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._canvas = canvas
        self._settings = settings or DetectorSettings()
        self._monotonic = monotonic
        self._every = max(1, round(canvas.fps / SAMPLES_PER_S))
        self._step = max(1, int((canvas.width * canvas.height / POINTS) ** 0.5))
        self._luma_size = canvas.width * canvas.height
        # Odd, so that the points do not stand below each other in a column.
        self._few_step = max(1, self._luma_size // BRIGHTNESS_POINTS) | 1
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._seen: dict[str, _Seen] = {}
        self._gone: list[_Seen] = []
        self._programme = self._new(PROGRAMME)

    def configure(self, settings: DetectorSettings) -> None:
        """Judge by `settings` from now on; what was told so far is forgotten."""
        with self._looking, self._lock:
            self._settings = settings
            for name, one in self._seen.items():
                one.detectors = SignalDetectors(name, settings)

    # -- the mixer's thread ---------------------------------------------------------------------

    def feed(self, feed: str, pulled: Pulled) -> None:
        """One tick of a feed."""
        one = self._seen.get(feed) or self._new(feed)
        picture = pulled.picture if pulled.picture_alive else None
        one.picture = picture
        self._note(one, picture, pulled.sound, arrived=pulled.alive)

    def programme(
        self, picture: Picture, sounds: tuple[Block, ...], *, shown: str = "", muted: bool = False
    ) -> None:
        """One finished tick of the programme; `shown`: the scene that is on, as it is spelled."""
        still = shown.partition(":")[0] in STILL_SCENES
        self._note(
            self._programme, picture, sounds[0], still=still, quiet=muted or shown == SILENT_SCENE
        )

    def forget(self, feed: str) -> None:
        """The feed is gone for good. From any thread."""
        with self._lock:
            one = self._seen.pop(feed, None)
            if one is not None:
                self._gone.append(one)

    def _new(self, name: str) -> _Seen:
        with self._lock:
            one = _Seen(name, self._settings, self._canvas.fps, len(self._seen))
            self._seen[name] = one
        return one

    def _note(
        self, one: _Seen, picture: Picture | None, block: Block, *, arrived: bool = True,
        still: bool = False, quiet: bool = False,
    ) -> None:  # fmt: skip
        now = self._monotonic()
        points = few = None
        if picture is not None:
            few = picture[: self._luma_size : self._few_step].copy()
            if one.count % self._every == 0:
                whole = picture[: self._luma_size].reshape(self._canvas.height, self._canvas.width)
                points = whole[:: self._step, :: self._step].copy()
        one.count += 1
        one.last_tick = now
        one.blocks.append(block)
        one.ticks.append(_Tick(now, arrived, points, few, block, still, quiet))

    # -- whoever looks --------------------------------------------------------------------------

    def look(self, now: float) -> list[SignalFault | SignalRecovered]:
        """What began or ended since the last look, at monotonic second `now`; 4 or 5 times a
        second. About 0.1 ms for each feed, of the caller's thread."""
        said: list[SignalFault | SignalRecovered] = []
        with self._looking:
            self._leave_out_forgotten()
            with self._lock:
                everybody, gone = list(self._seen.values()), self._gone
                self._gone = []
            for one in gone:
                said += one.detectors.close(now)
            for one in everybody:
                while one.ticks:
                    _show(one.detectors, one.ticks.popleft(), self._canvas.sample_rate)
                said += one.detectors.look(now)
        return said

    def _leave_out_forgotten(self) -> None:
        """A feed may be shown once more in the moment in which it is forgotten."""
        present = self._programme.last_tick - FORGOTTEN_S
        with self._lock:
            names = [
                name for name, one in self._seen.items()
                if one is not self._programme and one.last_tick < present
            ]  # fmt: skip
        for name in names:
            self.forget(name)

    def meters(self) -> dict[str, tuple[float, float]]:
        """Peak of every feed and of the programme per channel, dBFS over the last 200 ms."""
        with self._lock:
            everybody = list(self._seen.items())
        return {name: _peaks_db(one) for name, one in everybody}

    def rms(self) -> dict[str, float]:
        """Mean level of both channels together, dBFS over the last 200 ms."""
        with self._lock:
            everybody = list(self._seen.items())
        return {name: decibels(_rms(one.sound())) for name, one in everybody}

    def peak_db(self) -> tuple[float, float]:
        """Peak of the programme per channel, dBFS over the last 200 ms."""
        return _peaks_db(self._programme)

    def feeds(self) -> list[str]:
        """Ids of the feeds that were shown and are not forgotten."""
        with self._lock:
            return [name for name in self._seen if name != PROGRAMME]

    def preview(self, feed: str, width: int = 240) -> bytes:
        """The picture of a feed as a JPEG; empty while it has none. Some milliseconds."""
        with self._lock:
            one = self._seen.get(feed)
        picture = one.picture if one is not None else None
        return jpeg(self._canvas, picture, width) if picture is not None else b""


def _show(detectors: SignalDetectors, tick: _Tick, sample_rate: int) -> None:
    """Give one tick to the detectors."""
    detectors.expect(still=tick.still, quiet=tick.quiet)
    if not tick.arrived:
        return
    detectors.bytes_came(tick.at)
    if tick.few is not None:
        detectors.brightness(int(tick.few.sum()) / tick.few.size, tick.at)
    if tick.points is not None:
        detectors.picture(tick.points, tick.at)
    flat = tick.block.reshape(-1)
    peak = max(float(flat.max()), -float(flat.min()))
    clipped = onset = 0
    if peak >= FULL_SCALE:
        clipped = int(np.count_nonzero(np.abs(flat) >= FULL_SCALE))
    if peak >= ONSET:
        onset = int(np.argmax(np.abs(flat) >= ONSET)) // 2
    detectors.sound(peak, _rms(flat), clipped, tick.at, onset=onset / sample_rate)


def _rms(samples: NDArray[np.float32]) -> float:
    flat = samples.reshape(-1)
    return math.sqrt(float(np.dot(flat, flat)) / flat.size)


def _peaks_db(one: _Seen) -> tuple[float, float]:
    sound = one.sound()
    left, right = (max(float(side.max()), -float(side.min())) for side in sound.T)
    return decibels(left), decibels(right)
