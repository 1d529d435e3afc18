"""What a recording holds, found by reading its packets with PyAV; nothing is decoded.

Of untrusted files too: no demuxer is allowed to open anything but what it is given.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import av.error
from av.container import InputContainer

from streamer.archive.hashing import Meter

GAP_S = 0.5
"""A pause between two packets that is longer, in seconds, is a hole in the recording."""
MAX_HOLES = 100
"""Holes that are named one by one; more are only counted."""

_LOCAL = {"protocol_whitelist": "file", "analyzeduration": "5000000", "probesize": "5000000"}


@dataclass(frozen=True, slots=True)
class Hole:
    """Nothing between `start_s` and `end_s` of programme time."""

    start_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(slots=True)
class StreamFacts:
    """One stream. Times are seconds of its own timestamps: programme time in a master.

    `end_s` is where its last packet ends; `backward` counts packets whose decoding time is not
    after that of the one before.
    """

    kind: str
    codec: str
    packets: int = 0
    first_s: float | None = None
    end_s: float | None = None
    largest_gap_s: float = 0.0
    backward: int = 0
    corrupt: int = 0
    holes: list[Hole] = field(default_factory=list)
    _last: float | None = field(default=None, repr=False)
    _length: float = field(default=0.0, repr=False)

    @property
    def seconds(self) -> float:
        if self.first_s is None or self.end_s is None:
            return 0.0
        return self.end_s - self.first_s

    def take(self, pts: float, dts: float, length: float) -> None:
        """The next packet, in seconds."""
        self.packets += 1
        if self._last is not None:
            if dts <= self._last:
                self.backward += 1
            gap = dts - self._last - (self._length or length)
            self.largest_gap_s = max(self.largest_gap_s, gap)
            if gap > GAP_S and len(self.holes) < MAX_HOLES:
                self.holes.append(Hole(self._last + self._length, dts))
        self.first_s = pts if self.first_s is None else min(self.first_s, pts)
        self.end_s = pts + length if self.end_s is None else max(self.end_s, pts + length)
        self._last, self._length = dts, length or self._length

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "codec": self.codec, "packets": self.packets,
            "first_s": _rounded(self.first_s), "end_s": _rounded(self.end_s),
            "largest_gap_s": _rounded(self.largest_gap_s), "backward": self.backward,
            "corrupt": self.corrupt,
            "holes": [[_rounded(h.start_s), _rounded(h.end_s)] for h in self.holes],
        }  # fmt: skip


@dataclass(slots=True)
class MediaFacts:
    """One unbroken file, or one part of the viewing copy; `error` says why it does not open."""

    path: str
    streams: list[StreamFacts] = field(default_factory=list)
    error: str = ""
    decoded: int = 0
    """Pictures and blocks of sound that were decoded; 0 when that was not asked for."""
    undecodable: int = 0

    @property
    def video(self) -> StreamFacts | None:
        return next((s for s in self.streams if s.kind == "video" and s.packets), None)

    @property
    def audio(self) -> StreamFacts | None:
        return next((s for s in self.streams if s.kind == "audio" and s.packets), None)

    @property
    def whole(self) -> bool:
        """True when it opens and has picture and sound."""
        return not self.error and self.video is not None and self.audio is not None

    @property
    def first_s(self) -> float | None:
        return min((s.first_s for s in self.streams if s.first_s is not None), default=None)

    @property
    def end_s(self) -> float | None:
        return max((s.end_s for s in self.streams if s.end_s is not None), default=None)

    @property
    def seconds(self) -> float:
        """From the first packet of any stream to the end of the last one."""
        first, end = self.first_s, self.end_s
        return end - first if first is not None and end is not None else 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": self.path, "seconds": _rounded(self.seconds), "error": self.error,
            "streams": [s.as_dict() for s in self.streams],
            "decoded": self.decoded, "undecodable": self.undecodable,
        }  # fmt: skip


def facts(path: Path, *, deep: bool = False, meter: Meter | None = None) -> MediaFacts:
    """The facts of one file. `deep` also decodes every packet (minutes for a long meeting).

    Never raises for what is wrong with the file; only `Interrupted`. Blocks.
    """
    kind = "mpegts" if path.suffix == ".ts" else None
    return _facts(str(path), path.name, kind, deep, meter or Meter())


def facts_of_parts(
    name: str, files: Sequence[Path], *, deep: bool = False, meter: Meter | None = None
) -> MediaFacts:
    """The facts of fragmented MP4: an init file and its segments, read one after the other.

    The playlist of a killed recorder has no end, which a player takes for a live stream and waits
    for more; that is why the segments are joined here and no playlist is opened.
    """
    with _Joined(files) as joined:
        return _facts(cast(BinaryIO, joined), name, "mp4", deep, meter or Meter())


def _facts(
    source: str | BinaryIO, name: str, kind: str | None, deep: bool, meter: Meter
) -> MediaFacts:
    result = MediaFacts(name)
    try:
        with av.open(source, "r", format=kind, options=_LOCAL) as container:
            _demux(container, result, deep, meter)
    except (av.error.FFmpegError, OSError) as error:
        # A recorder that was killed leaves an unfinished last packet: what came before counts.
        if not result.whole:
            result.error = error.strerror or str(error)
    return result


def _demux(container: InputContainer, result: MediaFacts, deep: bool, meter: Meter) -> None:
    streams = {s.index: StreamFacts(s.type, s.codec_context.name) for s in container.streams
               if s.type in ("video", "audio")}  # fmt: skip
    result.streams = list(streams.values())
    for packet in container.demux(*(container.streams[i] for i in streams)):
        meter.add(packet.size)
        found = streams[packet.stream_index]
        if packet.is_corrupt:
            found.corrupt += 1
        if packet.dts is not None and packet.pts is not None and packet.size:
            base = float(packet.time_base)
            found.take(packet.pts * base, packet.dts * base, (packet.duration or 0) * base)
        if deep:
            _decode(packet, result)


def _decode(packet: "av.Packet[Any]", result: MediaFacts) -> None:
    try:
        result.decoded += len(packet.decode())
    except av.error.FFmpegError:
        result.undecodable += 1


class _Joined(io.RawIOBase):
    """Files read as one stream that cannot be rewound."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = iter(files)
        self._open: io.FileIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._open is None:
                path = next(self._files, None)
                if path is None:
                    return 0
                self._open = path.open("rb", buffering=0)
            count = self._open.readinto(buffer)
            if count:
                return count
            self._open.close()
            self._open = None

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
        super().close()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
