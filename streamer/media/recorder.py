"""The recorders.

Recorder a (`Master`): the hub's bytes appended to a file and fsynced every half second.
Recorder b (`HlsRecorder`): the viewing copy, one ffmpeg child per unbroken part; and
beside it its smaller rendition (`LowRecorder`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from streamer.domain.errors import Act
from streamer.media import commands
from streamer.media.child import Child, read_lines
from streamer.media.hub import BACKLOG, Hub, Subscription
from streamer.media.leg import Leg, Outcome
from streamer.media.pipes import close, pipe
from streamer.media.renditions import LOW, LOW_LINES, LOW_VIDEO_KBPS, Viewing, run_name

SYNC_S = 0.5
MASTER_BACKLOG = 64_000_000
"""Bytes that may wait for a slow disk: almost three minutes at 3 Mbit/s."""
HLS_BACKLOG = 16_000_000
NEW_HEADERS = "the picture or the sound has another form; the next part goes on with it"
PLAIN = Viewing()
LOOK_S = 0.5
TOO_SLOW_SKIPS = 3
"""After so many leaps to the newest keyframe in one part the smaller rendition is given up."""
TOO_SLOW = "the disk is too slow for the recording; free it of other work or mend it"


def next_part(folder: Path, pattern: str) -> int:
    """The number after the highest part in `folder` (1 when there is none)."""
    numbers = [
        int(found.group(1))
        for entry in (folder.iterdir() if folder.is_dir() else ())
        if (found := re.fullmatch(pattern, entry.name))
    ]
    return max(numbers, default=0) + 1


class Master:
    """Appends the transport stream to `master/part-NNNN.ts`, in a thread of its own.

    `attempt` is what its leg runs: one try is one part. A disk that is full or gone ends the part
    with a reason; the next try begins the next part with the group of pictures under way.

    A disk that is slow, or hangs, does not end the part while `MASTER_BACKLOG` has room: its leg
    must not do so either (`stall_ends=False`). A new part would be on the same disk.
    """

    def __init__(
        self,
        hub: Hub,
        folder: Path,
        *,
        on_part: Callable[[Leg, int, Path], None] = lambda leg, part, path: None,
        on_end: Callable[[Leg, int, Path, int, str], None] = lambda *end: None,
    ) -> None:
        self._hub, self._folder = hub, folder
        self._on_part, self._on_end = on_part, on_end
        self._used = 0
        """The newest part that held something: no number twice, though its file may be deleted."""

    async def attempt(self, leg: Leg) -> Outcome:
        """Record one part until the disk refuses it or the leg is stopped."""
        loop = asyncio.get_running_loop()
        free = await asyncio.to_thread(next_part, self._folder, r"part-(\d{4,})\.ts")
        part = max(free, self._used + 1)
        path = self._folder / f"part-{part:04d}.ts"
        leg.target = str(path)
        ended: asyncio.Future[str] = loop.create_future()

        def finished(reason: str) -> None:
            if not ended.done():
                ended.set_result(reason)

        told = False

        def moved(total: int) -> None:
            nonlocal told
            if not told:
                told = True
                self._on_part(leg, part, path)
            leg.moved(total)

        writer = _Appender(
            path, lambda: self._hub.psi,
            on_synced=lambda total: loop.call_soon_threadsafe(moved, total),
            on_end=lambda reason: loop.call_soon_threadsafe(finished, reason),
        )  # fmt: skip
        writer.start()
        subscription = self._hub.attach(leg.id, writer.take)
        reason = "stopped"
        try:
            reason = await ended
            return Outcome(reason, Act.WAIT)
        finally:
            self._hub.unsubscribe(subscription)
            await asyncio.to_thread(writer.finish)
            if writer.total:
                self._used = part
                self._on_end(leg, part, path, writer.total, reason)


class _Appender(threading.Thread):
    """Writes pieces to a file and makes them durable twice a second."""

    def __init__(
        self,
        path: Path,
        psi: Callable[[], bytes],
        *,
        on_synced: Callable[[int], object],
        on_end: Callable[[str], object],
    ) -> None:
        super().__init__(name=f"append {path.name}", daemon=True)
        self.total = 0
        self._path, self._psi = path, psi
        self._on_synced, self._on_end = on_synced, on_end
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # Each is written by one thread only, so that none is lost.
        self._given = self._taken = 0
        self._begun = self._overrun = False

    def take(self, data: bytes, keyframe_at: int | None) -> None:
        """Called on the loop with every piece; never blocks. Begins at a keyframe."""
        if self._overrun:
            return
        if not self._begun:
            if keyframe_at is None:
                return
            self._begun = True
            data = self._psi() + data[keyframe_at:]
        if self._given - self._taken + len(data) > MASTER_BACKLOG:
            self._overrun = True
            self._queue.put(None)
            return
        self._given += len(data)
        self._queue.put(data)

    def finish(self) -> None:
        """Write what is queued, sync, close; at most ten seconds."""
        self._queue.put(None)
        self.join(10.0)

    def run(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "xb", buffering=0) as file:
                self._append(file.fileno())
            self._on_end(TOO_SLOW if self._overrun else "closed")
        except OSError as error:
            self._remove_if_empty()
            self._on_end(f"cannot write {self._path}: {error.strerror}; free or mend the disk")

    def _remove_if_empty(self) -> None:
        """A disk that is full for hours must not fill up with thousands of empty parts."""
        with contextlib.suppress(OSError):
            if self._path.stat().st_size == 0:
                self._path.unlink()

    def _append(self, fd: int) -> None:
        synced = time.monotonic()
        dirty = False
        while True:
            try:
                data = self._queue.get(timeout=max(0.01, synced + SYNC_S - time.monotonic()))
            except queue.Empty:
                data = b""
            if data:
                self._write(fd, data)
                dirty = True
            if dirty and (data is None or time.monotonic() - synced >= SYNC_S):
                os.fsync(fd)
                self._on_synced(self.total)
                dirty = False
            if time.monotonic() - synced >= SYNC_S:
                synced = time.monotonic()
            if data is None:
                return

    def _write(self, fd: int, data: bytes) -> None:
        self._taken += len(data)
        view = memoryview(data)
        while view:
            written = os.write(fd, view)
            self.total += written
            view = view[written:]


class HlsRecorder:
    """One ffmpeg child writes `hls/part-NNNN/` from the hub's bytes; one try is one part.

    With what is only copied beside picture and main sound (`viewing`): the second language, sound
    alone. What has to be encoded is the affair of `LowRecorder`, so that it cannot harm this one.
    """

    def __init__(
        self,
        hub: Hub,
        folder: Path,
        binary: str,
        part_s: int,
        *,
        viewing: Viewing = PLAIN,
        on_part: Callable[[Leg, int, Path], None] = lambda leg, part, path: None,
        on_end: Callable[[Leg, int, Path, int, str], None] = lambda *end: None,
    ) -> None:
        self._hub, self._folder = hub, folder
        self._argv = commands.hls_recorder(binary, part_s, viewing.copied)
        self._on_part, self._on_end = on_part, on_end
        self.part: Path | None = None
        """The folder of the part that is being written."""
        self.changed = asyncio.Condition()
        """Notified when `part` has changed."""
        self._subscription: Subscription | None = None
        self._next: tuple[int, Subscription] | None = None
        """The reading end of a pipe that was filled since the cut, for the part that follows."""

    def cut(self) -> None:
        """What the hub hands on next cannot be described by the headers of this part: it ends
        here, and the next one begins with it. Nothing is lost while the next child starts."""
        if self._next is not None:  # two cuts while one child starts: the short piece is left out
            self._hub.unsubscribe(self._next[1])
            close(self._next[0])
        elif self._subscription is None:
            return
        else:
            self._hub.unsubscribe(self._subscription)
            self._subscription = None
        reading, writing = pipe()
        self._next = reading, self._hub.subscribe("next part", writing, backlog=HLS_BACKLOG)

    def _subscribe(self, name: str) -> tuple[int, Subscription]:
        """The pipe of the part that begins: the one since the cut, or a new one."""
        if self._next is not None:
            reading, subscription = self._next
            self._next = None
        else:
            reading, writing = pipe()
            subscription = self._hub.subscribe(name, writing, backlog=HLS_BACKLOG)
        self._subscription = subscription
        return reading, subscription

    async def attempt(self, leg: Leg) -> Outcome:
        """Record one part until the child ends or the leg is stopped."""
        part = await asyncio.to_thread(next_part, self._folder, r"part-(\d{4,})")
        folder = self._folder / f"part-{part:04d}"
        try:
            await asyncio.to_thread(folder.mkdir, parents=True)
        except OSError as error:
            return Outcome(f"cannot write {folder}: {error.strerror}; free or mend the disk")
        leg.target = str(folder)
        before, reason = leg.bytes, "stopped"
        recording = HlsChild(self._hub, leg, self._argv, folder, HLS_BACKLOG)
        try:
            ready = self._subscribe(leg.id)
            child = await recording.start(ready)
            self._on_part(leg, part, folder)
            await self._tell(folder)
            await child.wait()
            reason = NEW_HEADERS if ready[1] is not self._subscription else child.cause
            return Outcome(reason)
        finally:
            self._subscription = None
            self.part = None
            await recording.close()
            self._on_end(leg, part, folder, leg.bytes - before, reason)
            await self._tell(None)

    async def _tell(self, part: Path | None) -> None:
        async with self.changed:
            self.part = part
            self.changed.notify_all()


class LowRecorder:
    """The smaller rendition, in the folder of the part that recorder b writes.

    A child of its own, since it decodes and encodes: a machine that is too weak for it leaves
    this rendition out, and the viewing copy does not notice.
    """

    def __init__(
        self, hub: Hub, beside: HlsRecorder, binary: str, part_s: int, viewing: Viewing
    ) -> None:
        self._hub, self._beside, self._binary = hub, beside, binary
        self._part_s, self._viewing = part_s, viewing

    async def attempt(self, leg: Leg) -> Outcome:
        """Write one list, until its part ends, the child ends, or the machine is too slow."""
        async with self._beside.changed:
            await self._beside.changed.wait_for(lambda: self._beside.part is not None)
            folder = self._beside.part
        assert folder is not None
        number = await asyncio.to_thread(next_part, folder, rf"{LOW}-(\d+)-init\.mp4")
        name = run_name(LOW, number)
        leg.target = str(folder / name)
        argv = commands.low_recorder(
            self._binary, name, self._part_s, lines=LOW_LINES, video_kbps=LOW_VIDEO_KBPS,
            audio_kbps=self._viewing.low_audio_kbps,
        )  # fmt: skip
        recording = HlsChild(self._hub, leg, argv, folder, BACKLOG)
        try:
            child = await recording.start()
            return await self._watch(recording, child, folder)
        finally:
            await recording.close()

    async def _watch(self, recording: HlsChild, child: Child, folder: Path) -> Outcome:
        ended = asyncio.create_task(child.wait(), name="low child")
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=LOOK_S)
                if self._beside.part != folder:
                    return Outcome("the viewing copy has begun a new part")
                if recording.skips >= TOO_SLOW_SKIPS:
                    return Outcome(
                        f"this machine is too slow for the picture of {LOW_LINES} lines; write"
                        " low: false under viewing, or give it less to do and restart this",
                        Act.CORRECT_SETTING,
                    )  # fmt: skip
            return Outcome(child.cause)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)


class HlsChild:
    """An ffmpeg that writes HLS into `folder` from the hub's bytes, and reports to `leg`."""

    def __init__(self, hub: Hub, leg: Leg, argv: list[str], folder: Path, backlog: int) -> None:
        self._hub, self._leg, self._argv, self._folder = hub, leg, argv, folder
        self._backlog = backlog
        self._child: Child | None = None
        self._report: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None

    @property
    def skips(self) -> int:
        """How often it was so late that it was advanced to the next keyframe."""
        return self._subscription.skips if self._subscription else 0

    async def start(self, ready: tuple[int, Subscription] | None = None) -> Child:
        """Start it and let it be fed, by the pipe that is `ready` (its reading end) or a new one.
        Call `close` also when this raises."""
        reading = writing = out_r = out_w = -1
        try:
            if ready is not None:
                reading, self._subscription = ready
            else:
                reading, writing = pipe()
            out_r, out_w = pipe()
            # It outlives us: at the end of its input it closes its last segment and playlist.
            child = self._child = await Child.start(
                self._leg.id, self._argv, stdin=reading, stdout=out_w, cwd=str(self._folder),
                orphaned=None,
            )  # fmt: skip
            self._leg.pid = child.pid
            self._report = asyncio.create_task(
                read_lines(os.fdopen(out_r, "rb"), self._heard), name=f"{self._leg.id} report"
            )
            out_r = -1
            if ready is None:
                self._subscription = self._hub.subscribe(
                    self._leg.id, writing, backlog=self._backlog
                )
                writing = -1
            return child
        finally:
            close(*(fd for fd in (reading, writing, out_r, out_w) if fd >= 0))

    def _heard(self, line: bytes) -> None:
        # The hls muxer reports no size ("total_size=N/A"): when its output time goes on,
        # what it was given counts as moved.
        key, _, value = line.decode(errors="replace").strip().partition("=")
        if key == "out_time_us" and value.isdigit() and int(value) and self._subscription:
            self._leg.moved(self._subscription.delivered)

    async def close(self) -> None:
        """The end of its input lets ffmpeg finish the part; then the ladder."""
        if self._subscription is not None:
            self._hub.unsubscribe(self._subscription)
        if self._child is not None:
            waiter = asyncio.ensure_future(self._child.wait())
            await asyncio.wait({waiter}, timeout=3.0)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
            await self._child.stop()
        if self._report is not None:
            await asyncio.wait({self._report}, timeout=1.0)
            self._report.cancel()
            await asyncio.gather(self._report, return_exceptions=True)
