"""The supervisor of a leg, with tries that do what a test wants and a clock by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from streamer.domain.errors import Act, BadInput
from streamer.domain.legs import Health, LegKind, LegState, LegStatus
from streamer.domain.reconnect import Reconnect
from streamer.media.leg import Leg, LegChange, Outcome
from tests.unit.media.instant import run

Try = Callable[[Leg], Awaitable[Outcome]]


def now() -> float:
    return asyncio.get_running_loop().time()


async def flows(leg: Leg) -> Outcome:
    """Moves a hundred bytes ten times a second, for ever."""
    total = 0
    while True:
        total += 100
        leg.moved(total)
        await asyncio.sleep(0.1)


async def hangs(leg: Leg) -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError


def flows_then(seconds: float, outcome: Outcome | BaseException | None) -> Try:
    """Moves for a while, then ends like that; None: nothing moves any more."""

    async def attempt(leg: Leg) -> Outcome:
        for step in range(1, round(seconds * 10) + 1):
            leg.moved(step * 100)
            await asyncio.sleep(0.1)
        if outcome is None:
            return await hangs(leg)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return attempt


@dataclass
class Watched:
    """A leg in its task, and all its moves with the seconds since the beginning."""

    leg: Leg
    task: asyncio.Task[None]
    began: float
    moves: list[tuple[float, LegState]] = field(default_factory=list)
    changes: list[LegChange] = field(default_factory=list)
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    seen: int = 0

    @property
    def states(self) -> list[str]:
        return [str(state) for _, state in self.moves]

    def at(self, state: LegState) -> list[float]:
        return [round(at, 1) for at, moved in self.moves if moved is state]

    async def until(self, state: LegState, seconds: float = 100_000.0) -> tuple[float, LegStatus]:
        """Wait for its next move to `state`; seconds since the beginning, and its status then."""
        async with asyncio.timeout(seconds):
            while True:
                for index in range(self.seen, len(self.moves)):
                    if self.moves[index][1] is state:
                        self.seen = index + 1
                        return self.moves[index][0], self.changes[index].status
                self.seen = len(self.moves)
                self.moved.clear()
                await self.moved.wait()


@asynccontextmanager
async def watched(*tries: Try, **more: object) -> AsyncIterator[Watched]:
    """A leg whose tries are `tries` in turn (the last one again and again)."""
    turns = iter(tries)
    last: Try = tries[-1]

    async def attempt(leg: Leg) -> Outcome:
        return await next(turns, last)(leg)

    reconnect = Reconnect(pauses=(0.0, 1.0, 2.0), dice=_Even())
    more.setdefault("reconnect", reconnect)
    leg = Leg(
        "relay:x", LegKind.RELAY, attempt, clock=now,
        on_change=lambda change: note(change), **more,  # type: ignore[arg-type]
    )  # fmt: skip
    it: Watched

    def note(change: LegChange) -> None:
        it.moves.append((now() - it.began, change.status.state))
        it.changes.append(change)
        it.moved.set()

    it = Watched(leg, asyncio.create_task(leg.run(), name="leg"), now())
    try:
        yield it
    finally:
        leg.stop()
        async with asyncio.timeout(20):
            await it.task
        assert leg.state is LegState.STOPPED
        assert leg.status.health is Health.GREY


class _Even(Reconnect.__dataclass_fields__["dice"].default_factory):  # type: ignore[name-defined,misc]
    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_it_starts_runs_and_stops() -> None:
    async def test() -> None:
        async with watched(flows) as it:
            await it.until(LegState.RUNNING)
            assert it.leg.status.health is Health.GREEN
            await asyncio.sleep(5)
            assert it.leg.bytes == pytest.approx(5000, abs=200)
        assert it.states == ["STARTING", "RUNNING", "STOPPING", "STOPPED"]
        assert it.leg.tries == 1

    run(test())


@pytest.mark.parametrize("stall_s", [2.0, 8.0])
def test_a_stall_is_red_in_time_though_the_try_lives(stall_s: float) -> None:
    async def test() -> None:
        async with watched(flows_then(3, None), hangs, stall_s=stall_s) as it:
            await it.until(LegState.RUNNING)
            at, _ = await it.until(LegState.BACKING_OFF)
            last_moved = 2.9
            assert last_moved + stall_s <= at <= last_moved + stall_s + 0.3
            assert it.states[:4] == ["STARTING", "RUNNING", "STALLED", "BACKING_OFF"]
            # Whoever hears of the stall hears why, and so does the record of the cancelled try.
            stalled = next(c for c in it.changes if c.status.state is LegState.STALLED)
            assert stalled.status.error == f"nothing moved for {stall_s:.0f} s"
            assert stalled.status.health is Health.RED

    run(test())


def test_a_stall_that_does_not_end_the_try_is_shown_and_passes() -> None:
    """A disk was slow for four seconds, and the recording's part was ended for it."""

    async def slow_for_ten_seconds(leg: Leg) -> Outcome:
        leg.moved(100)
        await asyncio.sleep(10)
        leg.moved(200)
        return await hangs(leg)

    async def test() -> None:
        async with watched(slow_for_ten_seconds, stall_s=4.0, stall_ends=False) as it:
            at, status = await it.until(LegState.STALLED)
            assert 4.0 <= at <= 4.3
            assert status.health is Health.RED
            assert status.error == "nothing moved for 4 s"
            at, status = await it.until(LegState.RUNNING)
            assert (round(at), status.error, status.tries) == (10, "", 1)
            await it.until(LegState.STALLED)
        assert it.states[-3:] == ["STALLED", "STOPPING", "STOPPED"]
        assert it.leg.tries == 1

    run(test())


