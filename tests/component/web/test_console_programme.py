"""The programme's controls on the console, in a real browser at the size of a laptop."""

import asyncio
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
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
    shown = programme(**more)
    await world.snapshot(MEETING, MeetingState.LIVE, **shown)
    await draw(world)


async def draw(world: World) -> None:
    """A picture of the programme and of every feed, as a run makes them."""
    shown = programme()
    for feed in ("", *shown["feeds"], *(site["feed"] for site in shown["sites"])):
        await world.live.put_preview(MEETING, picture(), feed)


@pytest.fixture(autouse=True)
async def pictures(world: World) -> AsyncIterator[None]:
    """They are made again and again: Redis keeps them for ten seconds."""
    end = asyncio.Event()

    async def draw_on() -> None:
        while not end.is_set():
            await draw(world)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3.0):
                    await end.wait()

    task = asyncio.create_task(draw_on(), name="pictures")
    yield
    end.set()
    await task


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


async def opened_console(page: Page, language: str = "ru") -> None:
    await page.goto(f"/meetings/{MEETING}?lang={language}")
    await expect(page.locator(".source")).to_have_count(22)


def row(page: Page, index: int) -> Any:
    """The row of the site with this index in `programme`."""
    return page.locator(f'.source[data-site="{region_sites()[index]["id"]}"]')


OVERFLOWING = """() => {
  const wide = (e) => e.scrollWidth > e.clientWidth + 1;
  const parts = ["html", ".strip", ".left", ".scene", ".taken", ".right", ".tabs", ".foot",
    ".tools", ".sources", ".source", ".graphic", "#panel-graphics", ".legs", ".log", ".loudness"];
  const found = parts.filter((p) => [...document.querySelectorAll(p)].some(wide));
  if (document.documentElement.scrollHeight > innerHeight) found.push("page: too high");
  return found;
}"""
PARTS_OF_LEFT = ("#preview", "#meter", "#loudness", "#now", "#floor", "#scenes",
                 "#site-scenes", "[data-command=slate]", "[data-command=mute]", "#change",
                 "#next-button")  # fmt: skip


@pytest.mark.parametrize("language", ["kk", "ru", "en"])
async def test_twenty_sites_fit_on_a_laptop(page: Page, language: str) -> None:
    await opened_console(page, language)
    await until(page, "document.querySelectorAll('.thumb.has').length > 7")
    await row(page, 0).locator("[data-act=open]").click()
    for tab in ("sources", "graphics", "legs", "log"):
        await page.click(f"#tab-{tab}")
        assert await page.evaluate(OVERFLOWING) == [], tab
        await shot(page, f"{tab}-{language}")
    for part in PARTS_OF_LEFT:
        box = await page.locator(part).bounding_box()
        assert box is not None, part
        assert box["y"] + box["height"] <= SIZE["height"], part
    high = "(e => e.scrollHeight - e.clientHeight)(document.querySelector('.taken'))"
    assert await page.evaluate(high) <= 0, "all scenes are seen without scrolling"
    await page.set_viewport_size({"width": 1366, "height": 640})  # with the browser's own bars
    assert await page.evaluate(OVERFLOWING) == []
    assert await page.evaluate(high) <= 0, "nor on a low screen"
    await page.click("#tab-sources")
    await shot(page, f"low-{language}")
    slate = await page.locator("[data-command=slate]").bounding_box()
    assert slate is not None
    assert slate["y"] + slate["height"] <= 640


