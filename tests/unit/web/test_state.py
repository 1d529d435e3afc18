"""Which state is believed: that of SQL or that of the snapshot."""

from datetime import UTC, datetime

import pytest

from streamer.domain.meeting import Meeting, MeetingState, Names
from streamer.web.meetings import next_step, possible, present_state

S = MeetingState
NOW = 1_803_000_000.0


def meeting(state: MeetingState) -> Meeting:
    start = datetime(2027, 2, 19, 5, tzinfo=UTC)
    return Meeting(
        "m", "abai", Names("а", "б"), start, start.replace(hour=7), "Asia/Almaty",
        "2027-02-19T10:00", state=state,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "shown", "age", "true"),
    [
        (S.PLANNED, None, 0, S.PLANNED),
        (S.PREPARING, S.LIVE, 1, S.LIVE),  # the projection lags
        (S.LIVE, S.ENDING, 3600, S.ENDING),  # the run is silent: still the best we know
        (S.ARCHIVED, S.ENDING, 5, S.ARCHIVED),  # the scheduler owns it again
        (S.LINE_UP, S.CANCELLED, 1, S.CANCELLED),
        (S.PLANNED, S.POSTPONED, 1, S.PLANNED),  # planned again after a postponement
        (S.PREPARING, S.POSTPONED, 7200, S.PREPARING),  # snapshot of the run before
        (S.LIVE, "NONSENSE", 1, S.LIVE),
    ],
)
def test_the_present_state(sql: S, shown: str | None, age: float, true: S) -> None:
    snapshot = None if shown is None else {"state": str(shown), "at": NOW - age}
    assert present_state(meeting(sql), snapshot, NOW) is true


def test_persons_are_not_offered_what_machines_say() -> None:
    assert possible(S.ENDING) == ["restart_leg"]
    assert possible(S.POSTPONED) == ["cancel"]
    assert possible(S.ARCHIVED) == []


def test_the_next_step_follows_the_plan() -> None:
    assert next_step(meeting(S.PLANNED), S.PLANNED) == {
        "command": "prepare", "due_at": datetime(2027, 2, 19, 4, tzinfo=UTC).timestamp(),
    }  # fmt: skip
    assert next_step(meeting(S.ENDING), S.ENDING) is None
