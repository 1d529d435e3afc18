"""Fonts: finding one that has every letter we need, and leaving out letters it does not have.

A letter without a glyph is drawn by a font as an empty box. On television that looks like a
fault, so a font that lacks Kazakh or Russian letters is refused before the programme starts, and
what no font has (emoji, other scripts) is left out of a text visibly.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from PIL import ImageFont, features

from streamer.domain.errors import Act, Unavailable

FONT_FILES = {
    "regular": ("NotoSans-Regular.ttf", "DejaVuSans.ttf"),
    "bold": ("NotoSans-Bold.ttf", "DejaVuSans-Bold.ttf"),
}
"""In the order of preference; each has `REQUIRED` in every version that Debian has."""
REQUIRED = (
    "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯабвгдеёжзийклмнопрстуфхцчшщъыьэюя"
    "ӘҒҚҢӨҰҮІҺәғқңөұүіһ"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    "«»—–№…·.,:;!?()-+%/"
)
"""What a font must be able to draw."""
ELLIPSIS = "…"
LAYOUT = (
    ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
)  # fmt: skip
"""RAQM places combining marks and knows languages; Kazakh and Russian are right without it too."""
_INSTEAD = {"₸": "тг", "−": "-", "‑": "-", "‐": "-", "―": "—", "“": "«", "”": "»", "„": "«"}
"""Written instead of a letter that a font lacks."""
_UNASSIGNED = "\U0010fffd"
"""No font has it: what is drawn for it is what is drawn for every letter that is missing."""
_PROBE_SIZE = 24


class Weight(StrEnum):
    """Weight of a font."""

    REGULAR = "regular"
    BOLD = "bold"


class FontMissing(Unavailable):
    """No font with the Kazakh letters is on this machine: install the Debian package
    fonts-noto-core (or fonts-dejavu-core)."""

    act = Act.CALL_US


def font_folders() -> tuple[Path, ...]:
    """Where fonts are looked for, in this order."""
    data_home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), data_home / "fonts")


@functools.lru_cache(maxsize=32)
def find_font(weight: Weight, folders: tuple[Path, ...] | None = None) -> Path:
    """The file of a font with every letter of `REQUIRED`.

    Raises FontMissing with the package to install; `refused` says what is there and what it lacks.
    Reads folders: call it before the programme starts, not while it runs.
    """
    looked = folders if folders is not None else font_folders()
    names = FONT_FILES[weight]
    found = [path for folder in looked for path in _files(folder) if path.name in names]
    refused: dict[str, str] = {}
    for path in sorted(found, key=lambda path: names.index(path.name)):
        lacking = missing_letters(path)
        if not lacking:
            return path
        refused[str(path)] = lacking
    raise FontMissing(
        code="font_missing", fonts=list(names), folders=[str(f) for f in looked], refused=refused
    )


def missing_letters(path: Path, letters: str = REQUIRED) -> str:
    """Those of `letters` that the font lacks; all of them for a file that is not a font."""
    try:
        load_font(path, _PROBE_SIZE)
    except OSError:
        return letters
    return "".join(letter for letter in letters if not has_glyph(path, letter))


@functools.lru_cache(maxsize=4096)
def has_glyph(path: Path, letter: str) -> bool:
    """The font draws `letter` as something else than its sign for missing letters, or as nothing
    when it is a space."""
    if letter.isspace():
        return True
    drawn = _drawn(path, letter)
    return drawn is not None and drawn != _drawn(path, _UNASSIGNED)


def _drawn(path: Path, letter: str) -> tuple[tuple[int, int], bytes] | None:
    """Size and ink; None when there is no ink at all."""
    mask = load_font(path, _PROBE_SIZE).getmask(letter, mode="L")
    if mask.getbbox() is None:
        return None
    return mask.size, bytes(mask)


def drawable(text: str, path: Path) -> str:
    """`text` with what the font cannot draw written otherwise or left out; never empty boxes.

    Look-alikes are simplified (`①` is 1), a run of foreign letters or digits becomes an ellipsis,
    because a reader must see that words are missing; emoji and other signs are dropped.
    """
    out: list[str] = []
    for letter in text:
        piece = _piece(letter, path)
        if piece == ELLIPSIS and out and out[-1] == ELLIPSIS:
            continue
        if piece:
            out.append(piece)
    return " ".join(word for word in "".join(out).split(" ") if word)


@functools.lru_cache(maxsize=4096)
def _piece(letter: str, path: Path) -> str:
    if has_glyph(path, letter):
        return letter
    for instead in (_INSTEAD.get(letter, ""), unicodedata.normalize("NFKD", letter)):
        if instead and instead != letter and all(has_glyph(path, one) for one in instead):
            return instead
    return ELLIPSIS if unicodedata.category(letter)[0] in "LN" else ""


@functools.lru_cache(maxsize=256)
def load_font(
    path: Path, size: int, layout: ImageFont.Layout | None = None
) -> ImageFont.FreeTypeFont:  # fmt: skip
    """The font at `size` pixels, laid out by the best engine there is unless told otherwise.

    Raises OSError for a file that is not a font: `ImageFont.truetype` would take another file of
    the same name somewhere else in silence.
    """
    engine = LAYOUT if layout is None else layout
    return ImageFont.FreeTypeFont(str(path), size, layout_engine=engine)


def _files(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.ttf") if folder.is_dir() else iter(())
