"""The console in a real browser at the size of a technician's laptop."""

import io
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image, ImageDraw
from playwright.async_api import Page, expect

from streamer.domain.events import EventName
from streamer.domain.meeting import MeetingState
from tests.component.web.browser import SIZE, enter, opened, served, shot
from tests.component.web.world import World

pytestmark = pytest.mark.component

MEETING = "2027-02-19-abai-k3f9"


@pytest.fixture
async def page(world: World) -> AsyncIterator[Page]:
    """A page that is signed in, in Russian."""
    async with served(world) as address, opened(address) as page:
        await enter(page, "ru")
        yield page


def picture() -> bytes:
    """A JPEG as the programme's preview."""
    image = Image.new("RGB", (640, 360), (30, 70, 80))
    draw = ImageDraw.Draw(image)
    draw.rectangle((180, 90, 460, 330), fill=(70, 100, 105))
    draw.ellipse((280, 60, 360, 150), fill=(190, 160, 140))
    data = io.BytesIO()
    image.save(data, "JPEG")
    return data.getvalue()


async def prepare_scene(world: World) -> None:
    starts = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=7)
    await world.meeting(MEETING, state=MeetingState.LINE_UP, starts=starts)
    changed = EventName.MEETING_STATE_CHANGED
    await world.happened(MEETING, 1, changed, {"from": "PLANNED", "to": "PREPARING", "by": "план"})
    await world.happened(MEETING, 2, EventName.RUN_STARTED, {"run": "r1", "worker": "w1"})
    await world.happened(MEETING, 3, changed, {"from": "PREPARING", "to": "LINE_UP", "by": "план"})
    await world.snapshot(MEETING, MeetingState.LINE_UP)
    await world.live.put_preview(MEETING, picture())


async def test_the_console_follows_the_meeting_and_sends_commands(page: Page, world: World) -> None:
    await prepare_scene(world)
    await page.goto(f"/meetings/{MEETING}")
    await expect(page.locator("#state strong")).to_have_text("Проверка перед эфиром")
    await expect(page.locator("#legs tr")).to_have_count(7)
    await expect(page.locator("#log li")).to_have_count(3)
    await expect(page.locator("#preview")).to_be_visible()
    await shot(page, "console-line-up")

    # The page itself does not scroll, and what matters is inside it.
    assert await page.evaluate("document.documentElement.scrollHeight") <= SIZE["height"]
    assert await page.evaluate("document.documentElement.scrollWidth") <= SIZE["width"]
    hidden = "(e => e.scrollHeight - e.clientHeight)(document.querySelector('.legs'))"
    assert await page.evaluate(hidden) <= 0, "seven legs are seen without scrolling"
    for essential in ("#state", "#next", "#next-button", "#preview", "#legs", ".scene"):
        box = await page.locator(essential).bounding_box()
        assert box is not None, essential
        assert box["y"] + box["height"] <= SIZE["height"], essential

    # One press of the big button, and no question for going live.
    await expect(page.locator("#next-button")).to_contain_text("Выйти в эфир")
    await page.click("#next-button")
    await expect(page.locator("#said")).to_have_text("Отправлено: Выйти в эфир")
    [(_, sent)] = await world.live.commands(MEETING, "0", 1000)
    assert (str(sent.command), sent.by) == ("go_live", "aru")

    # The run answers: state and log change without a reload.
    await world.snapshot(MEETING, MeetingState.LIVE)
    changed = {"from": "LINE_UP", "to": "LIVE", "by": "aru"}
    await world.happened(MEETING, 4, EventName.MEETING_STATE_CHANGED, changed)
    done = {"id": sent.id, "command": "go_live", "by": "aru"}
    await world.happened(MEETING, 5, EventName.COMMAND_DONE, done)
    await expect(page.locator("#state")).to_have_attribute("data-state", "LIVE")
    await expect(page.locator("#said")).to_have_text("Выполнено: Выйти в эфир")
    await expect(page.locator("#log li").first).to_contain_text("Выполнено")
    await world.snapshot(MEETING, MeetingState.LIVE)
    await shot(page, "console-live")

    # A broken leg says who must act, in words, with a sign that is not only a colour.
    facebook = page.locator('[data-leg="relay:facebook"]')
    await expect(facebook).to_contain_text("не работает")
    await expect(facebook).to_contain_text("✕")
    await expect(facebook).to_contain_text("введите новый ключ")
    await facebook.locator("button").click()
    await expect_command(world, "restart_leg", {"leg": "relay:facebook"})


