"""SHA-256 of files in a stream, with a meter that says how far it is."""

import hashlib
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from streamer.domain.errors import StreamerError

BLOCK = 1 << 20
"""Bytes read at once: the memory that hashing needs, however large the file."""


class Interrupted(StreamerError):
    """The work was stopped from outside before it was done; it can be started again."""


@dataclass(slots=True)
class Meter:
    """How far a long work is. Written by the working thread, read by any other.

    `done` and `total` count bytes; `moved_at` is the monotonic time of the last sign of life.
    `stop` set from outside ends the work at the next block with `Interrupted`.
    """

    total: int = 0
    done: int = 0
    moved_at: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)

    def add(self, count: int) -> None:
        """`count` bytes are done."""
        if self.stop.is_set():
            raise Interrupted
        self.done += count
        self.moved_at = time.monotonic()

    @property
    def idle_s(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self.moved_at

    def restart(self, total: int) -> None:
        """The next step of the work begins, with `total` bytes."""
        self.total, self.done, self.moved_at = total, 0, time.monotonic()


def digests(path: Path, algorithms: Iterable[str], meter: Meter) -> dict[str, str]:
    """The hexadecimal digest of one file by each algorithm, read once. Raises OSError."""
    hashes = {name: hashlib.new(name) for name in algorithms}
    block = bytearray(BLOCK)
    view = memoryview(block)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(view):
            for each in hashes.values():
                each.update(view[:count])
            meter.add(count)
    return {name: each.hexdigest() for name, each in hashes.items()}


def sha256(path: Path, meter: Meter) -> str:
    """The hexadecimal SHA-256 of one file. Raises OSError, Interrupted."""
    return digests(path, ("sha256",), meter)["sha256"]
