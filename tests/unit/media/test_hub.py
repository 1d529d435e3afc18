"""The hub: what each subscriber gets, whatever comes in and however slowly it goes out."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streamer.media.hub import Hub, Subscription
from streamer.media.pipes import close, pipe
from tests.unit.media.ts_maker import (
    PACKET,
    PMT_PID,
    VIDEO_PID,
    Maker,
    is_keyframe,
    jumps,
    packet,
    pictures,
    pid_of,
    split,
)


class Reader:
    """The other end of a subscriber's pipe; reads when told."""

    def __init__(self, hub: Hub, name: str, *, size: int = 4096, backlog: int = 1_000_000) -> None:
        self.fd, writing = pipe(size)
        os.set_blocking(self.fd, False)
        self.data = b""
        self.note: Subscription = hub.subscribe(name, writing, backlog=backlog)

    async def read(self) -> bytes:
        """All that can be had until the hub has nothing more for it."""
        async with asyncio.timeout(5):
            while True:
                try:
                    data = os.read(self.fd, 1 << 20)
                    self.data += data
                    if not data:
                        break
                except BlockingIOError:
                    if not self.note.waiting:
                        break
                await asyncio.sleep(0)
        return self.data

    def close(self) -> None:
        close(self.fd)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def reader(hub: Hub, stack: ExitStack, name: str = "r", **more: int) -> Reader:
    made = Reader(hub, name, **more)
    stack.callback(made.close)
    stack.callback(hub.unsubscribe, made.note)
    return made


async def test_any_cut_of_the_bytes_is_the_same(stack: ExitStack) -> None:
    maker = Maker()
    data = b"".join(maker.group() for _ in range(6))
    dice = random.Random(7)
    for _ in range(20):
        hub = Hub()
        one = await reader(hub, stack)
        at = 0
        while at < len(data):
            step = dice.choice([1, 7, PACKET - 1, PACKET, PACKET + 1, 1000, 5000])
            hub.feed(data[at : at + step])
            at += step
        got = await one.read()
        assert hub.bytes == len(data)
        assert hub.keyframes == 6
        assert pictures(got) == list(range(1, 19))
        assert jumps(got[2 * PACKET :]) == 0  # the tables before the first keyframe are a copy


async def test_a_new_subscriber_begins_with_tables_and_the_group_under_way(
    stack: ExitStack,
) -> None:
    hub, maker = Hub(), Maker()
    early = await reader(hub, stack, "early")
    for _ in range(4):
        hub.feed(maker.group())
    late = await reader(hub, stack, "late")
    first = split(await late.read())
    assert [pid_of(p) for p in first[:2]] == [0, PMT_PID]
    assert is_keyframe(first[2])
    assert pictures(late.data) == [10, 11, 12]
    hub.feed(maker.group())
    assert pictures(await late.read()) == list(range(10, 16))
    assert pictures(await early.read()) == list(range(1, 16))


async def test_before_the_first_keyframe_nothing_is_handed_on(stack: ExitStack) -> None:
    hub, maker = Hub(), Maker()
    one = await reader(hub, stack)
    group = maker.group()
    hub.feed(group[3 * PACKET :])  # an encoder met in the middle
    assert await one.read() == b""
    assert one.note.dropped == len(group) - 3 * PACKET
    hub.feed(maker.group())
    assert pictures(await one.read()) == [4, 5, 6]


@pytest.mark.parametrize("piece", [PACKET, 3 * PACKET, 4096, 100_000])
async def test_who_falls_behind_is_advanced_to_a_keyframe(stack: ExitStack, piece: int) -> None:
    hub, maker = Hub(), Maker()
    slow = await reader(hub, stack, "slow", backlog=30_000)
    quick = await reader(hub, stack, "quick", size=1 << 20)
    fed = b""
    for _ in range(40):
        group = maker.group(pictures=5, packets=8)
        for at in range(0, len(group), piece):
            hub.feed(group[at : at + piece])
            await quick.read()
        fed += group
        assert slow.note.waiting <= 30_000 + max(piece, len(group))
    assert slow.note.skips > 0
    await slow.read()
    last = maker.group()
    hub.feed(last)
    await slow.read()
    # Only whole packets, each picture at most once, in order; after a hole comes a keyframe.
    packets = split(slow.data)
    seen = pictures(slow.data)
    assert seen == sorted(set(seen))
    assert seen[-3:] == pictures(last)
    begins = [p for p in packets if pid_of(p) == VIDEO_PID and p[1] & 0x40]
    for before, number, one in zip(seen, seen[1:], begins[1:], strict=False):
        assert number == before + 1 or is_keyframe(one), (before, number)
    assert slow.note.delivered == len(slow.data)
    # The other one got everything.
    assert pictures(await quick.read()) == list(range(1, maker.picture + 1))
    assert quick.note.skips == 0
    assert quick.note.dropped <= 2 * PACKET  # the tables before the very first keyframe


