"""Reading media files that may be cut off, and their timestamps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import av
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame

Kind = Literal["video", "audio"]


@dataclass(frozen=True, slots=True)
class Times:
    """The timestamps of one stream of a file; all in seconds.

    `monotonic`: decoding times never stood still or went back. `largest_gap` is the longest step
    between two of them, and `gap_at` where it begins.
    """

    kind: Kind
    packets: int
    first: float
    last: float
    largest_gap: float
    gap_at: float
    monotonic: bool

    @property
    def seconds(self) -> float:
        return self.last - self.first


def timestamps(path: Path) -> dict[Kind, Times]:
    """The times of the picture and the sound of `path`; a stream without packets is left out."""
    found: dict[Kind, list[float]] = {"video": [], "audio": []}
    for kind, packet in packets(path):
        time = packet.dts if packet.dts is not None else packet.pts
        if time is not None and packet.time_base is not None:
            found[kind].append(float(time * packet.time_base))
    return {kind: _times(kind, times) for kind, times in found.items() if times}


def _times(kind: Kind, times: list[float]) -> Times:
    steps = [(after - before, before) for before, after in itertools.pairwise(times)]
    gap, gap_at = max(steps, default=(0.0, times[0]))
    return Times(
        kind, len(times), times[0], times[-1], gap, gap_at, all(step > 0 for step, _ in steps)
    )


def packets(path: Path, *kinds: Kind) -> Iterator[tuple[Kind, Packet[Any]]]:
    """The packets of the first stream of each kind, in the order of the file.

    A file without a picture or sound yields nothing; a torn end ends it.
    """
    source = _open(path)
    if source is None:
        return
    with source:
        wanted: dict[int, Kind] = {}
        for kind in kinds or ("video", "audio"):
            stream = next((s for s in source.streams if s.type == kind), None)
            if stream is not None:
                wanted[stream.index] = kind
        if not wanted:
            return
        try:
            for packet in source.demux([source.streams[index] for index in wanted]):
                if packet.size:
                    yield wanted[packet.stream.index], packet
        except (av.error.InvalidDataError, av.error.EOFError):
            return


def decoded(path: Path, kind: Kind) -> Iterator[VideoFrame | AudioFrame]:
    """The decoded frames of the first stream of `kind`; what cannot be decoded is left out."""
    source = _open(path)
    if source is None:
        return
    with source:
        stream = next((s for s in source.streams if s.type == kind), None)
        if stream is None:
            return
        stream.codec_context.thread_type = "AUTO"
        try:
            for packet in source.demux(stream):
                try:
                    yield from packet.decode()  # type: ignore[misc]
                except av.error.InvalidDataError:
                    continue  # the one frame that a cut tore
        except (av.error.InvalidDataError, av.error.EOFError):
            return


def _open(path: Path) -> InputContainer | None:
    try:
        return av.open(str(path))
    except (av.error.InvalidDataError, av.error.EOFError):
        return None  # a publish that ended before its first frame
