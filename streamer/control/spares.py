"""Meeting run processes, one of them always ready: loaded, waiting, without a meeting.

Loading a run takes a second of processor time and more on a busy machine. A spare has that behind
it, so that a killed run is followed by one that sends within the three seconds that are promised.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from streamer.config.models import ProgrammeSettings

AGAIN_S = 2.0
"""Seconds before the next spare is loaded: the one that just took a meeting comes first."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker needs; addresses go to its runs by environment."""

    id: str
    home: Path
    redis_url: str
    database_url: str | None
    capacity: int
    ffmpeg: Path | None = None
    feeds: int | None = None
    """Feeds that one meeting may decode at full rate at once; None: as measured."""
    programme: ProgrammeSettings | None = None
    """What the machine is measured with; None: it is not measured."""


class Spares:
    """Gives out run processes. They outlive the worker once they have a meeting."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._ready: subprocess.Popen[bytes] | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()

    async def run(self) -> None:
        """Keep one spare ready until cancelled."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                if self._ready is None or self._ready.poll() is not None:
                    try:
                        self._ready = await asyncio.to_thread(self._spawn)
                    except OSError as error:  # no memory or no descriptor left just now
                        log.error("cannot load a spare run: %s", error)
                        self._wanted.set()
                await asyncio.sleep(AGAIN_S)
        finally:
            self._dismiss()

    async def take(self, meeting: str) -> subprocess.Popen[bytes]:
        """A process that now runs `meeting`: the spare, or a fresh one when there is none."""
        process, self._ready = self._ready, None
        self._wanted.set()
        if process is None or not await asyncio.to_thread(self._assign, process, meeting):
            process = await asyncio.to_thread(self._spawn)
            await asyncio.to_thread(self._assign, process, meeting)
        return process

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Not asyncio's subprocess: that one kills its child when the worker's loop closes."""
        settings = self._settings
        environment = {**os.environ, "REDIS_URL": settings.redis_url}
        if settings.database_url:
            environment["DATABASE_URL"] = settings.database_url
        argv = [
            sys.executable, "-m", "streamer.run.main", "--home", str(settings.home),
            "--worker", settings.id,
        ]  # fmt: skip
        if settings.ffmpeg:
            argv += ["--ffmpeg", str(settings.ffmpeg)]
        if settings.feeds:
            argv += ["--feeds", str(settings.feeds)]
        return subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment,
            start_new_session=True,
        )  # fmt: skip

    @staticmethod
    def _assign(process: subprocess.Popen[bytes], meeting: str) -> bool:
        """Tell a waiting process its meeting; False when it is gone."""
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps({"meeting": meeting}).encode() + b"\n")
            process.stdin.close()
        except OSError:
            return False
        return process.poll() is None

    def _dismiss(self) -> None:
        """The end of its input tells a spare that nobody needs it."""
        if self._ready is not None and self._ready.stdin is not None:
            self._ready.stdin.close()
            try:
                self._ready.wait(2.0)
            except subprocess.TimeoutExpired:
                self._ready.kill()
                self._ready.wait()