async def test_the_page_says_what_the_snapshot_says(page: Page, world: World) -> None:
    await opened_console(page)
    await expect(page.locator("#now")).to_have_text("● В программе: Зал и район · Абайский район")
    await expect(page.locator("#floor span")).to_have_text("Слово: Абайский район")
    await expect(page.locator('[data-scene="split"]')).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#scenes button").first).to_have_text("Зал1")
    await expect(row(page, 2)).to_contain_text("слово")
    await expect(row(page, 3)).to_contain_text("✕ потерян")
    await expect(row(page, 15)).to_contain_text("– не подключён")
    await expect(row(page, 15).locator("[data-act=floor]")).to_be_disabled()
    await expect(row(page, 1).locator(".fault")).to_contain_text("нет звука 01:")
    await expect(row(page, 1).locator(".fault")).to_contain_text("Проверьте микрофон")
    await expect(row(page, 8).locator(".fault")).to_contain_text("чёрная картинка")
    await expect(row(page, 4)).to_contain_text("+4 дБ")
    await expect(row(page, 4)).to_contain_text("стоп-кадр")
    await expect(page.locator("#loudness")).to_contain_text("−23.2")
    await expect(page.locator("#loudness")).to_contain_text("громкость в норме")
    # What does not work is seen whichever part is open.
    await expect(page.locator("#tab-sources .badge")).to_have_text("⚠ 3")
    await expect(page.locator("#tab-legs .badge")).to_have_text("✕ 2")
    await page.click("#tab-graphics")
    await expect(page.locator("#problems")).to_contain_text("✕ 6")
    await expect(page.locator("#problems")).to_contain_text("Facebook: войдите в аккаунт")
    await expect(page.locator("#problems")).to_contain_text("Программа: звук слишком громкий")
    await page.click("#problems button")
    await expect(page.locator("#panel-sources")).to_be_visible()
    # A scene that is wanted, and the slate instead: in words.
    await again(world, scene={"wanted": "hall", "shown": "slate", "muted": True})
    now = page.locator("#now")
    await expect(now).to_contain_text("Выбрано: Зал. Показана заставка: источник не приходит.")
    await expect(now).to_contain_text("звук выключен")
    await expect(page.locator('[data-scene="hall"]')).to_have_attribute("data-shown", "false")
    await expect(page.locator('[data-scene="slate"]')).to_have_attribute("data-shown", "true")
    quiet = {"lufs": {"m": None, "s": -31, "i": -27.5}, "leveller_db": 6, "limiter_db": 0}
    await again(world, sound=quiet, signals=[], legs=[], floor=None)
    await expect(page.locator("#loudness")).to_contain_text("тише на 4.5 LU")
    await expect(page.locator("#floor span")).to_have_text("Слово: у зала")
    await expect(page.locator("#tab-legs .badge")).to_be_hidden()


async def test_scenes_by_button_and_by_key(page: Page, world: World) -> None:
    await opened_console(page)
    await page.keyboard.press("Digit3")
    await sent(world, "take_scene", {"scene": "grid", "fade": True})
    await page.keyboard.press("KeyH")
    await sent(world, "take_scene", {"scene": "hall", "fade": True})
    # Those that take a site: with who has the floor, or with the site that was chosen.
    await expect(page.locator('[data-scene="pip"]')).to_contain_text("Абайский район")
    await page.keyboard.press("Numpad6")
    await sent(world, "take_scene", {"scene": f"pip:{FLOOR}", "fade": True})
    await page.locator("#change label").first.click()
    other = region_sites()[6]
    await row(page, 6).locator("[data-act=pick]").click()
    await expect(page.locator("#scene-site")).to_have_value(other["id"])
    await expect(page.locator('[data-scene="site"]')).to_contain_text(other["names"]["ru"])
    await expect(page.locator('[data-scene="split"]')).to_have_attribute("aria-pressed", "false")
    # The radio has the focus, and keys still work; the choice outlives a reload.
    await page.keyboard.press("Digit4")
    await sent(world, "take_scene", {"scene": f"site:{other['id']}", "fade": False})
    await page.reload()
    await expect(page.locator("#change [value=cut]")).to_be_checked()
    await page.select_option("#scene-site", region_sites()[0]["id"])
    await page.click('[data-scene="split"]')
    await sent(world, "take_scene", {"scene": f"split:{region_sites()[0]['id']}", "fade": False})
    await page.locator("body").click(position={"x": 5, "y": 760})
    await page.keyboard.press("KeyS")
    await sent(world, "slate", {})
    await page.keyboard.press("KeyM")
    await sent(world, "mute", {"muted": True})
    # Nobody has the floor and nobody is chosen: nothing to take.
    await again(world, floor=None)
    await page.select_option("#scene-site", "")
    await expect(page.locator('[data-scene="split"]')).to_be_disabled()
    await expect(page.locator('[data-scene="split"]')).to_contain_text("выберите площадку")


