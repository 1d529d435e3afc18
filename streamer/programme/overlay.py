"""A picture with transparency that is laid over a part of the programme.

It is made once per change (never in the mixer's thread) and blended at every tick, its box only.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        """An overlay of the RGBA `image` whose corner is at `left`, `top` (made even)."""
        width, height = image.width + image.width % 2, image.height + image.height % 2
        whole = Image.new("RGBA", (width, height))
        whole.paste(image)
        rgba = np.asarray(whole)
        box = Box(left // 2 * 2, top // 2 * 2, width, height)
        from streamer.programme.slate import to_yuv

        yuv = to_yuv(whole.convert("RGB")).reshape(-1)
        alpha = rgba[:, :, 3].astype(np.uint16)
        half = (alpha.reshape(height // 2, 2, width // 2, 2).sum(axis=(1, 3)) + 2) // 4
        count = width * height
        planes = (
            yuv[:count].reshape(height, width),
            yuv[count : count * 5 // 4].reshape(height // 2, width // 2),
            yuv[count * 5 // 4 :].reshape(height // 2, width // 2),
        )
        alphas = (alpha, half.astype(np.uint16), half.astype(np.uint16))
        layers = tuple(
            (plane.astype(np.uint16) * a, 255 - a) for plane, a in zip(planes, alphas, strict=True)
        )
        return Overlay(box, layers)  # type: ignore[arg-type]

    def blend(self, planes: Planes) -> None:
        """Lay it over the picture of `planes`, which must hold the whole box."""
        for number, (plane, (value, rest)) in enumerate(zip(planes, self._layers, strict=True)):
            by = 1 if number == 0 else 2
            rows = slice(self.box.top // by, (self.box.top + self.box.height) // by)
            columns = slice(self.box.left // by, (self.box.left + self.box.width) // by)
            part = plane[rows, columns]
            part[...] = (part * rest + value + 127) // 255
