"""A service with three accounts and a hall, ready for meetings one after the other."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamer.demo import measure, stage
from streamer.demo.hall import Form
from streamer.demo.measure import Delivery, Frame
from streamer.demo.watching import Arrivals, KeyHunt
from tests.scenario.world import Client, Service, events_of, new_recordings

SCHEDULE = {"prepare_before": "6s", "line_up_before": "4s", "off_air_slate": "1s"}
CHEAP = """\
programme:
  width: 320
  height: 180
  video_kbps: 600
  preset: ultrafast
"""
"""A picture that costs little, for meetings in which it does not matter."""
SMALL_HALL = """\
  - id: small
    names: {kk: "Кіші зал", ru: "Малый зал"}
"""
CHEAP_HALL = Form(width=320, height=180, video_kbps=600, gop_s=1)
"""A keyframe every second: no feed can show a picture before the hall's next keyframe."""
NOT_OVER = ("PLANNED", "POSTPONED", "PREPARING", "LINE_UP", "LIVE")
EVERY_ACCOUNT = list(stage.NAMES)


@dataclass(slots=True)
class House:
    """Everything of one service, and who watches it from outside."""

    stage: stage.Stage
    service: Service
    client: Client
    arrivals: Arrivals
    hunt: KeyHunt
    _before: dict[str, set[Path]] = field(default_factory=dict)

    def folder(self, meeting: str) -> Path:
        return self.service.home / "meetings" / meeting

    def package(self, meeting: str) -> Path:
        """The sealed package. Blocking."""
        return next((self.service.home / "archive").glob(f"*/{meeting}"))

    def forget_recordings(self) -> None:
        """What arrived at the accounts so far belongs to other meetings. Blocking."""
        accounts = self.stage.accounts
        self._before = {name: set(account.recordings()) for name, account in accounts.items()}

    def recordings(self, account: str) -> list[Path]:
        """What arrived at an account in this meeting, a file for each connection. Blocking."""
        return new_recordings(self.stage.accounts[account], self._before.get(account, set()))

    async def end_all(self) -> None:
        """End or cancel whatever is not over yet."""
        _, found = await self.client.ask("GET", "/api/meetings?state=" + ",".join(NOT_OVER))
        for meeting in found["meetings"]:
            live = await self.client.state(meeting["id"]) == "LIVE"
            await self.client.command(meeting["id"], "end" if live else "cancel")
            await self.client.reaches(meeting["id"], "ARCHIVED" if live else "CANCELLED")
            await self.stage.hall.stop()

    async def keys_found(self, meeting: str) -> set[str]:
        """Every place in which a key was found that it must not be in."""
        for path in _pages(meeting):
            self.hunt.search_text(f"answer of {path}", await self.client.text(path))
        accounts = self.stage.home / "accounts"
        await asyncio.to_thread(self.hunt.search_files, self.stage.home, leave_out=(accounts,))
        return self.hunt.found


@dataclass(slots=True)
class Recorded:
    """What the folder of a finished meeting says."""

    epoch: float
    """POSIX seconds at which programme time is zero."""
    events: list[dict[str, Any]]
    master: list[Frame]

    @staticmethod
    def of(folder: Path) -> Recorded:
        """Blocking."""
        epoch = float(re.findall(r"[\d.]+", (folder / "run.json").read_text())[0])
        parts = sorted((folder / "master").glob("part-*.ts"))
        return Recorded(
            epoch, events_of(folder), [frame for part in parts for frame in measure.frames(part)]
        )

    def delivery(self, files: list[Path]) -> Delivery:
        """What of the master arrived in the connections of one account. Blocking."""
        return measure.compare(self.master, [measure.frames(path) for path in files])

    def at(self, state: str) -> float:
        """POSIX seconds of a change of the meeting's state."""
        return float(
            next(
                event["at"] for event in self.events
                if event["name"] == "meeting_state_changed" and event["data"]["to"] == state
            )
        )  # fmt: skip

    def programme_s(self, moment: float) -> float:
        return moment - self.epoch

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["name"] == name]


@asynccontextmanager
async def a_house(home: Path, ingest: str, *, cheap: bool) -> AsyncIterator[House]:
    """Accounts, hall (not started) and a running service; all gone at the end."""
    before = dict(os.environ)
    set_ = await stage.build(home, 0, ingest)
    try:
        await asyncio.to_thread(_furnish, set_, cheap)
        text = await asyncio.to_thread((set_.configs / "streamer.yaml").read_text)
        port = re.findall(r"port: (\d+)", text)[0]
        service = Service(set_.configs, home / "var", f"http://127.0.0.1:{port}", {})
        hunt, arrivals = KeyHunt(set_.canaries), Arrivals(set_.accounts)
        watchers = [
            asyncio.create_task(arrivals.run(), name="arrivals"),
            asyncio.create_task(hunt.run(lambda: set_.hall.pid), name="key hunt"),
        ]
        try:
            yield House(set_, service, await service.start(), arrivals, hunt)
        finally:
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
            await service.close()
    finally:
        await set_.close()
        os.environ.clear()
        os.environ.update(before)


def _furnish(set_: stage.Stage, cheap: bool) -> None:
    """Shorter times than the demonstration's, and a cheap picture if wanted."""
    service = set_.configs / "streamer.yaml"
    text = service.read_text()
    for key, value in SCHEDULE.items():
        text = re.sub(rf"{key}: \w+", f"{key}: {value}", text)
    service.write_text(text)
    if cheap:
        region = set_.configs / "regions" / f"{stage.REGION}.yaml"
        text = region.read_text().replace("destinations:\n", SMALL_HALL + "destinations:\n")
        region.write_text(text + CHEAP)
        set_.hall.form = CHEAP_HALL


def _pages(meeting: str) -> list[str]:
    return [
        "/", "/archive", "/healthz", "/readyz", "/metrics", "/api/openapi.json", "/api/meetings",
        *(f"{base}/{meeting}" for base in ("/meetings", "/live", "/archive", "/api/meetings",
                                           "/api/archive/meetings", "/api/public/meetings")),
        f"/api/meetings/{meeting}/live", f"/api/meetings/{meeting}/as-run?limit=1000",
    ]  # fmt: skip


async def pass_until(moment: float) -> None:
    """Let the meeting play until `moment` (POSIX seconds): its own time cannot be polled away."""
    await asyncio.sleep(max(0.0, moment - time.time()))