async def test_a_group_larger_than_the_backlog_does_no_harm(stack: ExitStack) -> None:
    hub, maker = Hub(), Maker()
    hub.feed(maker.group(pictures=20, packets=20))
    one = await reader(hub, stack, backlog=10_000)
    for _ in range(10):
        hub.feed(maker.group(pictures=20, packets=20))
    await one.read()
    hub.feed(maker.group(pictures=1))
    seen = pictures(await one.read())
    assert seen[:20] == list(range(1, 21))
    assert seen[-1] == maker.picture
    assert one.note.skips == 1


async def test_a_reader_that_is_gone_is_left_out(stack: ExitStack) -> None:
    hub, maker = Hub(), Maker()
    gone, stays = await reader(hub, stack, "gone"), await reader(hub, stack, "stays")
    hub.feed(maker.group())
    gone.close()
    for _ in range(3):
        hub.feed(maker.group())
        await stays.read()
    assert gone.note.closed
    assert pictures(stays.data) == list(range(1, 13))
    hub.unsubscribe(gone.note)  # its leg does so later


async def test_the_end_of_a_subscription_is_the_end_of_its_input(stack: ExitStack) -> None:
    hub = Hub()
    one = await reader(hub, stack)
    hub.feed(Maker().group())
    hub.unsubscribe(one.note)
    hub.unsubscribe(one.note)
    await one.read()
    assert os.read(one.fd, 10) == b""


async def test_garbage_costs_only_itself(stack: ExitStack) -> None:
    dice = random.Random(3)
    hub, maker = Hub(), Maker()
    one = await reader(hub, stack, size=1 << 20, backlog=10_000_000)
    data = b""
    for _ in range(300):
        data += maker.group()
        data += bytes(dice.choice(range(1, 0x47)) for _ in range(dice.randrange(1, 400)))
    hub.feed(data)  # half a megabyte in one piece, garbage in three hundred places
    hub.feed(maker.group())
    got = await one.read()
    assert pictures(got) == list(range(1, maker.picture + 1))
    assert jumps(got[2 * PACKET :]) == 0


async def test_garbage_that_looks_like_packets_ends(stack: ExitStack) -> None:
    hub, maker = Hub(), Maker()
    one = await reader(hub, stack)
    hub.feed(random.Random(1).randbytes(100_000))
    hub.feed(b"G" * 1000 + b"\0" * 1000)
    for _ in range(3):
        hub.feed(maker.group())
    assert pictures(await one.read())[-3:] == [7, 8, 9]


async def test_counters_and_pictures_over_a_change_of_the_encoder(stack: ExitStack) -> None:
    hub, first, second = Hub(), Maker(), Maker(picture=100)
    one = await reader(hub, stack)
    hub.feed(first.group(pictures=3, packets=5))
    hub.feed(first.group()[:-100])  # killed in the middle of a packet
    hub.splice()
    hub.feed(second.group())
    hub.feed(second.group())
    got = await one.read()
    assert jumps(got[2 * PACKET :]) == 0
    assert pictures(got)[-6:] == list(range(101, 107))
    late = await reader(hub, stack, "late")
    assert pictures(await late.read()) == [104, 105, 106]


async def test_after_a_splice_a_new_subscriber_waits_for_the_new_encoder(stack: ExitStack) -> None:
    hub = Hub()
    hub.feed(Maker().group())
    hub.splice()
    one = await reader(hub, stack)
    assert await one.read() == b""
    hub.feed(Maker(picture=50).group())
    assert pictures(await one.read()) == [51, 52, 53]


async def test_a_sink_gets_every_piece_with_its_keyframe(stack: ExitStack) -> None:
    hub, maker = Hub(), Maker()
    taken: list[tuple[bytes, int | None]] = []
    note = hub.attach("master", lambda data, at: taken.append((data, at)))
    first, second = maker.group(), maker.group()
    hub.feed(first + second[: 5 * PACKET])
    hub.feed(second[5 * PACKET :])
    assert [at for _, at in taken] == [2 * PACKET, None]
    assert b"".join(data for data, _ in taken) == first + second
    hub.unsubscribe(note)
    hub.feed(maker.group())
    assert len(taken) == 2
    assert note.delivered == len(first + second)
    assert note.closed


async def test_a_sink_begins_with_the_group_under_way() -> None:
    """A new part of the recording lost what came until the next keyframe."""
    hub, maker = Hub(), Maker()
    group = maker.group(pictures=6)
    hub.feed(maker.group() + group[: 5 * PACKET])
    taken: list[tuple[bytes, int | None]] = []
    hub.attach("master", lambda data, at: taken.append((data, at)))
    assert [at for _, at in taken] == [0]
    hub.feed(group[5 * PACKET :])
    assert b"".join(data for data, _ in taken) == group[2 * PACKET :]  # without the tables


async def test_packets_of_nobody_are_no_keyframe() -> None:
    hub = Hub()
    hub.feed(packet(0x1FFF, 0, b"", start=True, keyframe=True) * 3)
    assert hub.psi == b""
    assert hub.keyframes == 0


async def test_a_pipe_is_not_kept_open(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    hub = Hub()
    reading, writing = pipe()
    note = hub.subscribe("x", writing)
    hub.unsubscribe(note)
    close(reading)
    assert set(os.listdir("/proc/self/fd")) == before
