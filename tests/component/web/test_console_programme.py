"""The programme's controls on the console, in a real browser at the size of a laptop."""

import io
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Page, Route, expect

from streamer.domain.meeting import MeetingState
from streamer.domain.roles import Role
from tests.component.web.browser import SIZE, enter, opened, served, shot, until
from tests.component.web.programme import programme, region_sites
from tests.component.web.world import PASSWORD, World

pytestmark = pytest.mark.component

MEETING = "2027-02-19-abai-k3f9"
FLOOR = region_sites()[2]["id"]
"""Who has the floor in the snapshot of `programme`."""


@pytest.fixture
async def page(world: World) -> AsyncIterator[Page]:
    """The console of a live meeting with 20 sites, in Russian."""
    await live(world)
    async with served(world) as address, opened(address) as page:
        await enter(page, "ru")
        yield page


def picture() -> bytes:
    image = Image.new("RGB", (320, 180), (30, 70, 80))
    draw = ImageDraw.Draw(image)
    draw.rectangle((90, 45, 230, 165), fill=(70, 100, 105))
    draw.ellipse((140, 30, 180, 75), fill=(190, 160, 140))
    data = io.BytesIO()
    image.save(data, "JPEG")
    return data.getvalue()


async def live(world: World, **more: Any) -> None:
    starts = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    await world.meeting(MEETING, state=MeetingState.LIVE, starts=starts)
    await world.snapshot(MEETING, MeetingState.LIVE, **programme(**more))
    await world.live.put_preview(MEETING, picture())


async def again(world: World, **more: Any) -> None:
    """Another snapshot of the same meeting."""
    await world.snapshot(MEETING, MeetingState.LIVE, **programme(**more))


async def sent(world: World, command: str, args: dict[str, Any]) -> None:
    """Wait until the run was told `command` with exactly `args`."""
    deadline = time.monotonic() + 10
    seen: list[Any] = []
    while time.monotonic() < deadline:
        seen = [(str(m.command), m.args) for _, m in await world.live.commands(MEETING, "0", 100)]
        if (command, args) in seen:
            return
    raise AssertionError(f"{command} {args} was not sent, but {seen}")


@pytest.mark.parametrize("language", ["ru", "kk", "en"])
async def test_pictures(page: Page, world: World, language: str) -> None:
    await page.goto(f"/meetings/{MEETING}?lang={language}")
    await expect(page.locator(".source")).to_have_count(22)
    await until(page, "document.querySelectorAll('.thumb.has').length > 7")
    await shot(page, f"sources-{language}")
    await page.click("#tab-graphics")
    await shot(page, f"graphics-{language}")
    await page.click("#tab-legs")
    await shot(page, f"legs-{language}")
