"""Scenes by name, and what the mixer tells about what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamer.domain.errors import BadInput

HALL_FEED = "feed:hall"
"""Id of the feed that the scene `hall` shows."""


class SceneKind(StrEnum):
    """How a scene arranges its feeds."""

    HALL = "hall"
    SLATE = "slate"


@dataclass(frozen=True, slots=True)
class Scene:
    """One named arrangement, as commands and snapshots spell it: `hall`, `slate`."""

    kind: SceneKind

    @staticmethod
    def parse(name: str) -> Scene:
        """The scene called `name`; BadInput with the names there are."""
        try:
            return Scene(SceneKind(name))
        except ValueError:
            raise BadInput(
                f"there is no scene '{name}'; possible: {', '.join(SceneKind)}",
                code="unknown_scene", scene=name,
            ) from None  # fmt: skip

    @property
    def feeds(self) -> tuple[str, ...]:
        """Ids of the feeds that this scene shows and lets be heard."""
        return (HALL_FEED,) if self.kind is SceneKind.HALL else ()

    def __str__(self) -> str:
        return str(self.kind)


HALL = Scene(SceneKind.HALL)
SLATE = Scene(SceneKind.SLATE)


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
