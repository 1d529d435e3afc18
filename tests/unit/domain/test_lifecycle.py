"""Every pair of state and command, against the table as docs and operators know it."""

import pytest

from streamer.domain import lifecycle
from streamer.domain.errors import Act, NotAllowed
from streamer.domain.lifecycle import Command, after, allowed
from streamer.domain.meeting import MeetingState

# Written out here once more, by hand: the table in the code is what is tested.
MOVES = """
PLANNED   prepare  PREPARING
PLANNED   postpone POSTPONED
PLANNED   cancel   CANCELLED
POSTPONED replan   PLANNED
POSTPONED cancel   CANCELLED
PREPARING line_up  LINE_UP
PREPARING postpone POSTPONED
PREPARING cancel   CANCELLED
LINE_UP   go_live  LIVE
LINE_UP   postpone POSTPONED
LINE_UP   cancel   CANCELLED
LIVE      end      ENDING
ENDING    sealed   ARCHIVED
"""
ACTS = """
LINE_UP slate take_scene mute restart_leg give_floor take_floor_back graphics sound
LIVE    slate take_scene mute restart_leg give_floor take_floor_back graphics sound
ENDING  restart_leg
"""
EXPECTED = {
    (state, command): target
    for state, command, target in map(str.split, MOVES.strip().splitlines())
} | {
    (state, command): state
    for state, *commands in map(str.split, ACTS.strip().splitlines())
    for command in commands
}


@pytest.mark.parametrize("state", MeetingState)
@pytest.mark.parametrize("command", Command)
def test_every_pair(state: MeetingState, command: Command) -> None:
    target = EXPECTED.get((str(state), str(command)))
    if target is not None:
        assert after(state, command) == target
        assert command in allowed(state)
        return
    assert command not in allowed(state)
    with pytest.raises(NotAllowed) as refused:
        after(state, command)
    answer = refused.value.as_dict()
    assert answer["code"] == "not_allowed"
    assert answer["act"] == Act.CORRECT_SETTING
    assert answer["tried"]["allowed"] == [str(c) for c in allowed(state)]
    for possible in allowed(state):
        assert possible in answer["message"]


def test_final_states_allow_nothing_and_no_other_state_is_final() -> None:
    for state in MeetingState:
        moves = [pair for pair in lifecycle.MOVES if pair[0] is state]
        assert state.final == (not moves)
        if state.final:
            assert allowed(state) == ()
            with pytest.raises(NotAllowed, match="possible: nothing"):
                after(state, Command.END)


def test_a_meeting_on_air_can_only_be_ended() -> None:
    """Neither a cancellation nor a postponement may cut what the public sees."""
    leaving = {command for state, command in lifecycle.MOVES if state is MeetingState.LIVE}
    assert leaving == {Command.END}
    assert [state for state in MeetingState if state.running] == [
        MeetingState.PREPARING, MeetingState.LINE_UP, MeetingState.LIVE, MeetingState.ENDING,
    ]  # fmt: skip