def test_a_start_without_a_byte_ends_in_time() -> None:
    async def test() -> None:
        async with watched(hangs, start_s=5.0) as it:
            at, _ = await it.until(LegState.BACKING_OFF)
            assert 5.0 <= at <= 5.3

    run(test())


def test_a_leg_may_wait_for_its_caller_for_ever() -> None:
    async def late(leg: Leg) -> Outcome:
        await asyncio.sleep(600)
        return await flows_then(1, None)(leg)

    async def test() -> None:
        async with watched(late, hangs, start_s=None, stall_s=4.0) as it:
            await asyncio.sleep(599)
            assert it.states == ["STARTING"]
            assert it.leg.status.health is Health.AMBER
            await it.until(LegState.RUNNING)
            at, _ = await it.until(LegState.BACKING_OFF)
            assert 604 < at < 606  # once something moved, a stall is a stall

    run(test())


def test_a_bad_line_is_tried_again_with_growing_pauses() -> None:
    lost = flows_then(1, Outcome("send: broken pipe"))

    async def test() -> None:
        async with watched(lost) as it:
            await asyncio.sleep(20)
            begins = it.at(LegState.STARTING)
            pauses = [round(after - before - 1.0, 1) for before, after in pairwise(begins)]
            assert pauses[:5] == [0.0, 1.0, 2.0, 2.0, 2.0]
            assert it.leg.act in (None, Act.WAIT)

    run(test())


@pytest.mark.parametrize("act", [Act.SIGN_IN, Act.CORRECT_SETTING, Act.CALL_US])
def test_where_a_person_must_act_it_waits_for_him(act: Act) -> None:
    async def test() -> None:
        refused = flows_then(0, Outcome("the server refuses the key", act))
        async with watched(refused, refused, flows) as it:
            await it.until(LegState.FAILED)
            await asyncio.sleep(1000)
            assert it.leg.tries == 1
            assert it.leg.status.error == "the server refuses the key"
            assert it.leg.act is act
            assert it.leg.status.health is Health.RED
            it.leg.restart()
            _, status = await it.until(LegState.FAILED, 1)
            assert status.tries == 2
            it.leg.restart()
            await it.until(LegState.RUNNING, 1)
            assert (it.leg.error, it.leg.act) == ("", None)

    run(test())


def test_where_a_person_should_perhaps_act_it_goes_on_trying() -> None:
    silent = flows_then(0, Outcome("the server hangs up", Act.SIGN_IN, retry=True))

    async def test() -> None:
        async with watched(silent, silent, silent, flows) as it:
            _, status = await it.until(LegState.BACKING_OFF)
            assert (status.act, status.health) == (Act.SIGN_IN, Health.RED)
            await it.until(LegState.RUNNING, 5)
            assert it.leg.tries == 4
            assert it.leg.status.act is None
        assert LegState.FAILED not in it.states

    run(test())


def test_an_error_that_says_who_must_act() -> None:
    async def test() -> None:
        missing = BadInput("a secret is missing: env:X", code="secret_missing")
        async with watched(flows_then(0, missing)) as it:
            await it.until(LegState.FAILED)
            assert it.leg.error == "a secret is missing: env:X"
            assert it.leg.act is Act.CORRECT_SETTING

    run(test())


@pytest.mark.parametrize("fault", [ZeroDivisionError("ours"), OSError(28, "No space left")])
def test_a_fault_of_ours_in_a_try_does_not_end_the_leg(fault: Exception) -> None:
    async def test() -> None:
        async with watched(flows_then(1, fault), flows) as it:
            _, status = await it.until(LegState.BACKING_OFF)
            assert type(fault).__name__ in status.error
            await it.until(LegState.RUNNING)
            assert it.leg.tries == 2
            assert it.leg.error == ""

    run(test())


def test_a_try_that_is_cancelled_from_inside_is_tried_again() -> None:
    async def test() -> None:
        async with watched(flows_then(1, asyncio.CancelledError()), flows) as it:
            _, status = await it.until(LegState.BACKING_OFF)
            assert status.error == "the try was cancelled"
            await it.until(LegState.RUNNING)

    run(test())


