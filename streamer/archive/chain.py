"""The chain of packages: an append-only file in which each entry vouches for all before it.

A manifest proves that a package is as it was sealed; the chain proves that the manifest is the one
of that day. Whoever published the hash of the last entry can no longer exchange an older package
unseen. Cutting entries off the end cannot be seen from the file alone: compare the last hash
(`head`) with a published one.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.domain.errors import StreamerError, Unavailable

NAME = "chain.ndjson"
"""The chain's file name, in the root of the archive."""
FIRST = "0" * 64
"""What the first entry has before it."""
LOCK_S = 10.0
"""Seconds to wait for another process that appends; it needs milliseconds."""


class ChainBroken(StreamerError):
    """The chain of packages was altered; nothing is appended until a person has looked at it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One sealed package. `at` is UTC (ISO 8601); `hash` covers all other fields."""

    n: int
    meeting: str
    key: str
    manifest_sha256: str
    at: str
    prev: str
    hash: str = ""

    def computed(self) -> str:
        """What `hash` has to be: SHA-256 over the other fields as JSON with sorted keys."""
        fields = asdict(self)
        del fields["hash"]
        text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainReport:
    """`broken` is the number (from 1) of the first line that is not as it was written, else None.

    `head` is the hash of the last good entry. `torn`: the last line was not written to its end.
    """

    entries: tuple[Entry, ...]
    broken: int | None
    torn: bool
    head: str

    @property
    def ok(self) -> bool:
        return self.broken is None


def verify_chain(path: Path) -> ChainReport:
    """Read the chain and compute every hash again. A chain that is not there yet is empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    return _verify(data)


def append(path: Path, meeting: str, key: str, manifest_sha256: str) -> Entry:
    """Append the package and return its entry once it is on disk.

    Appending what is there already returns the entry that stands there. A last line that a crash
    tore is removed: it never was an entry. Raises ChainBroken, Unavailable, OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file, _locked(file.fileno()):
        file.seek(0)
        data = file.read()
        report = _verify(data)
        if not report.ok:
            raise ChainBroken(line=report.broken, file=path.name)
        for old in report.entries:
            if (old.key, old.manifest_sha256) == (key, manifest_sha256):
                return old
        if report.torn:
            file.truncate(data.rfind(b"\n") + 1)
        entry = _entry(report, meeting, key, manifest_sha256)
        line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")) + "\n"
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())
    return entry


def _entry(report: ChainReport, meeting: str, key: str, manifest_sha256: str) -> Entry:
    bare = Entry(
        n=len(report.entries) + 1, meeting=meeting, key=key, manifest_sha256=manifest_sha256,
        at=datetime.now(UTC).isoformat(timespec="seconds"), prev=report.head,
    )  # fmt: skip
    return Entry(**{**asdict(bare), "hash": bare.computed()})


def _verify(data: bytes) -> ChainReport:
    lines = data.split(b"\n")
    torn = bool(lines.pop())
    entries: list[Entry] = []
    head = FIRST
    for number, line in enumerate(lines, start=1):
        entry = _read(line)
        if (
            entry is None
            or entry.n != number
            or entry.prev != head
            or entry.hash != entry.computed()
        ):
            return ChainReport(tuple(entries), number, torn, head)
        entries.append(entry)
        head = entry.hash
    return ChainReport(tuple(entries), None, torn, head)


def _read(line: bytes) -> Entry | None:
    try:
        raw: Any = json.loads(line)
        return Entry(**raw)
    except (ValueError, TypeError):
        return None


@contextmanager
def _locked(handle: int) -> Iterator[None]:
    """Hold the file alone: two schedulers must not both write entry n."""
    deadline = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Unavailable(
                    "another process keeps the chain of packages locked", code="chain_locked"
                ) from None
            time.sleep(0.02)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
