"""What a measure says about other sizes, and where it is found."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from streamer.config.models import ProgrammeSettings
from streamer.run import capacity
from streamer.run.capacity import Measure

HD, FULL_HD = ProgrammeSettings(), ProgrammeSettings(width=1920, height=1080)


def measure(cores: float = 2, encode: float = 0.3, feed: float = 0.12) -> Measure:
    return Measure(
        capacity._machine("ffmpeg"), cores, capacity._key(HD), encode=encode, feed=feed
    )  # fmt: skip


def test_feeds_of_a_measure() -> None:
    assert measure().feeds(HD) == 8  # (2 * 0.8 - 0.25 - 0.3) / 0.12
    assert measure().feeds(FULL_HD) == 2
    assert measure(cores=1, feed=0.5).feeds(HD) == 1, "one feed is always decoded"


def test_a_run_reads_what_the_worker_measured(tmp_path: Path) -> None:
    assert capacity.known(tmp_path, "ffmpeg", HD) is None
    folder = tmp_path / "workers"
    folder.mkdir()
    (folder / "capacity-torn.json").write_text("{")
    other = asdict(measure(feed=9)) | {"machine": "another machine"}
    (folder / "capacity-other.json").write_text(json.dumps(other))
    assert capacity.known(tmp_path, "ffmpeg", HD) is None
    (folder / "capacity-ours.json").write_text(json.dumps(asdict(measure())))
    assert capacity.known(tmp_path, "/opt/ffmpeg", HD) == 8
    assert capacity.known(tmp_path, "ffmpeg", FULL_HD) == 2


def test_it_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Measure] = []

    def count(binary: str, programme: ProgrammeSettings) -> Measure:
        found.append(measure())
        return found[-1]

    monkeypatch.setattr(capacity, "_measure", count)
    for _ in range(2):
        assert capacity.measured(tmp_path, "ffmpeg", HD).feed == 0.12
    assert len(found) == 1
    capacity.measured(tmp_path, "ffmpeg", FULL_HD)
    assert len(found) == 2


def test_an_ffmpeg_that_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="measured"):
        capacity.measured(tmp_path, "/nowhere/ffmpeg", HD)
    assert not list(tmp_path.rglob("capacity-*"))
