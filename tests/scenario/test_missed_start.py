"""A start that was missed is made up for the remaining time; nothing is cut by the clock."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.scenario.house import House, pass_until
from tests.scenario.world import until_there

pytestmark = [
    pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)
]  # fmt: skip


async def test_a_missed_start_is_made_up_and_an_overrun_goes_on(house: House) -> None:
    client, service = house.client, house.service
    await asyncio.to_thread(house.forget_recordings)
    planned = time.time()
    meeting = await client.plan_in(7.5, 13, destinations=["first"])
    starts, ends = planned + 7.5, planned + 20.5
    await service.stop()
    assert not house.folder(meeting).exists(), "nothing began before the service went"
    await pass_until(starts + 3)

    await house.stage.hall.start()
    back = time.time()
    await service.start()
    await client.reaches(meeting, "LIVE", 30)
    up = await until_there(lambda: house.arrivals.after("first", back), 20, "bytes at the account")
    assert up < ends, "the remaining time is used"
    print(f"on air {up - back:.1f} s after the service was started again")

    await pass_until(ends + 2)
    assert await client.state(meeting) == "LIVE"
    legs = await client.legs(meeting)
    assert all(leg["health"] == "green" for leg in legs.values() if leg["wanted"]), legs
    before = legs["relay:first"]["bytes"]
    await pass_until(time.time() + 1.5)
    assert (await client.legs(meeting))["relay:first"]["bytes"] > before
    await client.does(meeting, "end")
    await client.reaches(meeting, "ARCHIVED", 60)
    await house.stage.hall.stop()
    assert len(house.recordings("first")) == 1
