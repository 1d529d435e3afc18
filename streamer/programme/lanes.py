"""Where each graphic lies: lanes of the picture that never overlap, whatever is shown together.

    +--------------------------------------------+
    | emblem  live mark                    clock |   top lane
    |                                            |
    | question card (up to the top lane)         |
    | lower third (grows upwards)                |
    | next strip                                 |
    +--------------------------------------------+

All of it within the title-safe area. A part of the picture may have to be kept clear (the
sign-language window): each lane is cut back to what is left beside, above or below it, and when a
lane would become useless, everything moves into the largest free part.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamer.programme.canvas import Canvas
from streamer.programme.graphics import Box

SAFE = 0.05
"""Share of width and height left free at every side: old sets and platforms' buttons cover it."""

# Shares of the unit (the height of the picture, less where little of it is free).
TOP_LANE = 0.085
STRIP = 0.072
LOWER_THIRD = 0.36
"""Most that a lower third may need: a name and two offices of three lines each in a narrow lane."""
GAP = 0.018
CARD_LEAST = 0.24
"""Less height than this is no question card."""
LOWER_THIRD_WIDTH = 0.72
"""Share of the width: longer lines would take too long to read."""
NARROWEST = 0.30
"""Share of the width below which a lane is of no use."""
CLOCK_WIDTH = 0.20
SMALLEST_UNIT = 0.5
"""Graphics are made smaller than usual by no more than this; else they are left out."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Boxes on even pixels; None: there is no room. `unit` is what shares of height are of."""

    unit: int
    emblem: Box | None
    live_mark: Box | None
    clock: Box | None
    next: Box | None
    lower_third: Box | None
    _cards: Box
    _clear: Box | None

    def question(self, lower_third: Box | None) -> Box | None:
        """The lane of the question card over the `lower_third` that is drawn now, if any."""
        gap = round(self.unit * GAP)
        bottom = lower_third.top - gap if lower_third else self._cards.bottom
        room = Box(
            self._cards.left, self._cards.top, self._cards.width,
            max(0, min(bottom, self._cards.bottom) - self._cards.top),
        )  # fmt: skip
        return best(
            room, self._clear, gap=gap, width=round(self._cards.width / 4),
            height=round(self.unit * CARD_LEAST),
        )  # fmt: skip


def lay_out(canvas: Canvas, keep_clear: Box | None, *, emblem: bool) -> Lanes:
    """The lanes of `canvas`; `emblem`: a place for one is left."""
    left, top = round(canvas.width * SAFE), round(canvas.height * SAFE)
    safe = even(Box(left, top, canvas.width - 2 * left, canvas.height - 2 * top))
    lanes = _within(canvas, safe, keep_clear, canvas.height, emblem)
    if keep_clear is None or _whole(lanes):
        return lanes
    gap = round(canvas.height * GAP)
    free = best(safe, keep_clear, gap=gap, width=2, height=2) or Box(0, 0, 0, 0)
    least = TOP_LANE + STRIP + LOWER_THIRD + CARD_LEAST + 3 * GAP
    share = min(1.0, free.height / canvas.height / least, free.width / canvas.width / 0.4)
    if share < SMALLEST_UNIT:
        return lanes
    return _within(canvas, even(free), None, round(canvas.height * share), emblem)


def _within(canvas: Canvas, area: Box, clear: Box | None, unit: int, emblem: bool) -> Lanes:
    """Lanes within `area`, each cut back from `clear`."""
    gap, narrow = round(unit * GAP), round(min(canvas.width * NARROWEST, area.width))
    high, thin, third = (round(unit * share) for share in (TOP_LANE, STRIP, LOWER_THIRD))

    def lane(top: int, height: int, least: int) -> Box | None:
        return best(
            Box(area.left, top, area.width, height), clear, gap=gap, width=narrow, height=least
        )

    top = lane(area.top, high, high)
    strip_top = area.bottom - thin
    strip = lane(strip_top, thin, thin)
    thirds = lane(strip_top - gap - third, third, round(third * 0.7))
    if thirds is not None and thirds.width > canvas.width * LOWER_THIRD_WIDTH:
        width = round(canvas.width * LOWER_THIRD_WIDTH)
        thirds = even(Box(thirds.left, thirds.top, width, thirds.height))
    cards_top = area.top + high + gap
    cards = Box(area.left, cards_top, area.width, max(0, strip_top - gap - cards_top))
    shield, mark, clock = _top_row(top, unit, gap, emblem) if top else (None, None, None)
    return Lanes(unit, shield, mark, clock, strip, thirds, cards, clear)


def _top_row(top: Box, unit: int, gap: int, emblem: bool) -> tuple[Box | None, Box, Box]:
    """Emblem, live mark and clock side by side in the top lane."""
    clock = round(unit * CLOCK_WIDTH)
    shield = top.height if emblem else 0
    left = top.left + (shield + gap if shield else 0)
    return (
        even(Box(top.left, top.top, shield, shield)) if shield else None,
        even(Box(left, top.top, max(0, top.right - clock - gap - left), top.height)),
        even(Box(top.right - clock, top.top, clock, top.height)),
    )


def _whole(lanes: Lanes) -> bool:
    """No lane was lost, the card's above a full lower third included."""
    return None not in (lanes.live_mark, lanes.next, lanes.lower_third) and (
        lanes.question(lanes.lower_third) is not None
    )


def best(lane: Box, clear: Box | None, *, gap: int, width: int, height: int) -> Box | None:
    """The largest part of `lane` that stays `gap` pixels away from `clear`; None when no part is
    at least `width` by `height`."""
    parts = [lane]
    if clear is not None and overlaps(lane, grown(clear, gap)):
        kept = grown(clear, gap)
        parts = [
            Box(lane.left, lane.top, kept.left - lane.left, lane.height),
            Box(kept.right, lane.top, lane.right - kept.right, lane.height),
            Box(lane.left, lane.top, lane.width, kept.top - lane.top),
            Box(lane.left, kept.bottom, lane.width, lane.bottom - kept.bottom),
        ]
    fit = [part for part in parts if part.width >= width and part.height >= height]
    return even(max(fit, key=lambda part: part.width * part.height)) if fit else None


def grown(box: Box, by: int) -> Box:
    return Box(box.left - by, box.top - by, box.width + 2 * by, box.height + 2 * by)


def overlaps(one: Box, other: Box) -> bool:
    """They share at least one pixel."""
    return (
        one.left < other.right and other.left < one.right
        and one.top < other.bottom and other.top < one.bottom
    )  # fmt: skip


def even(box: Box) -> Box:
    """The largest box on even pixels that lies within `box` (colour is stored for 2x2 pixels)."""
    left, top = box.left + box.left % 2, box.top + box.top % 2
    return Box(left, top, max(0, (box.right - left) // 2 * 2), max(0, (box.bottom - top) // 2 * 2))
