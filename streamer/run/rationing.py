"""Who is decoded how much, when more sources send than the machine can decode. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streamer.run.sources import Level

MOST_FEEDS = 20
"""Feeds that are decoded at all: a grid of 16 and the hall's four. A feed of stills costs a tenth
of a full one, and each takes its place in the mixer."""


@dataclass(frozen=True, slots=True)
class Rations:
    """`levels` of every feed that sends, `reduced` those shown as stills, `reason` in words."""

    levels: dict[str, Level]
    told: tuple[str, ...]
    """Feeds that get less than the whole."""
    reason: str

    @property
    def reduced(self) -> tuple[str, ...]:
        return tuple(one for one in self.told if self.levels[one] is Level.STILLS)

    def of(self, feed: str) -> tuple[Level, str]:
        """The level of a feed and why it is that one."""
        level = self.levels.get(feed, Level.FULL)
        match level:
            case Level.FULL:
                return level, ""
            case Level.STILLS:
                return level, f"still pictures: {self.reason}"
            case Level.NONE:
                return level, f"not shown: {self.reason}"


def ration(sending: Iterable[str], wanted: Iterable[str], capacity: int | None) -> Rations:
    """Share out `capacity` (feeds at full rate; None: no limit is known).

    `sending` in the order of weight: the hall's sources, then sites as in the region's file.
    Those in the picture come first, the hall's before the sites'.
    """
    first = list(wanted)
    order = sorted(
        sending, key=lambda one: (one not in first, one.startswith("feed:site:"))
    )  # stable: the rest keeps its order
    full = MOST_FEEDS if capacity is None else capacity
    levels = {
        one: Level.FULL if n < full else Level.STILLS if n < MOST_FEEDS else Level.NONE
        for n, one in enumerate(order)
    }
    less = tuple(sorted(one for one, level in levels.items() if level is not Level.FULL))
    if not less:
        return Rations(levels, (), "")
    reason = (
        f"{len(order)} sources send, and this machine decodes"
        f" {full} at full rate and {MOST_FEEDS} in all"
    )
    return Rations(levels, less, reason)
