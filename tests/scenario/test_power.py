"""The power fails at any moment of a recording: it opens, and at most a second is missing."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from streamer.archive.verify import verify
from streamer.demo import measure
from streamer.demo.accounts import free_port
from tests.scenario.house import CHEAP, SCHEDULE, pass_until
from tests.scenario.world import Client, Service, events_of, until_there

pytestmark = [
    pytest.mark.scenario, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)
]  # fmt: skip
KILLS = 10
SEED = 20270219
LOST_S = 1.0
REGION = """\
slug: abai
code: "100000000"
kind: region
names: {kk: "Абай облысы", ru: "область Абай"}
centre: {kk: "Семей", ru: "Семей"}
time_zone: Asia/Almaty
halls:
  - id: main
    names: {kk: "Негізгі зал", ru: "Главный зал"}
    sources:
      - {id: hall, kind: test}
"""


@dataclass(slots=True)
class Recording:
    """A service that only records a test picture."""

    service: Service
    client: Client

    def folder(self, meeting: str) -> Path:
        return self.service.home / "meetings" / meeting


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def recording(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Recording]:
    home = tmp_path_factory.mktemp("power")
    port = free_port()
    times = "".join(f"  {key}: {value}\n" for key, value in SCHEDULE.items())
    (home / "configs" / "regions").mkdir(parents=True)
    (home / "configs" / "streamer.yaml").write_text(
        f"home: {home / 'var'}\nweb:\n  port: {port}\nschedule:\n{times}"
    )
    (home / "configs" / "regions" / "abai.yaml").write_text(REGION + CHEAP)
    service = Service(home / "configs", home / "var", f"http://127.0.0.1:{port}", {})
    try:
        yield Recording(service, await service.start())
    finally:
        await service.close()


async def test_ten_power_cuts_cost_a_second_each_at_most(recording: Recording) -> None:
    """Every time the master opens; the meeting goes on by itself when the power is back."""
    dice = random.Random(SEED)
    client, service = recording.client, recording.service
    meeting = await client.plan_in(0, 3600, destinations=[])
    folder = recording.folder(meeting)
    await client.reaches(meeting, "LIVE")
    lost = []
    for number in range(1, KILLS + 1):
        part = folder / "master" / f"part-{number:04d}.ts"
        began = await until_there(partial(_written, part), 40, f"part {number} grows")
        moment = dice.uniform(0.1, 2.5)
        await pass_until(began + moment)
        killed = await service.kill_everything()
        lost.append(_lost(folder, part, killed))
        print(f"seed {SEED}, cut {number}: {moment:.2f} s into the part, {lost[-1]:.2f} s lost")
        await service.spawn()
    assert max(lost) <= LOST_S, lost

    await until_there(lambda: _written(folder / "master" / "part-0011.ts"), 40, "the last part")
    await client.reaches(meeting, "LIVE", 40)
    await client.does(meeting, "end")
    await client.reaches(meeting, "ARCHIVED", 60)
    report = verify(next((service.home / "archive").glob(f"*/{meeting}")))
    assert report.ok, report.faults
    assert len(report.master) == KILLS + 1
    sequence = [event["seq"] for event in events_of(folder)]
    assert sequence == list(range(1, len(sequence) + 1))


def _written(part: Path) -> float | None:
    """When the part was first seen with a picture; POSIX seconds."""
    return time.time() if part.exists() and part.stat().st_size > 5000 else None


def _lost(folder: Path, part: Path, killed: float) -> float:
    """Seconds from the end of the master to the moment of the cut, by the programme's clock.

    What the encoder held back is counted as lost too: nobody will ever see it.
    """
    epoch = float(json.loads((folder / "run.json").read_text())["epoch"])
    times = measure.timestamps(part)
    assert times["video"].packets > 1, f"{part.name} does not open"
    assert re.fullmatch(r"part-\d{4}\.ts", part.name)
    return killed - (epoch + times["video"].last)
