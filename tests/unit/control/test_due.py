"""What the schedule asks for, in every state and at every time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from streamer.control.scheduler import due
from streamer.domain.lifecycle import MOVES, Command
from streamer.domain.meeting import Meeting, MeetingState, Names

START = datetime(2027, 2, 19, 5, tzinfo=UTC)
END = START + timedelta(hours=2)
GIVE_UP = END + timedelta(hours=1)
PREPARE, LINE_UP = START - timedelta(minutes=60), START - timedelta(minutes=30)
TICK = timedelta(seconds=1)
MEETING = Meeting(
    "m", "abai", Names("к", "р"), START, END, "Asia/Almaty", "2027-02-19T10:00",
    end_by_schedule=True,
)  # fmt: skip
WHEN = {
    "long before": START - timedelta(days=3), "before preparing": PREPARE - TICK,
    "preparing": PREPARE, "before line-up": LINE_UP - TICK, "line-up": LINE_UP,
    "before start": START - TICK, "start": START, "before end": END - TICK, "end": END,
    "before giving up": GIVE_UP - TICK, "giving up": GIVE_UP, "days after": END + timedelta(days=9),
}  # fmt: skip
# From when on which command is asked for; later commands take the place of earlier ones.
STEPS: dict[MeetingState, list[tuple[datetime, Command]]] = {
    MeetingState.PLANNED: [(PREPARE, Command.PREPARE), (GIVE_UP, Command.POSTPONE)],
    MeetingState.PREPARING: [(LINE_UP, Command.LINE_UP), (GIVE_UP, Command.POSTPONE)],
    MeetingState.LINE_UP: [(START, Command.GO_LIVE), (GIVE_UP, Command.POSTPONE)],
    MeetingState.LIVE: [(END, Command.END)],
}


@pytest.mark.parametrize("state", MeetingState)
@pytest.mark.parametrize("when", WHEN)
def test_every_state_at_every_time(state: MeetingState, when: str) -> None:
    now = WHEN[when]
    expected = None
    for begin, command in STEPS.get(state, []):
        if now >= begin:
            expected = command
    assert due(replace(MEETING, state=state), now) is expected


@pytest.mark.parametrize("state", MeetingState)
@pytest.mark.parametrize("when", WHEN)
def test_nothing_is_asked_that_is_not_possible(state: MeetingState, when: str) -> None:
    command = due(replace(MEETING, state=state), WHEN[when])
    assert command is None or (state, command) in MOVES


@pytest.mark.parametrize("when", WHEN)
def test_nothing_is_cut_by_the_clock(when: str) -> None:
    live = replace(MEETING, state=MeetingState.LIVE, end_by_schedule=False)
    assert due(live, WHEN[when]) is None


def test_a_missed_start_is_made_up_step_by_step_at_once() -> None:
    """The service was down from before preparing until the middle of the meeting."""
    now, state, asked = START + timedelta(minutes=40), MeetingState.PLANNED, []
    while (command := due(replace(MEETING, state=state), now)) is not None:
        asked.append(command)
        state = MOVES[state, command]
    assert asked == [Command.PREPARE, Command.LINE_UP, Command.GO_LIVE]
    assert state is MeetingState.LIVE


def test_an_overrun_is_still_made_up_until_nobody_waits_any_more() -> None:
    assert due(MEETING, GIVE_UP - TICK) is Command.PREPARE
    assert due(MEETING, GIVE_UP) is Command.POSTPONE


@pytest.mark.parametrize("state", [MeetingState.PREPARING, MeetingState.LINE_UP])
def test_nothing_goes_public_after_an_outage_of_days(state: MeetingState) -> None:
    late = replace(MEETING, state=state)
    assert due(late, GIVE_UP - TICK) is not Command.POSTPONE
    assert due(late, GIVE_UP + timedelta(days=3)) is Command.POSTPONE
