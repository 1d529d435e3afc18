"""A run that dies at its start is seen by a person, and starts by itself once it can."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.house import House
from tests.scenario.world import Client, until

pytestmark = [
    pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)
]  # fmt: skip


def a_journal_that_cannot_be_written(folder: Path) -> Path:
    """The run ends when it wants to open its journal. Returns what is in the way."""
    (folder / "as-run.ndjson").mkdir(parents=True)
    return folder / "as-run.ndjson"


def no_folder_at_all(folder: Path) -> Path:
    """The worker itself cannot make the folder, as on a disk that went away."""
    folder.write_text("")
    return folder


@pytest.mark.parametrize("obstacle", [a_journal_that_cannot_be_written, no_folder_at_all])
async def test_it_is_red_with_its_reason_and_goes_on_when_mended(
    house: House, obstacle: Any
) -> None:
    client = house.client
    meeting = await client.plan_in(3600, 600, destinations=["first"])
    in_the_way = obstacle(house.folder(meeting))
    await client.command(meeting, "prepare")

    leg = await until(lambda: _red(client, meeting), 40, "a red leg that says why")
    assert leg["id"] == "run"
    assert leg["act"] == "correct_setting"
    assert str(in_the_way) in leg["error"]
    assert 'kind="run",health="red"' in await client.text("/metrics")
    assert (await client.state(meeting)) == "PREPARING"

    if in_the_way.is_dir():
        shutil.rmtree(in_the_way)
    else:
        in_the_way.unlink()
    mended = time.time()
    await until(lambda: _runs(client, meeting, mended), 40, "the run is there")
    assert (await client.live(meeting))["legs"][0]["id"] != "run"
    await client.does(meeting, "cancel", reason="enough seen")
    await client.reaches(meeting, "CANCELLED")


async def _red(client: Client, meeting: str) -> dict[str, Any] | None:
    legs = (await client.live(meeting))["legs"]
    return next((leg for leg in legs if leg["health"] == "red" and leg["error"]), None)


async def _runs(client: Client, meeting: str, since: float) -> bool:
    live = await client.live(meeting)
    return bool(live.get("run")) and live["at"] > since
