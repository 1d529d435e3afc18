"""The one transition table of a meeting, and the one function that checks it."""

from enum import StrEnum

from streamer.domain.errors import NotAllowed
from streamer.domain.meeting import MeetingState as S


class Command(StrEnum):
    """What a person or the schedule may ask of a meeting."""

    PREPARE = "prepare"
    LINE_UP = "line_up"
    GO_LIVE = "go_live"
    END = "end"
    CANCEL = "cancel"
    POSTPONE = "postpone"
    SLATE = "slate"
    TAKE_SCENE = "take_scene"
    MUTE = "mute"
    RESTART_LEG = "restart_leg"
    GIVE_FLOOR = "give_floor"
    TAKE_FLOOR_BACK = "take_floor_back"
    GRAPHICS = "graphics"
    """Show, change or hide a lower third, the question, what is next, clock or mark."""
    SOUND = "sound"
    """Gain, delay or mute of one feed."""
    SEALED = "sealed"
    """Said by the archive, never by a person: the package is sealed and verified."""
    REPLAN = "replan"
    """A postponed meeting was given a new date."""


# Commands that move the meeting: (state, command) -> next state.
MOVES: dict[tuple[S, Command], S] = {
    (S.PLANNED, Command.PREPARE): S.PREPARING,
    (S.PLANNED, Command.POSTPONE): S.POSTPONED,
    (S.PLANNED, Command.CANCEL): S.CANCELLED,
    (S.POSTPONED, Command.REPLAN): S.PLANNED,
    (S.POSTPONED, Command.CANCEL): S.CANCELLED,
    (S.PREPARING, Command.LINE_UP): S.LINE_UP,
    (S.PREPARING, Command.POSTPONE): S.POSTPONED,
    (S.PREPARING, Command.CANCEL): S.CANCELLED,
    (S.LINE_UP, Command.GO_LIVE): S.LIVE,
    (S.LINE_UP, Command.POSTPONE): S.POSTPONED,
    (S.LINE_UP, Command.CANCEL): S.CANCELLED,
    (S.LIVE, Command.END): S.ENDING,
    (S.ENDING, Command.SEALED): S.ARCHIVED,
}

# Commands that act inside a state without leaving it.
ACTS: dict[Command, frozenset[S]] = {
    Command.SLATE: frozenset({S.LINE_UP, S.LIVE}),
    Command.TAKE_SCENE: frozenset({S.LINE_UP, S.LIVE}),
    Command.MUTE: frozenset({S.LINE_UP, S.LIVE}),
    Command.RESTART_LEG: frozenset({S.LINE_UP, S.LIVE, S.ENDING}),
    Command.GIVE_FLOOR: frozenset({S.LINE_UP, S.LIVE}),
    Command.TAKE_FLOOR_BACK: frozenset({S.LINE_UP, S.LIVE}),
    Command.GRAPHICS: frozenset({S.LINE_UP, S.LIVE}),
    Command.SOUND: frozenset({S.LINE_UP, S.LIVE}),
}


def allowed(state: S) -> tuple[Command, ...]:
    """The commands that are possible in `state`, in the order of the enum."""
    return tuple(
        c for c in Command if (state, c) in MOVES or state in ACTS.get(c, frozenset())
    )  # fmt: skip


def after(state: S, command: Command) -> S:
    """The state after `command`; NotAllowed with what would be allowed otherwise."""
    target = MOVES.get((state, command))
    if target is not None:
        return target
    if state in ACTS.get(command, frozenset()):
        return state
    can = [str(c) for c in allowed(state)]
    raise NotAllowed(
        f"'{command}' is not possible while the meeting is {state};"
        f" possible: {', '.join(can) or 'nothing'}",
        code="not_allowed", command=str(command), state=str(state), allowed=can,
    )  # fmt: skip
