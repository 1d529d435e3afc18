"""The public pages play a real recording in a real browser, under our content policy."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import imageio_ffmpeg
import pytest
from playwright.async_api import Page, expect

from streamer.domain.events import EventName
from streamer.domain.meeting import MeetingState
from tests.component.web.browser import enter, opened, served, shot, until
from tests.component.web.world import World

pytestmark = pytest.mark.component

ID = "2027-02-19-abai-k3f9"
BEGAN = datetime(2027, 2, 19, 4, 59, 56, tzinfo=UTC)
LIVE_AT = BEGAN + timedelta(seconds=4)
TIME = "document.querySelector('video').currentTime"


async def record(folder: Path) -> None:
    """Twelve seconds of picture and tone as the viewing copy, beginning at BEGAN."""
    part = folder / "part-0001"
    part.mkdir(parents=True)
    child = await asyncio.create_subprocess_exec(
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error",
        "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=12",
        "-f", "lavfi", "-i", "sine=frequency=440:duration=12",
        "-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac",
        "-f", "hls", "-hls_time", "2", "-hls_segment_type", "fmp4", "-hls_list_size", "0",
        "-hls_fmp4_init_filename", "init.mp4", "-hls_segment_filename", str(part / "s%03d.m4s"),
        str(part / "index.m3u8"),
    )  # fmt: skip
    async with asyncio.timeout(60):
        assert await child.wait() == 0
    text = re.sub(r"(s\d+\.m4s|init\.mp4)", r"part-0001/\1", (part / "index.m3u8").read_text())
    date = f"#EXT-X-PROGRAM-DATE-TIME:{BEGAN.isoformat(timespec='milliseconds')}\n#EXTINF"
    (folder / "index.m3u8").write_text(text.replace("#EXTINF", date, 1))


async def went_live(world: World) -> None:
    await record(world.context.meeting_folder(ID) / "hls")
    await world.happened(
        ID, 1, EventName.MEETING_STATE_CHANGED, {"from": "LINE_UP", "to": "LIVE"},
        at=LIVE_AT.timestamp(),
    )  # fmt: skip


async def held(world: World) -> None:
    """A meeting that has ended and is not sealed yet."""
    await world.meeting(ID, state=MeetingState.LINE_UP)
    await went_live(world)
    await world.records.set_state(ID, MeetingState.LIVE, MeetingState.ENDING, by="test")
    await world.happened(
        ID, 2, EventName.SCENE_TAKEN, {"scene": "slate"}, at=LIVE_AT.timestamp() + 5
    )


async def plays(page: Page, after: float) -> None:
    await until(page, f"{TIME} > {after}")


async def test_a_line_of_the_log_is_a_place_in_the_recording(world: World) -> None:
    await held(world)  # watchable at once, before it is sealed
    async with served(world) as address, opened(address) as page:
        await page.goto(f"/archive/{ID}?lang=kk")
        await until(page, "document.querySelector('video').duration > 7")
        length = await page.evaluate("document.querySelector('video').duration")
        assert length == pytest.approx(8, abs=0.3), "without the four seconds of line-up"
        await page.locator(".run button").nth(1).click()
        await plays(page, 5)
        assert await page.evaluate(TIME) < 7.9
        await expect(page.locator(".run li").nth(1)).to_have_attribute("aria-current", "true")
        await shot(page, "archived")
        await page.goto("/archive?year=2027")
        await shot(page, "archive")


async def test_the_live_page_waits_and_then_plays_by_itself(world: World) -> None:
    await world.meeting(ID, state=MeetingState.LINE_UP, destinations=("youtube",))
    async with served(world) as address, opened(address) as page:
        await page.goto(f"/live/{ID}?lang=ru")
        await expect(page.locator(".wait")).to_contain_text("19.02.2027 10:00")
        await shot(page, "live-waits")
        await went_live(world)
        await expect(page.locator("article .state")).to_have_text("В эфире")
        await plays(page, 0.5)
        await shot(page, "live-plays")


async def test_the_console_in_kazakh(world: World) -> None:
    starts = datetime.now(UTC) - timedelta(hours=3)
    await world.meeting(ID, state=MeetingState.LIVE, starts=starts)
    await world.snapshot(ID, MeetingState.LIVE)
    async with served(world) as address, opened(address) as page:
        await page.goto("/login")
        await shot(page, "login")
        await enter(page, "kk")
        await page.goto(f"/meetings/{ID}")
        await expect(page.locator("#state strong")).to_have_text("Тікелей эфирде")
        await expect(page.locator("#next")).to_contain_text("жоспардан асты: 1:00:")
        hidden = "(e => e.scrollHeight - e.clientHeight)(document.documentElement)"
        assert await page.evaluate(hidden) <= 0
        await shot(page, "console-kk")
