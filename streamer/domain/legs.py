"""Legs: the supervised moving parts of a live meeting, their states and their health."""

from dataclasses import dataclass
from enum import StrEnum

from streamer.domain.errors import Act


class LegKind(StrEnum):
    RUN = "run"
    INGEST = "ingest"
    FEED = "feed"
    ENCODER = "encoder"
    RELAY = "relay"
    RECORDER = "recorder"
    LINK = "link"


class LegState(StrEnum):
    """The actual state of a leg; what is wanted of it is kept apart (`wanted`)."""

    IDLE = "IDLE"
    """Never started."""
    STARTING = "STARTING"
    """The child exists; no byte has moved yet."""
    RUNNING = "RUNNING"
    """Bytes moved in the last seconds."""
    STALLED = "STALLED"
    """The child lives but nothing moves; it is replaced, but for a master on a slow disk."""
    BACKING_OFF = "BACKING_OFF"
    """Waiting before the next try."""
    STOPPING = "STOPPING"
    """Asked to stop; the stop ladder runs."""
    STOPPED = "STOPPED"
    """Ended because we wanted it."""
    FAILED = "FAILED"
    """Given up: a person must act."""


LEG_MOVES: dict[LegState, frozenset[LegState]] = {
    LegState.IDLE: frozenset({LegState.STARTING, LegState.STOPPED}),
    LegState.STARTING: frozenset(
        {
            LegState.RUNNING,
            LegState.STALLED,
            LegState.BACKING_OFF,
            LegState.STOPPING,
            LegState.FAILED,
        }
    ),
    LegState.RUNNING: frozenset(
        {LegState.STALLED, LegState.BACKING_OFF, LegState.STOPPING, LegState.FAILED}
    ),
    LegState.STALLED: frozenset(
        {LegState.RUNNING, LegState.BACKING_OFF, LegState.STOPPING, LegState.FAILED}
    ),
    LegState.BACKING_OFF: frozenset({LegState.STARTING, LegState.STOPPED, LegState.FAILED}),
    LegState.STOPPING: frozenset({LegState.STOPPED}),
    LegState.STOPPED: frozenset({LegState.STARTING}),
    LegState.FAILED: frozenset({LegState.STARTING, LegState.STOPPED}),
}


def move(current: LegState, target: LegState) -> LegState:
    """Check one move of a leg. A wrong move is a fault of ours, hence ValueError."""
    if target not in LEG_MOVES[current]:
        raise ValueError(f"a leg cannot go from {current} to {target}")
    return target


class Health(StrEnum):
    """What a person sees of a leg; computed, never stored."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    GREY = "grey"


@dataclass(frozen=True, slots=True)
class LegStatus:
    """What is known of one leg, as the snapshot carries it.

    `bytes` counts what moved since the leg was first started, over all tries; `moved_at` is the
    POSIX time in seconds at which bytes last moved; `error` is redacted text for the technician.
    """

    id: str
    kind: LegKind
    state: LegState
    wanted: bool
    name: str = ""
    bytes: int = 0
    tries: int = 0
    since: float = 0.0
    moved_at: float | None = None
    error: str = ""
    act: Act | None = None
    target: str = ""
    detail: str = ""
    pid: int | None = None

    @property
    def health(self) -> Health:
        """Green: as wanted. Amber: on its way. Red: wanted and not moving."""
        if not self.wanted:
            return Health.GREY
        if self.state is LegState.RUNNING:
            return Health.GREEN
        if self.state is LegState.STARTING and self.tries <= 1:
            return Health.AMBER
        return Health.RED
