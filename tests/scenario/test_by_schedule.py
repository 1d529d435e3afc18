"""A whole meeting by the schedule: nobody clicks, everything arrives, the record is whole."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from itertools import pairwise

import pytest

from streamer.demo import measure
from tests.scenario.house import EVERY_ACCOUNT, House, Recorded
from tests.scenario.world import until

pytestmark = [
    pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)
]  # fmt: skip
STATES = ["PLANNED", "PREPARING", "LINE_UP", "LIVE", "ENDING", "ARCHIVED"]


async def test_a_meeting_goes_from_plan_to_archive_without_a_click(full_house: House) -> None:
    house, client = full_house, full_house.client
    meeting = await client.plan_in(8, 8, destinations=EVERY_ACCOUNT, end_by_schedule=True)
    await house.stage.hall.start()
    await client.reaches(meeting, "ENDING")
    ended = asyncio.get_running_loop().time()
    await until(lambda: client.watchable(meeting), 20, "the recording is watchable")
    assert asyncio.get_running_loop().time() - ended <= 5.0
    await client.reaches(meeting, "ARCHIVED", 40)
    await house.stage.hall.stop()

    events = await client.as_run(meeting)
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    moves = [e["data"] for e in events if e["name"] == "meeting_state_changed"]
    assert [(m["from"], m["to"]) for m in moves] == list(pairwise(STATES))
    assert {m["by"] for m in moves} <= {"schedule", "archive"}
    names = {e["name"] for e in events}
    assert {"configuration_frozen", "run_started", "relay_connected", "recording_part_started",
            "recording_part_finished", "off_air_confirmed", "run_finished",
            "package_sealed"} <= names  # fmt: skip

    recorded = await asyncio.to_thread(Recorded.of, house.folder(meeting))
    await asyncio.to_thread(_every_frame_arrived, house, recorded)
    await _the_archive_answers(house, meeting)
    assert await house.keys_found(meeting) == set()
    assert house.hunt.command_lines > 100


def _every_frame_arrived(house: House, recorded: Recorded) -> None:
    for name in EVERY_ACCOUNT:
        files = house.recordings(name)
        assert len(files) == 1, f"{name} was connected {len(files)} times"
        delivery = recorded.delivery(files)
        assert (delivery.lost, delivery.foreign, delivery.duplicated) == (0, 0, 0), name
        # Off air comes a second after the end was asked for, and the slate is part of it.
        assert delivery.last is not None
        assert delivery.last >= recorded.programme_s(recorded.at("ENDING")) + 0.5, name
        times = measure.timestamps(files[0])
        assert all(found.monotonic for found in times.values()), name
        assert delivery.first is not None
        assert delivery.first <= recorded.programme_s(recorded.at("LIVE")) + 0.1, name
    third = house.arrivals.after("third", recorded.at("LINE_UP"))
    assert third is not None
    assert 0 <= third - recorded.at("LIVE") <= 2.0, "public on its first byte, two seconds"
    picture = measure.read_picture(house.recordings("first")[0])
    assert picture.seconds(measure.Shown.HALL) > 6
    assert picture.seconds(measure.Shown.OTHER) == 0
    sound = measure.av_offset(picture, measure.read_sound(house.recordings("first")[0]))
    assert sound.median_ms is not None
    assert abs(sound.median_ms) <= 60


async def _the_archive_answers(house: House, meeting: str) -> None:
    client = house.client
    package = await asyncio.to_thread(house.package, meeting)
    verify = [sys.executable, "-m", "streamer.cli", "verify", "--deep", str(package)]
    done = await asyncio.to_thread(
        subprocess.run, verify, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout
    page = await client.text(f"/archive/{meeting}")
    assert "manifest-sha256.txt" in page
    found = await client.archived(meeting)
    playlist = await client.text(found["watch"])
    segments = [line for line in playlist.splitlines() if line.endswith(".m4s")]
    assert "#EXT-X-ENDLIST" in playlist
    assert len(segments) >= 4
    first = await client.text(found["watch"].replace("index.m3u8", segments[0]))
    assert len(first) > 1000
