"""Which frames of the master arrived at an account, without decoding one.

Copying from MPEG-TS to FLV changes how the pieces (NAL units) of a picture are separated, never
the pieces themselves. So the hash of a picture's slices names it on both sides.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from streamer.demo.measure.files import packets

OVERLAP = 250
"""Frames before the last one received at which a new recording may begin again: a relay that
connects anew begins at the last keyframe, or with what still waited for it."""
SLICES = range(1, 6)
"""NAL unit types that hold a picture (ITU-T H.264, table 7-1)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One coded picture: presentation time in seconds, hash of its slices."""

    pts: float
    name: int


@dataclass(frozen=True, slots=True)
class Missing:
    """Frames of the master in one row that did not arrive; times of the first and the last."""

    start: float
    end: float
    frames: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrived of the master. Times are the master's.

    `received`: different frames of the master. `lost`: frames between the first and the last
    received one that never arrived; `missing` says which. `duplicated`: arrived more than once
    (a new connection begins at a keyframe). `foreign`: arrived and are not in the master.
    """

    received: int
    lost: int
    duplicated: int
    foreign: int
    first: float | None
    last: float | None
    missing: tuple[Missing, ...]

    def lost_outside(self, *spans: tuple[float, float]) -> int:
        """Frames lost in rows that do not touch any of `spans` (start, end; master's seconds)."""
        return sum(
            gap.frames
            for gap in self.missing
            if not any(gap.start <= end and gap.end >= start for start, end in spans)
        )


def frames(path: Path) -> tuple[Frame, ...]:
    """Every picture of an H.264 file (FLV, MP4 or MPEG-TS) in the order of the file."""
    found = []
    for _, packet in packets(path, "video"):
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None or packet.time_base is None:
            continue
        data, extra = bytes(packet), packet.stream.codec_context.extradata or b""
        name = _name(_prefixed(data, (extra[4] & 3) + 1) if extra[:1] == b"\1" else _marked(data))
        if name is not None:
            found.append(Frame(float(time * packet.time_base), name))
    return tuple(found)


def compare(master: Sequence[Frame], recordings: Sequence[Sequence[Frame]]) -> Delivery:
    """What of `master` arrived in the `recordings` of one account, given in their order."""
    names = [frame.name for frame in master]
    known = set(names)
    times: Counter[int] = Counter()
    foreign = again = begin = 0
    for recording in recordings:
        arrived = [frame.name for frame in recording]
        matched = _align(names, arrived, begin)
        if len(matched) < len(arrived):
            # It may have begun again at an earlier keyframe.
            matched = max(matched, _align(names, arrived, max(0, begin - OVERLAP)), key=len)
        times.update(matched)
        foreign += sum(name not in known for name in arrived)
        # What is in the master and has no place in its order was sent once too often.
        again += sum(name in known for name in arrived) - len(matched)
        if matched:
            begin = matched[-1] + 1
    missing = tuple(_missing(master, sorted(times)))
    return Delivery(
        received=len(times),
        lost=sum(gap.frames for gap in missing),
        duplicated=sum(times.values()) - len(times) + again,
        foreign=foreign,
        first=master[min(times)].pts if times else None,
        last=master[max(times)].pts if times else None,
        missing=missing,
    )


def _align(master: list[int], arrived: list[int], begin: int) -> list[int]:
    """The places in `master`, rising, of the frames of one recording.

    Pictures of a slate that stands still may be equal; the longest rows are matched first, so
    that each finds its place between its neighbours.
    """
    if not arrived:
        return []
    matcher = SequenceMatcher(None, master[begin:], arrived, autojunk=False)
    return [
        begin + block.a + step
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    ]


def _missing(master: Sequence[Frame], received: list[int]) -> Iterator[Missing]:
    for before, after in itertools.pairwise(received):
        if after - before > 1:
            yield Missing(master[before + 1].pts, master[after - 1].pts, after - before - 1)


def _name(units: Iterator[bytes]) -> int | None:
    digest = hashlib.blake2b(digest_size=8)
    found = False
    for unit in units:
        if unit and unit[0] & 0x1F in SLICES:
            found = True
            digest.update(unit.rstrip(b"\0"))  # padding may follow a unit on either side
    return int.from_bytes(digest.digest(), "big") if found else None


def _prefixed(data: bytes, size: int) -> Iterator[bytes]:
    """NAL units that are each preceded by their length (FLV, MP4)."""
    at = 0
    while at + size <= len(data):
        length = int.from_bytes(data[at : at + size], "big")
        yield data[at + size : at + size + length]
        at += size + length


def _marked(data: bytes) -> Iterator[bytes]:
    """NAL units that are each preceded by a start code (MPEG-TS)."""
    start = data.find(b"\0\0\1")
    while start >= 0:
        after = data.find(b"\0\0\1", start + 3)
        yield data[start + 3 : after if after >= 0 else len(data)]
        start = after
