"""A meeting run from PREPARING to its end, as a process that commands reach through Redis."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from streamer.demo.measure import frames, timestamps
from streamer.domain.events import Event, EventName
from streamer.domain.lifecycle import Command
from streamer.run.lock import EXIT_BUSY
from tests.component.run.world import ID, World

pytestmark = pytest.mark.component

ON_AIR = (Command.LINE_UP, Command.GO_LIVE)


async def published(world: World) -> list[Event]:
    """What Redis was told, in its order."""
    return [event for _, event in await world.live.events("0", block_ms=1, count=5000)]


async def test_a_whole_meeting_by_commands(world: World, tmp_path: Path) -> None:
    await world.account("preview")
    await world.account("public")
    await world.account("later", with_secret=False)
    run = await world.start(world.spec(second_disk=tmp_path / "disk2"))
    await world.until(lambda: world.state() == "PREPARING")

    refused = await world.say(Command.GO_LIVE)
    await world.until(lambda: world.events(EventName.COMMAND_REFUSED))
    (answer,) = world.events(EventName.COMMAND_REFUSED)
    assert answer.data["id"] == refused
    assert answer.data["error"]["tried"]["allowed"] == ["line_up", "cancel", "postpone"]

    await world.reach(Command.LINE_UP)
    await world.running("relay:preview", "recorder:a", "recorder:a2", "recorder:b", "encoder")
    assert world.leg("relay:public") == {}  # public on its first byte, therefore not before
    await world.reach(Command.GO_LIVE)
    await world.running("relay:public")
    # A missing secret stops one relay, which says who must act; nobody else notices.
    await world.until(lambda: world.leg("relay:later").get("to") == "FAILED")
    assert world.leg("relay:later")["act"] == "correct_setting"
    assert f"{tmp_path}/keys/later" in world.leg("relay:later")["error"]
    world.give_secret("later")
    await world.say(Command.RESTART_LEG, leg="relay:later")
    await world.running("relay:later")
    await world.say(Command.RESTART_LEG, leg="relay:nobody")
    await world.until(lambda: len(world.events(EventName.COMMAND_REFUSED)) == 2)
    await world.grows(world.master())

    await world.reach(Command.END)
    assert await world.ended(run) == 0
    names = [event.name for event in world.events()]
    assert names[-1] is EventName.RUN_FINISHED
    assert EventName.OFF_AIR_CONFIRMED in names
    for name in ("preview", "public", "later"):
        delivery = await world.delivered(name)
        assert (delivery.lost, delivery.foreign, delivery.duplicated) == (0, 0, 0), name
        assert delivery.received > 25
    second = tmp_path / "disk2" / ID / "master/part-0001.ts"
    assert len(frames(second)) == len(frames(world.master()))
    assert (world.folder / "hls/index.m3u8").read_text().endswith("#EXT-X-ENDLIST\n")
    assert [e.seq for e in world.events()] == list(range(1, len(world.events()) + 1))
    assert [e.seq for e in await published(world)] == [e.seq for e in world.events()]
    snapshot = await world.live.snapshot(ID)
    assert snapshot is not None
    # Promise 10: no key in anything that was written or said.
    written = [
        p for p in world.folder.rglob("*") if p.suffix in (".ndjson", ".json", ".log", ".m3u8")
    ]
    assert written
    assert not any("5512" in p.read_text() for p in written)
    assert "5512" not in str(snapshot)


async def test_redis_dies_in_the_middle_and_nothing_is_lost(world: World) -> None:
    await world.account("vk")
    run = await world.start(world.spec())
    await world.until(lambda: world.state() == "PREPARING")
    await world.reach(*ON_AIR)
    await world.running("relay:vk", "recorder:a")
    world.redis.kill()
    await world.until(lambda: world.events(EventName.STORE_LOST))
    await world.grows(world.master(), 300_000)
    world.redis.start()
    await world.until(lambda: world.events(EventName.STORE_BACK))
    await world.reach(Command.END)
    assert await world.ended(run) == 0

    delivery = await world.delivered("vk")
    assert (delivery.lost, delivery.foreign, delivery.duplicated) == (0, 0, 0)
    times = timestamps(world.master())["video"]
    assert times.monotonic
    assert times.largest_gap == pytest.approx(0.04, abs=0.005)
    assert world.leg("relay:vk")["tries"] == 1
    told = [event.seq for event in await published(world)]
    journal = [event.seq for event in world.events()]
    assert list(dict.fromkeys(told)) == journal
    assert told == sorted(told)


async def test_a_run_that_is_killed_is_followed_by_one_that_goes_on(world: World) -> None:
    await world.account("vk")
    first = await world.start(world.spec())
    await world.until(lambda: world.state() == "PREPARING")
    await world.reach(*ON_AIR)
    await world.running("relay:vk", "recorder:a")
    await world.until(lambda: list((world.folder / "hls/part-0001").glob("*.m4s")))
    await world.grows(world.master())
    late = await world.start()
    assert await world.ended(late) == EXIT_BUSY
    await world.reach(Command.SLATE)

    first.send_signal(signal.SIGKILL)
    await world.ended(first)
    second = await world.start()
    await world.grows(world.master(2), 20_000)  # a slate is small
    assert world.state() == "LIVE"
    started = world.events(EventName.RUN_STARTED)
    assert [event.data["resumed"] for event in started] == [False, True]
    # A person had taken the slate: a crash must not put the hall back on air.
    snapshot = await world.live.snapshot(ID)
    assert snapshot is not None
    assert snapshot["run"] == started[1].data["run"]
    assert snapshot["scene"]["wanted"] == "slate"
    await world.until(lambda: list((world.folder / "hls/part-0002").glob("*.m4s")))
    await world.reach(Command.END)
    assert await world.ended(second) == 0

    before, after = (timestamps(world.master(part))["video"] for part in (1, 2))
    # Programme time is the time on the wall: the outage is a hole in it.
    outage = started[1].at - started[0].at
    assert before.last < after.first < before.last + outage + 10
    playlist = (world.folder / "hls/index.m3u8").read_text()
    assert playlist.count("#EXT-X-DISCONTINUITY\n") == 1
    assert playlist.endswith("#EXT-X-ENDLIST\n")
    assert {"part-0001/init.mp4", "part-0002/init.mp4"} <= set(playlist.split('"'))
    parts = [line for line in playlist.splitlines() if line.endswith(".m4s")]
    assert {line.split("/")[0] for line in parts} == {"part-0001", "part-0002"}
    # The player reads over the gap.
    played = await asyncio.to_thread(frames, world.folder / "hls/index.m3u8")
    assert len(played) >= 25 * (len(parts) - 2)
    assert len(world.accounts["vk"].recordings()) == 2
    delivery = await world.delivered("vk")
    assert delivery.lost <= 25  # a kill costs at most a second of what was sent
