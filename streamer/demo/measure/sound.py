"""Reading sound: beeps, silence, and where the sound lies against the picture."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame

from streamer.demo.measure.files import decoded
from streamer.demo.measure.picture import Picture

BLOCK_S = 0.002
"""Resolution of a beep's beginning, seconds."""
SILENT_DBFS = -50.0
SILENT_S = 1.0
"""A silence is at least so long."""
FAR_S = 0.45
"""A beep farther from a flash than this belongs to another one (they come once a second)."""
SEAM_S = 0.005

Samples = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Sound:
    """What was heard in one file: when each beep began, silences, seconds and loudest sample."""

    beeps: tuple[float, ...]
    silences: tuple[Span, ...]
    seconds: float
    peak_dbfs: float


@dataclass(frozen=True, slots=True)
class AvOffset:
    """Sound against picture in milliseconds, one value per flash; positive: the sound is late."""

    each_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float | None:
        return statistics.median(self.each_ms) if self.each_ms else None

    @property
    def worst_ms(self) -> float | None:
        return max(self.each_ms, key=abs, default=None)


def av_offset(picture: Picture, sound: Sound) -> AvOffset:
    """For each flash how much later its beep came."""
    found = []
    for flash in picture.flashes():
        at = bisect.bisect_left(sound.beeps, flash - FAR_S)
        near = [beep - flash for beep in sound.beeps[at : at + 2] if abs(beep - flash) < FAR_S]
        if near:
            found.append(1000 * min(near, key=abs))
    return AvOffset(tuple(found))


def read_sound(path: Path) -> Sound:
    """Decode the sound of `path`; an empty Sound when there is none."""
    stretches = list(_stretches(path))
    if not stretches:
        return Sound((), (), 0.0, -math.inf)
    levels = [
        (start, rate, _levels(samples, int(rate * BLOCK_S))) for start, rate, samples in stretches
    ]
    # A beep is a third as loud as the loudest fiftieth of all: whatever the gain on the way was.
    loud = float(np.percentile(np.concatenate([level for *_, level in levels]), 98)) / 3
    beeps: list[float] = []
    silences: list[Span] = []
    for start, rate, level in levels:
        block = int(rate * BLOCK_S) / rate
        beeps += [start + block * at for at in _onsets(level, max(loud, 0.01))]
        silences += _silences(start, block, level)
    peak = max(float(np.abs(samples).max(initial=0)) for *_, samples in stretches)
    return Sound(
        tuple(beeps),
        tuple(silences),
        sum(len(samples) / rate for _, rate, samples in stretches),
        20 * math.log10(peak) if peak > 0 else -math.inf,
    )


def _stretches(path: Path) -> Iterator[tuple[float, int, Samples]]:
    """Unbroken stretches of mono sound: start in seconds, sample rate, samples (-1 to 1)."""
    start, rate, length = 0.0, 0, 0
    pieces: list[Samples] = []
    for frame in decoded(path, "audio"):
        if not isinstance(frame, AudioFrame) or frame.time is None:
            continue
        expected = start + length / rate if rate else None
        if pieces and (frame.sample_rate != rate or abs(frame.time - (expected or 0)) > SEAM_S):
            yield start, rate, np.concatenate(pieces)
            pieces = []
        if not pieces:
            start, rate, length = frame.time, frame.sample_rate, 0
        pieces.append(_mono(frame))
        length += frame.samples
    if pieces:
        yield start, rate, np.concatenate(pieces)


def _mono(frame: AudioFrame) -> Samples:
    samples: np.ndarray[Any, np.dtype[Any]] = frame.to_ndarray()
    scale = float(np.iinfo(samples.dtype).max) if samples.dtype.kind == "i" else 1.0
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    mono: Samples = (samples.mean(axis=0) / scale).astype(np.float32)
    return mono


def _levels(samples: Samples, block: int) -> Samples:
    """The effective value of each block."""
    whole = samples[: len(samples) - len(samples) % block].reshape(-1, block)
    level: Samples = np.sqrt(np.mean(np.square(whole), axis=1))
    return level


def _onsets(level: Samples, loud: float) -> list[int]:
    """Blocks at which it becomes loud after at least a quarter of a second that was not."""
    found = []
    quiet = int(0.25 / BLOCK_S)
    last = -quiet
    for at in np.flatnonzero(level > loud):
        if at - last > quiet and at > 0:
            found.append(int(at))
        last = int(at)
    return found


def _silences(start: float, block: float, level: Samples) -> Iterator[Span]:
    silent = np.concatenate([[False], level < 10 ** (SILENT_DBFS / 20), [False]])
    edges = np.flatnonzero(silent[1:] != silent[:-1])
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - begin) * block >= SILENT_S:
            yield Span(start + begin * block, start + end * block)
