"""A signed-in page of a real browser, against the whole web part on a free port."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, Response, ViewportSize, async_playwright

from streamer.web.app import serve
from tests.component.web.world import PASSWORD, World

SIZE: ViewportSize = {"width": 1366, "height": 768}
"""A technician's laptop."""
WAIT_MS = 15_000
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--autoplay-policy=no-user-gesture-required"]  # fmt: skip


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The address of the service while it runs."""
    stop = asyncio.Event()
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(world.context, host="127.0.0.1", port=0, stop=stop, ready=ready.set_result),
        name="serve",
    )
    try:
        async with asyncio.timeout(10):
            await asyncio.wait((ready, task), return_when=asyncio.FIRST_COMPLETED)
        yield await ready if ready.done() else await _failed(task)
    finally:
        stop.set()
        async with asyncio.timeout(15):
            await task


async def _failed(task: asyncio.Task[None]) -> str:
    await task
    raise RuntimeError("the service ended before it was ready")


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Page]:
    """A page; leaving fails for any error of a script, of our policy, or of a missing file."""
    wrong: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=ARGUMENTS
        )
        context = await browser.new_context(
            viewport=SIZE,
            base_url=address,
            color_scheme="dark" if os.environ.get("SCHEME") == "dark" else "light",
        )
        page = await context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if "Policy" in m.text else None)
        page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if _lost(r) else None)
        yield page
        await context.close()
        await browser.close()
    assert not wrong


def _lost(response: Response) -> bool:
    return response.status >= 400 and "/static/" in response.url


async def enter(page: Page, language: str) -> None:
    """Sign in by the form."""
    await page.goto(f"/login?lang={language}")
    await page.fill("[name=name]", "aru")
    await page.fill("[name=password]", PASSWORD)
    await page.click("button.primary")
    await page.wait_for_url("**/")


async def shot(page: Page, name: str) -> None:
    """Keep a picture in the folder that SHOTS names, for people to look at."""
    folder = os.environ.get("SHOTS")
    if folder:
        await asyncio.to_thread(Path(folder).mkdir, parents=True, exist_ok=True)
        await page.screenshot(path=f"{folder}/{name}.png")


async def until(page: Page, expression: str) -> None:
    """Wait until a condition of the page is true (our policy forbids Playwright's own way)."""
    async with asyncio.timeout(WAIT_MS / 1000):
        while not await page.evaluate(expression):
            await page.wait_for_timeout(50)
