"""Where a line may end in Kazakh and Russian.

Words stay whole. A Russian line does not end with a preposition or conjunction of one or two
letters; no line begins with a dash or a closing sign; a number stays with its unit and its №,
initials stay with their surname, particles with their word. Hyphenated words break at the hyphen.
A word is broken only when it does not fit alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

Measure = Callable[[str], float]
"""Width of a piece of text, pixels."""


class Atom(NamedTuple):
    """A piece that is never broken when it fits alone, and how it follows the one before it."""

    text: str
    spaced: bool
    hard: bool = False
    """A number and its unit, initials and surname: parted only when nothing else helps."""


Group = tuple[Atom, ...]
"""Atoms that stay on one line as long as they fit on one."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


GLUED_LETTERS = 48
"""A group does not grow beyond that: a text of nothing but prepositions still has lines."""
KAZAKH_LETTERS = frozenset("ӘҒҚҢӨҰҮІҺәғқңөұүіһ")
_FORWARD_RU = _set(
    "а без во в для да до за и из изо или к ко на над не ни но о об обо от ото по под при про с со"
    " у что"
)
"""Russian words that lean on the next one; those of one and two letters, and those like them."""
_BACK_RU = _set("бы б же ж ли ль")
_BACK_KK = _set("да де та те ма ме ба бе па пе ғой ше мен бен пен")
"""Particles that lean on the word before them."""
_BEFORE = _set("№ # § г. гр. ул. д. кв. стр. п. пп. ст. с. пос. пр. просп. им. тов. т.")
"""Signs and abbreviations that lean on what they introduce."""
_UNITS = _set(
    "% ‰ ₸ $ € тг теңге тенге руб рублей долларов тыс мың млн миллион миллиона миллионов млрд"
    " миллиард миллиарда миллиардов трлн км м см мм га л кг т тонна тонн шт чел адам человек кв"
    " куб мвт квт кв.м г гг год года году годов годы лет жыл жылы жылдың жылға жылғы жылдан ж"
    " ғ ч час часа часов сағат мин минут минута минуты сек с °c ° дня дней день күн қаңтар ақпан"
    " наурыз сәуір мамыр маусым шілде тамыз қыркүйек қазан қараша желтоқсан января февраля марта"
    " апреля мая июня июля августа сентября октября ноября декабря"
)
"""What stays with the number before it."""
_NUMBER = re.compile(r"[(«]?[+\-−–]?\d[\d.,:/–-]*[)»]?$")
_INITIALS = re.compile(r"[(«]?(?:[A-ZА-ЯЁӘҒҚҢӨҰҮІҺ]\.){1,3}[,;)]?$")
_DASH = re.compile(r"[-–—−]+$")
_CLOSING = re.compile(r"[!?.,:;)»…%]+$")
_OPENING = re.compile(r"[«(\[]+$")
_HYPHEN = re.compile(r"(?<=[^\W\d_]{3}[-‐])(?=[«(]?[^\W\d_]{3})")


def language_of(text: str) -> str:
    """`kk` for a text with a letter that only Kazakh has, else `ru`."""
    return "kk" if any(letter in KAZAKH_LETTERS for letter in text) else "ru"


def groups(text: str, language: str = "") -> list[Group]:
    """What stays together in `text` (tidied), in `language` (kk, ru; guessed when empty)."""
    words = text.split(" ") if text else []
    spoken = language or language_of(text)
    made: list[list[Atom]] = []
    for at, word in enumerate(words):
        first, *rest = _HYPHEN.split(word)
        hard = at > 0 and _hard(words, at)
        stays = at > 0 and (hard or _soft(words, at, spoken))
        if stays and _length(made[-1]) + len(word) < GLUED_LETTERS:
            made[-1].append(Atom(first, True, hard))
        else:
            made.append([Atom(first, True)])
        made += [[Atom(piece, False)] for piece in rest]
    return [tuple(group) for group in made]


def width_of(group: Group, measure: Measure, space: float) -> float:
    """Width of the group on one line, pixels; `space` is that of a space."""
    return sum(
        measure(atom.text) + (space if atom.spaced and at else 0.0) for at, atom in enumerate(group)
    )


def wrap(
    pieces: Sequence[Group], measure: Measure, width: float, most: int
) -> list[str]:  # fmt: skip
    """Lines not wider than `width` pixels; at most `most`, all that the caller looks at."""
    space = measure(" ")
    lines: list[str] = []
    line, used = "", 0.0
    for group in pieces:
        whole = width_of(group, measure, space)
        parts: Iterator[tuple[str, bool, float]]
        if whole <= width:
            parts = iter([(_joined(group), group[0].spaced, whole)])
        else:
            parts = _loose(group, measure, width)
        for text, spaced, wide in parts:
            gap = space if spaced and line else 0.0
            if used + gap + wide <= width or not line:
                line += (" " if gap else "") + text
                used += gap + wide
                continue
            lines.append(line)
            if len(lines) >= most:
                return lines
            line, used = text, wide
    return [*lines, line] if line else lines


