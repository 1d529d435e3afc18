"""Cards and labels: the name of a place, where its picture is missing and in its window's corner.

Nothing of it is drawn in the mixer's thread, which only copies.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from PIL import Image, ImageDraw

from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas, Patch, Picture
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
from streamer.programme.scenes import HALL_FEED, SIGN_FEED, SLIDES_FEED, site_feed
from streamer.programme.slate import GOLD, PALE, SLATE_BACKGROUND, WHITE, to_yuv

BACKGROUND_YUV = (45, 145, 116)
"""SLATE_BACKGROUND in the picture."""
FRAME_YUV = (120, 139, 121)
"""Colour of the thin frame around a window: a dim blue."""
LABEL: Colour = (8, 24, 48)
KEPT = 40
"""Cards that are kept as whole pictures; more than two scenes show at once."""
TEXT_WIDTH, TEXT_HEIGHT = 0.54, 0.56
"""Share of the picture that the names on a card have: what a nearly square window still shows."""
NARROW = (0.19, 0.135)
"""Widths of the narrowest labels, shares of the picture's width; longer names are cut in them."""
LABEL_HEIGHT, LABEL_TEXT = 0.05, 0.029
"""Height of a label and of its text, shares of the picture's height."""


SLIDES_NAMES = Names(kk="Слайдтар", ru="Слайды", en="Slides")


def card_names(hall: Names, sign: Names, sites: Mapping[str, Names]) -> dict[str, Names]:
    """Names by feed id, for `Cards`; `sites` are the names of sites by their ids."""
    names = {HALL_FEED: hall, SLIDES_FEED: SLIDES_NAMES, SIGN_FEED: sign}
    return names | {site_feed(site): one for site, one in sites.items()}


class Cards:
    """Cards and labels for the feeds of `names` (by feed id); all others get a plain card.

    Drawing takes some 20 ms for a feed of 720p; with `later` it is done by `draw_soon`, so that a
    run that follows a killed one is not held up: until then cards are plain. Raises FontMissing
    when a name is drawn and no font has the Kazakh letters. What is asked for is for one thread,
    the mixer's.
    """

    def __init__(
        self, canvas: Canvas, names: Mapping[str, Names] | None = None, *,
        later: bool = False, font_folders: tuple[Path, ...] | None = None,
    ) -> None:  # fmt: skip
        self._canvas = canvas
        self._names = dict(names or {})
        self._folders = font_folders
        self._texts: dict[str, Patch] = {}
        self._labels: dict[str, tuple[Patch, ...]] = {}
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        if not later:
            self._draw()

    def draw_soon(self) -> None:
        """Draw everything in a thread of its own; returns at once. For cards made `later`."""
        threading.Thread(target=self._draw, name="cards", daemon=True).start()

    def _draw(self) -> None:
        """One feed after the other; each is there from the moment its drawing is whole."""
        for feed, name in self._names.items():
            self._labels[feed] = self._both_labels(name)
            self._texts[feed] = self._text(name)

    def picture(self, feed: str) -> Picture:
        """The card of `feed`, of the canvas' size. The same object while it is the same card,
        until it was long unused."""
        key = feed if feed in self._texts else ""
        if key in self._pictures:
            self._pictures.move_to_end(key)
            return self._pictures[key]
        picture = self._plain()
        if key:
            text = self._texts[key]
            left = (self._canvas.width - text.width) // 4 * 2
            top = (self._canvas.height - text.height) // 4 * 2
            text.put(self._canvas.planes(picture), left, top)
        self._pictures[key] = picture
        if len(self._pictures) > KEPT:
            self._pictures.popitem(last=False)
        return picture

    def label(self, feed: str, width: int) -> Patch | None:
        """The widest label of `feed` that is not wider than `width` pixels."""
        fitting = (one for one in self._labels.get(feed, ()) if one.width <= width)
        return next(fitting, None)

    def _plain(self) -> Picture:
        picture = self._canvas.blank()
        for plane, value in zip(self._canvas.planes(picture), BACKGROUND_YUV, strict=True):
            plane[...] = value
        return picture

    def _text(self, names: Names) -> Patch:
        """Both names with a line between them, as on the slate."""
        height = self._canvas.height
        width = _even(self._canvas.width * TEXT_WIDTH)
        tall = _even(height * TEXT_HEIGHT)
        image = Image.new("RGB", (width, tall), SLATE_BACKGROUND)
        rule, thick = tall // 2, max(2, height // 240)
        for text, weight, colour, size, top, room in (
            (names.kk, Weight.BOLD, WHITE, 0.085, 0, rule - height // 24),
            (names.ru, Weight.REGULAR, PALE, 0.062, rule + height // 24, rule - height // 24),
        ):
            box = Box(0, top, width, room)
            fitted = fit_text(
                text, box, find_font(weight, self._folders),
                largest=max(8, round(height * size)), smallest=max(6, round(height * 0.03)),
            )  # fmt: skip
            if top == 0:  # the first name stands on the line
                box = Box(0, room - fitted.height, width, fitted.height)
            draw_text(image, fitted, box, colour, middle=False)
        half = max(2, width // 8)
        ImageDraw.Draw(image).rectangle(
            (width // 2 - half, rule - thick, width // 2 + half, rule), fill=GOLD
        )
        return Patch.of(to_yuv(image), width, tall)

    def _both_labels(self, names: Names) -> tuple[Patch, ...]:
        """The label in both languages and the shorter one in Kazakh, the state language."""
        both = f"{names.kk} · {names.ru}" if names.ru != names.kk else names.kk
        longest = self._canvas.width // 2 - self._canvas.width // 32
        made = [self._label(both, longest), self._label(names.kk, longest)]
        # For the windows of a large grid, and of one beside the sign language window.
        made += [self._label(names.kk, _even(self._canvas.width * share)) for share in NARROW]
        return tuple(made)

    def _label(self, text: str, longest: int) -> Patch:
        height = self._canvas.height
        tall, size = _even(height * LABEL_HEIGHT), max(6, round(height * LABEL_TEXT))
        bar, side = max(2, height // 180), round(tall * 0.4)
        font = find_font(Weight.BOLD, self._folders)
        room = longest - bar - 2 * side
        wide = min(room, int(load_font(font, size).getlength(text)) + 1)
        width = _even(bar + 2 * side + wide)
        image = Image.new("RGB", (width, tall), LABEL)
        ImageDraw.Draw(image).rectangle((0, 0, bar - 1, tall), fill=GOLD)
        box = Box(bar + side, 0, wide, tall)
        fitted = fit_text(text, box, font, largest=size, smallest=max(5, round(size * 0.75)))
        one = FittedText(fitted.lines[:1], fitted.size, fitted.font)
        draw_text(image, one, box, WHITE)
        return Patch.of(to_yuv(image), width, tall)


def _even(value: float) -> int:
    return max(2, round(value / 2) * 2)
