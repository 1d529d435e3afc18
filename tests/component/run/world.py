"""One meeting run in a process of its own, with a private Redis and real accounts."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from streamer.config.models import (
    Destination,
    LocalNames,
    ProgrammeSettings,
    RecordingSettings,
    RelaySettings,
    ScheduleSettings,
    Source,
)
from streamer.config.spec import MeetingSpec
from streamer.demo.accounts import Account
from streamer.demo.measure import Delivery, compare, frames
from streamer.domain.events import Event, EventName
from streamer.domain.lifecycle import Command
from streamer.store.live import Live
from tests.component.store.servers import RedisServer

ID = "2027-02-19-abai-k3f9"
DEADLINE_S = 40.0
"""Seconds that a busy machine may take for any step."""


class World:
    """What surrounds a run: its home, Redis, accounts, and the sight of its journal."""

    def __init__(self, home: Path, redis: RedisServer) -> None:
        self.home, self.redis = home, redis
        self.live = Live.from_url(redis.url)
        self.accounts: dict[str, Account] = {}
        self.runs: list[subprocess.Popen[bytes]] = []
        self.folder = home / "meetings" / ID

    async def account(self, name: str, *, with_secret: bool = True) -> Account:
        account = Account(name, self.home / "accounts" / name, key=f"hush-{name}-5512")
        await account.start()
        self.accounts[name] = account
        if with_secret:
            self.give_secret(name)
        return account

    def give_secret(self, name: str) -> None:
        path = self.home / "keys" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.accounts[name].key)

    def spec(self, second_disk: Path | None = None) -> MeetingSpec:
        start = datetime.now(UTC)
        names = LocalNames(kk="Есеп", ru="Отчёт")
        return MeetingSpec(
            id=ID, region="abai", region_names=names, title=names, speaker="", hall="main",
            hall_names=names, starts_at=start, ends_at=start + timedelta(hours=2),
            give_up_at=start + timedelta(hours=3), zone="Asia/Almaty",
            wall_start="2027-02-19T10:00", end_by_schedule=False,
            programme=ProgrammeSettings(width=640, height=360, video_kbps=1000, gop_s=1),
            schedule=ScheduleSettings(off_air_slate=timedelta(seconds=1)),
            recording=RecordingSettings(second_disk=second_disk, hls_part_s=1, warn_free_gb=0),
            relay=RelaySettings(connect_timeout_s=5),
            sources=(Source(kind="test"),),  # type: ignore[arg-type]
            destinations=tuple(
                Destination(
                    id=name, name=name, enabled=True, url=account.address,
                    key=f"file:{self.home}/keys/{name}", previewable=name == "preview",
                )
                for name, account in self.accounts.items()
            ),
            home=self.home,
        )  # fmt: skip

    async def start(self, spec: MeetingSpec | None = None) -> subprocess.Popen[bytes]:
        """Start a run of the meeting."""
        if spec is not None:
            await self.live.put_spec(ID, spec.model_dump_json())
        run = await asyncio.to_thread(self._spawn)
        self.runs.append(run)
        return run

    def _spawn(self) -> subprocess.Popen[bytes]:
        run = subprocess.Popen(
            [sys.executable, "-m", "streamer.run.main", "--home", str(self.home), "--worker", "w"],
            stdin=subprocess.PIPE, env={**os.environ, "REDIS_URL": self.redis.url},
            start_new_session=True,
        )  # fmt: skip
        assert run.stdin
        run.stdin.write(json.dumps({"meeting": ID}).encode() + b"\n")
        run.stdin.close()
        return run

    async def say(self, command: Command, **args: Any) -> str:
        return await self.live.send(ID, command, args, "technician")

    async def reach(self, *commands: Command) -> None:
        """Send commands one after the other and wait until each is done."""
        for command in commands:
            id_ = await self.say(command)
            await self.until(lambda id_=id_: any(e.data.get("id") == id_ for e in self.events()))
            (answer,) = [event for event in self.events() if event.data.get("id") == id_]
            assert answer.name is EventName.COMMAND_DONE, answer

    async def until(self, reached: Callable[[], object], seconds: float = DEADLINE_S) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not reached():  # noqa: ASYNC110 - another process is watched
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log = self.folder / "run.log"
            said = log.read_text()[-3000:] if log.exists() else "nothing"
            raise AssertionError(f"it was not reached; the run's log ends:\n{said}") from None

    def events(self, name: EventName | None = None) -> list[Event]:
        """The journal as it is on disk, or its events of one name."""
        path = self.folder / "as-run.ndjson"
        if not path.exists():
            return []
        raw = path.read_bytes()
        lines = raw[: raw.rfind(b"\n") + 1].splitlines()
        events = [Event.from_json(line) for line in lines]
        return [event for event in events if name in (None, event.name)]

    def state(self) -> str:
        moves = self.events(EventName.MEETING_STATE_CHANGED)
        return str(moves[-1].data["to"]) if moves else ""

    def leg(self, leg: str) -> dict[str, Any]:
        """The newest change of a leg; empty when there was none."""
        changes = [e.data for e in self.events(EventName.LEG_STATE_CHANGED) if e.data["leg"] == leg]
        return changes[-1] if changes else {}

    async def running(self, *legs: str) -> None:
        await self.until(lambda: all(self.leg(leg).get("to") == "RUNNING" for leg in legs))

    async def grows(self, path: Path, count: int = 200_000) -> None:
        """Wait until so many more bytes of a file have come."""
        goal = size_of(path) + count
        await self.until(lambda: size_of(path) >= goal)

    async def ended(self, run: subprocess.Popen[bytes]) -> int:
        return await asyncio.to_thread(run.wait, DEADLINE_S)

    def master(self, part: int = 1) -> Path:
        return self.folder / "master" / f"part-{part:04d}.ts"

    async def delivered(self, name: str) -> Delivery:
        parts = sorted((self.folder / "master").glob("part-*.ts"))
        recordings = self.accounts[name].recordings()
        return await asyncio.to_thread(
            lambda: compare(
                [frame for part in parts for frame in frames(part)],
                [frames(path) for path in recordings],
            )
        )

    async def close(self) -> None:
        for run in self.runs:
            if run.poll() is None:
                run.kill()
            await asyncio.to_thread(run.wait, 10)
        for account in self.accounts.values():
            await account.stop()
        await self.live.close()


def size_of(path: Path) -> int:
    """Its bytes; 0 when it is not there."""
    return path.stat().st_size if path.exists() else 0
