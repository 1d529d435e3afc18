"""What can be shown over the picture, and how it is spelled in commands, events and snapshots.

Plain JSON on the way in (`parse`), plain JSON on the way out (`as_dict`); both ends of a command
use the same functions, so that what the console accepts is what the run shows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from streamer.domain.errors import BadInput

MARKS_ON_A_LETTER = 2
"""Combining marks that are kept on one letter: Kazakh and Russian need one (stress); a tower of
them would stand in the lines above."""
_SPACES = frozenset("\t\n\v\f\r\x85\u2028\u2029")


class Graphic(StrEnum):
    """What can be shown; each is one thing in its own place."""

    LOWER_THIRD = "lower_third"
    """Who speaks: name, office in Kazakh and Russian."""
    QUESTION = "question"
    """The question that is being answered."""
    NEXT = "next"
    """What comes next, in one thin line."""
    CLOCK = "clock"
    """Time of day."""
    LIVE_MARK = "live_mark"
    """That this is live; seen only while on air."""


@dataclass(frozen=True, slots=True)
class LowerThird:
    """Name strip. Each office may be empty."""

    name: str
    office_kk: str = ""
    office_ru: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Question:
    """Question card. `source` is how it came ("телефон", "YouTube"), `number` that of its
    receipt."""

    text: str
    district: str = ""
    source: str = ""
    number: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Next:
    """What comes next; at least one language."""

    text_kk: str = ""
    text_ru: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class On:
    """Of a graphic without words (clock, live mark): it is shown."""

    def as_dict(self) -> dict[str, Any]:
        return {}


Content = LowerThird | Question | Next | On

LIMITS: Mapping[Graphic, Mapping[str, int]] = {
    Graphic.LOWER_THIRD: {"name": 80, "office_kk": 200, "office_ru": 200},
    Graphic.QUESTION: {"text": 500, "district": 100, "source": 40, "number": 20},
    Graphic.NEXT: {"text_kk": 120, "text_ru": 120},
    Graphic.CLOCK: {},
    Graphic.LIVE_MARK: {},
}
"""Fields of each graphic and how many letters they hold, after `tidy`."""
_REQUIRED: Mapping[Graphic, tuple[str, ...]] = {
    Graphic.LOWER_THIRD: ("name",),
    Graphic.QUESTION: ("text",),
    Graphic.NEXT: ("text_kk", "text_ru"),
}
"""At least one of these is not empty."""


def parse(graphic: str, shown: object) -> Content | None:
    """What `shown` (plain JSON) says is to be seen of `graphic`; None hides it.

    An object with the fields of `LIMITS`, all texts, those left out or null are empty; for clock
    and live mark true (or an empty object), false hides. Raises BadInput (`wrong_graphics`) with
    `graphic`, `field` and `limit` (letters), the last two None where they say nothing.
    """
    try:
        kind = Graphic(graphic)
    except ValueError:
        raise _wrong(
            f"there is no graphic '{str(graphic)[:40]}'; possible: {', '.join(Graphic)}",
            str(graphic)[:40], "",
        ) from None  # fmt: skip
    if shown is None:
        return None
    if isinstance(shown, bool) and not LIMITS[kind]:
        return On() if shown else None
    if not isinstance(shown, Mapping):
        raise _wrong(f"{kind} takes {_takes(kind)}, or null to hide it", kind, "")
    texts = {str(field): _text(kind, str(field), value) for field, value in shown.items()}
    if kind in _REQUIRED and not any(texts.get(field) for field in _REQUIRED[kind]):
        needed = " or ".join(_REQUIRED[kind])
        raise _wrong(f"{kind} needs a text in {needed}", kind, _REQUIRED[kind][0])
    match kind:
        case Graphic.LOWER_THIRD:
            return LowerThird(**texts)
        case Graphic.QUESTION:
            return Question(**texts)
        case Graphic.NEXT:
            return Next(**texts)
        case _:
            return On()


def tidy(text: str) -> str:
    """`text` in normal form C on one line: single spaces, nothing invisible.

    Removed are control and format characters (also zero-width and direction marks, soft hyphens,
    halves of surrogate pairs) and combining marks beyond `MARKS_ON_A_LETTER`. The no-break space
    stays: somebody meant it.
    """
    kept: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", text):
        category = unicodedata.category(letter)
        if letter in _SPACES or (category == "Zs" and letter not in "\xa0\u202f"):
            kept.append(" ")
        elif category == "Zs":
            kept.append("\xa0")
        elif category in ("Mn", "Me"):
            marks += 1
            if kept and kept[-1] not in " \xa0" and marks <= MARKS_ON_A_LETTER:
                kept.append(letter)
            continue
        elif category[0] != "C":
            kept.append(letter)
        marks = 0
    return " ".join(word for word in "".join(kept).split(" ") if word).strip("\xa0")


def _text(kind: Graphic, field: str, value: object) -> str:
    limits = LIMITS[kind]
    if field not in limits:
        raise _wrong(f"{kind} has no '{field[:40]}'; it takes {_takes(kind)}", kind, field[:40])
    if isinstance(value, int) and not isinstance(value, bool) and field == "number":
        value = str(value)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(f"{kind}: {field} is a text", kind, field)
    limit = limits[field]
    # Tidying a megabyte would take a while; no honest text shrinks to a tenth.
    text = tidy(value) if len(value) <= 10 * limit else value
    if len(text) > limit:
        raise _wrong(
            f"{kind}: {field} has {len(text)} letters; at most {limit} can be read in time",
            kind, field,
        )  # fmt: skip
    return text


def _takes(kind: Graphic) -> str:
    return f"an object with {', '.join(LIMITS[kind])}" if LIMITS[kind] else "true or false"


def _wrong(message: str, graphic: str, field: str) -> BadInput:
    limits = LIMITS[Graphic(graphic)] if graphic in tuple(Graphic) else {}
    return BadInput(
        message, code="wrong_graphics", graphic=str(graphic), field=field or None,
        limit=limits.get(field),
    )  # fmt: skip
