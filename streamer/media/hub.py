"""The hub: one encode handed to every relay and recorder, each with its own bounded queue.

A subscriber that falls behind is advanced to the next keyframe; it never holds up another one.
The hub lives on the event loop of the meeting run and is called from nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.media import ts

BACKLOG = 4_000_000
"""Bytes that may wait for a relay: about ten seconds at 3 Mbit/s."""
GROUP_LIMIT = 16_000_000
"""Bytes of a group of pictures that are kept for new subscribers: a camera may never send a second
keyframe."""


@dataclass(slots=True)
class Subscription:
    """What one subscriber has had; read by its owner, written by the hub."""

    name: str
    delivered: int = 0
    dropped: int = 0
    skips: int = 0
    """How often it was advanced to the next keyframe."""
    waiting: int = 0
    """Bytes in its queue."""
    closed: bool = False


class _Pipe:
    """A subscriber behind a non-blocking pipe."""

    def __init__(self, hub: Hub, fd: int, note: Subscription, backlog: int) -> None:
        self._hub, self._fd, self.note, self._backlog = hub, fd, note, backlog
        self._queue: deque[bytes] = deque()
        self._writing = False
        self._needs_keyframe = True
        os.set_blocking(fd, False)

    def push(self, data: bytes, keyframe_at: int | None) -> None:
        """Queue `data` (whole packets); `keyframe_at` is the byte at which a keyframe begins."""
        if not self._needs_keyframe and self.note.waiting + len(data) > self._backlog:
            self._skip()
        if self._needs_keyframe:
            # The piece that is partly written may be a whole group, larger than the backlog.
            if keyframe_at is None or self.note.waiting > self._backlog:
                self.note.dropped += len(data)
                return
            data = self._hub.psi + data[keyframe_at:]
            self._needs_keyframe = False
        self._queue.append(data)
        self.note.waiting += len(data)
        if not self._writing:
            self._write()

    def prime(self, data: bytes) -> None:
        """Begin with the group of pictures that is under way, so that a picture comes at once."""
        self._needs_keyframe = False
        self._queue.append(data)
        self.note.waiting += len(data)
        self._write()

    def close(self) -> None:
        if self.note.closed:
            return
        self.note.closed = True
        if self._writing:
            self._hub.loop.remove_writer(self._fd)
            self._writing = False
        self._queue.clear()
        self.note.waiting = 0
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _skip(self) -> None:
        """Drop the backlog but for the piece that is partly written: packets stay whole."""
        keep = self._queue.popleft() if self._queue and self._writing else None
        self.note.dropped += sum(map(len, self._queue))
        self.note.skips += 1
        self._queue.clear()
        if keep is not None:
            self._queue.append(keep)
        self.note.waiting = len(keep) if keep else 0
        self._needs_keyframe = True

    def _write(self) -> None:
        try:
            while self._queue:
                data = self._queue[0]
                written = os.write(self._fd, data)
                self.note.delivered += written
                self.note.waiting -= written
                if written == len(data):
                    self._queue.popleft()
                else:
                    self._queue[0] = data[written:]
        except BlockingIOError:
            if not self._writing:
                self._hub.loop.add_writer(self._fd, self._write)
                self._writing = True
            return
        except OSError:  # the child is gone; its leg notices by itself
            self._hub.unsubscribe(self.note)
            return
        if self._writing:
            self._hub.loop.remove_writer(self._fd)
            self._writing = False


class _Sink:
    """A subscriber that takes the bytes in this process (the master recorder)."""

    def __init__(self, take: Callable[[bytes, int | None], None], note: Subscription):
        self._take, self.note = take, note

    def push(self, data: bytes, keyframe_at: int | None) -> None:
        self._take(data, keyframe_at)
        self.note.delivered += len(data)

    def close(self) -> None:
        self.note.closed = True


class Hub:
    """Takes the encoder's transport stream and hands it on."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = loop or asyncio.get_running_loop()
        self.psi = b""
        """The newest PAT and PMT packet: what a subscriber needs before its first keyframe."""
        self.bytes = 0
        self.keyframes = 0
        self._subscribers: dict[int, _Pipe | _Sink] = {}
        self._rest = b""
        self._group: list[bytes] = []
        self._continuity = ts.Continuity()
        self._pat = self._pmt = b""
        self._pmt_pid: int | None = None
        self._video_pid: int | None = None

    def subscribe(self, name: str, fd: int, *, backlog: int = BACKLOG) -> Subscription:
        """Write to the pipe `fd` (owned by the hub from now on) from the group under way."""
        note = Subscription(name)
        pipe = _Pipe(self, fd, note, backlog)
        self._subscribers[id(note)] = pipe
        if self._group and self.psi:
            pipe.prime(self.psi + b"".join(self._group))
        return note

    def attach(self, name: str, take: Callable[[bytes, int | None], None]) -> Subscription:
        """Call `take(data, keyframe_at)` with every piece, from the group under way; it must not
        block."""
        note = Subscription(name)
        sink = self._subscribers[id(note)] = _Sink(take, note)
        if self._group and self.psi:
            sink.push(b"".join(self._group), 0)
        return note

    def unsubscribe(self, note: Subscription) -> None:
        """Close a subscriber's pipe: its child sees the end of its input. Safe to call twice."""
        subscriber = self._subscribers.pop(id(note), None)
        if subscriber is not None:
            subscriber.close()

    def splice(self) -> None:
        """The next bytes come from a new encoder: begin on a clean packet, keep counters whole."""
        self._rest = b""
        self._group.clear()
        self._continuity.splice()

    def feed(self, data: bytes) -> None:
        """Hand on bytes of the transport stream, in any cut; garbage in between is left out."""
        data = self._rest + data
        while len(data) >= ts.PACKET:
            whole = len(data) - len(data) % ts.PACKET
            packets = np.frombuffer(data[:whole], np.uint8).reshape(-1, ts.PACKET)
            wrong = np.flatnonzero(packets[:, 0] != ts.SYNC)
            good = int(wrong[0]) if len(wrong) else len(packets)
            if good:
                self._take(packets[:good].copy())
            data = data[good * ts.PACKET :]
            if len(wrong):
                data = data[ts.next_packet(data) :]
        self._rest = data

    def _take(self, packets: ts.Packets) -> None:
        pids = ts.pids_of(packets)
        self._continuity.apply(packets, pids)
        self._learn(packets, pids)
        self._hand_on(packets.tobytes(), packets, pids)

    def _hand_on(self, piece: bytes, packets: ts.Packets, pids: NDArray[np.int32]) -> None:
        self.bytes += len(piece)
        keyframe_at: int | None = None
        if self._video_pid is not None:
            found = ts.keyframes(packets, pids, self._video_pid)
            if len(found):
                self.keyframes += len(found)
                keyframe_at = int(found[0]) * ts.PACKET
                self._group = [piece[int(found[-1]) * ts.PACKET :]]
            elif self._group:
                self._group.append(piece)
                if sum(map(len, self._group)) > GROUP_LIMIT:
                    self._group.clear()  # who joins now waits for the next keyframe
        elif self.psi:
            keyframe_at, self._group = 0, [piece]  # sound alone can be joined anywhere
        for subscriber in list(self._subscribers.values()):
            subscriber.push(piece, keyframe_at)

    def _learn(self, packets: ts.Packets, pids: NDArray[np.int32]) -> None:
        """Keep the newest PAT and PMT."""
        changed = False
        for pid, keep in ((ts.PAT_PID, "_pat"), (self._pmt_pid, "_pmt")):
            if pid is None:
                continue
            rows = np.flatnonzero(pids == pid)
            if len(rows):
                setattr(self, keep, packets[rows[-1]].tobytes())
                changed = True
                if pid == ts.PAT_PID and self._pmt_pid is None:
                    self._pmt_pid = ts.pmt_pid(self._pat)
                    self._learn(packets, pids)
                    return
        if changed and self._pat and self._pmt:
            self._video_pid = ts.video_pid(self._pmt)
            self.psi = self._pat + self._pmt
