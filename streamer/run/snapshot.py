"""What everybody may see of a meeting run: the snapshot, the preview, the lease."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import shutil
import time
from typing import TYPE_CHECKING, Any

from streamer.domain.errors import Unavailable
from streamer.domain.events import EventName
from streamer.domain.legs import LegStatus
from streamer.media.renditions import Viewing
from streamer.run.signals import Faults, Signals
from streamer.store.live import run_lease

if TYPE_CHECKING:
    from streamer.run.meeting_run import MeetingRun

log = logging.getLogger(__name__)
EVERY_S = 1.0
SOONEST_S = 0.1
LEASE_MS = 5000
LOW_DISK_S = 5.0


class Reporter:
    """Writes the snapshot at every change and once a second, and the preview once a second."""

    def __init__(self, run: MeetingRun) -> None:
        self._run = run
        self._disk: dict[str, Any] = {}
        self._disk_low = self._journal_told = False
        self._disk_at = 0.0
        self._closed = False
        self._faults = Faults(run.record, lambda: round(run.mixer.state().programme_s, 3))

    async def run(self) -> None:
        """Report until cancelled."""
        run = self._run
        run.mixer.watch.configure(run.spec.detectors)
        self._faults.recall(run.journal.events, time.monotonic())
        signals = Signals(
            run.spec.id, run.live, run.mixer, self._faults,
            quiet=lambda: self._closed or run._over_or_ending, changed=run._changed.set,
        )  # fmt: skip
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report(), name="reporter:snapshot")
            group.create_task(signals.run(), name="reporter:signals")

    async def _report(self) -> None:
        changed = self._run._changed
        preview_at = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await changed.wait()
            changed.clear()
            if self._closed:
                continue
            try:
                await self._look_at_disk()
                await self._run.live.put_snapshot(self._run.spec.id, self.snapshot())
                if time.monotonic() - preview_at >= EVERY_S:
                    preview_at = time.monotonic()
                    await self._put_preview()
                    await self._keep_lease()
            except Unavailable:
                await asyncio.sleep(0.5)  # the outbox says that Redis is away
            except Exception:
                # What only informs must never take the programme off air.
                log.exception("the report of the run broke; tried again")
                await asyncio.sleep(EVERY_S)
            await asyncio.sleep(SOONEST_S)

    async def last_word(self) -> None:
        """The snapshot of a run that has ended: every leg stopped. None follows it."""
        self._closed = True
        await self.now()

    async def now(self) -> None:
        """Put the snapshot up at once; nothing happens while Redis is away."""
        with contextlib.suppress(Unavailable):
            await self._run.live.put_snapshot(self._run.spec.id, self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """The snapshot as docs/architecture.md describes it."""
        run, state = self._run, self._run.mixer.state()
        return {
            "meeting": run.spec.id, "state": str(run.state), "at": time.time(), "run": run.id,
            "worker": run.worker, "since": run.since, "seq": run.outbox.published,
            "programme_s": round(state.programme_s, 3), "on_air_since": run.on_air_since,
            "scene": {"wanted": str(state.wanted), "shown": str(state.shown),
                      "muted": state.muted},
            "legs": [_leg(status) for status in run.chain.legs.statuses()],
            **run.direction.snapshot(),
            "programme": {"mode": str(run.spec.mode), "slips": state.slips, "late": state.late},
            "feeds": {
                feed: {"state": str(now), **run.direction.sound_of(feed)}
                for feed, now in state.feeds.items()
            },
            "sites": run.direction.sites(state.feeds),
            "signals": [] if self._closed else self._faults.shown(),
            "meters": {"peak_db": [round(value, 1) for value in state.peak_db]},
            "disk": self._disk, "ingest": run.chain.intakes.shown, "watch": "hls/index.m3u8",
        }  # fmt: skip

    async def _put_preview(self) -> None:
        jpeg = await asyncio.to_thread(self._run.mixer.preview)
        await self._run.live.put_preview(self._run.spec.id, jpeg)

    async def _keep_lease(self) -> None:
        """Owned by the worker, so that a run it restarts goes on at once."""
        run = self._run
        if not await run.live.lease(run_lease(run.spec.id), run.worker, LEASE_MS):
            raise SystemExit("another worker has taken this meeting over")

    async def _look_at_disk(self) -> None:
        if time.monotonic() - self._disk_at < LOW_DISK_S:
            return
        self._disk_at = time.monotonic()
        run = self._run
        usage = await asyncio.to_thread(shutil.disk_usage, run.folder)
        settings = run.spec.programme
        sounds = len(run.spec.sounds) * settings.audio_kbps
        rate = (settings.video_kbps + sounds + Viewing.of(run.spec).kbps) * 1000 / 8
        hours = usage.free / rate / 3600
        self._disk = {"free_bytes": usage.free, "hours_left": round(hours, 1)}
        if run.journal.error and not self._journal_told:
            run.record(
                EventName.DISK_PROBLEM,
                {"path": str(run.journal.path), "act": "correct_setting",
                 "error": f"the journal waits in memory: {run.journal.error}"},
            )  # fmt: skip
        self._journal_told = bool(run.journal.error)
        low = usage.free < run.spec.recording.warn_free_gb * 1_000_000_000
        if low and not self._disk_low:
            run.record(
                EventName.DISK_PROBLEM,
                {"path": str(run.folder), "act": "correct_setting",
                 "error": f"{usage.free / 1e9:.1f} GB are free: {hours:.1f} hours of recording"},
            )  # fmt: skip
        elif self._disk_low and not low:
            run.record(EventName.DISK_RECOVERED, {"path": str(run.folder)})
        self._disk_low = low


def _leg(status: LegStatus) -> dict[str, Any]:
    return {**dataclasses.asdict(status), "health": str(status.health)}
