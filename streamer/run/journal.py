"""The journal of a meeting: the as-run log on disk, written before anybody else is told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

from streamer.domain.events import Event, EventName

SYNC_S = 0.5


class Journal:
    """Appends events to `as-run.ndjson`. Owned by the event loop of the meeting run.

    A line is handed to the kernel at once (a killed process loses nothing) and made durable twice
    a second (a power cut costs half a second). While the disk refuses, lines wait in memory.
    """

    def __init__(self, path: Path, meeting: str) -> None:
        self.path, self.meeting = path, meeting
        self.events: list[Event] = []
        """What earlier runs wrote, read by `open`."""
        self.error = ""
        """Why the disk refuses at present; empty when it does not."""
        self._seq = 0
        self._fd = -1
        self._waiting: deque[bytes] = deque()
        self._dirty = False

    def open(self) -> None:
        """Read what is there, cut a torn last line off, open for appending. Blocking."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            raw = self.path.read_bytes()
            whole = raw.rfind(b"\n") + 1
            for line in raw[:whole].splitlines():
                # A damaged line, or one of a newer version, stays where it is: it is evidence.
                with contextlib.suppress(ValueError):
                    self.events.append(Event.from_json(line))
            if whole < len(raw):
                os.truncate(self.path, whole)
        self._seq = max((event.seq for event in self.events), default=0)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def append(self, name: EventName, data: dict[str, Any]) -> Event:
        """Write one event now; returns it with its number."""
        self._seq += 1
        event = Event(self.meeting, self._seq, time.time(), name, data)
        self._waiting.append(event.to_json().encode() + b"\n")
        self._flush()
        return event

    async def keep_durable(self) -> None:
        """Sync twice a second until cancelled; write again what the disk refused."""
        while True:
            await asyncio.sleep(SYNC_S)
            if self._waiting:
                self._flush()
            if self._dirty:
                self._dirty = False
                try:
                    await asyncio.to_thread(os.fsync, self._fd)
                except OSError as error:  # the meeting goes on with a disk in trouble
                    self.error = error.strerror or str(error)
                    self._dirty = True

    def close(self) -> None:
        """Write, sync, close. Blocking."""
        if self._fd < 0:
            return
        self._flush()
        with contextlib.suppress(OSError):
            os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1

    def _flush(self) -> None:
        while self._waiting:
            try:
                written = os.write(self._fd, self._waiting[0])
            except OSError as error:
                self.error = error.strerror or str(error)
                return
            self._dirty = True
            if written < len(self._waiting[0]):  # a full disk takes a part of a line
                self._waiting[0] = self._waiting[0][written:]
                continue
            self._waiting.popleft()
        self.error = ""
