"""The recorders: killed, on full and read-only disks, and in a process that dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.demo.measure import compare, frames, timestamps
from streamer.domain.legs import LegState
from streamer.media import hls
from streamer.media.commands import ffmpeg_path
from streamer.media.recorder import next_part
from tests.component.media.stage import accounts, given, stage, until

pytestmark = pytest.mark.component


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, timeout=10).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=10)


async def test_the_viewing_copy_goes_on_in_a_new_part_when_its_recorder_is_killed(
    tmp_path: Path, film: Path
) -> None:
    async with stage(tmp_path) as it:
        master, viewing = it.master(), it.hls()
        await it.play(film)
        await until(lambda: len(list((tmp_path / "hls/part-0001").glob("*.m4s"))) >= 2)
        assert viewing.pid
        os.kill(viewing.pid, signal.SIGKILL)
        await until(lambda: len(list((tmp_path / "hls/part-0002").glob("*.m4s"))) >= 1)
        await it.finish()
        assert master.tries == 1
        assert viewing.tries == 2

        hls.write_composed(tmp_path, closed=True)
        text = (tmp_path / "hls/index.m3u8").read_text()
        assert text.count("#EXT-X-DISCONTINUITY\n") == 1
        assert text.endswith("#EXT-X-ENDLIST\n")
        parts = {line.split("/")[0] for line in text.splitlines() if line.startswith("part-")}
        assert parts == {"part-0001", "part-0002"}
        # Programme time goes on in the second part, and only the tail of the first one is missing.
        joined = [joined_part(tmp_path / f"hls/part-000{number}") for number in (1, 2)]
        whole = frames(tmp_path / "master/part-0001.ts")
        delivery = compare(whole, [frames(part) for part in joined])
        assert delivery.foreign == 0
        assert delivery.lost <= 3 * 25  # a segment of two seconds, and until the next keyframe
        assert delivery.last == whole[-1].pts
        first, second = (timestamps(part)["video"] for part in joined)
        assert first.monotonic
        assert second.monotonic
        assert first.last < second.first


def joined_part(folder: Path) -> Path:
    """One file of all segments of a part: its own playlist has no end when it was killed."""
    path = folder.with_suffix(".mp4")
    segments = sorted(folder.glob("*.m4s"))
    path.write_bytes(b"".join(f.read_bytes() for f in [folder / "init.mp4", *segments]))
    return path


async def test_a_full_disk_is_said_and_costs_nobody_else_a_frame(
    tmp_path: Path, film: Path, small_disk: Path
) -> None:
    async with stage(tmp_path) as it, accounts(tmp_path, "good") as (good,):
        master = it.master()
        second = it.master(small_disk / "master", "a2")
        viewing = it.hls()
        relay = it.relay("good", given(good.url))
        await it.play(film)
        await it.running(master, second, viewing, relay)
        await until(lambda: "No space left" in second.error)
        tries = second.tries
        await until(lambda: second.tries >= tries + 3)
        assert second.error.startswith(f"cannot write {small_disk}/master/part-")
        assert "free or mend the disk" in second.error
        # A disk that stays full for hours does not fill up with empty parts.
        assert len(list((small_disk / "master").iterdir())) <= 3
        (small_disk / "master/part-0001.ts").unlink()
        await it.running(second)
        await it.moves_on(relay)
        await it.finish()

        assert (master.tries, viewing.tries, relay.tries) == (1, 1, 1)
        delivery = await it.delivered(good)
        assert (delivery.lost, delivery.foreign) == (0, 0)
        recovered = sorted((small_disk / "master").iterdir())[-1]
        assert next_part(small_disk / "master", r"part-(\d{4,})\.ts") > 2
        assert len(frames(recovered)) > 0


async def test_a_read_only_disk_is_said_and_mended(
    tmp_path: Path, film: Path, small_disk: Path
) -> None:
    remount = ["mount", "-o", "remount,size=100m,{}", str(small_disk)]

    def become(how: str) -> None:
        subprocess.run([word.format(how) for word in remount], check=True, timeout=10)

    become("ro")
    async with stage(tmp_path) as it:
        master, second = it.master(), it.master(small_disk / "master", "a2")
        viewing = it.hls(small_disk / "hls")
        await it.play(film)
        await until(lambda: "Read-only" in second.error and "Read-only" in viewing.error)
        assert str(small_disk) in viewing.error
        assert LegState.FAILED not in {*it.states(second), *it.states(viewing)}
        become("rw")
        await it.running(master, second, viewing)
        assert master.tries == 1


ALONE = """
import asyncio, os, sys
from pathlib import Path
from streamer.domain.legs import LegKind
from streamer.media.hub import Hub
from streamer.media.leg import Leg
from streamer.media.recorder import Master
async def main():
    hub = Hub()
    leg = Leg("recorder:a", LegKind.RECORDER, Master(hub, Path(sys.argv[1])).attempt)
    task = asyncio.create_task(leg.run(), name=leg.id)
    asyncio.get_running_loop().add_reader(0, lambda: hub.feed(os.read(0, 65536)))
    await task
asyncio.run(main())
"""


async def test_a_process_that_is_killed_leaves_a_file_that_opens(
    tmp_path: Path, film: Path
) -> None:
    """Promise 4: kill -9 at any moment costs at most one second."""
    folder, fed = tmp_path / "master", tmp_path / "fed.ts"
    film_argv = [
        ffmpeg_path(), "-nostdin", "-v", "error", "-re", "-i", str(film), "-c", "copy",
        "-muxdelay", "0", "-flush_packets", "1", "-f", "mpegts", "pipe:1",
    ]  # fmt: skip
    alone = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ALONE, str(folder), stdin=asyncio.subprocess.PIPE
    )
    player = await asyncio.create_subprocess_exec(*film_argv, stdout=asyncio.subprocess.PIPE)
    assert alone.stdin
    assert player.stdout
    try:
        async with asyncio.timeout(30):
            with open(fed, "wb") as copy:  # noqa: ASYNC230 - a small file of a test
                while not copy.tell() > 1_000_000:
                    data = await player.stdout.read(65_536)
                    copy.write(data)
                    alone.stdin.write(data)
                    await alone.stdin.drain()
            alone.kill()
            await alone.wait()
    finally:
        for process in (alone, player):
            if process.returncode is None:
                process.kill()
        alone.stdin.close()
        await player.communicate()
        await alone.communicate()
    whole, kept = frames(fed), frames(folder / "part-0001.ts")
    delivery = compare(whole, [kept])
    assert (delivery.lost, delivery.foreign) == (0, 0)
    assert kept[0].pts - whole[0].pts <= 1.1  # it begins at the next keyframe
    assert whole[-1].pts - kept[-1].pts <= 1.0
