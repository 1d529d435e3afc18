"""Sealing: from the folder of a finished meeting to a verified package in the archive.

Stage, hash, store, verify what was stored, append to the chain, clear up. Each step may be the
last one before a crash; sealing again goes on where it stood and ends in the same place.
"""

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import structlog

from streamer.archive import bag, chain, package
from streamer.archive.hashing import Meter
from streamer.config.spec import MeetingSpec
from streamer.domain.errors import StreamerError, Unavailable
from streamer.domain.meeting import Meeting
from streamer.ports.archive_store import ArchiveStore

TICK_S = 0.25
"""Seconds between two looks at the working thread."""
STALL_S = 120.0
"""Seconds without a block read or written after which the disk counts as hung."""
SLOWEST = 2_000_000
"""Bytes a second below which storing counts as hung; a minute is added for small packages."""
LEAVE_S = 10.0
"""Seconds that a cancelled step has to come to its end."""
NICE = 10
"""How far sealing stands back behind live meetings on the same machine."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


class Step(StrEnum):
    """What sealing is doing."""

    STAGING = "staging"
    STORING = "storing"
    VERIFYING = "verifying"
    CHAINING = "chaining"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a step is, in bytes; `total` is 0 where it is not known."""

    step: Step
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """A package in the archive. `files` and `bytes` count the payload."""

    key: str
    files: int
    bytes: int
    manifest_sha256: str


class PackageDamaged(StreamerError):
    """What the archive holds is not what was sealed; the meeting's folder is still there."""


OnProgress = Callable[[Progress], None]


def key_of(meeting: Meeting) -> str:
    """Where the package lies in the archive: year of the announced date, then the meeting."""
    return f"{meeting.wall_start[:4]}/{meeting.id}"


async def seal(
    folder: Path,
    meeting: Meeting,
    spec: MeetingSpec,
    *,
    store: ArchiveStore,
    staging: Path,
    chain_file: Path,
    secrets: Collection[str] = (),
    extras: Sequence[package.Extra] = (),
    on_progress: OnProgress = lambda progress: None,
) -> Sealed:
    """Seal the finished meeting in `folder`; doing it again returns the same package.

    `staging` is a folder for unfinished packages, best on the file system of `folder` (media are
    then linked, not copied). `on_progress` is called on the event loop, at most four times a
    second. Raises PackageDamaged, package.SecretInPackage, chain.ChainBroken, Unavailable (a disk
    that hangs), what the store raises, OSError. `folder` is never changed.
    """
    key = key_of(meeting)
    stage = staging / meeting.id
    async with _Worker.open(on_progress) as worker:
        if not await store.exists(key):
            staged = await worker.run(
                Step.STAGING,
                lambda meter: package.build(
                    folder, meeting, spec, stage, secrets=secrets, extras=extras, meter=meter
                ),
            )
            on_progress(Progress(Step.STORING, 0, staged.totals.bytes))
            await _store(store, stage, key, staged.totals.bytes)
        totals = await _verify(worker, store, key)
        entry = await worker.run(
            Step.CHAINING,
            lambda _: chain.append(chain_file, meeting.id, key, totals.manifest_sha256),
        )
        await worker.run(Step.CHAINING, lambda _: shutil.rmtree(stage, ignore_errors=True))
    log.info("package_sealed", meeting=meeting.id, key=key, bytes=totals.bytes, chain=entry.n)
    return Sealed(key, totals.files, totals.bytes, totals.manifest_sha256)


async def _store(store: ArchiveStore, stage: Path, key: str, length: int) -> None:
    """Hand the package to the store. Cancelled, it first lets the store come to an end.

    A store works in a thread that cannot be stopped; a second attempt that began beside it would
    find its half-built tree.
    """
    task = asyncio.create_task(store.put_tree(stage, key), name=f"store {key}")
    task.add_done_callback(_look_at)
    try:
        await asyncio.wait({task}, timeout=60 + length / SLOWEST)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=LEAVE_S)
        task.cancel()
        raise
    if not task.done():
        task.cancel()
        raise Unavailable(
            f"the archive did not take the package {key} in time", code="archive_hangs", key=key
        )
    await task


async def _verify(worker: "_Worker", store: ArchiveStore, key: str) -> bag.Totals:
    """Read back everything that was stored and compare it with the manifest."""
    place = await store.path(key)
    if place is None:
        raise Unavailable(f"the package {key} cannot be read back yet", code="not_local", key=key)
    checked = await worker.run(Step.VERIFYING, lambda meter: bag.check(place, meter))
    if not checked.ok:
        raise PackageDamaged(
            key=key, changed=checked.changed, missing=checked.missing, extra=checked.extra,
            problems=checked.problems,
        )  # fmt: skip
    return checked.totals


class _Worker:
    """One thread of low priority that does the reading and hashing, watched from the loop."""

    def __init__(self, pool: ThreadPoolExecutor, on_progress: OnProgress) -> None:
        self._pool, self._on_progress = pool, on_progress

    @staticmethod
    @asynccontextmanager
    async def open(on_progress: OnProgress) -> AsyncIterator["_Worker"]:
        pool = ThreadPoolExecutor(1, thread_name_prefix="seal", initializer=_stand_back)
        try:
            yield _Worker(pool, on_progress)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, step: Step, work: Callable[[Meter], T]) -> T:
        """Do `work` in the thread. Cancelling ends it at the next block."""
        meter = Meter()
        future: Future[T] = self._pool.submit(work, meter)
        done = asyncio.wrap_future(future)
        done.add_done_callback(_look_at)
        try:
            while not done.done():
                await asyncio.wait({done}, timeout=TICK_S)
                self._on_progress(Progress(step, meter.done, meter.total))
                if not done.done() and meter.idle_s > STALL_S:
                    raise Unavailable("the disk does not answer", code="disk_hangs", step=step)
            return done.result()
        finally:
            meter.stop.set()
            if not done.done():
                await asyncio.wait({done}, timeout=LEAVE_S)


def _look_at(ended: "asyncio.Future[T]") -> None:
    """Take the error of a step that was left, so that asyncio does not report it as forgotten."""
    if not ended.cancelled():
        ended.exception()


def _stand_back() -> None:
    """Lower the priority of this thread alone (Linux counts it per thread)."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
