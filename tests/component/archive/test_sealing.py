"""Sealing and verifying real recordings, with crashes and damage."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streamer.archive import chain
from streamer.archive.hashing import Interrupted, Meter
from streamer.archive.report import Report
from streamer.archive.seal import PackageDamaged, Progress, Sealed, Step, key_of, seal
from streamer.archive.verify import verify
from streamer.domain.errors import NotFound
from streamer.media import hls
from streamer.store.archive_store import FolderStore
from tests.component.archive.conftest import FIRST_S, SECOND_AT, SECOND_S
from tests.unit.archive.makers import ID, DyingStore, meeting, spec

pytestmark = pytest.mark.component
KEY = f"2027/{ID}"


async def sealed(folder: Path, home: Path, **more: Any) -> Sealed:
    options: dict[str, Any] = {
        "store": FolderStore(home / "archive"),
        "staging": home / "staging",
        "chain_file": home / "archive/chain.ndjson",
    }
    return await seal(folder, meeting(), spec(), **(options | more))


@pytest.fixture
async def package(folder: Path, tmp_path: Path) -> Path:
    """A sealed package; a copy of its own, so that it can be damaged."""
    await sealed(folder, tmp_path)
    return Path(shutil.copytree(tmp_path / "archive" / KEY, tmp_path / "taken away"))


def codes(report: Report) -> set[tuple[str, str]]:
    return {(finding.code, finding.path) for finding in report.faults}


async def test_a_meeting_is_sealed(folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    result = await sealed(folder, tmp_path, on_progress=seen.append)
    assert result.key == key_of(meeting()) == KEY
    report = verify(tmp_path / "archive" / KEY, chain_file=tmp_path / "archive/chain.ndjson")
    assert report.ok, report.text()
    assert report.totals.manifest_sha256 == result.manifest_sha256
    assert (report.totals.files, report.totals.bytes) == (result.files, result.bytes)
    (entry,) = chain.verify_chain(tmp_path / "archive/chain.ndjson").entries
    assert (entry.meeting, entry.manifest_sha256) == (ID, result.manifest_sha256)
    assert not (tmp_path / "staging" / ID).exists()
    assert {p.step for p in seen} == set(Step)
    hashing = [p for p in seen if p.step is Step.VERIFYING][-1]
    assert hashing.done >= result.bytes


async def test_the_report_tells_a_person_what_was_recorded(package: Path) -> None:
    report = verify(package, deep=True)
    assert report.exit_code == 0
    text = report.text()
    assert "master: 2 parts, 0:00:12" in text
    assert f"the master has a hole of {SECOND_AT - 1 - FIRST_S:.1f} s at 0:00:08" in text
    assert text.endswith("\nOK")
    (hole,) = report.holes
    assert (hole.start_s, hole.end_s) == pytest.approx((1 + FIRST_S, SECOND_AT), abs=0.1)
    assert report.viewing_s == pytest.approx(FIRST_S + SECOND_S, abs=0.1)
    data = json.loads(json.dumps(report.as_dict()))
    assert data["ok"] is True
    assert data["master"]["parts"][1]["streams"][0]["first_s"] == pytest.approx(SECOND_AT, abs=0.1)
    assert data["master"]["parts"][0]["decoded"] > 25 * FIRST_S


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name",
    [
        "data/video/master/part-0001.ts", "data/video/hls/part-0002/seg-00002.m4s",
        "data/video/hls/part-0001/init.mp4", "data/video/hls/index.m3u8", "data/as-run.ndjson",
        "data/deliveries.csv", "data/meeting.json", "data/dc.xml", "data/spec.json",
        "manifest-sha256.txt", "bag-info.txt",
    ],
)  # fmt: skip
def test_one_changed_byte_is_named(package: Path, name: str) -> None:
    flip(package / name)
    report = verify(package)
    assert report.exit_code == 1
    assert ("changed", name) in codes(report) or "manifest" in name


def test_missing_and_added_files_are_named(package: Path) -> None:
    (package / "data/video/master/part-0002.ts").unlink()
    (package / "data/video/hls/part-0001/seg-00001.m4s").unlink()
    (package / "data/video/master/part-0003.ts").write_bytes(b"added")
    found = codes(verify(package))
    assert ("missing", "data/video/master/part-0002.ts") in found
    assert ("part_missing", "data/video/master/part-0002.ts") in found
    assert ("missing", "data/video/hls/part-0001/seg-00001.m4s") in found
    assert ("not_there", "data/video/hls/index.m3u8") in found
    assert ("extra", "data/video/master/part-0003.ts") in found


def test_it_verifies_wherever_it_is_moved(package: Path, tmp_path: Path) -> None:
    moved = tmp_path / "басқа жер" / "пакет #1 100%|x"
    moved.parent.mkdir()
    package.rename(moved)
    shutil.rmtree(tmp_path / "archive")
    shutil.rmtree(tmp_path / "meeting")
    assert verify(moved).ok, verify(moved).text()


def test_a_folder_that_is_no_package(tmp_path: Path) -> None:
    assert verify(tmp_path).exit_code == 1
    with pytest.raises(NotFound):
        verify(tmp_path / "nothing")


def test_a_playlist_that_lists_what_is_not_ours(package: Path) -> None:
    playlist = package / "data/video/hls/index.m3u8"
    text = playlist.read_text()
    playlist.write_text(text.replace("part-0001/seg-00001.m4s", "https://example.org/x.m4s"))
    assert ("foreign", "data/video/hls/index.m3u8") in codes(verify(package))


async def test_a_torn_journal_is_sealed_as_it_is(folder: Path, tmp_path: Path) -> None:
    journal = folder / "as-run.ndjson"
    torn = journal.read_bytes()[:-30]
    journal.unlink()
    journal.write_bytes(torn)
    await sealed(folder, tmp_path)
    report = verify(tmp_path / "archive" / KEY)
    assert report.ok
    assert "journal_torn" in {finding.code for finding in report.findings}
    assert (tmp_path / "archive" / KEY / "data/as-run.ndjson").read_bytes() == torn


async def test_a_journal_with_a_hole_is_a_fault_but_is_sealed(folder: Path, tmp_path: Path) -> None:
    journal = folder / "as-run.ndjson"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.unlink()
    journal.write_bytes(b"".join(lines[:4] + lines[6:]))
    await sealed(folder, tmp_path)
    report = verify(tmp_path / "archive" / KEY)
    assert ("journal_gap", "data/as-run.ndjson") in codes(report)
    assert "events 5 to 6 are missing" in report.text()


async def test_a_part_that_died_at_once_is_a_note(folder: Path, tmp_path: Path) -> None:
    (folder / "master/part-0003.ts").write_bytes(b"")
    (folder / "master/part-0004.ts").write_bytes(b"\x47\x40\x00\x10" + b"\xff" * 184)
    await sealed(folder, tmp_path)
    report = verify(tmp_path / "archive" / KEY)
    assert report.ok, report.text()
    notes = {(f.code, f.path) for f in report.findings}
    assert ("empty", "data/video/master/part-0003.ts") in notes
    assert ("unreadable", "data/video/master/part-0004.ts") in notes


async def test_sealing_twice_is_sealing_once(folder: Path, tmp_path: Path) -> None:
    first = await sealed(folder, tmp_path)
    before = (tmp_path / "archive/chain.ndjson").read_bytes()
    assert await sealed(folder, tmp_path) == first
    assert (tmp_path / "archive/chain.ndjson").read_bytes() == before


async def test_a_store_that_dies_while_it_takes_the_package(folder: Path, tmp_path: Path) -> None:
    store = DyingStore(tmp_path / "archive", deaths=2)
    for _ in range(2):
        with pytest.raises(ConnectionAbortedError):
            await sealed(folder, tmp_path, store=store)
        assert not await store.exists(KEY)
    result = await sealed(folder, tmp_path, store=store)
    assert verify(tmp_path / "archive" / KEY).ok
    assert len(chain.verify_chain(tmp_path / "archive/chain.ndjson").entries) == 1
    assert result.files > 10


@pytest.mark.parametrize("step", list(Step))
async def test_cancelled_in_any_step_and_sealed_again(
    folder: Path, tmp_path: Path, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.archive.seal.TICK_S", 0.0005)
    task: asyncio.Task[Sealed]

    def stop_in(progress: Progress) -> None:
        if progress.step is step:
            task.cancel()

    task = asyncio.create_task(sealed(folder, tmp_path, on_progress=stop_in), name="seal")
    with pytest.raises(asyncio.CancelledError):
        await task
    result = await sealed(folder, tmp_path)
    assert verify(tmp_path / "archive" / KEY, chain_file=tmp_path / "archive/chain.ndjson").ok
    (entry,) = chain.verify_chain(tmp_path / "archive/chain.ndjson").entries
    assert entry.manifest_sha256 == result.manifest_sha256


SEAL = """
import asyncio, sys
from pathlib import Path
from streamer.archive import seal as sealing
from streamer.store.archive_store import FolderStore
from tests.unit.archive.makers import meeting, spec

