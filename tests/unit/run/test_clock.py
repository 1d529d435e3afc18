"""Programme time goes on over every run of a meeting."""

import json
import time
from pathlib import Path

import pytest

from streamer.run import clock
from streamer.run.clock import LEAD_S, ProgrammeClock


def test_the_first_frame_is_at_one_second_and_time_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_803_000_000.0
    monkeypatch.setattr(clock.time, "time", lambda: now)
    path = tmp_path / "meeting" / "run.json"
    first = ProgrammeClock.open(path, 25)
    assert first.next_tick() == 25 * LEAD_S + 1
    now += 600.5
    second = ProgrammeClock.open(path, 25)
    assert second.epoch == first.epoch
    assert second.next_tick() == int(601.5 * 25) + 1


@pytest.mark.parametrize("damage", ["", "{", "{}", '{"epoch": "x"}', '{"epoch": null}', "[1]"])
def test_a_damaged_file_gives_a_new_clock_instead_of_no_meeting(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(damage)
    made = ProgrammeClock.open(path, 25)
    assert made.epoch == pytest.approx(time.time() - LEAD_S, abs=5)
    assert json.loads(path.read_text()) == {"epoch": made.epoch}
    assert not path.with_suffix(".new").exists()
