"""Reading pictures: the hall's counter, its flash, the slate, black.

The strip at the bottom of the hall's picture (see `streamer.demo.hall`) is read at a few points
of the luma plane; nothing is scaled, so reading costs little beside decoding.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from av.video.frame import VideoFrame

from streamer.demo.hall import BITS, CELLS, FLASH, STRIP_HEIGHT
from streamer.demo.measure.files import decoded

DARK, BRIGHT = 90, 150
"""Luma (16 to 235) below which a cell is black, and above which it is white."""
SLATE_BORDER = 80
"""Luma of a border that is dark; the hall's is far above."""
BLACK = 30
HOLE_S = 1.0
"""A step between two pictures that is longer is a hole in the file, not a picture shown long."""

Points = np.ndarray[Any, np.dtype[np.intp]]
Plane = np.ndarray[Any, np.dtype[np.uint8]]


class Shown(StrEnum):
    """What a picture shows."""

    HALL = "hall"
    SLATE = "slate"
    BLACK = "black"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class FrameRead:
    """One picture: time and length in seconds, what it shows, the hall's counter and flash."""

    pts: float
    seconds: float
    shown: Shown
    counter: int | None
    flash: bool


@dataclass(frozen=True, slots=True)
class Standstill:
    """One picture of the hall shown for longer than the others."""

    at: float
    seconds: float
    counter: int


@dataclass(frozen=True, slots=True)
class Outage:
    """The hall went and, perhaps, came back. Times in seconds of the file.

    `at` is when the last new picture of the hall was first shown; `back_at` is None when the file
    ends in the slate.
    """

    at: float
    slate_at: float
    back_at: float | None
    slate_seconds: float

    @property
    def to_slate(self) -> float:
        """Seconds from the last new picture to the slate."""
        return self.slate_at - self.at


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that was read from the pictures of one file."""

    frames: tuple[FrameRead, ...]

    def seconds(self, shown: Shown) -> float:
        """How long `shown` was on; holes of the file do not count."""
        return sum((frame.seconds for frame in self.frames if frame.shown is shown), 0.0)

    def longest_standstill(self) -> Standstill | None:
        """The picture of the hall that was shown longest; None when the hall was never on."""
        found = list(self._standing())
        return max(found, key=lambda still: still.seconds, default=None)

    def outages(self) -> tuple[Outage, ...]:
        """Every time the hall was followed by something else, in order."""
        rows = [(shown, list(row)) for shown, row in groupby(self.frames, lambda f: f.shown)]
        found = []
        for index, (shown, row) in enumerate(rows):
            if shown is not Shown.SLATE or not index or rows[index - 1][0] is not Shown.HALL:
                continue
            hall = rows[index - 1][1]
            first = next(f for f in hall if f.counter == hall[-1].counter)
            after = rows[index + 1][1][0].pts if index + 1 < len(rows) else None
            found.append(Outage(first.pts, row[0].pts, after, sum(f.seconds for f in row)))
        return tuple(found)

    def flashes(self) -> tuple[float, ...]:
        """When each flash began."""
        return tuple(
            after.pts
            for before, after in zip(self.frames, self.frames[1:], strict=False)
            if after.flash and not before.flash and before.shown is Shown.HALL
        )

    def _standing(self) -> Iterator[Standstill]:
        hall = (frame for frame in self.frames if frame.counter is not None)
        for counter, row in groupby(hall, lambda frame: frame.counter):
            shown = list(row)
            yield Standstill(shown[0].pts, sum(f.seconds for f in shown), counter or 0)


def read_picture(path: Path) -> Picture:
    """Decode the pictures of `path` and read each; an empty Picture when there are none."""
    read = []
    reader: _Reader | None = None
    for frame in decoded(path, "video"):
        if not isinstance(frame, VideoFrame) or frame.time is None:
            continue
        if reader is None or (reader.width, reader.height) != (frame.width, frame.height):
            reader = _Reader(frame.width, frame.height)
        read.append((frame.time, *reader.read(_luma(frame))))
    return Picture(tuple(_with_lengths(read)))


def _with_lengths(read: list[tuple[float, Shown, int | None, bool]]) -> Iterator[FrameRead]:
    if not read:
        return
    times = [time for time, *_ in read]
    steps = [after - before for before, after in pairwise(times)]
    usual = statistics.median(steps) if steps else 0.0
    for (time, shown, counter, flash), step in zip(read, [*steps, usual], strict=True):
        yield FrameRead(time, step if 0 <= step <= HOLE_S else usual, shown, counter, flash)


def _luma(frame: VideoFrame) -> Plane:
    plane = frame.planes[0]
    rows: Plane = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: frame.height]


class _Reader:
    """Where to look in pictures of one size."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        # The middle of each cell, three by three points: edges are blurred by the encoder.
        across = (np.arange(CELLS)[:, None] + np.array([0.4, 0.5, 0.6])) / CELLS
        down = 1 - STRIP_HEIGHT * np.array([0.4, 0.5, 0.6])
        self._cells = (
            np.repeat((down * height).astype(np.intp)[None, :, None], CELLS, 0),
            (across * width).astype(np.intp)[:, None, :],
        )
        self._flash = self._grid(*FLASH)
        edge_x, edge_y = max(2, width // 80), max(2, height // 80)
        along = np.linspace(0.2, 0.8, 8)
        self._border: tuple[Points, Points] = (
            np.concatenate([along * height, along * height, np.full(8, edge_y)]).astype(np.intp),
            np.concatenate([np.full(8, edge_x), np.full(8, width - 1 - edge_x), along * width])
            .astype(np.intp),
        )  # fmt: skip

    def _grid(self, x: float, y: float, width: float, height: float) -> tuple[Points, Points]:
        inside = np.array([0.3, 0.5, 0.7])
        rows = ((y + height * inside) * self.height).astype(np.intp)
        columns = ((x + width * inside) * self.width).astype(np.intp)
        return rows[:, None], columns[None, :]

    def read(self, luma: Plane) -> tuple[Shown, int | None, bool]:
        counter = self._counter(luma)
        if counter is not None:
            return Shown.HALL, counter, bool(luma[self._flash].mean() > BRIGHT)
        if luma[::16, ::16].max() < BLACK:
            return Shown.BLACK, None, False
        dark = np.median(luma[self._border]) < SLATE_BORDER
        return Shown.SLATE if dark else Shown.OTHER, None, False

    def _counter(self, luma: Plane) -> int | None:
        """The number in the strip; None when there is no strip or it is not whole."""
        cells = luma[self._cells].reshape(CELLS, -1).mean(axis=1)
        white = cells > BRIGHT
        if not (white | (cells < DARK)).all() or not (white[0] and white[-1]) or white[1]:
            return None
        bits = white[2 : 2 + BITS]
        if bool(white[2 + BITS]) != bool(bits.sum() % 2):
            return None
        return sum(1 << int(bit) for bit in np.flatnonzero(bits))
