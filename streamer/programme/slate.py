"""The slate: what is seen when there is nothing to show from the hall.

Region and title in both languages and the time of day. Drawn once; after that only the box of the
clock is drawn, once a second.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from streamer.domain.meeting import Names
from streamer.domain.meeting import zone as zone_of
from streamer.programme.canvas import Canvas, Picture
from streamer.programme.graphics import (
    Box,
    Colour,
    FittedText,
    Weight,
    draw_text,
    find_font,
    fit_text,
    load_font,
)

SLATE_BACKGROUND: Colour = (12, 36, 70)
"""Colour of the slate; at least the outer 5 % on every side are nothing else. In the picture it is
Y 45, U 145, V 116 everywhere (chosen so that no rounding dithers it)."""
WHITE: Colour = (255, 255, 255)
PALE: Colour = (186, 206, 226)
GOLD: Colour = (216, 178, 74)


class _Layout(NamedTuple):
    """Boxes as shares of the canvas: top, height, largest size of the text, weight, colour."""

    top: float
    height: float
    largest: float
    weight: Weight
    colour: Colour


REGION_KK = _Layout(0.10, 0.09, 0.052, Weight.BOLD, GOLD)
REGION_RU = _Layout(0.19, 0.07, 0.036, Weight.REGULAR, PALE)
RULE = 0.285
TITLE_KK = _Layout(0.32, 0.22, 0.070, Weight.BOLD, WHITE)
TITLE_RU = _Layout(0.55, 0.18, 0.050, Weight.REGULAR, PALE)
CLOCK = _Layout(0.79, 0.12, 0.075, Weight.BOLD, WHITE)
SIDE = 0.08
"""Share of the width left free at either side."""
SMALLEST = 0.022
"""Smallest size of text, share of the height: still readable on a phone."""


class Slate:
    """The slate of one meeting. `zone` is the IANA zone of its clock.

    Raises FontMissing when no font has the Kazakh letters, BadInput for an unknown zone. Making it
    takes some ten milliseconds; `picture` under two, once a second.
    """

    def __init__(
        self, canvas: Canvas, *, region: Names, title: Names, zone: str,
        font_folders: tuple[Path, ...] | None = None,
    ) -> None:  # fmt: skip
        self._canvas = canvas
        self._zone = zone_of(zone)
        self._folders = font_folders
        self._second = -1
        image = Image.new("RGB", (canvas.width, canvas.height), SLATE_BACKGROUND)
        for layout, text in (
            (REGION_KK, region.kk), (REGION_RU, region.ru),
            (TITLE_KK, title.kk), (TITLE_RU, title.ru),
        ):  # fmt: skip
            self._write(image, layout, text)
        half = canvas.width // 16
        middle, thick = canvas.width // 2, max(2, canvas.height // 240)
        at = round(canvas.height * RULE)
        ImageDraw.Draw(image).rectangle((middle - half, at, middle + half, at + thick), fill=GOLD)
        self._picture = to_yuv(image).reshape(-1)
        self._clock_size = round(CLOCK.largest * canvas.height)
        self._clock_box = self._even_clock_box()

    def still(self) -> Picture:
        """The slate without its clock, for who shows one picture for minutes; before `picture`."""
        return self._picture

    def picture(self, at: float) -> Picture:
        """The slate with the time of day at POSIX second `at`. Valid until the next call."""
        if int(at) != self._second:
            self._second = int(at)
            self._draw_clock(datetime.fromtimestamp(int(at), self._zone).strftime("%H:%M:%S"))
        return self._picture

    def _box(self, layout: _Layout) -> Box:
        side = round(self._canvas.width * SIDE)
        height = self._canvas.height
        return Box(
            side, round(height * layout.top), self._canvas.width - 2 * side,
            round(height * layout.height),
        )  # fmt: skip

    def _write(self, image: Image.Image, layout: _Layout, text: str) -> None:
        box = self._box(layout)
        fitted = fit_text(
            text, box, find_font(layout.weight, self._folders),
            largest=round(self._canvas.height * layout.largest),
            smallest=max(6, round(self._canvas.height * SMALLEST)),
        )  # fmt: skip
        draw_text(image, fitted, box, layout.colour)

    def _even_clock_box(self) -> Box:
        """Just wide enough for the digits; even, so that its colour planes are whole."""
        font = load_font(find_font(CLOCK.weight, self._folders), self._clock_size)
        width = int(font.getlength("00:00:00") * 1.1) // 4 * 4
        box = self._box(CLOCK)
        left = (self._canvas.width - width) // 4 * 2
        return Box(left, box.top // 2 * 2, width, box.height // 2 * 2)

    def _draw_clock(self, text: str) -> None:
        box = self._clock_box
        image = Image.new("RGB", (box.width, box.height), SLATE_BACKGROUND)
        font = load_font(find_font(CLOCK.weight, self._folders), self._clock_size)
        whole = Box(0, 0, box.width, box.height)
        draw_text(image, FittedText((text,), self._clock_size, font), whole, CLOCK.colour)
        paste(self._canvas, self._picture, to_yuv(image), box)


def to_yuv(image: Image.Image) -> NDArray[np.uint8]:
    """An RGB image of even size as yuv420p (ITU-R BT.709, television range), (h * 3 / 2, w)."""
    frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24")
    yuv = frame.reformat(format="yuv420p", dst_colorspace="ITU709").to_ndarray()
    return yuv.astype(np.uint8, copy=False)


def paste(canvas: Canvas, picture: Picture, small: NDArray[np.uint8], box: Box) -> None:
    """Copy the yuv420p image `small` (h * 3 / 2, w) of the size of `box` into `picture`."""
    piece = small.reshape(-1)
    whole = box.width * box.height
    quarter = whole // 4
    planes = canvas.planes(picture)
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    planes.y[rows, columns] = piece[:whole].reshape(box.height, box.width)
    rows = slice(box.top // 2, (box.top + box.height) // 2)
    columns = slice(box.left // 2, (box.left + box.width) // 2)
    half = (box.height // 2, box.width // 2)
    planes.u[rows, columns] = piece[whole : whole + quarter].reshape(half)
    planes.v[rows, columns] = piece[whole + quarter : whole + 2 * quarter].reshape(half)
