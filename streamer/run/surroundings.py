"""What the parts of a meeting run need of the run that owns them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from streamer.config.secrets import Redactor
from streamer.config.spec import MeetingSpec
from streamer.domain.events import EventName
from streamer.domain.legs import LegKind
from streamer.media.leg import Attempt
from streamer.run.secrets import Secrets

Record = Callable[[EventName, dict[str, Any]], object]


class AddLeg(Protocol):
    """Adds a leg to the chain; `more` is what `Leg` takes."""

    def __call__(self, leg_id: str, kind: LegKind, attempt: Attempt, **more: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the chain needs of the run that owns it."""

    spec: MeetingSpec
    folder: Path
    binary: str
    secrets: Secrets
    redactor: Redactor
    record: Record
    changed: Callable[[], None]
    feeds: int | None = None
    """Feeds that the machine decodes at full rate at once; None: not known, no limit."""
