"""How each graphic looks: pictures of words in the colours of the slate.

Panels are opaque on purpose: words stay readable over a snow-white or a moving picture, and the
encoder spends no bits on what shines through.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from streamer.domain.errors import BadInput
from streamer.domain.graphics import LowerThird, Next, Question
from streamer.programme.fonts import Weight, find_font
from streamer.programme.graphics import Box, Colour, FittedText, draw_text, fit_text
from streamer.programme.lanes import even
from streamer.programme.slate import GOLD, PALE, SLATE_BACKGROUND, WHITE

PANEL = SLATE_BACKGROUND
PANEL_DARK: Colour = (8, 25, 50)
EDGE: Colour = (52, 84, 126)
"""One line around a panel: it parts from a dark picture."""
LIVE_RED: Colour = (196, 22, 42)
LIVE_WORDS = "ТІКЕЛЕЙ ЭФИР"
QUESTION_WORDS = "СҰРАҚ · ВОПРОС"
NEXT_WORDS = ("КЕЛЕСІ", "ДАЛЕЕ")
CALM_TEXT = 0.265
"""Share of the height up to which a question is set large; the speaker's face is above it."""
LARGEST_EMBLEM = 4096
"""Pixels of a side; a larger file is a mistake, and would take long to load."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished picture (RGBA, even size) and where it belongs."""

    image: Image.Image
    box: Box


@dataclass(frozen=True, slots=True)
class Style:
    """`unit` is what shares of the height are of, pixels."""

    unit: int
    accent: Colour
    regular: Path
    bold: Path

    @staticmethod
    def of(unit: int, accent: str, folders: tuple[Path, ...] | None = None) -> Style:
        """With `accent` as #RRGGBB. Raises FontMissing."""
        red, green, blue = bytes.fromhex(accent.lstrip("#"))
        return Style(
            unit, (red, green, blue),
            find_font(Weight.REGULAR, folders), find_font(Weight.BOLD, folders),
        )  # fmt: skip

    def px(self, share: float, least: int = 1) -> int:
        return max(least, round(self.unit * share))

    def fit(
        self, text: str, width: int, height: float, sizes: tuple[float, float], *,
        bold: bool = False, language: str = "",
    ) -> FittedText:  # fmt: skip
        """`text` in a box of `width` pixels; `height`, `sizes` (largest, smallest) are shares."""
        largest = self.px(sizes[0], 7)
        return fit_text(
            text, Box(0, 0, max(1, width), self.px(height)), self.bold if bold else self.regular,
            largest=largest, smallest=min(largest, self.px(sizes[1], 6)), language=language,
        )  # fmt: skip


def lower_third(content: LowerThird, lane: Box, style: Style) -> Drawn:
    """Name over the offices, at the bottom left of its lane and no wider than its words."""
    pad, bar = style.px(0.026), style.px(0.014, 3)
    room = lane.width - 2 * pad - bar
    edge, gap = style.px(0.016), style.px(0.006)
    name = style.fit(content.name, room, 0.088, (0.054, 0.030), bold=True)
    texts = [(content.office_kk, "kk", WHITE), (content.office_ru, "ru", PALE)]
    texts = [one for one in texts if one[0]]
    space = style.px(0.022) if texts else 0
    left = lane.height - 2 * edge - name.height - space - gap
    share = min(0.100, left / style.unit / max(1, len(texts)))
    offices = _same_size(style, [text[:2] for text in texts], room, share, (0.036, 0.026))
    lines = [(name, WHITE), *zip(offices, (colour for *_, colour in texts), strict=True)]
    gaps = gap * max(0, len(offices) - 1)
    height = 2 * edge + space + gaps + sum(text.height for text, _ in lines)
    width = max(style.px(0.42), *(text.width for text, _ in lines)) + 2 * pad + bar
    box = _bottom_left(lane, width, height)
    image, draw = _panel(box, PANEL)
    draw.rectangle((0, 0, bar - 1, box.height - 1), fill=style.accent)
    top = edge
    for number, (text, colour) in enumerate(lines):
        here = Box(bar + pad, top, box.width - 2 * pad - bar + 2, text.height)
        draw_text(image, text, here, colour, align="left")
        top += text.height + (space if number == 0 else gap)
        if number == 0 and offices:
            rule = top - space + style.px(0.006)
            draw.rectangle(
                (bar + pad, rule, bar + pad + style.px(0.11), rule + style.px(0.0028) - 1),
                fill=GOLD,
            )  # fmt: skip
    return Drawn(image, box)