async def expect_command(world: World, command: str, args: dict[str, object]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        sent = await world.live.commands(MEETING, "0", 100)
        if any((str(one.command), one.args) == (command, args) for _, one in sent):
            return
    raise AssertionError(f"{command} {args} was not sent")


async def test_only_end_and_cancel_ask_and_keys_work_in_any_alphabet(
    page: Page, world: World
) -> None:
    await prepare_scene(world)
    await world.snapshot(MEETING, MeetingState.LIVE)
    await page.goto(f"/meetings/{MEETING}")
    await expect(page.locator("#state")).to_have_attribute("data-state", "LIVE")
    await page.keyboard.press("KeyM")
    await expect_command(world, "mute", {"muted": True})
    await page.keyboard.press("KeyS")
    await expect_command(world, "slate", {})
    await page.keyboard.press("KeyN")
    await expect(page.locator("#sure")).to_be_visible()
    await shot(page, "console-sure")
    await page.keyboard.press("Escape")
    await expect(page.locator("#sure")).to_be_hidden()
    await page.click("#next-button")
    await page.fill("#sure input", "конец")
    await page.click("#sure .danger")
    await expect_command(world, "end", {"reason": "конец"})
    ended = [one for _, one in await world.live.commands(MEETING, "0", 1)]
    assert [str(one.command) for one in ended].count("end") == 1


async def test_a_command_that_is_not_possible_any_more_says_why(page: Page, world: World) -> None:
    await prepare_scene(world)
    await page.goto(f"/meetings/{MEETING}")
    button = page.locator("#next-button")
    await expect(button).to_contain_text("Выйти в эфир")
    # Between two snapshots somebody else was faster.
    await page.route("**/events*", lambda route: route.abort())
    await page.reload()
    await world.snapshot(MEETING, MeetingState.LIVE)
    await button.click()
    await expect(page.locator("#said")).to_contain_text("Сейчас это невозможно")
    await expect(page.locator("#said")).to_contain_text("Завершить встречу")


async def test_a_meeting_is_planned_by_the_form(page: Page, world: World) -> None:
    await world.meeting(starts=datetime.now(UTC) + timedelta(days=2))
    await world.meeting(
        "2027-02-20-akmola-aaaa", region="akmola", starts=datetime.now(UTC) + timedelta(hours=1)
    )
    await world.records.set_state(
        "2027-02-20-akmola-aaaa", MeetingState.PLANNED, MeetingState.PREPARING, by="test"
    )
    await page.goto("/")
    await shot(page, "meetings")
    await page.fill("[name='title.kk']", "Есеп")
    await page.fill("[name='title.ru']", "Отчёт")
    await page.fill("[name=starts]", "2020-02-19T10:00")
    await page.click("#plan button.primary")
    await expect(page.locator("#plan .error")).to_contain_text("Это время уже прошло")
    await expect(page.locator("[name=starts]")).to_have_attribute("aria-invalid", "true")
    await page.fill("[name=starts]", "2127-02-19T10:00")
    await page.click("#plan button.primary")
    await page.wait_for_url("**/meetings/2127-02-19-abai-*")
    await expect(page.locator("#state strong")).to_have_text("Запланирована")
    await shot(page, "console-planned")
    [made] = await world.records.meetings(since=datetime(2100, 1, 1, tzinfo=UTC))
    assert replace(made.title, en="") == made.title
