"""The journal: nothing that was said is lost, whatever the disk does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.domain.events import Event, EventName
from streamer.run.journal import Journal


def journal(path: Path) -> Journal:
    made = Journal(path, "m")
    made.open()
    return made


def lines(path: Path) -> list[Event]:
    return [Event.from_json(line) for line in path.read_bytes().splitlines()]


def test_a_line_is_on_disk_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "meeting" / "as-run.ndjson"
    made = journal(path)
    event = made.append(EventName.MUTED, {"muted": True, "by": "Әсел"})
    assert lines(path) == [Event("m", 1, round(event.at, 3), EventName.MUTED, event.data)]
    made.close()
    made.close()


def test_a_run_that_takes_over_goes_on_counting(tmp_path: Path) -> None:
    path = tmp_path / "as-run.ndjson"
    first = journal(path)
    for _ in range(3):
        first.append(EventName.MUTED, {})
    first.close()
    second = journal(path)
    assert [event.seq for event in second.events] == [1, 2, 3]
    assert second.append(EventName.MUTED, {}).seq == 4
    second.close()
    assert [event.seq for event in lines(path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("torn", [b"{", b'{"meeting":"m","seq":9,"at":1.0,"name":"muted","da', b"\xff\xfe"])  # fmt: skip  # noqa: E501
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "as-run.ndjson"
    first = journal(path)
    first.append(EventName.MUTED, {})
    first.close()
    path.write_bytes(path.read_bytes() + torn)
    second = journal(path)
    second.append(EventName.MUTED, {})
    second.close()
    assert [event.seq for event in lines(path)] == [1, 2]


def test_a_damaged_line_in_the_middle_stays_and_is_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / "as-run.ndjson"
    good = Event("m", 5, 1.0, EventName.MUTED, {}).to_json().encode()
    newer = good.replace(b"muted", b"of_a_newer_version")
    path.write_bytes(good + b"\nrubbish\n" + newer + b"\n" + good.replace(b"5", b"6") + b"\n")
    made = journal(path)
    assert [event.seq for event in made.events] == [5, 6]
    assert made.append(EventName.MUTED, {}).seq == 7
    made.close()
    assert b"\nrubbish\n" in path.read_bytes()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from streamer.domain.events import EventName
from streamer.run.journal import Journal
path = Path(sys.argv[1])
soft = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
journal = Journal(path, "m")
journal.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (250, soft))   # in the middle of the third line
for number in range(5):
    journal.append(EventName.MUTED, {"muted": True, "by": "x" * 20})
assert journal.error == "File too large", journal.error
assert path.stat().st_size == 250, path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, soft))
journal.append(EventName.MUTED, {"muted": False, "by": "y"})
assert journal.error == "", journal.error
journal.close()
"""


def test_a_full_disk_keeps_the_lines_waiting_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "as-run.ndjson"
    subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], check=True, timeout=30)
    assert [event.seq for event in lines(path)] == [1, 2, 3, 4, 5, 6]


async def test_a_device_that_refuses_everything_does_not_end_the_meeting() -> None:
    made = Journal(Path("/dev/full"), "m")
    made._fd = os.open("/dev/full", os.O_WRONLY)
    keeping = asyncio.create_task(made.keep_durable(), name="journal")
    try:
        for number in range(3):
            assert made.append(EventName.MUTED, {}).seq == number + 1
        assert made.error == "No space left on device"
        await asyncio.sleep(0.7)  # it has tried again meanwhile
        assert not keeping.done()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        made.close()


async def test_a_sync_that_fails_does_not_end_the_meeting(tmp_path: Path) -> None:
    reading, writing = os.pipe()  # a pipe takes lines and cannot be synced
    made = Journal(tmp_path / "as-run.ndjson", "m")
    made._fd = writing
    made.append(EventName.MUTED, {})
    keeping = asyncio.create_task(made.keep_durable(), name="journal")
    try:
        async with asyncio.timeout(5):
            while not made.error:  # noqa: ASYNC110 - its own pace is what is tested
                await asyncio.sleep(0.02)
        assert not keeping.done()
        assert made.error == "Invalid argument"
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        made.close()
        os.close(reading)
