"""A picture with transparency that is laid over a part of the programme.

It is made once per change (never in the mixer's thread) and blended at every tick, its box only.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streamer.programme.canvas import Planes
from streamer.programme.graphics import Box

_Layer = tuple[NDArray[np.uint16], NDArray[np.uint16]]
"""Of one plane: its values times their opacity with half a unit for rounding, and what is left of
the picture below, 0 to 255. No sum leaves 16 bits."""


class _Scratch(threading.local):
    """Memory for the sums of one thread."""

    def __init__(self) -> None:
        self._sums = np.empty((2, 0), dtype=np.uint16)

    def of(self, rows: int, columns: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        count = rows * columns
        if self._sums.shape[1] < count:
            self._sums = np.empty((2, count), dtype=np.uint16)
        sums, over = self._sums
        return sums[:count].reshape(rows, columns), over[:count].reshape(rows, columns)


_scratch = _Scratch()
STRIP = 24
"""Rows that are blended at once, so that the sums stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """`box` is where it lies, on even pixels. Immutable, so that threads may share it."""

    box: Box
    _layers: tuple[_Layer, _Layer, _Layer]

    @staticmethod
    def of(image: Image.Image, left: int, top: int) -> Overlay:
        """An overlay of the RGBA `image` whose corner is at `left`, `top` (made even).

        Opacity is applied before colour is brought to half size: at an edge, what a transparent
        pixel would have been must not colour its neighbours.
        """
        width, height = image.width + image.width % 2, image.height + image.height % 2
        whole = Image.new("RGBA", (width, height))
        whole.paste(image)
        box = Box(left // 2 * 2, top // 2 * 2, width, height)
        frame = av.VideoFrame.from_ndarray(np.asarray(whole.convert("RGB")), format="rgb24")
        yuv = frame.reformat(format="yuv444p", dst_colorspace="ITU709").to_ndarray()
        alpha = np.asarray(whole.getchannel("A")).astype(np.uint32)
        y, u, v = (plane * alpha for plane in yuv)
        rest, half = 255 - alpha, 255 - _half(alpha)
        return Overlay(box, (_layer(y, rest), _layer(_half(u), half), _layer(_half(v), half)))

    def blend(self, planes: Planes) -> None:
        """Lay it over the picture of `planes`, which must hold the whole box.

        Measured for a box of 1280x150: see the bench of the programme.
        """
        for plane, (value, rest), by in zip(planes, self._layers, (1, 2, 2), strict=True):
            top, left = self.box.top // by, self.box.left // by
            rows, columns = value.shape
            for first in range(0, rows, STRIP):
                last = min(rows, first + STRIP)
                part = plane[top + first : top + last, left : left + columns]
                sums, over = _scratch.of(last - first, columns)
                np.multiply(part, rest[first:last], out=sums)
                np.add(sums, value[first:last], out=sums)
                # Divided by 255 and rounded, exactly, without leaving 16 bits.
                np.right_shift(sums, 8, out=over)
                np.add(sums, over, out=sums)
                np.right_shift(sums, 8, out=sums)
                part[...] = sums


def _half(plane: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The mean of every 2x2 pixels, rounded."""
    rows = plane[0::2] + plane[1::2]
    mean: NDArray[np.uint32] = (rows[:, 0::2] + rows[:, 1::2] + 2) // 4
    return mean


def _layer(value: NDArray[np.uint32], rest: NDArray[np.uint32]) -> _Layer:
    return (value + 128).astype(np.uint16), rest.astype(np.uint16)
