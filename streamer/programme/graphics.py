"""Text on pictures: fitting text into its box and drawing it there, never outside.

Which letters a font has is in `fonts`, where a line may end in `lines`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from streamer.domain.graphics import tidy
from streamer.programme.fonts import (
    ELLIPSIS,
    FONT_FILES,
    FontMissing,
    Weight,
    drawable,
    find_font,
    font_folders,
    load_font,
)
from streamer.programme.lines import (
    Group,
    balanced,
    groups,
    language_of,
    letters,
    shorten,
    width_of,
    wrap,
)

Colour = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

LEADING = 1.25
"""Distance of two lines, in sizes of the font."""
BASELINE = 0.96
"""From the top of a line to its base line, in sizes: Й above and р, Қ below find room."""
SMALL = 17
"""Sizes (pixels) below it are drawn large and made small."""
BALANCED_LINES = 3
"""Texts of up to so many lines are titles: their lines are made much the same in width."""


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a picture, pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class FittedText:
    """Lines and the size (pixels) at which they fit their box; `language` is kk or ru; `cut`:
    not all of the text found room."""

    lines: tuple[str, ...]
    size: int
    font: ImageFont.FreeTypeFont
    language: str = ""
    cut: bool = False
    scale: int = 1
    """The font is so many times `size`; drawn large and made small."""

    @property
    def height(self) -> int:
        """Pixels from the top of the first line to the bottom of the last."""
        return round(self.size * LEADING) * len(self.lines)

    @property
    def width(self) -> int:
        """Pixels of the widest line, with the edge that drawing may need."""
        wide = max((self.font.getlength(line) for line in self.lines), default=-3.0)
        return round(wide / self.scale) + 3


class Ruler:
    """Measures text by the advances of its letters.

    Shaping every candidate line costs a tenth of a millisecond each; letters repeat. Combining
    marks have no width; kerning only ever makes Cyrillic narrower by a pixel or two.
    """

    _advances: dict[tuple[str, int, int], dict[str, float]] = {}  # noqa: RUF012 - shared on purpose

    def __init__(self, path: Path, size: int) -> None:
        self._scale = scale_of(size)
        self._font = load_font(path, size * self._scale)
        engine = int(self._font.layout_engine)
        self._known = self._advances.setdefault((str(path), size, engine), {})

        self._words: dict[str, float] = {}

    def __call__(self, text: str) -> float:
        if text not in self._words:
            self._words[text] = self._measure(text)
        return self._words[text]

    def _measure(self, text: str) -> float:
        known, total = self._known, 0.0
        for letter in letters(text):
            if letter not in known:
                known[letter] = self._font.getlength(letter) / self._scale
            total += known[letter]
        return total


def fit_text(
    text: str, box: Box, font: Path, *, largest: int, smallest: int, language: str = ""
) -> FittedText:
    """`text` wrapped at words in the largest size (pixels) at which all of it fits into `box`.

    A word wider than the box is broken. What does not fit even at `smallest` is cut and ends
    with an ellipsis: nothing ever leaves the box. Letters that the font lacks are left out as
    `drawable` says. `language` (kk, ru; guessed when empty) says where lines may end.
    """
    clean = drawable(tidy(text), font)
    spoken = language or language_of(clean)
    pieces = groups(clean, spoken)
    best, too_large = smallest, largest + 1
    while best < too_large - 1:
        size = (best + too_large) // 2
        if _fits(pieces, box, Ruler(font, size), size):
            best = size
        else:
            too_large = size
    lines, cut = _lines(pieces, box, Ruler(font, best), best)
    scale = scale_of(best)
    return FittedText(lines, best, load_font(font, best * scale), spoken, cut, scale)


def draw_text(
    image: Image.Image, fitted: FittedText, box: Box, colour: Colour, *,
    middle: bool = True, align: str = "centre",
) -> None:  # fmt: skip
    """Draw `fitted` in `box`: in its middle, or at its top when `middle` is False; `align` is
    left, centre or right. Not one pixel outside of `box` is touched."""
    if not fitted.lines or box.width < 1 or box.height < 1:
        return
    scale = fitted.scale
    mask = Image.new("L", (box.width * scale, box.height * scale))
    draw = ImageDraw.Draw(mask)
    step = round(fitted.size * LEADING)
    top = (box.height - fitted.height) // 2 if middle else 0
    anchor, x = {
        "left": ("ls", 1.0), "right": ("rs", box.width - 1.0), "centre": ("ms", box.width / 2),
    }[align]  # fmt: skip
    raqm = fitted.font.layout_engine == ImageFont.Layout.RAQM
    language = fitted.language if raqm and fitted.language else None
    for number, line in enumerate(fitted.lines):
        y = top + step * number + round(fitted.size * BASELINE)
        where = (x * scale, y * scale)
        draw.text(where, line, font=fitted.font, fill=255, anchor=anchor, language=language)
    image.paste(colour, (box.left, box.top), mask.reduce(scale) if scale > 1 else mask)


def scale_of(size: int) -> int:
    """How many times larger text of `size` pixels is drawn, to be made small again.

    A font moves small letters to whole pixels, which tears words apart (мәдени ет).
    """
    return 4 if size < SMALL else 1


def _room(box: Box, size: int) -> int:
    """Lines of `size` that find room in `box`; at least one."""
    return max(1, box.height // round(size * LEADING))


def _column(box: Box) -> float:
    """Width for the lines of `box`: a pixel at either side is for soft edges."""
    return max(1.0, box.width - 3.0)


def _fits(pieces: Sequence[Group], box: Box, ruler: Ruler, size: int) -> bool:
    """All words find room at this size, none of them broken, nothing torn apart."""
    space = ruler(" ")
    width = _column(box)
    if any(width_of(group, ruler, space) > width for group in pieces):
        return False
    room = _room(box, size)
    return round(size * LEADING) <= box.height and len(wrap(pieces, ruler, width, room + 1)) <= room


def _lines(
    pieces: Sequence[Group], box: Box, ruler: Ruler, size: int
) -> tuple[tuple[str, ...], bool]:
    """The lines, and whether something of the text is missing."""
    width, room = _column(box), _room(box, size)
    lines = wrap(pieces, ruler, width, room + 1)
    if len(lines) > room:
        # The first line that has no room lends its words: the cut shall come late.
        rest = f"{lines[room - 1]} {lines[room]}"
        return (*lines[: room - 1], shorten(rest, ruler, width, ELLIPSIS)), True
    if 1 < len(lines) <= BALANCED_LINES:
        return tuple(balanced(pieces, ruler, width, len(lines))), False
    return tuple(lines), False


__all__ = [
    "ELLIPSIS", "FONT_FILES", "LEADING", "Box", "Colour", "FittedText", "FontMissing", "Ruler",
    "Weight", "draw_text", "drawable", "find_font", "fit_text", "font_folders", "load_font",
]  # fmt: skip
