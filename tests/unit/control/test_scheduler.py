"""The scheduler among good and bad meetings."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from streamer.control.patience import Patience
from streamer.control.scheduler import Scheduler
from streamer.domain.lifecycle import Command
from streamer.domain.meeting import MeetingState
from streamer.store.records import Records
from tests.unit.store.samples import plan


class Prepared:
    """Stands for the preparing of meetings; one of them is broken beyond words."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def prepare(self, meeting: str, by: str) -> None:
        self.asked.append(meeting)
        if meeting == "bad":
            raise ValueError("a broken plan")


class Redis:
    """Knows one run in line-up and remembers what it was told."""

    def __init__(self) -> None:
        self.sent: list[tuple[Command, dict[str, Any]]] = []

    async def snapshot(self, meeting: str) -> dict[str, Any]:
        return {"state": "LINE_UP", "run": "r1"}

    async def send(self, meeting: str, command: Command, args: dict[str, Any], by: str) -> None:
        self.sent.append((command, args))

    async def lease_owner(self, key: str) -> str:
        return "w"


async def test_one_bad_meeting_does_not_stop_the_others(
    records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    for number, id_ in enumerate(("bad", "good")):
        await records.create_meeting(plan(id_, hall=f"h{number}", destinations=(id_,)), "test")
    preparing: Any = Prepared()
    nobody: Any = None
    now = plan().starts_at
    scheduler = Scheduler(records, nobody, preparing, nobody, now=lambda: now)
    await scheduler.look()
    assert preparing.asked == ["bad", "good"]
    await scheduler.look()
    assert preparing.asked == ["bad", "good", "good"]  # the bad one waits
    assert "a broken plan" in caplog.text


async def test_a_line_up_days_late_is_postponed_by_its_run(records: Records) -> None:
    meeting = await records.create_meeting(plan("late"), "test")
    meeting = replace(meeting, state=MeetingState.LINE_UP)
    redis: Any = Redis()
    nobody: Any = None
    now = meeting.give_up_at + timedelta(days=2)
    scheduler = Scheduler(records, redis, nobody, nobody, now=lambda: now)
    await scheduler._look_at(meeting)
    assert [command for command, _ in redis.sent] == [Command.POSTPONE]
    assert redis.sent[0][1]["reason"]


def test_pauses_grow_to_their_limit_and_begin_anew() -> None:
    now = [0.0]
    patience = Patience(1.0, 5.0, clock=lambda: now[0])
    assert not patience.waits("m")
    assert [patience.failed("m") for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert patience.waits("m")
    assert not patience.waits("another")
    now[0] = 5.0
    assert not patience.waits("m")
    patience.went_well("m")
    assert patience.failed("m") == 1.0
