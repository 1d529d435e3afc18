"""The worker agent: claims meetings as far as its capacity goes, one run process for each.

A run lives in a session of its own: the agent may die or be upgraded without touching it, and
finds it again by its folder's lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import signal
import socket
import time
from pathlib import Path

from streamer.control.failing import SHOWN_FROM, Failure, show
from streamer.control.spares import Spares, WorkerSettings
from streamer.domain.errors import Unavailable
from streamer.media import commands
from streamer.run import capacity
from streamer.run.lock import EXIT_BUSY, holder
from streamer.store.live import Live, run_lease

TAKE_OVER_MS = 8000
"""A claim that its worker has not renewed for so long may be taken over."""
RENEW_S = 1.0
PAUSES = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
QUICK_S = 20.0
EXIT_FAILED = 1
log = logging.getLogger(__name__)


def worker_id(home: Path) -> str:
    """Stable over restarts: the machine and its home; STREAMER_WORKER where several share both."""
    return os.environ.get("STREAMER_WORKER") or f"{socket.gethostname()}:{home}"


class Worker:
    """Await `run`; cancel it to stop the agent. Runs are left alone then."""

    def __init__(self, settings: WorkerSettings, live: Live) -> None:
        self._settings, self._live = settings, live
        self._claims: dict[str, str] = {}
        """Meeting -> message id."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._broken: asyncio.Queue[asyncio.Task[None]] = asyncio.Queue()
        self._spares = Spares(settings)
        name = hashlib.sha256(settings.id.encode()).hexdigest()[:12]
        self._state = settings.home / "workers" / f"{name}.json"

    async def run(self) -> None:
        """Adopt what ran before, then claim and renew until cancelled.

        What breaks in one of its tasks is raised: the worker is started again, runs live on.
        """
        await self._adopt()
        tasks = [
            asyncio.create_task(self._claims_for_ever(), name="claim"),
            asyncio.create_task(self._renew(), name="renew claims"),
            asyncio.create_task(self._spares.run(), name="spare run"),
            asyncio.create_task(self._watch_runs(), name="watch runs"),
            asyncio.create_task(self._measure(), name="measure the machine"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            tasks += self._tasks.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _claims_for_ever(self) -> None:
        while True:
            try:
                await self._claim()
            except Unavailable as error:
                log.warning("cannot claim: %s", error)
                await asyncio.sleep(0.5)

    async def _watch_runs(self) -> None:
        """A meeting whose task broke would be claimed by us and run by nobody."""
        task = await self._broken.get()
        task.result()

    async def _measure(self) -> None:
        """Find out how many feeds the machine decodes, once; its runs read that."""
        settings = self._settings
        if settings.feeds is None and settings.programme is not None:
            binary = commands.ffmpeg_path(settings.ffmpeg)
            try:
                await asyncio.to_thread(
                    capacity.measured, settings.home, binary, settings.programme
                )
            except (OSError, RuntimeError) as error:
                log.error("cannot measure the machine, feeds have no limit: %s", error)
        await asyncio.Event().wait()

    async def _adopt(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._claims = json.loads(await asyncio.to_thread(self._state.read_text))
        for meeting in list(self._claims):
            self._watch(meeting)

    async def _claim(self) -> None:
        if len(self._tasks) >= self._settings.capacity:
            await asyncio.sleep(0.5)
            return
        taken = await self._live.take_work(self._settings.id, 1000, TAKE_OVER_MS)
        if taken is None:
            return
        message, meeting = taken
        self._claims[meeting] = message
        await self._remember()
        if meeting not in self._tasks:
            self._watch(meeting)

    def _watch(self, meeting: str) -> None:
        task = asyncio.create_task(self._serve(meeting), name=f"run {meeting}")
        task.add_done_callback(self._note_broken)
        self._tasks[meeting] = task

    def _note_broken(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._broken.put_nowait(task)

    async def _serve(self, meeting: str) -> None:
        """Keep a run for `meeting` until it says that it needs none."""
        failures = 0
        folder = self._settings.home / "meetings" / meeting
        try:
            while True:
                began, since = time.monotonic(), time.time()
                try:
                    code = await self._one_run(meeting)
                except OSError as error:
                    code, failure = EXIT_FAILED, Failure.from_error(error)
                else:
                    failure = await asyncio.to_thread(Failure.of, folder, since, code)
                if code == 0:
                    break
                failures = 0 if time.monotonic() - began > QUICK_S else failures + 1
                pause = PAUSES[min(max(failures - 1, 0), len(PAUSES) - 1)]
                log.warning("run of %s ended (%s); again in %.1f s", meeting, code, pause)
                if failures >= SHOWN_FROM and code != EXIT_BUSY:
                    await self._show(meeting, failure, failures)
                await asyncio.sleep(pause)
            await self._finish(meeting)
        finally:
            self._tasks.pop(meeting, None)

    async def _show(self, meeting: str, failure: Failure, failures: int) -> None:
        log.error("meeting %s has no run, try %d: %s", meeting, failures, failure.reason)
        try:
            await show(self._live, meeting, self._settings.id, failure, failures)
        except Unavailable as error:
            log.warning("cannot show that: %s", error)

    async def _one_run(self, meeting: str) -> int:
        """One run from start, or from adoption, to its end; its exit code (0: nothing to do)."""
        folder = self._settings.home / "meetings" / meeting
        living = await asyncio.to_thread(holder, folder)
        if living is not None and living.here:
            log.info("adopted the run of %s (pid %d)", meeting, living.pid)
            await _wait_for_end(living.pid)
            return EXIT_BUSY if not await asyncio.to_thread(_finished, folder) else 0
        if living is not None or await self._elsewhere(meeting):
            await asyncio.sleep(1.0)
            return EXIT_BUSY
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        process = await self._spares.take(meeting)
        await _wait_for_end(process.pid)
        return await asyncio.to_thread(process.wait)

    async def _elsewhere(self, meeting: str) -> bool:
        """True while another worker's run renews the lease of this meeting."""
        try:
            owner = await self._live.lease_owner(run_lease(meeting))
        except Unavailable:
            return False
        return owner is not None and owner != self._settings.id

    async def _finish(self, meeting: str) -> None:
        message = self._claims.pop(meeting, None)
        while message is not None:
            try:
                await self._live.finish_work(message)
                message = None
            except Unavailable:
                await asyncio.sleep(1.0)
        await self._remember()
        log.info("meeting %s needs no run any more", meeting)

    async def _renew(self) -> None:
        while True:
            try:
                for message in list(self._claims.values()):
                    await self._live.touch_work(self._settings.id, message)
                await self._live.heartbeat(
                    self._settings.id,
                    {"capacity": self._settings.capacity, "meetings": sorted(self._tasks)},
                )
            except Unavailable as error:
                log.warning("cannot renew claims: %s", error)
            await asyncio.sleep(RENEW_S)

    async def _remember(self) -> None:
        """What this worker has, for itself after a restart.

        On a disk that takes nothing it goes on without: its claims are then taken over after
        `TAKE_OVER_MS`, by itself or by another worker.
        """
        try:
            await asyncio.to_thread(_replace, self._state, json.dumps(self._claims))
        except OSError as error:
            log.error("cannot note what this worker has: %s", error)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.rename(path)


def _finished(folder: Path) -> bool:
    """True when the journal says that its last run was finished.

    What stands before the last beginning is of a preparation that was postponed. Blocking.
    """
    try:
        with open(folder / "as-run.ndjson", "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            end = file.read()
            return end.rfind(b'"name":"run_finished"') > end.rfind(b'"name":"run_started"')
    except OSError:
        return False


async def _wait_for_end(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(fd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def stop_run(folder: Path, seconds: float) -> bool:
    """Ask the run of a folder to stop (SIGTERM); True when it ended in time."""
    living = await asyncio.to_thread(holder, folder)
    if living is None or not living.here:
        return living is None
    with contextlib.suppress(ProcessLookupError):
        os.kill(living.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(seconds):
            await _wait_for_end(living.pid)
    except TimeoutError:
        return False
    return True