async def test_floor_and_sound_of_a_source(page: Page, world: World) -> None:
    await opened_console(page)
    site = region_sites()[0]["id"]
    feed = f"feed:site:{site}"
    await row(page, 0).locator("[data-act=floor]").click()
    await sent(world, "give_floor", {"site": site, "fade": True})
    await row(page, 2).locator("[data-act=floor]").click()
    await sent(world, "take_floor_back", {"site": FLOOR, "fade": True})
    await page.click("#floor button")
    await sent(world, "take_floor_back", {"fade": True})
    await row(page, 0).locator("[data-act=mute]").click()
    await sent(world, "sound", {"feed": feed, "muted": True})
    # Quick presses add up, though the run has not answered yet.
    for _ in range(3):
        await row(page, 0).locator("[data-act=more]").click()
    await expect(row(page, 0).locator("output")).to_have_text("+3 дБ")
    await sent(world, "sound", {"feed": feed, "gain_db": 3})
    await page.locator('[data-feed="feed:hall"] [data-act=less]').click()
    await sent(world, "sound", {"feed": "feed:hall", "gain_db": -1})
    await expect(page.locator('[data-feed="feed:hall"] [data-act=floor]')).to_be_hidden()
    await row(page, 4).locator("[data-act=open]").click()
    await expect(row(page, 4).locator(".details")).to_contain_text("srt://192.0.2.1:9104")
    delay = row(page, 4).locator("input")
    await expect(delay).to_have_value("120")
    await delay.fill("5000")
    await delay.press("Enter")
    feed = f"feed:site:{region_sites()[4]['id']}"
    await sent(world, "sound", {"feed": feed, "delay_ms": 1000})
    await row(page, 4).locator("[data-act=restart]").click()
    await sent(world, "restart_leg", {"leg": feed})


async def test_the_filter_finds_in_any_language_and_hides_no_fault(page: Page) -> None:
    await opened_console(page)
    shown = page.locator(".source:visible")
    await page.fill("#filter", "ҒАБИТ мүс")
    await expect(shown).to_have_count(1)
    await expect(shown).to_contain_text("район имени Габита Мусрепова")
    await expect(page.locator("#counted")).to_have_text("1 из 22; скрыто с проблемами: 2")
    await page.press("#filter", "Escape")
    await expect(shown).to_have_count(22)
    await expect(page.locator("#counted")).to_be_empty()
    await page.check("#only-bad")
    await expect(shown).to_have_count(3)
    await expect(page.locator("#counted")).to_have_text("3 из 22")
    # Letters that are typed are no keys.
    await page.fill("#filter", "")
    await page.type("#filter", "seh1")
    await expect(page.locator("#said")).to_be_empty()


