"""Meters, previews of feeds, and whether anybody looks at them."""

import pytest

from streamer.store.live import Live
from tests.component.store.servers import RedisServer

pytestmark = pytest.mark.component


async def test_meters_of_several_meetings_are_read_at_once_and_do_not_last(
    live: Live, redis: RedisServer
) -> None:
    assert await live.meters([]) == {}
    assert await live.meters(["m1", "m2"]) == {}
    await live.put_meters("m1", {"at": 1.0, "peak_db": {"feed:hall": [-12.0, -9.5]}})
    assert await live.meters(["m1", "m2"]) == {
        "m1": {"at": 1.0, "peak_db": {"feed:hall": [-12.0, -9.5]}}
    }
    link = live._link.client
    assert 0 < await link.pttl("streamer:meeting:m1:meters") <= 2000
    await link.set("streamer:meeting:m2:meters", '{"torn')
    assert list(await live.meters(["m2", "m1"])) == ["m1"]


async def test_each_feed_has_a_preview_of_its_own(live: Live) -> None:
    await live.put_preview("m1", b"programme")
    await live.put_preview("m1", b"hall", "feed:hall")
    assert await live.preview("m1") == b"programme"
    assert await live.preview("m1", "feed:hall") == b"hall"
    assert await live.preview("m1", "feed:site:semey") is None
    assert 0 < await live._link.client.pttl("streamer:meeting:m1:preview:feed:hall") <= 10_000


async def test_whether_anybody_looks_is_forgotten_by_itself(live: Live) -> None:
    assert not await live.watched("m1")
    await live.say_watched("m1")
    assert await live.watched("m1")
    assert not await live.watched("m2")
    assert 0 < await live._link.client.pttl("streamer:meeting:m1:watched") <= 12_000
