"""What detectors find is on record once, over the death of a run; meters only for who looks."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import imageio_ffmpeg
import pytest

from streamer.config.models import Source
from streamer.domain.events import EventName
from streamer.domain.lifecycle import Command
from streamer.run.signals import SETTLED_S
from tests.component.run.world import ID, World

pytestmark = pytest.mark.component
T = TypeVar("T")


def black_film(path: Path) -> Path:
    """Ten seconds of a camera with its cap on, and a tone."""
    subprocess.run(
        [
            imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i",
            "color=black:s=320x180:r=25[out0];sine=frequency=440:sample_rate=48000[out1]",
            "-t", "10", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(path),
        ],
        check=True, timeout=60,
    )  # fmt: skip
    return path


async def snapshot(world: World) -> dict[str, Any]:
    return await world.live.snapshot(ID) or {}


async def found(ask: Callable[[], Awaitable[T]], seconds: float = 10.0) -> T:
    """Ask until the answer is not empty."""
    async with asyncio.timeout(seconds):
        while not (answer := await ask()):  # noqa: ASYNC110 - another process is watched
            await asyncio.sleep(0.1)
    return answer


async def test_a_black_hall_is_told_once_even_when_the_run_is_replaced(
    world: World, tmp_path: Path
) -> None:
    film = await asyncio.to_thread(black_film, tmp_path / "black.ts")
    source = Source(kind="file", path=film)  # type: ignore[arg-type]
    run = await world.start(world.spec().model_copy(update={"sources": (source,)}))
    await world.until(lambda: world.events(EventName.SIGNAL_FAULT))
    (fault,) = world.events(EventName.SIGNAL_FAULT)
    assert (fault.data["feed"], fault.data["detector"]) == ("feed:hall", "black")
    assert fault.data["programme_s"] > 0

    async def with_signals() -> dict[str, Any] | None:
        shown = await snapshot(world)
        return shown if shown.get("signals") else None

    shown = await found(with_signals)
    assert shown
    (signal,) = shown["signals"]
    assert signal["detector"] == "black"
    assert abs(signal["since"] - fault.at) < 5
    assert shown["feeds"]["feed:hall"]["state"] == "ALIVE"

    # Nobody looks: no meters, no pictures of feeds. Then somebody does.
    assert await world.live.meters([ID]) == {}
    assert await world.live.preview(ID, "feed:hall") is None
    await world.live.say_watched(ID)
    meters = (await found(lambda: world.live.meters([ID])))[ID]
    jpeg = await found(lambda: world.live.preview(ID, "feed:hall"))
    assert jpeg
    assert set(meters["peak_db"]) == {"programme", "feed:hall"}
    assert -30 < meters["peak_db"]["feed:hall"][0] < -5
    assert meters["peak_db"]["programme"] == [-90.0, -90.0], "the slate is on"
    assert jpeg.startswith(b"\xff\xd8")

    run.kill()
    await world.ended(run)
    second = await world.start()
    await world.until(lambda: len(world.events(EventName.RUN_STARTED)) == 2)
    begun = world.events(EventName.RUN_STARTED)[1].at

    async def settled() -> bool:
        return bool((await snapshot(world)).get("at", 0.0) > begun + SETTLED_S + 2)

    await found(settled, SETTLED_S + 30)
    assert len(world.events(EventName.SIGNAL_FAULT)) == 1
    assert world.events(EventName.SIGNAL_RECOVERED) == []
    assert (await snapshot(world))["signals"][0]["feed"] == "feed:hall"

    await world.reach(Command.CANCEL)
    assert await world.ended(second) == 0
    assert (await snapshot(world))["signals"] == []
    assert len(world.events(EventName.SIGNAL_FAULT)) == 1, "feeds that we close are not lost"
