"""The canvas: size and rate of the programme, and the memory of its pictures.

A picture is one flat uint8 array in the layout ffmpeg calls `yuv420p`: all of Y, then U, then V.
Its length is width * height * 3 / 2 bytes; `Canvas.planes` gives views into it, never copies.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.domain.errors import BadInput

Picture = NDArray[np.uint8]
"""One yuv420p picture, flat."""
Block = NDArray[np.float32]
"""Sound of one tick: shape (samples, 2), full scale is -1.0 to 1.0."""


class Planes(NamedTuple):
    """Views into a picture: Y at full size, U and V at half width and half height."""

    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]


class Patch(NamedTuple):
    """A piece of a picture of even size, to be put anywhere on even pixels: planes as in Planes."""

    y: NDArray[np.uint8]
    u: NDArray[np.uint8]
    v: NDArray[np.uint8]

    @staticmethod
    def of(yuv: NDArray[np.uint8], width: int, height: int) -> Patch:
        """Of a whole yuv420p picture of `width` x `height` (both even)."""
        flat, count, half = yuv.reshape(-1), width * height, (height // 2, width // 2)
        return Patch(
            flat[:count].reshape(height, width),
            flat[count : count * 5 // 4].reshape(half),
            flat[count * 5 // 4 : count * 3 // 2].reshape(half),
        )

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])

    def put(self, planes: Planes, left: int, top: int) -> None:
        """Copy it to `left`, `top` (even) of the picture of `planes`."""
        height, width = self.y.shape
        planes.y[top : top + height, left : left + width] = self.y
        left, top, height, width = left // 2, top // 2, height // 2, width // 2
        planes.u[top : top + height, left : left + width] = self.u
        planes.v[top : top + height, left : left + width] = self.v


@dataclass(frozen=True, slots=True)
class Canvas:
    """Size in pixels (both even), whole pictures per second, and samples of sound per second.

    Raises BadInput when the sizes are odd or not positive, or when one tick would not hold a whole
    number of samples (48000 / fps must be whole): sound and picture could not step together.
    """

    width: int
    height: int
    fps: int
    sample_rate: int = 48000

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 16 or self.width % 2 or self.height % 2:
            raise BadInput(
                f"a picture of {self.width}x{self.height} cannot be made;"
                " use even numbers of at least 16",
                code="wrong_canvas", width=self.width, height=self.height,
            )  # fmt: skip
        if self.fps < 1 or self.sample_rate % self.fps:
            raise BadInput(
                f"{self.fps} pictures per second do not divide {self.sample_rate} samples;"
                " use 24, 25, 30, 48, 50 or 60",
                code="wrong_rate", fps=self.fps, sample_rate=self.sample_rate,
            )  # fmt: skip

    @property
    def samples_per_tick(self) -> int:
        return self.sample_rate // self.fps

    @property
    def tick_s(self) -> float:
        """Seconds of one tick."""
        return 1.0 / self.fps

    @property
    def picture_bytes(self) -> int:
        return self.width * self.height * 3 // 2

    @property
    def block_bytes(self) -> int:
        """Bytes of one tick of s16le stereo sound."""
        return self.samples_per_tick * 4

    def samples(self, pts: int, time_base: Fraction) -> int:
        """A timestamp in units of `time_base` (seconds) as a count of samples, rounded."""
        return round(pts * time_base * self.sample_rate)

    def planes(self, picture: Picture) -> Planes:
        """Y, U and V of `picture` as two-dimensional views."""
        whole = self.width * self.height
        quarter = whole // 4
        half = (self.height // 2, self.width // 2)
        return Planes(
            picture[:whole].reshape(self.height, self.width),
            picture[whole : whole + quarter].reshape(half),
            picture[whole + quarter : whole + 2 * quarter].reshape(half),
        )

    def blank(self) -> Picture:
        """A new black picture (Y 16, U and V 128: television range)."""
        picture = np.full(self.picture_bytes, 128, dtype=np.uint8)
        picture[: self.width * self.height] = 16
        return picture


class Frame:
    """A picture with a count of holders; the last `release` gives its memory back to the pool."""

    __slots__ = ("_holders", "_pool", "picture")

    def __init__(self, pool: FramePool, picture: Picture) -> None:
        self.picture = picture
        self._pool = pool
        self._holders = 1

    def hold(self) -> Frame:
        """One holder more; each holder calls `release` once."""
        with self._pool.lock:
            self._holders += 1
        return self

    def release(self) -> None:
        with self._pool.lock:
            self._holders -= 1
            if self._holders == 0:
                self._pool.give_back(self.picture)


class FramePool:
    """Memory of pictures, used again and again. Thread-safe.

    It grows to what is in flight at once, which the bounded queues of the outputs limit; it never
    makes anybody wait.
    """

    def __init__(self, canvas: Canvas) -> None:
        self.lock = threading.Lock()
        self._canvas = canvas
        self._free: list[Picture] = []
        self.made = 0

    def take(self) -> Frame:
        """A frame with undefined content, held once by the caller."""
        with self.lock:
            if self._free:
                return Frame(self, self._free.pop())
            self.made += 1
        return Frame(self, np.empty(self._canvas.picture_bytes, dtype=np.uint8))

    def give_back(self, picture: Picture) -> None:
        """For `Frame.release` only, which holds the lock."""
        self._free.append(picture)