def balanced(pieces: Sequence[Group], measure: Measure, width: float, lines: int) -> list[str]:
    """The text in `lines` lines of much the same width, as titles are set."""
    low, high = width / max(1, lines) * 0.9, width
    while high - low > max(2.0, width / 200):
        middle = (low + high) / 2
        tried = wrap(pieces, measure, middle, lines + 1)
        # A narrower column must not buy its looks with a broken word or group.
        if len(tried) <= lines and _widest(pieces, measure) <= middle:
            high = middle
        else:
            low = middle
    return wrap(pieces, measure, high, lines)


def letters(text: str) -> list[str]:
    """`text` in letters with their combining marks, which are never torn off."""
    made: list[str] = []
    for letter in text:
        if made and unicodedata.category(letter)[0] == "M":
            made[-1] += letter
        else:
            made.append(letter)
    return made


def shorten(line: str, measure: Measure, width: float, ellipsis: str = "…") -> str:
    """`line` cut so that it fits `width` with an ellipsis; at a word where that costs little."""
    kept = letters(line)
    while kept and measure("".join(kept).rstrip(" ,.;:-–—") + ellipsis) > width:
        kept.pop()
    cut = "".join(kept)
    word = cut.rpartition(" ")[0]
    if len(kept) < len(letters(line)) and len(word) > 0.7 * len(cut):
        cut = word
    return cut.rstrip(" ,.;:-–—") + ellipsis


def _widest(pieces: Sequence[Group], measure: Measure) -> float:
    space = measure(" ")
    return max((width_of(group, measure, space) for group in pieces), default=0.0)


def _joined(group: Group) -> str:
    first, *rest = group
    return first.text + "".join((" " if one.spaced else "") + one.text for one in rest)


def _length(group: Sequence[Atom]) -> int:
    return sum(len(atom.text) + 1 for atom in group)


def _loose(group: Group, measure: Measure, width: float) -> Iterator[tuple[str, bool, float]]:
    """The parts of a group that is too wide: hard ones whole if they fit, then words, then pieces
    of words that are too wide themselves."""
    space = measure(" ")
    parts: list[list[Atom]] = []
    for atom in group:
        if atom.hard and parts and width_of((*parts[-1], atom), measure, space) <= width:
            parts[-1].append(atom)
        else:
            parts.append([atom])
    for part in parts:
        text, spaced = _joined(tuple(part)), part[0].spaced
        if len(part) > 1:
            yield text, spaced, width_of(tuple(part), measure, space)
            continue
        if (wide := measure(text)) <= width:
            yield text, spaced, wide
            continue
        piece, before = "", spaced
        for letter in letters(text):
            if piece and measure(piece + letter) > width:
                yield piece, before, measure(piece)
                piece, before = "", False
            piece += letter
        yield piece, before, measure(piece)


def _hard(words: Sequence[str], at: int) -> bool:
    """The word at `at` and the one before it are one thing."""
    before, word = words[at - 1], words[at]
    bare = word.strip("«»()[].,:;!?…").lower()
    if _DASH.match(word) or _CLOSING.match(word) or _OPENING.match(before):
        return True
    if before.lower() in _BEFORE and (before in "№#§" or word[:1].isdigit() or word[:1].isupper()):
        return True
    if before == "т.":  # и т. д., т. е.
        return True
    if _NUMBER.match(before) and (bare in _UNITS or re.match(r"\d{3}\D*$", word)):
        return True
    return _initials_stay(words, at)


def _soft(words: Sequence[str], at: int, language: str) -> bool:
    """One of the words at `at` and before it leans on the other."""
    before, word = words[at - 1], words[at]
    bare = word.strip("«»()[].,:;!?…").lower()
    lone = before.lstrip("«(").lower()
    if language == "kk":
        return bare in _BACK_KK
    return bare in _BACK_RU or lone in _FORWARD_RU


def _initials_stay(words: Sequence[str], at: int) -> bool:
    """Initials stay with each other and the surname after them, else with the one before them."""
    before, word = _INITIALS.match(words[at - 1]), _INITIALS.match(words[at])
    if before and word:
        return True
    if before:
        return _surname_follows(words, at - 1)
    return bool(word) and (
        words[at - 1][:1].isupper()
        and words[at - 1][-1:].isalpha()
        and not _surname_follows(words, at)
    )


def _surname_follows(words: Sequence[str], at: int) -> bool:
    """After the initials of which one is at `at` comes a surname (А. Б. Ахметов)."""
    last = at
    while last + 1 < len(words) and _INITIALS.match(words[last + 1]):
        last += 1
    after = words[last + 1] if last + 1 < len(words) else ""
    return after[:1].isupper() and words[last][-1] == "."
