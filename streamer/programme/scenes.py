"""Scenes by name, and what the mixer tells about what it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from streamer.domain.errors import BadInput

HALL_FEED = "feed:hall"
"""Id of the feed of the hall's own picture and sound."""
SLIDES_FEED = "feed:slides"
SIGN_FEED = "feed:sign"
"""Id of the feed of the sign language interpreter's picture."""
INTERPRETER_FEED = "feed:interpreter"
"""Id of the feed with the sound of the second language."""
SITE_FEEDS = "feed:site:"
"""How the ids of the feeds of sites begin."""


def site_feed(site: str) -> str:
    """Id of the feed of the site with the id `site`."""
    return SITE_FEEDS + site


@dataclass(frozen=True, slots=True)
class Scene:
    """One arrangement by its name, taken with a site or not: `hall`, `split:<site id>`, `slate`."""

    name: str
    site: str = ""

    @staticmethod
    def parse(text: str) -> Scene:
        """The scene as it is spelled; BadInput when nothing is spelled like this.

        Whether a meeting has such a scene and such a site is what `Layouts.scene` knows.
        """
        found = re.fullmatch(r"([a-z0-9-]{1,40})(?::([a-z0-9-]{1,40}))?", text)
        if found is None:
            raise BadInput(
                f"'{text[:60]}' is not how a scene is spelled; write hall, slate or split:<site>",
                code="unknown_scene", scene=text[:60],
            )  # fmt: skip
        return Scene(found[1], found[2] or "")

    def __str__(self) -> str:
        return f"{self.name}:{self.site}" if self.site else self.name


HALL = Scene("hall")
SLATE = Scene("slate")


class FeedState(StrEnum):
    """What the mixer has of a feed."""

    WAITING = "WAITING"
    """Attached; nothing was ever shown or heard of it."""
    ALIVE = "ALIVE"
    """Picture or sound arrived in the last moments."""
    LOST = "LOST"
    """It was alive and nothing comes any more."""


@dataclass(frozen=True, slots=True)
class SourceLost:
    """Neither picture nor sound comes from `feed`; the slate is on where the feed was shown."""

    feed: str
    programme_s: float


@dataclass(frozen=True, slots=True)
class SourceBack:
    """`feed` is alive again after an outage of `seconds`."""

    feed: str
    programme_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class SceneShown:
    """Another picture is on. `automatic`: by the mixer itself, a source was lost or is back."""

    scene: Scene
    programme_s: float
    automatic: bool


@dataclass(frozen=True, slots=True)
class OutputLost:
    """An output ended by itself (the encoder closed its pipes); it is detached."""

    output: str
    reason: str
    programme_s: float


@dataclass(frozen=True, slots=True)
class OutputDropping:
    """An encoder does not take what it is given: `ticks` of picture and sound were left out so far.

    Told at the first tick that is left out, then once a second while it lasts, then once when it
    takes again (`over`).
    """

    output: str
    ticks: int
    over: bool
    programme_s: float


@dataclass(frozen=True, slots=True)
class ClockSlipped:
    """The machine held the mixer up for `seconds`; the programme clock went on from there."""

    seconds: float
    programme_s: float


@dataclass(frozen=True, slots=True)
class MixerFailed:
    """The mixer gave up after many faults in a row; the run must be replaced."""

    error: str
    programme_s: float


@dataclass(frozen=True, slots=True)
class SourceChanged:
    """In `pass` mode: `feed` sends another form of picture or sound now; both as words."""

    feed: str
    before: str
    after: str
    programme_s: float


Change = (
    SourceLost | SourceBack | SourceChanged | SceneShown | OutputLost | OutputDropping
    | ClockSlipped | MixerFailed
)  # fmt: skip
"""What `on_change` is called with."""


@dataclass(frozen=True, slots=True)
class MixerState:
    """What the mixer does just now. `peak_db` is per channel, dBFS over the last 200 ms."""

    tick: int
    programme_s: float
    wanted: Scene
    shown: Scene
    muted: bool
    peak_db: tuple[float, float]
    feeds: dict[str, FeedState]
    slips: int
    faults: int
    late: int = 0
    """Ticks that were late by more than a tick."""
