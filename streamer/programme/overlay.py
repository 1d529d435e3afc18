"""A picture with transparency that is laid over a part of the programme.

It is made once per change (never in the mixer's thread) and blended at every tick, its box only.
"""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streamer.programme.canvas import Planes
from streamer.programme.graphics import Box

_Layer = tuple[NDArray[np.uint16], NDArray[np.uint16]]
"""Of one plane: its values times their opacity, and 255 minus the opacity; both 0 to 65025."""


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
        alpha = np.asarray(whole.getchannel("A")).astype(np.uint16)
        rest = 255 - _half(alpha)
        y, u, v = (plane * alpha for plane in yuv)
        return Overlay(box, ((y, 255 - alpha), (_half(u), rest), (_half(v), rest)))

    def blend(self, planes: Planes) -> None:
        """Lay it over the picture of `planes`, which must hold the whole box."""
        for number, (plane, (value, rest)) in enumerate(zip(planes, self._layers, strict=True)):
            by = 1 if number == 0 else 2
            rows = slice(self.box.top // by, (self.box.top + self.box.height) // by)
            columns = slice(self.box.left // by, (self.box.left + self.box.width) // by)
            part = plane[rows, columns]
            part[...] = (part * rest + value + 127) // 255


def _half(plane: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The mean of every 2x2 pixels, rounded."""
    rows = plane[0::2].astype(np.uint32) + plane[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2] + 2) // 4).astype(np.uint16)
