"""Text on pictures: finding a font that has every Kazakh letter, and fitting text into its box."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from streamer.domain.errors import Act, Unavailable

Colour = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""

FONT_FILES = {
    "regular": ("NotoSans-Regular.ttf", "DejaVuSans.ttf"),
    "bold": ("NotoSans-Bold.ttf", "DejaVuSans-Bold.ttf"),
}
"""In the order of preference; each has ӘҒҚҢӨҰҮІҺ."""
LEADING = 1.25
"""Distance of two lines, in sizes of the font."""
ELLIPSIS = "…"


class Weight(StrEnum):
    """Weight of a font."""

    REGULAR = "regular"
    BOLD = "bold"


class FontMissing(Unavailable):
    """No font with the Kazakh letters is on this machine: install the Debian package
    fonts-noto-core (or fonts-dejavu-core)."""

    act = Act.CALL_US


@dataclass(frozen=True, slots=True)
class Box:
    """A place on a picture, pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FittedText:
    """Lines and the size (pixels) at which they fit their box."""

    lines: tuple[str, ...]
    size: int
    font: ImageFont.FreeTypeFont

    @property
    def height(self) -> int:
        """Pixels from the top of the first line to the bottom of the last."""
        return round(self.size * LEADING) * len(self.lines)


def font_folders() -> tuple[Path, ...]:
    """Where fonts are looked for, in this order."""
    data_home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), data_home / "fonts")


@functools.lru_cache(maxsize=32)
def find_font(weight: Weight, folders: tuple[Path, ...] | None = None) -> Path:
    """The file of a font with all Kazakh letters. Raises FontMissing with the package to install.

    Reads folders: call it before the programme starts, not while it runs.
    """
    looked = folders if folders is not None else font_folders()
    names = FONT_FILES[weight]
    found = {path.name: path for folder in looked for path in _files(folder) if path.name in names}
    for name in names:
        if name in found:
            return found[name]
    raise FontMissing(code="font_missing", fonts=list(names), folders=[str(f) for f in looked])


def _files(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.ttf") if folder.is_dir() else iter(())


@functools.lru_cache(maxsize=256)
def load_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """The font at `size` pixels. Cyrillic needs no shaping, so the plain layout does."""
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def fit_text(text: str, box: Box, font: Path, *, largest: int, smallest: int) -> FittedText:
    """`text` wrapped at words in the largest size (pixels) at which all of it fits into `box`.

    A word wider than the box is broken. What does not fit even at `smallest` is cut and ends
    with an ellipsis: nothing ever leaves the box.
    """
    words = text.split()
    best, too_large = smallest, largest + 1
    while best < too_large - 1:
        size = (best + too_large) // 2
        if _fits(words, box, load_font(font, size), size):
            best = size
        else:
            too_large = size
    loaded = load_font(font, best)
    room = _room(box, best)
    lines = _wrap(words, loaded, box.width, room + 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], _shorten(lines[room - 1], loaded, box.width)]
    return FittedText(tuple(lines), best, loaded)


def draw_text(
    image: Image.Image, fitted: FittedText, box: Box, colour: Colour, *, middle: bool = True
) -> None:
    """Draw `fitted` centred in `box`; at its top instead of its middle when `middle` is False."""
    draw = ImageDraw.Draw(image)
    step = round(fitted.size * LEADING)
    top = box.top + ((box.height - fitted.height) // 2 if middle else 0)
    for number, line in enumerate(fitted.lines):
        where = (box.left + box.width / 2, top + step * number + step / 2)
        draw.text(where, line, font=fitted.font, fill=colour, anchor="mm")


def _room(box: Box, size: int) -> int:
    """Lines of `size` that find room in `box`; at least one."""
    return max(1, box.height // round(size * LEADING))


def _fits(words: Sequence[str], box: Box, font: ImageFont.FreeTypeFont, size: int) -> bool:
    """All words find room at this size, none of them broken."""
    if any(font.getlength(word) > box.width for word in set(words)):
        return False
    room = _room(box, size)
    return round(size * LEADING) <= box.height and (
        len(_wrap(words, font, box.width, room + 1)) <= room
    )


def _wrap(
    words: Sequence[str], font: ImageFont.FreeTypeFont, width: int, most: int
) -> list[str]:  # fmt: skip
    """Lines of whole words; no further than `most` lines, which is all the caller looks at."""
    lines: list[str] = []
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if font.getlength(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        if len(lines) >= most:
            return lines[:most]
        *full, line = _break(word, font, width)
        lines += full
    return [*lines, line][:most] if line else lines[:most]


def _break(word: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Pieces of `word` that are not wider than `width`; at least one letter each."""
    pieces, piece = [], ""
    for letter in word:
        if piece and font.getlength(piece + letter) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


def _shorten(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    while line and font.getlength(line + ELLIPSIS) > width:
        line = line[:-1]
    return line.rstrip(" ,.;:-–—") + ELLIPSIS
