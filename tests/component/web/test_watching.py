"""A live meeting in a real browser: how late it is seen, its languages and sizes, other sites."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, expect

from streamer.domain.events import EventName
from streamer.domain.meeting import MeetingState
from streamer.media import hls
from streamer.run.meeting_run import COMPOSE_S
from tests.component.media.stage import until as reached
from tests.component.media.tongues import LANGUAGES, TONES, Tongues, tongues
from tests.component.web.browser import opened, served, shot, until
from tests.component.web.world import World

pytestmark = pytest.mark.component

ID = "2027-02-19-abai-k3f9"
DELAY_S = 6.0
VIDEO = "document.querySelector('video')"
PLAYER = "document.getElementById('live').player"
LISTEN = f"""() => {{
  const video = {VIDEO};
  video.muted = false;
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, {{ fftSize: 8192 }});
  context.createMediaElementSource(video).connect(analyser).connect(context.destination);
  const bins = new Float32Array(analyser.frequencyBinCount);
  window.tone = () => {{
    analyser.getFloatFrequencyData(bins);
    const at = bins.reduce((best, value, bin) => (value > bins[best] ? bin : best), 0);
    return bins[at] > -60 ? at * context.sampleRate / analyser.fftSize : 0;
  }};
}}"""


@asynccontextmanager
async def on_air(world: World, languages: tuple[str, ...] = LANGUAGES) -> AsyncIterator[Tongues]:
    """A meeting that went live as its first segments were written, and goes on."""
    await world.meeting(ID, state=MeetingState.LINE_UP, destinations=("youtube",))
    folder = world.context.meeting_folder(ID)
    folder.mkdir(parents=True)
    async with tongues(folder, languages) as it:
        await reached(lambda: it.mixer.epoch)
        (folder / "run.json").write_text(json.dumps({"epoch": it.mixer.epoch}))
        composing = asyncio.create_task(_compose(it), name="compose")
        try:
            await reached(lambda: _listed(it, "low") >= 2)
            await world.happened(
                ID, 1, EventName.MEETING_STATE_CHANGED, {"from": "LINE_UP", "to": "LIVE"},
                at=it.mixer.epoch + 1,
            )  # fmt: skip
            yield it
        finally:
            composing.cancel()
            await asyncio.gather(composing, return_exceptions=True)


async def _compose(it: Tongues) -> None:
    """As the meeting's run does it."""
    composer = hls.Composer(it.folder, it.viewing)
    while True:
        await asyncio.sleep(COMPOSE_S)
        await asyncio.to_thread(composer.write, False)


def _listed(it: Tongues, name: str) -> int:
    with contextlib.suppress(OSError):
        return (it.folder / f"hls/{name}.m3u8").read_text().count("#EXTINF")
    return 0


async def plays_on(page: Page, seconds: float = 1.0) -> None:
    now = await page.evaluate(f"{VIDEO}.currentTime")
    await until(page, f"{VIDEO}.currentTime > {now + seconds}")


async def hears(page: Page, hertz: int) -> None:
    await until(page, f"Math.abs(window.tone() - {hertz}) < 20")


async def delays(page: Page, seconds: float) -> list[float]:
    """How late the programme is seen, measured every half second by the programme's own clock."""
    found = []
    until_ = time.monotonic() + seconds
    while time.monotonic() < until_:
        await page.wait_for_timeout(500)
        found.append(float(await page.evaluate(f"{PLAYER}.delay")))
    return found