async def test_graphics_are_shown_hidden_and_remembered(page: Page, world: World) -> None:
    await opened_console(page)
    await page.click("#tab-graphics")
    third = page.locator("[data-graphic=lower_third]")
    await expect(third.locator("[name=name]")).to_have_value("Б. Уәли")
    await third.locator("[name=office_kk]").fill("Абай облысының әкімі")
    await third.locator("[name=office_ru]").fill("аким области Абай")
    texts = {"name": "Б. Уәли", "office_kk": "Абай облысының әкімі",
             "office_ru": "аким области Абай"}  # fmt: skip
    await third.locator("[name=office_ru]").press("Enter")
    await sent(world, "graphics", {"graphic": "lower_third", "shown": texts})
    await again(world, graphics={"lower_third": texts, "clock": True})
    await expect(third.locator(".on-air")).to_have_text("● показано")
    await expect(third.locator(".shown-text")).to_contain_text("аким области Абай")
    await expect(page.locator("#tab-graphics .badge")).to_have_text("● 1")
    await third.locator(".hide").click()
    await sent(world, "graphics", {"graphic": "lower_third"})
    # Another name; then the first one again by one press, after a reload.
    await third.locator("[name=name]").fill("А. Сейітова")
    await third.locator(".show").click()
    await expect(page.locator("#remembered li")).to_have_count(2)
    await page.fill("[data-graphic=question] [name=text]", "Когда отремонтируют дорогу?")
    await page.reload()
    question = page.locator("[data-graphic=question]")
    await expect(question.locator("[name=text]")).to_have_value("Когда отремонтируют дорогу?")
    await expect(page.locator("#remembered li")).to_have_count(2)
    await shot(page, "graphics-remembered")
    before = len(await world.live.commands(MEETING, "0", 100))
    await page.locator("#remembered li").nth(1).locator("button").last.click()
    await expect(third.locator("[name=name]")).to_have_value("Б. Уәли")
    await expect(page.locator("#remembered li").first).to_contain_text("Б. Уәли")
    told = [m for _, m in await world.live.commands(MEETING, "0", 100)][before:]
    assert [m.args for m in told] == [{"graphic": "lower_third", "shown": texts}]
    await question.locator("[name=district]").fill("Жарма ауданы")
    await question.locator("[name=source]").fill("YouTube")
    await question.locator(".show").click()
    card = {"text": "Когда отремонтируют дорогу?", "district": "Жарма ауданы", "source": "YouTube"}
    await sent(world, "graphics", {"graphic": "question", "shown": card})
    await page.fill("[data-graphic=next] [name=text_ru]", "Ответы на вопросы")
    await page.click("[data-graphic=next] .show")
    strip = {"text_kk": "", "text_ru": "Ответы на вопросы"}
    await sent(world, "graphics", {"graphic": "next", "shown": strip})
    await page.click("[data-mark=clock]")
    await sent(world, "graphics", {"graphic": "clock"})
    await page.click("[data-mark=live_mark]")
    await sent(world, "graphics", {"graphic": "live_mark", "shown": {}})


async def test_pictures_come_one_by_one_and_only_of_what_is_seen(page: Page) -> None:
    under_way, most = 0, 0
    asked: list[str] = []

    async def slow(route: Route) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        asked.append(route.request.url)
        await route.continue_()

    def answered(request: Any) -> None:
        nonlocal under_way
        under_way -= "preview.jpg" in request.url

    page.on("requestfinished", answered)
    page.on("requestfailed", answered)
    await page.route("**/preview.jpg*", slow)
    await opened_console(page)
    await until(page, "document.querySelectorAll('.thumb.has').length > 7")
    assert most == 1
    of_sources = {url for url in asked if "?feed=" in url}
    assert 7 < len(of_sources) < 14, "the rows that are seen, not all 22"
    assert any(url.endswith("preview.jpg") for url in asked)
    # What is scrolled away is not asked for.
    await row(page, 19).scroll_into_view_if_needed()
    await until(page, "document.querySelector('.source:last-child .thumb.has') !== null")
    asked.clear()
    await page.wait_for_event("request", lambda r: "feed=" in r.url)
    assert not any("feed%3Ahall" in url for url in asked)
    # Switched off: only the programme, also after a reload.
    await page.uncheck("#pictures")
    await page.reload()
    await expect(page.locator("#pictures")).not_to_be_checked()
    asked.clear()
    for _ in range(3):
        await page.wait_for_event("request", lambda r: "preview.jpg" in r.url)
    assert not any("?feed=" in url for url in asked)


async def test_a_line_that_is_slow_rests_between_pictures(page: Page) -> None:
    moments: list[float] = []

    async def slow(route: Route) -> None:
        moments.append(time.monotonic())
        await page.wait_for_timeout(500)
        await route.continue_()

    await page.route("**/preview.jpg*", slow)
    await opened_console(page)
    async with asyncio.timeout(20):
        while len(moments) < 6:
            await page.wait_for_timeout(50)
    pauses = [after - before for before, after in pairwise(moments)]
    assert min(pauses) > 0.95, "as long as the picture took, half a second, nothing is asked for"


