"""The demonstration: a whole meeting with faults, by the schedule, measured at the accounts."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp

from streamer.config.loader import load
from streamer.control.stores import records_of
from streamer.control.up import Everything, everything
from streamer.demo import judging, stage
from streamer.demo.api import Api
from streamer.demo.watching import Arrivals, KeyHunt
from streamer.domain.errors import StreamerError
from streamer.domain.roles import Role
from streamer.run.lock import holder

LEAD_S = 24
"""From planning to the start: enough to prepare, line up and see the slate."""
LIVE_S = 72
ZONE = "Asia/Almaty"


@dataclass(frozen=True, slots=True)
class Options:
    """How the demonstration is run."""

    leave: bool = False
    report: Path | None = None
    ingest: str = "srt"
    home: Path | None = None
    port: int = 8080


@dataclass(slots=True)
class Story:
    """What was done when: POSIX seconds."""

    meeting: str = ""
    moments: dict[str, float] = field(default_factory=dict)

    def note(self, what: str) -> float:
        self.moments[what] = time.time()
        return self.moments[what]


class Demo:
    """Await `run`; returns the exit code: 0 when every promise was kept."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        self._began = time.monotonic()
        self.story = Story()
        self._home = Path()

    async def run(self) -> int:
        """Build the stage, play, measure, print; then stay up unless `leave` is set."""
        if self._options.ingest not in ("srt", "rtmp"):
            raise StreamerError("--ingest is srt or rtmp", code="unknown_ingest")
        home = self._options.home or Path(tempfile.mkdtemp(prefix="streamer-demo-"))
        self._home = home.resolve()
        self._tell("starting three stand-in accounts and the service")
        set_ = await stage.build(home.resolve(), self._options.port, self._options.ingest)
        try:
            configuration = await asyncio.to_thread(load, set_.configs)
            async with everything(configuration, set_.configs) as running:
                try:
                    return await self._play_all(set_, running)
                finally:
                    await running.stop_runs()
        finally:
            await set_.close()
            if self._options.home is None and self._options.leave:
                await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)

    async def _play_all(self, set_: stage.Stage, running: Everything) -> int:
        password, token = await self._people(set_)
        async with aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=10),
        ) as session:
            api = Api(session, running.url)
            hunt, arrivals = KeyHunt(set_.canaries), Arrivals(set_.accounts)
            watchers = [
                asyncio.create_task(arrivals.run(), name="arrivals"),
                asyncio.create_task(hunt.run(lambda: set_.hall.pid), name="key hunt"),
            ]
            try:
                await self._plan(api, set_)
                self._addresses(running.url, password)
                await self._play(api, set_, running)
            finally:
                for watcher in watchers:
                    watcher.cancel()
                await asyncio.gather(*watchers, return_exceptions=True)
            self._tell("measuring what the accounts and the files hold")
            verdict = await judging.judge(set_, self.story, arrivals, hunt, api)
        self._say("\n" + verdict.table())
        if self._options.report:
            text = json.dumps(verdict.as_dict(), ensure_ascii=False, indent=2) + "\n"
            await asyncio.to_thread(self._options.report.write_text, text)
        if not self._options.leave:
            self._say("")
            self._addresses(running.url, password)
            self._say("stays up to be explored; Ctrl+C ends it")
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return 0 if verdict.kept else 1

    async def _people(self, set_: stage.Stage) -> tuple[str, str]:
        password = secrets.token_urlsafe(9)
        async with records_of(set_.configs) as records:
            await records.create_user("demo", password, Role.ADMINISTRATOR, None, "demo")
            token = await records.create_token("demo", Role.ADMINISTRATOR, "demo")
        return password, token

    async def _plan(self, api: Api, set_: stage.Stage) -> None:
        start = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=LEAD_S)
        wall = start.astimezone(ZoneInfo(ZONE))
        end = wall + timedelta(seconds=LIVE_S)
        meeting = await api.plan(
            {
                "region": stage.REGION,
                "title": {
                    "kk": "Абай облысы әкімінің халық алдындағы есебі",
                    "ru": "Отчётная встреча акима области Абай с населением",
                    "en": "Reporting meeting of the akim of Abai Region",
                },
                "starts": wall.strftime("%Y-%m-%dT%H:%M:%S"),
                "ends": end.strftime("%Y-%m-%dT%H:%M:%S"),
                "destinations": list(set_.accounts),
                "hall": "main",
                "speaker": "",
                "end_by_schedule": True,
            }
        )
        self.story.meeting = meeting["id"]
        self.story.moments["starts"] = start.timestamp()
        self._tell(f"planned {meeting['id']} for {wall:%H:%M:%S} (Asia/Almaty)")

    def _addresses(self, url: str, password: str) -> None:
        meeting = self.story.meeting
        self._say(f"  console   {url}/meetings/{meeting}   (user demo, password {password})")
        self._say(f"  live      {url}/live/{meeting}")
        self._say(f"  archive   {url}/archive/{meeting}")
        self._say(f"  files     {self._home}   (package: var/archive/*/{meeting})")

    # The story ------------------------------------------------------------------------------

    async def _play(self, api: Api, set_: stage.Stage, running: Everything) -> None:
        await self._until(api, "PREPARING")
        await set_.hall.start()
        self._tell(f"the hall's encoder calls by {self._options.ingest.upper()}")
        await self._until(api, "LINE_UP")
        await self._until(api, "LIVE")
        live = self.story.note("live")

        await self._at(live + 10)
        self._tell("fault 1: the hall's encoder is cut for 5 s")
        self.story.note("hall cut")
        await set_.hall.kill()
        await self._at(live + 15)
        await set_.hall.start()
        self.story.note("hall back")

        await self._at(live + 24)
        self._tell("fault 2: the second account's server freezes for 14 s")
        self.story.note("frozen")
        set_.accounts["second"].freeze()
        await self._at(live + 38)
        set_.accounts["second"].thaw()
        self.story.note("thawed")

        await self._at(live + 46)
        self._tell("fault 3: the third account's relay is killed")
        await self._kill_relay(api, "third")

        await self._at(live + 54)
        self._tell("fault 4: the meeting's own process is killed")
        await self._kill_run(running)

        await self._until(api, "ENDING", seconds=60)
        self.story.note("end")
        await self._until_watchable(api)
        await self._until(api, "ARCHIVED", seconds=60)
        self.story.note("archived")

    async def _kill_relay(self, api: Api, account: str) -> None:
        live = await api.live(self.story.meeting)
        pids = [leg["pid"] for leg in live["legs"] if leg["id"] == f"relay:{account}"]
        if not pids or pids[0] is None:
            raise StreamerError(f"no relay of {account} is running", code="no_relay")
        self.story.note("relay killed")
        os.kill(pids[0], signal.SIGKILL)

    async def _kill_run(self, running: Everything) -> None:
        living = await asyncio.to_thread(holder, running.home / "meetings" / self.story.meeting)
        if living is None:
            raise StreamerError("no meeting run is there to be killed", code="no_run")
        self.story.note("run killed")
        os.kill(living.pid, signal.SIGKILL)

    # Waiting --------------------------------------------------------------------------------

    async def _until(self, api: Api, state: str, seconds: float = 90) -> None:
        """Wait for a state of the meeting, saying so."""
        found = ""
        try:
            async with asyncio.timeout(seconds):
                while (found := await api.state(self.story.meeting)) != state:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise _late(
                f"the meeting was not {state} within {seconds:.0f} s, but {found}"
            ) from None
        self._tell(f"{state}")

    async def _until_watchable(self, api: Api) -> None:
        """Wait until the archive serves the closed playlist."""
        try:
            async with asyncio.timeout(60):
                while not await api.watchable(self.story.meeting):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise _late("the recording was not watchable within 60 s of the end") from None
        self.story.note("watchable")
        self._tell("the recording is watchable in the archive")

    async def _at(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - time.time()))

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")


def _late(what: str) -> StreamerError:
    return StreamerError(
        f"{what}: a promise was broken before anything could be measured; the logs are in var/log"
        " and var/meetings of the demonstration's folder (--home keeps it)",
        code="late",
    )