async def test_live_with_its_languages_and_sizes(world: World) -> None:
    async with on_air(world) as it, served(world) as address, opened(address) as page:
        await page.goto(f"/live/{ID}?lang=ru")
        await plays_on(page)
        # A page in Russian begins with the Russian sound.
        await page.evaluate(LISTEN)
        await hears(page, TONES[1])
        await expect(page.locator(".language")).to_have_value("ru")
        await plays_on(page, 6)
        late = await delays(page, 10)
        print(f"delay: {min(late):.2f} to {max(late):.2f} s")
        assert max(late) <= DELAY_S
        await shot(page, "live-1366x768")

        await page.locator(".language").select_option("kk")
        await hears(page, TONES[0])
        assert await page.evaluate(f"{VIDEO}.videoHeight") in (360, 720)
        for height in (360, 720, 360):
            await page.locator(".quality").select_option(str(height))
            await until(page, f"{VIDEO}.videoHeight === {height}")
        await plays_on(page)

        # Back to the beginning, and to live again by the keyboard.
        await page.evaluate(f"{VIDEO}.currentTime = 0.5")
        await plays_on(page, 0.5)
        back = page.locator(".to-live")
        await expect(back).to_have_text("Вернуться в эфир")
        assert await page.evaluate(f"{PLAYER}.delay") > DELAY_S
        await back.focus()
        await page.keyboard.press("Enter")
        await expect(back).to_have_text("Прямой эфир")
        await plays_on(page)
        assert max(await delays(page, 2)) <= DELAY_S

        # Sound alone, in the language that was chosen, and the picture again.
        await page.locator(".quality").select_option("sound")
        await until(page, f"{VIDEO}.videoHeight === 0")
        await hears(page, TONES[0])
        assert max(await delays(page, 2)) <= DELAY_S
        await page.locator(".language").select_option("ru")
        await hears(page, TONES[1])
        assert max(await delays(page, 2)) <= DELAY_S
        await expect(page.locator(".sound-alone")).to_be_visible()
        await shot(page, "live-sound-alone")
        await page.locator(".quality").select_option("0")
        await until(page, f"{VIDEO}.videoHeight > 0")
        await hears(page, TONES[1])
        await page.set_viewport_size({"width": 390, "height": 844})
        await plays_on(page)
        await shot(page, "live-390x844")
        assert it.copy.tries == 1


async def test_on_another_site(world: World) -> None:
    """In a frame of another origin, with one language, and by that site's own player."""
    async with on_air(world, ("kk",)), served(world) as address:
        async with _other_site(address) as other, opened(other) as page:
            await page.goto("/")
            frame = page.frame_locator("iframe")
            await expect(frame.locator(".to-live")).to_have_text("Тікелей эфир")
            inside = page.frames[1]
            async with asyncio.timeout(20):
                while not await inside.evaluate(f"{VIDEO}.currentTime > 1"):
                    await page.wait_for_timeout(100)
            await expect(frame.locator(".language")).to_be_hidden()
            await frame.locator(".quality").select_option("360")
            async with asyncio.timeout(20):
                while await inside.evaluate(f"{VIDEO}.videoHeight") != 360:
                    await page.wait_for_timeout(100)
            await shot(page, "embed-on-another-site")
            # The playlists and segments are open to it, the pages are not.
            master = f"{address}/media/{ID}/hls/master.m3u8"
            text = await page.evaluate(f"fetch('{master}').then((answer) => answer.text())")
            assert "RESOLUTION=640x360" in text
            segment = f"{address}/media/{ID}/hls/part-0001/seg-00002.m4s"
            size = await page.evaluate(
                f"fetch('{segment}').then(async (a) => (await a.arrayBuffer()).byteLength)"
            )
            assert size > 10_000
        async with opened(address) as page:
            answer = await page.goto(f"/embed/{ID}?lang=en")
            assert answer
            assert "frame-ancestors *" in answer.headers["content-security-policy"]
            assert "x-frame-options" not in answer.headers
            assert await page.locator("nav, header").count() == 0
            await plays_on(page)
            await shot(page, "embed-1366x768")
            await page.set_viewport_size({"width": 390, "height": 844})
            await plays_on(page)
            await shot(page, "embed-390x844")
            live = await page.goto(f"/live/{ID}?lang=en")
            assert live
            assert "frame-ancestors 'none'" in live.headers["content-security-policy"]
            assert live.headers["x-frame-options"] == "DENY"
            await page.locator(".embed summary").click()
            snippet = await page.locator(".embed textarea").input_value()
            assert f'src="{address}/embed/{ID}?lang=en"' in snippet
            await shot(page, "live-snippet")


@asynccontextmanager
async def _other_site(address: str) -> AsyncIterator[str]:
    """A page of another origin that shows our player in a frame."""

    async def home(request: web.Request) -> web.Response:
        text = f'<title>x</title><iframe src="{address}/embed/{ID}?lang=kk" width="640"'
        text += ' height="420" allow="autoplay"></iframe>'
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", home)
    async with TestServer(app, host="localhost") as server:
        yield str(server.make_url("/")).rstrip("/")
