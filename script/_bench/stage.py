"""One real meeting run under measurement: its process, a private Redis, accounts, sources.

Nothing is imitated: the run is the process that a worker would start, the accounts are RTMP
servers, the sources call by SRT. Only the run and what it starts is counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from streamer.config.models import (
    Destination,
    LocalNames,
    Mode,
    ProgrammeSettings,
    RecordingSettings,
    RelaySettings,
    ScheduleSettings,
    Site,
    Source,
    ViewingSettings,
)
from streamer.config.spec import MeetingSpec
from streamer.control import private_redis
from streamer.demo.hall import Form, picture_graph, sound_graph, video_options
from streamer.domain.errors import Unavailable
from streamer.domain.lifecycle import Command
from streamer.media.child import Child
from streamer.media.commands import ffmpeg_path
from streamer.store.live import Live

CLIP_S = 60
STEP_S = 30.0
"""Seconds that any step of a meeting may take."""
NAMES = LocalNames(kk="Өлшеу", ru="Измерение", en="Measurement")


async def encode_clip(path: Path, *, edge: str = "yellow", form: Form | None = None) -> None:
    """A minute of counted pictures with a flash and a beep each second; `edge` names the source."""
    form = form or Form()
    child = await Child.start("encode", [
        ffmpeg_path(), "-nostdin", "-v", "error", "-f", "lavfi",
        "-i", f"{picture_graph(form).replace('yellow', edge)}[out0];{sound_graph()}[out1]",
        "-t", str(CLIP_S), *video_options(form), "-c:a", "aac", "-b:a", "128k", "-ac", "2",
        str(path),
    ])  # fmt: skip
    try:
        async with asyncio.timeout(600):
            if await child.wait():
                raise Unavailable(f"the source could not be encoded: {child.last_words}")
    finally:
        await child.kill()


class Pusher:
    """Sends a clip by SRT as a hall's encoder would, over and over."""

    def __init__(self, clip: Path, port: int) -> None:
        self._argv = [
            ffmpeg_path(), "-nostdin", "-nostats", "-v", "error", "-re", "-stream_loop", "-1",
            "-i", str(clip), "-c", "copy", "-f", "mpegts", "-flush_packets", "1",
            f"srt://127.0.0.1:{port}?mode=caller&latency=120000&pkt_size=1316&connect_timeout=20000",
        ]  # fmt: skip
        self._child: Child | None = None

    async def start(self) -> None:
        self._child = await Child.start("source", self._argv)

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.kill()


class Redis:
    """A private Redis in `home`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._child: Child | None = None
        self.live = Live.from_url(private_redis.url(home))

    async def start(self) -> None:
        self._child = await Child.start("redis", private_redis.argv(self._home))
        async with asyncio.timeout(10):
            while not private_redis.socket(self._home).exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        await self.live.close()
        if self._child is not None:
            await self._child.stop()


def source(port: int) -> Source:
    """An SRT source on the loopback."""
    return Source.model_validate({"kind": "srt", "host": "127.0.0.1", "port": port})


def spec(
    home: Path, meeting: str, *, hall: Source, sites: Sequence[tuple[str, Source]] = (),
    accounts: Sequence[tuple[str, str]] = (), mode: Mode = Mode.MIX,
    programme: ProgrammeSettings | None = None, low: bool = False,
) -> MeetingSpec:  # fmt: skip
    """A meeting that sends to `accounts` (id, address with the key as its last part)."""
    start = datetime.now(UTC)
    keys = home / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    destinations = []
    for id_, url in accounts:
        address, _, key = url.rpartition("/")
        (keys / f"{meeting}-{id_}").write_text(key)
        destinations.append(
            Destination(
                id=id_, name=id_, enabled=True, url=address, key=f"file:{keys}/{meeting}-{id_}"
            )
        )
    return MeetingSpec(
        id=meeting, region="bench", region_names=NAMES, title=NAMES, speaker="", hall="main",
        hall_names=NAMES, starts_at=start, ends_at=start + timedelta(hours=3),
        give_up_at=start + timedelta(hours=4), zone="Asia/Almaty", wall_start="2027-02-19T10:00",
        end_by_schedule=False, programme=programme or ProgrammeSettings(),
        schedule=ScheduleSettings(off_air_slate=timedelta(seconds=1)),
        recording=RecordingSettings(warn_free_gb=0), relay=RelaySettings(), sources=(hall,),
        sites=tuple(
            Site.model_validate(
                {"id": id_, "code": f"{number:09d}", "kind": "district",
                 "names": NAMES.model_dump(), "centre": NAMES.model_dump(),
                 "source": src.model_dump(mode="json")}
            )
            for number, (id_, src) in enumerate(sites)
        ),
        mode=mode, viewing=ViewingSettings(low=low), destinations=tuple(destinations), home=home,
    )  # fmt: skip


class Meeting:
    """One meeting run in a process of its own."""

    def __init__(self, redis: Redis, home: Path, plan: MeetingSpec) -> None:
        self._redis, self._home, self.spec = redis, home, plan
        self._run: subprocess.Popen[bytes] | None = None
        self.folder = home / "meetings" / plan.id

    @property
    def pid(self) -> int:
        assert self._run is not None
        return self._run.pid

    async def start(self) -> None:
        await self._redis.live.put_spec(self.spec.id, self.spec.model_dump_json())
        self._run = await asyncio.to_thread(self._spawn)

    def _spawn(self) -> subprocess.Popen[bytes]:
        run = subprocess.Popen(
            [sys.executable, "-m", "streamer.run.main", "--home", str(self._home), "--worker", "w"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            env={**os.environ, "REDIS_URL": private_redis.url(self._home)},
            start_new_session=True,
        )  # fmt: skip
        assert run.stdin is not None
        run.stdin.write(json.dumps({"meeting": self.spec.id}).encode() + b"\n")
        run.stdin.close()
        return run

    async def say(self, command: Command, **args: Any) -> None:
        """Send a command and return at once."""
        await self._redis.live.send(self.spec.id, command, args, "bench")

    async def snapshot(self) -> dict[str, Any]:
        return await self._redis.live.snapshot(self.spec.id) or {}

    async def until(
        self, reached: Callable[[dict[str, Any]], object], what: str, seconds: float = STEP_S
    ) -> None:
        """Wait for a snapshot; Unavailable with the run's last words when it does not come."""
        try:
            async with asyncio.timeout(seconds):
                while not reached(await self.snapshot()):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            log = self.folder / "run.log"
            said = log.read_text()[-1500:] if log.exists() else "nothing"
            raise Unavailable(f"{self.spec.id}: {what} was not reached; it said: {said}") from None

    async def state(self, command: Command, name: str) -> None:
        await self.say(command)
        await self.until(lambda s: s.get("state") == name, name)

    async def on_air(self) -> None:
        """Through line-up to live, until every leg runs."""
        await self.until(lambda s: s.get("state") == "PREPARING", "PREPARING")
        await self.state(Command.LINE_UP, "LINE_UP")
        await self.state(Command.GO_LIVE, "LIVE")
        await self.until(_all_run, "a running state of every leg")

    async def stop(self) -> None:
        if self._run is not None and self._run.poll() is None:
            self._run.terminate()
            try:
                await asyncio.to_thread(self._run.wait, 20)
            except subprocess.TimeoutExpired:
                self._run.kill()
                await asyncio.to_thread(self._run.wait)


def _all_run(snapshot: dict[str, Any]) -> bool:
    legs = [leg for leg in snapshot.get("legs", []) if leg["wanted"]]
    return bool(legs) and all(leg["state"] == "RUNNING" for leg in legs)
