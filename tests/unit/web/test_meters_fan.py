"""Meters go to the pages that asked for them, read by one reader."""

import asyncio
from typing import Any

from streamer.domain.errors import Unavailable
from streamer.web.fan import Fan, Subscriber


class Redis:
    """Counts what is read; nothing else happens in it."""

    def __init__(self) -> None:
        self.reads: list[list[str]] = []
        self.said: list[str] = []
        self.now = 0
        self.away = False

    async def events(self, after: str, block_ms: int, count: int) -> list[Any]:
        await asyncio.sleep(0.05)
        return []

    async def meters(self, meetings: list[str]) -> dict[str, Any]:
        if self.away:
            raise Unavailable("redis is away")
        self.reads.append(list(meetings))
        self.now += 1
        return {one: {"at": self.now, "peak_db": {}} for one in meetings if one != "no-run"}

    async def say_watched(self, meeting: str) -> None:
        self.said.append(meeting)


class Reader:
    async def meeting(self, id_: str) -> Any:
        raise Unavailable("not of this test")

    async def view(self, meeting: Any) -> Any:
        raise Unavailable("not of this test")


async def meters(page: Subscriber) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            item = await page.next(5)
            if item is not None and item[0] == "meters":
                return item[1]


async def test_one_reader_for_all_pages_and_none_while_nobody_asks() -> None:
    redis = Redis()
    fan = Fan(redis, Reader())  # type: ignore[arg-type]
    task = asyncio.create_task(fan.run(), name="fan")
    try:
        with fan.subscribe("m"):
            await asyncio.sleep(0.3)  # longer than the time between two readings
            assert redis.reads == [], "this page did not ask"
            with (
                fan.subscribe("m", meters=True) as one,
                fan.subscribe("m", meters=True) as other,
                fan.subscribe("no-run", meters=True) as third,
            ):
                assert (await meters(one))["at"] >= 1
                assert (await meters(other))["at"] >= 1
                again = await meters(one)
                assert redis.reads[-1] == ["m", "no-run"]
                assert again["at"] - 1 <= len(redis.reads), "read once for both pages"
                assert redis.said == ["m", "no-run"], "said once in three seconds"
                assert third.meters is None
                redis.away = True
                await asyncio.sleep(0.3)
                redis.away = False
                await meters(other)
            read = len(redis.reads)
            await asyncio.sleep(0.5)
            assert len(redis.reads) <= read + 1
    finally:
        fan.stop()
        async with asyncio.timeout(5):
            await task


async def test_the_fan_ends_while_nobody_asks_for_meters() -> None:
    fan = Fan(Redis(), Reader())  # type: ignore[arg-type]
    task = asyncio.create_task(fan.run(), name="fan")
    await asyncio.sleep(0)
    fan.stop()
    async with asyncio.timeout(5):
        await task


async def test_meters_replace_each_other_and_come_after_events_and_snapshots() -> None:
    page = Subscriber("m", wants_meters=True)
    page.show_meters({"at": 1})
    page.show_meters({"at": 2})
    page.show({"state": "LIVE"})
    page.put(("as_run", {"seq": 1}))
    assert [item[0] for item in [await page.next(1) for _ in range(3)] if item] == [
        "as_run", "live", "meters",
    ]  # fmt: skip
    assert await page.next(0.01) is None
