"""The master on a disk that is slow."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamer.domain.legs import LegKind, LegState
from streamer.domain.reconnect import Reconnect
from streamer.media.hub import Hub
from streamer.media.leg import Leg
from streamer.media.recorder import Master
from tests.unit.media.ts_maker import Maker, pictures


async def until(reached: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - a thread is watched
            await asyncio.sleep(0.01)


@asynccontextmanager
async def recording(hub: Hub, folder: Path, moves: list[LegState]) -> AsyncIterator[Leg]:
    leg = Leg(
        "recorder:a", LegKind.RECORDER, Master(hub, folder).attempt, stall_s=0.7,
        stall_ends=False, reconnect=Reconnect(pauses=(0.0,)),
        on_change=lambda change: moves.append(change.status.state),
    )  # fmt: skip
    task = asyncio.create_task(leg.run(), name=leg.id)
    try:
        yield leg
    finally:
        leg.stop()
        await task


async def test_a_slow_disk_does_not_end_the_part_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that was slow for four seconds cost the recording seconds."""
    quick, real = threading.Event(), os.fsync

    def slow(fd: int) -> None:
        quick.wait(10)
        real(fd)

    quick.set()
    monkeypatch.setattr(os, "fsync", slow)
    hub, maker, moves = Hub(), Maker(), list[LegState]()
    async with recording(hub, tmp_path, moves) as leg:
        await until(lambda: any(s.note.name == leg.id for s in hub._subscribers.values()))
        hub.feed(maker.group())
        await until(lambda: leg.state is LegState.RUNNING)
        quick.clear()
        for _ in range(5):
            hub.feed(maker.group())
        await until(lambda: leg.state is LegState.STALLED)
        hub.feed(maker.group())
        quick.set()
        await until(lambda: leg.state is LegState.RUNNING)
    assert leg.tries == 1
    assert pictures((tmp_path / "part-0001.ts").read_bytes()) == list(range(1, 22))


async def test_a_new_part_begins_with_the_group_under_way(tmp_path: Path) -> None:
    hub, maker, moves = Hub(), Maker(), list[LegState]()
    async with recording(hub, tmp_path, moves) as leg:
        await until(lambda: any(s.note.name == leg.id for s in hub._subscribers.values()))
        hub.feed(maker.group() + maker.group())
        await until(lambda: leg.state is LegState.RUNNING)
        leg.restart()
        await until(lambda: leg.tries == 2 and leg.state is LegState.RUNNING)
    assert pictures((tmp_path / "part-0001.ts").read_bytes()) == list(range(1, 7))
    assert pictures((tmp_path / "part-0002.ts").read_bytes()) == [4, 5, 6]