def question(content: Question, lane: Box, style: Style) -> Drawn:
    """The card: label and number, the words of the question, from where and by which way."""
    pad, head, bar = style.px(0.030), style.px(0.056), style.px(0.014, 3)
    label = " ".join((QUESTION_WORDS, f"№\xa0{content.number}" if content.number else "")).strip()
    foot = style.px(0.054) if content.district or content.source else 0
    room = lane.width - 2 * pad - bar
    air = style.px(0.018)
    share = (lane.height - head - foot - 2 * air) / style.unit
    words = style.fit(content.text, room, min(share, CALM_TEXT), (0.041, 0.033))
    if words.cut:
        words = style.fit(content.text, room, share, (0.036, 0.025))
    width = max(style.px(0.9), words.width + 2 * pad + bar)
    box = _bottom_left(lane, width, head + foot + 2 * air + words.height)
    image, draw = _panel(box, PANEL)
    draw.rectangle((0, 0, box.width - 1, head - 1), fill=PANEL_DARK)
    draw.rectangle((0, 0, bar - 1, box.height - 1), fill=style.accent)
    inner = box.width - 2 * pad - bar
    _line(image, style, label, Box(bar + pad, 0, inner, head), GOLD, bold=True, size=0.030)
    body = Box(bar + pad, head + air, inner + 2, words.height)
    draw_text(image, words, body, WHITE, align="left")
    if foot:
        _question_foot(image, content, Box(bar + pad, box.height - foot - style.px(0.004),
                                           inner, foot), style)  # fmt: skip
    return Drawn(image, box)


def _question_foot(image: Image.Image, content: Question, box: Box, style: Style) -> None:
    """District at the left, source at the right, over a thin line."""
    draw = ImageDraw.Draw(image)
    draw.rectangle((box.left, box.top, box.right, box.top), fill=EDGE)
    right = 0
    if content.source:
        width = box.width if not content.district else box.width * 2 // 5
        source = style.fit(content.source, width, 0.040, (0.030, 0.024))
        right = source.width + style.px(0.03)
        side = "right" if content.district else "left"
        draw_text(image, source, box, PALE, align=side)
    if content.district:
        here = Box(box.left, box.top, box.width - right, box.height)
        _line(image, style, content.district, here, WHITE, bold=True, size=0.030)