async def test_a_slow_line_is_spared(page: Page) -> None:
    await page.add_init_script(
        "Object.defineProperty(navigator, 'connection', {value: {effectiveType: '3g'}})"
    )
    streams: list[str] = []
    page.on("request", lambda r: streams.append(r.url) if "/events" in r.url else None)
    await opened_console(page)
    await expect(page.locator("#pictures")).not_to_be_checked()
    await expect(page.locator("#levels")).not_to_be_checked()
    assert streams
    assert not any("meters=1" in url for url in streams)
    async with page.expect_request("**/events*meters=1"):
        await page.check("#levels")


async def test_levels_move_five_times_a_second(page: Page) -> None:
    peaks = {"programme": [-30.0, -12.0], "feed:hall": [-6.0, -1.0]}
    levels = {"at": 1.0, "peak_db": peaks, "rms_db": {}}
    body = f"event: meters\ndata: {json.dumps(levels)}\n\n"

    async def stream(route: Route) -> None:
        assert "meters=1" in route.request.url
        await route.fulfill(body=body, content_type="text/event-stream")

    await page.route("**/events*", stream)
    await opened_console(page)
    hall = """document.querySelector('[data-feed="feed:hall"] .meter span:last-child')"""
    await until(page, f"{hall}?.style.getPropertyValue('--level') === '0.983'")
    assert await page.evaluate(f"{hall}.dataset.hot") == "true"
    programme = "document.querySelector('#meter span').style.getPropertyValue('--level')"
    await until(page, f"{programme} === '0.500'")


PARTS = ("scenes", "sites", "floor", "feeds", "graphics", "sound", "signals", "programme", "scene",
         "meters", "disk", "ingest")  # fmt: skip


async def test_what_a_run_leaves_out_does_no_harm(page: Page, world: World) -> None:
    """Each part missing alone, then all; errors of scripts fail the test when the page closes."""
    await opened_console(page)
    for number, missing in enumerate([*((part,) for part in PARTS), PARTS]):
        value = programme(seq=100 + number)
        await world.live.put_snapshot(MEETING, {
            "meeting": MEETING, "state": "LIVE", "at": time.time(), "run": "r1", "worker": "w1",
            **{key: part for key, part in value.items() if key not in missing},
        })  # fmt: skip
        await page.reload()
        await expect(page.locator("#next-button")).to_be_visible()
        assert await page.evaluate(OVERFLOWING) == [], missing
    # An older run: scenes are the hall and the slate, and there are no parts for what it lacks.
    await expect(page.locator("#tab-sources")).to_be_hidden()
    await expect(page.locator("#tab-graphics")).to_be_hidden()
    await expect(page.locator("#panel-legs")).to_be_visible()
    await page.keyboard.press("Digit1")
    await sent(world, "take_scene", {"scene": "hall"})
    # The mode that copies: nulls where there is nothing to choose.
    await again(world, scenes=None, sites=None, graphics=None, sound=None, floor=None,
                signals=None, feeds={"feed:hall": {"state": "ALIVE"}},
                scene={"wanted": "hall", "shown": "hall"}, programme={"mode": "pass"})  # fmt: skip
    await expect(page.locator("#now")).to_contain_text("картинка передаётся как есть")
    await expect(page.locator(".source")).to_have_count(1)


async def test_who_may_only_look_gets_no_buttons(page: Page, world: World) -> None:
    await world.records.create_user("auditor", PASSWORD, Role.AUDITOR, None, "test")
    await page.click(".out button")
    await page.fill("[name=name]", "auditor")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button.primary")
    await page.wait_for_url("**/")
    await opened_console(page)
    await expect(page.locator("#now")).to_contain_text("Зал и район")
    await row(page, 0).locator("[data-act=open]").click()
    commands = "[data-command], [data-act=floor], [data-act=mute], [data-act=more]," \
        " [data-act=restart], .details input, #floor button"  # fmt: skip
    await expect(page.locator(commands).locator("visible=true")).to_have_count(0)
    await page.click("#tab-graphics")
    await expect(page.locator("#panel-graphics button:visible")).to_have_count(0)
    await page.keyboard.press("Digit1")
    await page.keyboard.press("KeyS")
    assert await world.live.commands(MEETING, "0", 1) == []