@pytest.mark.parametrize("state", [LegState.BACKING_OFF, LegState.FAILED])
def test_it_stops_at_once_while_it_waits(state: LegState) -> None:
    act = Act.SIGN_IN if state is LegState.FAILED else Act.WAIT
    reconnect = Reconnect(pauses=(1000.0,))

    async def test() -> None:
        async with watched(flows_then(0, Outcome("lost", act)), reconnect=reconnect) as it:
            await it.until(state)
            asked = now() - it.began
            it.leg.stop()
            at, _ = await it.until(LegState.STOPPED)
            assert at - asked < 0.1
        assert it.states == ["STARTING", str(state), "STOPPED"]

    run(test())


def test_a_restart_ends_the_pause_and_the_present_try() -> None:
    reconnect = Reconnect(pauses=(1000.0,))

    async def test() -> None:
        async with watched(flows_then(0, Outcome("lost")), flows, flows, reconnect=reconnect) as it:
            await it.until(LegState.BACKING_OFF)
            it.leg.restart()
            await it.until(LegState.RUNNING, 1)
            it.leg.restart()
            _, status = await it.until(LegState.BACKING_OFF, 1)
            assert status.error == "restarted by a person"
            await it.until(LegState.RUNNING, 1)
            assert it.leg.tries == 3
            assert reconnect.failures == 1

    run(test())


def test_bytes_count_over_all_tries_and_each_try_from_its_own_zero() -> None:
    async def repeats(leg: Leg) -> Outcome:
        """Says the same number again: that is no movement."""
        leg.moved(50)
        while True:
            leg.moved(50)
            await asyncio.sleep(0.1)

    async def test() -> None:
        lost = flows_then(2, Outcome("lost"))
        async with watched(lost, lost, repeats, hangs, stall_s=3.0) as it:
            _, status = await it.until(LegState.STALLED)
            assert status.bytes == 2 * 2000 + 50
            assert status.tries == 3
            seen = [c.status.bytes for c in it.changes if c.status.state is LegState.BACKING_OFF]
            assert seen == [2000, 4000]

    run(test())


def test_nothing_and_less_is_no_movement() -> None:
    async def test() -> None:
        async def odd(leg: Leg) -> Outcome:
            leg.moved(0)
            leg.moved(-5)
            assert leg.state is LegState.STARTING
            leg.moved(10)
            leg.moved(5)
            assert leg.bytes == 10
            await asyncio.sleep(2)
            leg.moved(20)
            assert leg.good_for == pytest.approx(2)
            return await hangs(leg)

        async with watched(odd) as it:
            await it.until(LegState.RUNNING)
            await asyncio.sleep(3)
            assert it.leg.bytes == 20

    run(test())


def test_good_for_is_of_this_try_and_resets_the_pauses_after_a_minute() -> None:
    async def test() -> None:
        good = flows_then(61, Outcome("lost"))
        bad = flows_then(1, Outcome("lost"))
        async with watched(bad, bad, bad, good, flows) as it:
            await asyncio.sleep(100)
            ends, begins = it.at(LegState.BACKING_OFF), it.at(LegState.STARTING)
            pauses = [round(b - e, 1) for e, b in zip(ends, begins[1:], strict=False)]
            assert pauses == [0.0, 1.0, 2.0, 0.0]

    run(test())


def test_the_clean_up_of_a_try_is_awaited() -> None:
    cleaned: list[float] = []

    async def slow_to_end(leg: Leg) -> Outcome:
        try:
            return await flows(leg)
        finally:
            await asyncio.sleep(3)
            cleaned.append(now())

    async def test() -> None:
        async with watched(slow_to_end) as it:
            await it.until(LegState.RUNNING)
            stopped = now()
            it.leg.stop()
            await it.task
            assert cleaned == [pytest.approx(stopped + 3, abs=0.1)]

    run(test())


def test_a_cancelled_leg_cleans_up_and_says_so() -> None:
    async def test() -> None:
        leg = Leg("x", LegKind.FEED, flows, clock=now)
        task = asyncio.create_task(leg.run(), name="leg")
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert leg.state is LegState.STOPPING

    run(test())


def test_bytes_of_a_late_clean_up_do_not_hide_the_stall() -> None:
    """The last bytes that a dying try counts are no recovery."""

    async def counts_while_ending(leg: Leg) -> Outcome:
        leg.moved(10)
        try:
            return await hangs(leg)
        finally:
            leg.moved(20)

    async def test() -> None:
        async with watched(counts_while_ending, hangs, stall_s=2.0) as it:
            _, status = await it.until(LegState.BACKING_OFF)
            assert status.error == "nothing moved for 2 s"
            assert status.bytes == 20
            assert it.states[2:4] == ["STALLED", "BACKING_OFF"]

    run(test())


def test_bytes_that_lie_in_a_buffer_are_no_movement() -> None:
    """A relay's mark is what the other side has taken; what we have sent may grow on."""

    async def frozen_after_a_second(leg: Leg) -> Outcome:
        sent = 0
        while True:
            sent += 100
            leg.moved(sent, mark=min(sent, 1000))
            await asyncio.sleep(0.1)

    async def test() -> None:
        async with watched(frozen_after_a_second, hangs, stall_s=5.0) as it:
            at, status = await it.until(LegState.STALLED)
            assert 5.9 <= at <= 6.3
            assert status.bytes == 1000

    run(test())
