"""Small pictures of the programme and of each feed."""

import pytest

from streamer.domain.meeting import MeetingState
from tests.component.web.world import Client, World, bearer

pytestmark = pytest.mark.component


async def test_programme_and_feeds_have_pictures_of_their_own(
    client: Client, token: str, world: World
) -> None:
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    address = f"/api/meetings/{meeting}/preview.jpg"
    await world.live.put_preview(meeting, b"programme")
    for query in ("", "?feed=programme"):
        async with client.get(address + query, headers=bearer(token)) as answer:
            assert answer.status == 200
            assert answer.content_type == "image/jpeg"
            assert await answer.read() == b"programme"
    assert not await world.live.watched(meeting), "the programme's picture is always made"
    async with client.get(f"{address}?feed=feed:site:semey", headers=bearer(token)) as answer:
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "no_preview"
    assert await world.live.watched(meeting), "the run hears that feeds are looked at"
    await world.live.put_preview(meeting, b"semey", "feed:site:semey")
    async with client.get(f"{address}?feed=feed:site:semey", headers=bearer(token)) as answer:
        assert await answer.read() == b"semey"
    async with client.get(f"{address}?feed=feed:hall", headers=bearer(token)) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("feed", ["hall", "feed:", "feed:a b", "feed:*", "feed:hall%0a", "x" * 300])
async def test_what_is_no_feed_is_refused(
    client: Client, token: str, world: World, feed: str
) -> None:
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    address = f"/api/meetings/{meeting}/preview.jpg?feed={feed}"
    async with client.get(address, headers=bearer(token)) as answer:
        assert answer.status == 422
        assert (await answer.json())["error"]["tried"]["field"] == "feed"
    assert not await world.live.watched(meeting)


async def test_pictures_are_for_who_may_see_the_meeting(client: Client, world: World) -> None:
    meeting = (await world.meeting(state=MeetingState.LIVE)).id
    async with client.get(f"/api/meetings/{meeting}/preview.jpg?feed=feed:hall") as answer:
        assert answer.status == 401
