"""What can be wrong with a picture or a sound, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Detector(StrEnum):
    """Each says one thing about a feed or about the programme."""

    NO_BYTES = "no_bytes"
    """Nothing arrives at all. Nothing else is said about such a feed."""
    BLACK = "black"
    FROZEN = "frozen"
    """The picture stands still, or comes no more while the sound does."""
    SILENT = "silent"
    CLIPPING = "clipping"
    """The sound was too loud for its sender and is cut off at full scale."""
    LOW = "low"
    LOUD = "loud"
    OFFSET = "offset"
    """Sound and picture are apart; measured from the flashes and beeps of a test signal only."""


@dataclass(frozen=True, slots=True)
class SignalFault:
    """Told once, when a fault is sure. `value` and `limit` are in the unit of the detector:
    seconds (no_bytes, black, frozen, silent), samples at full scale (clipping), dBFS (low, loud),
    milliseconds of sound after picture (offset)."""

    feed: str
    detector: Detector
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class SignalRecovered:
    """Told once, when a fault is over; it lasted for `seconds`."""

    feed: str
    detector: Detector
    seconds: float