def say(progress):
    print(progress.step, progress.done, flush=True)

home, folder = Path(sys.argv[1]), Path(sys.argv[2])
sealing.TICK_S = 0.0005
asyncio.run(sealing.seal(
    folder, meeting(), spec(), store=FolderStore(home / "archive"), staging=home / "staging",
    chain_file=home / "archive/chain.ndjson", on_progress=say))
"""


@pytest.mark.parametrize("step", list(Step))
def test_killed_in_any_step_and_sealed_again(folder: Path, tmp_path: Path, step: Step) -> None:
    command = [sys.executable, "-c", SEAL, str(tmp_path), str(folder)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        reached = any(line.startswith(step) for line in child.stdout)
        child.kill()
        child.wait(20)
    assert reached
    subprocess.run(command, cwd=root, check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert verify(tmp_path / "archive" / KEY, chain_file=tmp_path / "archive/chain.ndjson").ok
    assert len(chain.verify_chain(tmp_path / "archive/chain.ndjson").entries) == 1
    assert not (tmp_path / "staging" / ID).exists()


async def test_what_the_archive_lost_is_not_called_sealed(folder: Path, tmp_path: Path) -> None:
    await sealed(folder, tmp_path)
    (tmp_path / "archive" / KEY / "data/dc.xml").unlink()
    with pytest.raises(PackageDamaged) as caught:
        await sealed(folder, tmp_path)
    assert caught.value.tried["missing"] == ["data/dc.xml"]


async def test_another_manifest_than_the_chains(folder: Path, tmp_path: Path) -> None:
    """Whoever makes all hashes new still has not the manifest of the chain."""
    await sealed(folder, tmp_path)
    chained = tmp_path / "archive/chain.ndjson"
    (folder / "master/part-0002.ts").unlink()
    (folder / "master/part-0002.ts").write_bytes(b"another film")
    await sealed(folder, tmp_path / "second")
    other = verify(tmp_path / "second/archive" / KEY, chain_file=chained)
    assert ("not_in_chain", "chain.ndjson") in codes(other)


def test_verifying_can_be_stopped(package: Path) -> None:
    meter = Meter()
    meter.stop.set()
    with pytest.raises(Interrupted):
        verify(package, meter=meter)


async def test_the_folder_of_the_meeting_is_left_alone(folder: Path, tmp_path: Path) -> None:
    def look() -> dict[str, tuple[int, int]]:
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}

    hls.write_composed(folder, closed=False)
    before = look()
    await sealed(folder, tmp_path)
    assert look() == before
    text = (tmp_path / "archive" / KEY / "data/video/hls/index.m3u8").read_text()
    assert text.endswith("#EXT-X-ENDLIST\n")


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    """A gigabyte is hashed in a process that may not use 300 MB of memory for its data."""
    big = tmp_path / "big.ts"
    with big.open("wb") as file:
        os.truncate(file.fileno(), 1 << 30)
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (300 << 20,) * 2);"
        "from pathlib import Path; from streamer.archive.hashing import Meter, sha256;"
        "sha256(Path(sys.argv[1]), Meter())"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(big)], check=True, timeout=100,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
