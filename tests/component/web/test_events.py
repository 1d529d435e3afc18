"""The event stream: order, resume, snapshots, and a Redis that goes away."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse

from streamer.domain.events import EventName
from streamer.domain.meeting import MeetingState
from streamer.web.context import FAN
from tests.component.store.servers import RedisServer
from tests.component.web.world import Client, World, bearer

pytestmark = pytest.mark.component

Got = tuple[str, str, Any]
"""Type, id and data of one server-sent event."""


class Listener:
    def __init__(self, answer: ClientResponse) -> None:
        self._answer = answer

    async def next(self, *kinds: str) -> Got:
        """The next event of one of `kinds` (any when none is named)."""
        async with asyncio.timeout(10):
            while True:
                got = await self._one()
                if not kinds or got[0] in kinds:
                    return got

    async def _one(self) -> Got:
        fields: dict[str, str] = {}
        while True:
            line = (await self._answer.content.readline()).decode()
            if not line:
                raise EOFError
            if line == "\n" and "data" in fields:
                return fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value


@asynccontextmanager
async def listening(
    client: Client, token: str, meeting: str, *, query: str = "", last: int | None = None
) -> AsyncIterator[Listener]:
    headers = bearer(token) | ({"Last-Event-ID": str(last)} if last is not None else {})
    async with client.get(f"/api/meetings/{meeting}/events{query}", headers=headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        listener = Listener(answer)
        assert (await listener.next())[0] == "hello"
        yield listener


async def test_events_come_with_their_seq_and_snapshots_beside_them(
    client: Client, token: str, world: World
) -> None:
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    await world.snapshot(meeting, MeetingState.LIVE)
    async with listening(client, token, meeting) as listener:
        _, _, view = await listener.next("live")
        assert (view["state"], view["next"]["command"]) == ("LIVE", "end")
        await world.happened(meeting, 7, EventName.SOURCE_LOST, {"feed": "feed:hall"})
        kind, id_, line = await listener.next("as_run")
        assert (kind, id_, line["name"]) == ("as_run", "7", "source_lost")
        await world.snapshot(meeting, MeetingState.ENDING)
        _, _, view = await listener.next("live")
        assert view["state"] == "ENDING"


async def test_a_page_that_comes_back_misses_nothing_and_gets_nothing_twice(
    client: Client, token: str, world: World
) -> None:
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    for seq in range(1, 6):
        # The projection is behind: 4 and 5 are in Redis only, 1 is in SQL only.
        await world.happened(
            meeting, seq, EventName.SCENE_TAKEN, {"scene": "hall"},
            projected=seq < 4, said=seq > 1,
        )  # fmt: skip
    async with listening(client, token, meeting, query="?after=0") as listener:
        assert [(await listener.next("as_run"))[1] for _ in range(5)] == list("12345")
    async with listening(client, token, meeting, last=3) as listener:
        assert [(await listener.next("as_run"))[1] for _ in range(2)] == ["4", "5"]
        await world.happened(meeting, 5, EventName.SCENE_TAKEN, {"scene": "again"})
        await world.happened(meeting, 6, EventName.SCENE_TAKEN, {"scene": "slate"})
        assert (await listener.next("as_run"))[1] == "6"


async def test_a_page_sees_only_its_meeting(client: Client, token: str, world: World) -> None:
    mine = (await world.meeting(state=MeetingState.LIVE)).id
    other = (await world.meeting("2027-02-19-akmola-bbbb", region="akmola")).id
    async with listening(client, token, mine) as listener:
        await world.happened(other, 1, EventName.MUTED, {"muted": True})
        await world.happened(mine, 1, EventName.MUTED, {"muted": False})
        _, _, line = await listener.next("as_run")
        assert line["meeting"] == mine


async def test_a_change_of_a_planned_meeting_is_shown(
    client: Client, token: str, world: World
) -> None:
    meeting = (await world.meeting()).id
    async with listening(client, token, meeting) as listener:
        assert (await listener.next("live"))[2]["state"] == "PLANNED"
        await world.records.set_state(
            meeting, MeetingState.PLANNED, MeetingState.CANCELLED, by="test"
        )
        assert (await listener.next("live"))[2]["state"] == "CANCELLED"


async def test_a_wrong_place_to_resume_is_refused(client: Client, token: str, world: World) -> None:
    meeting = (await world.meeting()).id
    path = f"/api/meetings/{meeting}/events?after=last"
    async with client.get(path, headers=bearer(token)) as answer:
        assert answer.status == 422


async def test_streams_end_when_the_service_stops(client: Client, token: str, world: World) -> None:
    meeting = (await world.meeting()).id
    async with listening(client, token, meeting) as listener:
        await listener.next("live")
        client.app[FAN].stop()
        with pytest.raises(EOFError):
            await listener.next("never")


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A Redis of this module alone, because a test here kills it."""
    server = RedisServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


async def test_redis_that_goes_away_is_said_and_comes_back(
    client: Client, token: str, world: World, redis_server: RedisServer
) -> None:
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    async with listening(client, token, meeting) as listener:
        await listener.next("live")
        redis_server.kill()
        _, _, told = await listener.next("trouble")
        assert told["error"]["act"] == "wait"
        async with client.get("/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["parts"]["sql"] == ""
        path = f"/api/meetings/{meeting}/commands"
        async with client.post(path, json={"command": "end"}, headers=bearer(token)) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        async with client.get("/", headers=bearer(token)) as answer:
            assert answer.status == 200, "pages work from SQL alone"
        await asyncio.to_thread(redis_server.start)
        assert (await listener.next("trouble"))[2] == {"error": None}
        await world.happened(meeting, 9, EventName.MUTED, {"muted": True})
        assert (await listener.next("as_run"))[1] == "9"


async def test_meters_come_to_the_page_that_asks_for_them(
    client: Client, token: str, world: World
) -> None:
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    await world.snapshot(meeting, MeetingState.LIVE)
    assert not await world.live.watched(meeting)
    async with (
        listening(client, token, meeting, query="?meters=1") as asks,
        listening(client, token, meeting) as does_not,
    ):
        async with asyncio.timeout(5):
            while not await world.live.watched(meeting):  # noqa: ASYNC110 - the run asks so too
                await asyncio.sleep(0.05)
        for level in (-12.0, -20.0):
            await world.live.put_meters(
                meeting, {"at": level, "peak_db": {"programme": [level, level]}}
            )
            _, _, got = await asks.next("meters")
            assert got["peak_db"] == {"programme": [level, level]}
        await world.happened(meeting, 7, EventName.MUTED, {"muted": True})
        kinds = []
        while "as_run" not in kinds:
            kinds.append((await does_not.next())[0])
        assert "meters" not in kinds
