"""The states of a leg: every pair, and what a person sees of them."""

from dataclasses import replace

import pytest

from streamer.domain.legs import Health, LegKind, LegState, LegStatus, move

MOVES = {
    "IDLE": "STARTING STOPPED",
    "STARTING": "RUNNING STALLED BACKING_OFF STOPPING FAILED",
    "RUNNING": "STALLED BACKING_OFF STOPPING FAILED",
    "STALLED": "RUNNING BACKING_OFF STOPPING FAILED",
    "BACKING_OFF": "STARTING STOPPED FAILED",
    "STOPPING": "STOPPED",
    "STOPPED": "STARTING",
    "FAILED": "STARTING STOPPED",
}


@pytest.mark.parametrize("target", LegState)
@pytest.mark.parametrize("current", LegState)
def test_every_pair(current: LegState, target: LegState) -> None:
    if str(target) in MOVES[str(current)].split():
        assert move(current, target) is target
        return
    with pytest.raises(ValueError, match=f"from {current} to {target}"):
        move(current, target)


def test_health_is_green_only_while_bytes_move() -> None:
    leg = LegStatus("relay:youtube", LegKind.RELAY, LegState.IDLE, wanted=True, tries=1)
    seen = {state: replace(leg, state=state).health for state in LegState}
    assert [state for state, health in seen.items() if health is Health.GREEN] == [LegState.RUNNING]
    assert seen[LegState.STARTING] is Health.AMBER
    assert {seen[LegState.STALLED], seen[LegState.BACKING_OFF], seen[LegState.FAILED]} == {
        Health.RED
    }


def test_a_second_try_is_red_until_it_moves() -> None:
    leg = LegStatus("relay:vk", LegKind.RELAY, LegState.STARTING, wanted=True, tries=2)
    assert leg.health is Health.RED


@pytest.mark.parametrize("state", LegState)
def test_what_nobody_wants_is_grey(state: LegState) -> None:
    assert LegStatus("relay:vk", LegKind.RELAY, state, wanted=False).health is Health.GREY
