"""How loud a sound is: LUFS of the programme (EBU R 128), and a cheap guess for every feed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import structlog

from streamer.programme.canvas import Block, Canvas
from streamer.programme.sound_graph import SoundGraph

log = structlog.get_logger(__name__)

SILENCE_LUFS = -70.0
"""Below this the standard counts nothing; a reading that low is `None` here."""
GATE_LUFS = -50.0
"""Below this nobody is speaking, whatever the gain."""
GUESS_S = 10
"""Seconds that a guess looks back."""


@dataclass(frozen=True, slots=True)
class Reading:
    """LUFS over 400 ms, over 3 s, and gated since the beginning; None for silence."""

    momentary: float | None = None
    short_term: float | None = None
    integrated: float | None = None


class LoudnessMeter:
    """FFmpeg's `ebur128` on a sound; a new reading every 100 ms. Not thread-safe.

    When the filter fails there are no more readings, and `working` is False.
    """

    def __init__(self, sample_rate: int) -> None:
        self.reading = Reading()
        """The newest one."""
        self._graph: SoundGraph | None = None
        try:
            self._graph = SoundGraph(sample_rate, "ebur128", "metadata=1:framelog=quiet")
        except Exception as error:  # the programme goes on without a meter
            self._lose(error)

    @property
    def working(self) -> bool:
        return self._graph is not None

    def put(self, block: Block) -> bool:
        """Measure `block`; True when there is a new reading."""
        new = False
        if self._graph is not None:
            try:
                for frame in self._graph.push(block):
                    words = dict(frame.metadata)
                    self.reading = Reading(
                        *(_lufs(words.get(f"lavfi.r128.{which}")) for which in "MSI")
                    )
                    new = True
            except Exception as error:  # as above
                self._lose(error)
        return new

    def _lose(self, error: Exception) -> None:
        self._graph = None
        self.reading = Reading()
        log.error("loudness is not measured any more", error=f"{type(error).__name__}: {error}")


class Guesses:
    """About how loud each feed is, heard or not; 10 microseconds per feed and tick.

    Mean power without the weighting of the standard: within about 3 dB for speech. For the moment
    in which a feed is heard for the first time, and for noticing that somebody speaks.
    """

    def __init__(self, canvas: Canvas) -> None:
        self._size = GUESS_S * canvas.fps
        self._powers: dict[str, _Ring] = {}

    def put(self, feed: str, block: Block) -> float:
        """One tick of `feed`; about its LUFS, -120 for silence and for what is no sound."""
        flat = block.ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = 2 * float(np.dot(flat, flat)) / max(len(flat), 1)
        power = mean if 0.0 < mean < 1e6 else 0.0
        if feed not in self._powers:
            self._powers[feed] = _Ring(self._size)
        self._powers[feed].put(power)
        return to_lufs(power)

    def forget(self, feed: str) -> None:
        self._powers.pop(feed, None)

    def level(self, feed: str) -> float | None:
        """About the LUFS of `feed` while somebody spoke in the last 10 s of it."""
        ring = self._powers.get(feed)
        if ring is None:
            return None
        spoken = ring.values[ring.values > to_power(GATE_LUFS)]
        if len(spoken) < self._size // 50:
            return None
        return to_lufs(float(spoken[spoken > spoken.mean() / 10].mean()))


class _Ring:
    """The newest `size` numbers, in no order; zeros before they came."""

    def __init__(self, size: int) -> None:
        self.values = np.zeros(size, dtype=np.float64)
        self._at = 0

    def put(self, value: float) -> None:
        self.values[self._at] = value
        self._at = (self._at + 1) % len(self.values)


def to_lufs(power: float) -> float:
    """LUFS of the summed mean square of both channels."""
    return -0.691 + 10 * float(np.log10(power)) if power > 1e-12 else -120.0


def to_power(lufs: float) -> float:
    """Summed mean square of both channels of a sound of `lufs`."""
    return float(10 ** ((lufs + 0.691) / 10))


def together(levels: Iterable[float]) -> float | None:
    """LUFS of sounds of `levels` that are heard at once; None for none."""
    powers = [to_power(level) for level in levels]
    return to_lufs(sum(powers)) if powers else None


def _lufs(word: str | None) -> float | None:
    value = float(word) if word else float("nan")
    return value if value > SILENCE_LUFS else None