def next_strip(content: Next, lane: Box, style: Style) -> Drawn:
    """A label in the accent colour, then both languages: side by side on one thin line when
    they fit, else one over the other in smaller letters."""
    pad = style.px(0.020)
    texts = [text for text in (content.text_kk, content.text_ru) if text]
    if len(texts) == 2 and texts[0] == texts[1]:
        texts.pop()
    label = style.fit(" · ".join(NEXT_WORDS), lane.width // 3, 0.040, (0.028, 0.022), bold=True)
    room = lane.width - label.width - pad * (3 + len(texts))
    fitted = [style.fit(text, room, 0.043, (0.033, 0.029)) for text in texts]
    if any(text.cut for text in fitted) or sum(text.width for text in fitted) > room:
        return _two_rows(texts, lane, style)
    tag = label.width + 2 * pad
    width = tag + sum(text.width + 2 * pad for text in fitted)
    box = _bottom_left(lane, width, style.px(0.058))
    image, draw = _tagged(box, tag, style)
    draw_text(image, label, Box(0, 0, tag, box.height), _ink(style))
    left = tag + pad
    for text, colour in zip(fitted, (WHITE, PALE), strict=False):
        if left > tag + pad:
            line = left - pad
            draw.rectangle((line, box.height // 4, line, box.height * 3 // 4), fill=PALE)
        draw_text(image, text, Box(left, 0, text.width, box.height), colour, align="left")
        left += text.width + 2 * pad
    return Drawn(image, box)


def _two_rows(texts: list[str], lane: Box, style: Style) -> Drawn:
    """The strip of long texts: each in a row of its own, beside its label."""
    pad, row = style.px(0.020), lane.height // 2
    labels = [style.fit(word, lane.width // 3, 0.033, (0.024, 0.020), bold=True)
              for word in NEXT_WORDS]  # fmt: skip
    tag = max(label.width for label in labels) + 2 * pad
    room = lane.width - tag - 2 * pad
    # A single long text has the height of both rows for itself.
    rows = len(texts)
    fitted = [style.fit(text, room, 0.070 / rows, (0.027, 0.022)) for text in texts]
    width = tag + 2 * pad + max(text.width for text in fitted)
    box = _bottom_left(lane, width, lane.height)
    image, _ = _tagged(box, tag, style)
    for number, label in enumerate(labels):
        draw_text(image, label, Box(0, row * number, tag, row), _ink(style))
    high = box.height // rows
    for number, (text, colour) in enumerate(zip(fitted, (WHITE, PALE), strict=False)):
        here = Box(tag + pad, high * number, box.width - tag - pad, high)
        draw_text(image, text, here, colour, align="left")
    return Drawn(image, box)


def _tagged(box: Box, tag: int, style: Style) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A panel whose left `tag` pixels have the accent colour."""
    image, draw = _panel(box, PANEL)
    draw.rectangle((0, 0, tag - 1, box.height - 1), fill=style.accent)
    return image, draw


def _ink(style: Style) -> Colour:
    return WHITE if _dark(style.accent) else PANEL_DARK


def clock(text: str, lane: Box, style: Style) -> Drawn:
    """HH:MM at the right end of its lane."""
    height = style.px(0.066)
    digits = style.fit(text, lane.width - style.px(0.03), 0.060, (0.042, 0.020), bold=True)
    # As wide at 11:11 as at 00:00.
    widest = style.fit("00:00", lane.width - style.px(0.03), 0.060, (0.042, 0.020), bold=True)
    width = min(lane.width, widest.width + style.px(0.036)) // 2 * 2
    box = even(Box(lane.right - width, _centre(lane, height), width, height))
    image, draw = _panel(box, PANEL)
    draw.rectangle(
        (0, box.height - style.px(0.005, 2), box.width - 1, box.height - 1), fill=style.accent
    )
    draw_text(image, digits, Box(0, 0, box.width, box.height - style.px(0.004)), WHITE)
    return Drawn(image, box)


def live_mark(lane: Box, style: Style) -> Drawn:
    """White words and a dot on red."""
    height, pad, dot = style.px(0.056), style.px(0.018), style.px(0.018, 4)
    left = pad + dot + style.px(0.012)
    words = style.fit(LIVE_WORDS, lane.width - left - pad, 0.046, (0.031, 0.016), bold=True)
    box = even(Box(lane.left, _centre(lane, height), left + words.width + pad + 1, height))
    image = Image.new("RGBA", (box.width, box.height), (*LIVE_RED, 255))
    _dot(image, pad, (box.height - dot) // 2, dot)
    here = Box(left, 0, min(words.width, box.width - left), box.height)
    draw_text(image, words, here, WHITE, align="left")
    return Drawn(image, box)


def emblem(picture: Image.Image, lane: Box) -> Drawn:
    """The emblem as large as its lane allows, in its proportions, at the left."""
    share = min(lane.width / picture.width, lane.height / picture.height)
    width = min(lane.width, max(1, round(picture.width * share)))
    height = min(lane.height, max(1, round(picture.height * share)))
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    whole = Image.new("RGBA", (lane.width, lane.height))
    whole.paste(small, ((lane.width - width) // 2, (lane.height - height) // 2))
    return Drawn(whole, lane)


def load_emblem(path: Path) -> Image.Image:
    """The emblem in RGBA. Raises BadInput (`wrong_emblem`) for what is not a picture or too large.

    Reads a file: not in the event loop, not in the mixer's thread.
    """
    try:
        # A picture that is suspiciously large warns before its side is looked at.
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if max(picture.size) > LARGEST_EMBLEM:
                raise ValueError(f"it has {picture.width}x{picture.height} pixels")
            return picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError,
            Image.DecompressionBombWarning) as error:  # fmt: skip
        raise BadInput(
            f"the emblem {path} cannot be used: {error}; give a PNG of at most"
            f" {LARGEST_EMBLEM} pixels a side",
            code="wrong_emblem", path=str(path),
        ) from error  # fmt: skip


def _same_size(
    style: Style, texts: list[tuple[str, str]], room: int, height: float,
    sizes: tuple[float, float],
) -> list[FittedText]:  # fmt: skip
    """`texts` (text, language), all in the size of the smallest."""
    fitted = [style.fit(text, room, height, sizes, language=spoken) for text, spoken in texts]
    least = min((one.size for one in fitted), default=0) / style.unit
    return [
        one if one.size <= least * style.unit
        else style.fit(text, room, height, (least, sizes[1]), language=spoken)
        for one, (text, spoken) in zip(fitted, texts, strict=True)
    ]  # fmt: skip


def _line(
    image: Image.Image, style: Style, text: str, box: Box, colour: Colour, *, bold: bool,
    size: float,
) -> None:  # fmt: skip
    """One line at the left of `box`, in its middle."""
    fitted = style.fit(text, box.width, size * 1.3, (size, size * 0.8), bold=bold)
    draw_text(image, fitted, box, colour, align="left")


def _panel(box: Box, colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (box.width, box.height), (*colour, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, box.width - 1, box.height - 1), outline=EDGE)
    return image, draw


def _dot(image: Image.Image, left: int, top: int, size: int) -> None:
    mask = Image.new("L", (size * 4, size * 4))
    ImageDraw.Draw(mask).ellipse((0, 0, size * 4 - 1, size * 4 - 1), fill=255)
    image.paste(WHITE, (left, top), mask.resize((size, size), Image.Resampling.LANCZOS))


def _bottom_left(lane: Box, width: int, height: int) -> Box:
    """A box of that size (made even, not larger than the lane) at the lane's bottom left."""
    width = min(lane.width, width + width % 2)
    height = min(lane.height, height + height % 2)
    return Box(lane.left, lane.bottom - height, width, height)


def _centre(lane: Box, height: int) -> int:
    return lane.top + max(0, lane.height - height) // 4 * 2


def _dark(colour: Colour) -> bool:
    """White words are readable on it (relative luminance, as WCAG 2 counts it)."""
    linear = [(value / 255 / 12.92) if value <= 10 else ((value / 255 + 0.055) / 1.055) ** 2.4
              for value in colour]  # fmt: skip
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] < 0.25
