"""Access units in a transport stream: read whole, restamped and written again, packet by packet.

A unit is one PES packet as FFmpeg's mpegts muxer writes it: one picture, or a few frames of AAC.
Its transport packets stay as they are; only counters and timestamps are rewritten, so that passing
a unit on costs the same whether it holds fifty bytes or fifty thousand. Timestamps are in ticks of
90 kHz and unwrapped: they count on where the 33 bits of the stream begin anew.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from streamer.media import ts

CLOCK = 90_000
"""Ticks per second."""
WRAP = 1 << 33
PMT_PID, VIDEO_PID, AUDIO_PID = 0x1000, 0x100, 0x101
"""Of every stream of ours; FFmpeg's muxer uses the same for what it writes."""
H264, AAC = 0x1B, 0x0F
UNIT_LIMIT = 44_000
"""Packets of one unit (8 MB): more is not a picture but a lost start."""
_NAMES = {
    0x01: "MPEG-1", 0x02: "MPEG-2", 0x24: "H.265", 0x33: "H.266", 0x03: "MP2", 0x04: "MP2",
    0x11: "AAC in LATM", 0x81: "AC-3", 0x06: "a private codec",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Unit:
    """One access unit. `packets` are its own; `stamps` is where its PTS stands in the first one."""

    video: bool
    pts: int
    dts: int
    keyframe: bool
    packets: ts.Packets
    stamps: int
    _payload: bytes | None = None

    @property
    def payload(self) -> bytes:
        """The elementary stream in it: Annex B or ADTS. Read once."""
        if self._payload is None:
            self._payload = self._read()
        return self._payload

    def _read(self) -> bytes:
        pieces = []
        for row in self.packets:
            at = 4 + (1 + int(row[4]) if row[3] & 0x20 else 0)
            pieces.append(row[at:].tobytes())
        data = b"".join(pieces)
        return data[9 + data[8] :] if len(data) > 9 else b""

    def at(self, pts: int, dts: int) -> Unit:
        """A copy with other timestamps, to be written more than once."""
        return Unit(self.video, pts, dts, self.keyframe, self.packets.copy(), self.stamps)


@dataclass(slots=True)
class UnitReader:
    """Finds whole units in the pieces that a hub hands on."""

    kinds: dict[int, int] = field(default_factory=dict)
    """Stream type by PID, from the newest PMT."""
    _pmt: bytes = b""
    _pmt_pid: int = -1
    _video: int = -1
    _audio: int = -1
    _open: list[ts.Packets] = field(default_factory=list)
    _last: dict[bool, int] = field(default_factory=dict)

    @property
    def fault(self) -> str:
        """What in this source cannot be copied; empty while there is nothing to say against it."""
        if not self.kinds:
            return ""
        kinds = set(self.kinds.values())
        wrong = [name for kind, name in _NAMES.items() if kind in kinds]
        if H264 not in kinds:
            return f"no H.264 picture comes ({' and '.join(wrong) or 'sound only'})"
        if len(self.kinds) > 1 and AAC not in kinds:
            return f"the sound is not AAC ({' and '.join(wrong) or 'an unknown codec'})"
        return ""

    @property
    def has_sound(self) -> bool:
        return self._audio >= 0

    def feed(self, data: bytes) -> Iterator[Unit]:
        """The units that `data` (whole packets) completes, in the order of the stream."""
        packets = np.frombuffer(data, np.uint8).reshape(-1, ts.PACKET)
        pids = ts.pids_of(packets)
        self._learn(packets, pids)
        ours = (pids == self._video) | (pids == self._audio)
        ours &= (packets[:, 3] & 0x10) != 0  # packets without payload carry only a clock
        rows = packets[ours]
        starts = np.flatnonzero(rows[:, 1] & 0x40)
        if not len(starts):
            if len(rows):
                self._open.append(rows)
                if sum(map(len, self._open)) > UNIT_LIMIT:
                    self._open.clear()
            return
        if starts[0]:
            self._open.append(rows[: starts[0]])
        yield from self.flush()
        for begin, end in itertools.pairwise(starts):
            unit = self._unit(rows[begin:end])
            if unit is not None:
                yield unit
        self._open = [rows[starts[-1] :]]

    def flush(self) -> Iterator[Unit]:
        """The unit that was complete when the next one began, or the last one at the end."""
        if self._open:
            unit = self._unit(self._open[0] if len(self._open) == 1 else np.concatenate(self._open))
            self._open = []
            if unit is not None:
                yield unit

    def _learn(self, packets: ts.Packets, pids: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
        for row in packets[pids == ts.PAT_PID][-1:]:
            self._pmt_pid = ts.pmt_pid(row.tobytes()) or -1
        for row in packets[pids == self._pmt_pid][-1:]:
            pmt = row.tobytes()
            if pmt[4:] == self._pmt[4:]:
                continue
            self._pmt, self.kinds = pmt, ts.streams(pmt)
            self._video = next((p for p, kind in self.kinds.items() if kind == H264), -1)
            self._audio = next((p for p, kind in self.kinds.items() if kind == AAC), -1)

    def _unit(self, rows: ts.Packets) -> Unit | None:
        first = rows[0].tobytes()
        if not first[1] & 0x40:
            return None  # its beginning was lost
        pid = (first[1] & 0x1F) << 8 | first[2]
        at = 4 + (1 + first[4] if first[3] & 0x20 else 0)
        if first[at : at + 3] != b"\0\0\1" or at + 19 > ts.PACKET or not first[at + 7] & 0x80:
            return None
        video = pid == self._video
        pts = _stamp(first, at + 9)
        dts = _stamp(first, at + 14) if first[at + 7] & 0x40 else pts
        dts = self._unwrapped(video, dts)
        pts = dts + ((pts - dts) % WRAP if (pts - dts) % WRAP < WRAP // 2 else 0)
        key = video and bool(first[3] & 0x20 and first[4] and first[5] & 0x40)
        whole = rows[(rows[:, 2] == first[2]) & ((rows[:, 1] ^ first[1]) & 0x1F == 0)]
        return Unit(video, pts, dts, key, whole.copy(), at + 9)

    def _unwrapped(self, video: bool, dts: int) -> int:
        """`dts` near the last one of either kind, beyond 33 bits too."""
        last = self._last.get(video, next(iter(self._last.values()), dts))
        turn = (dts - last + WRAP // 2) % WRAP - WRAP // 2
        self._last[video] = last + turn
        return last + turn


@dataclass(slots=True)
class UnitWriter:
    """Writes units as one clean transport stream with PAT, PMT, and whole counters."""

    _counters: dict[int, int] = field(default_factory=dict)

    def psi(self) -> bytes:
        """PAT and PMT: before every keyframe, so that anybody can join there."""
        made = b""
        for pid, section in ((ts.PAT_PID, _PAT), (PMT_PID, _PMT)):
            made += bytes([0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10 | self._next(pid)]) + section
        return made

    def unit(self, unit: Unit) -> bytes:
        """The packets of `unit` with its timestamps, in our PIDs. Changes `unit.packets`."""
        pid = VIDEO_PID if unit.video else AUDIO_PID
        packets = unit.packets
        count = len(packets)
        first = packets[0]
        packets[:, 1] = (packets[:, 1] & 0xE0) | pid >> 8
        packets[:, 2] = pid & 0xFF
        counter = self._counters.get(pid, 15)
        numbers = np.arange(counter + 1, counter + 1 + count, dtype=np.int64) & 0x0F
        packets[:, 3] = (packets[:, 3] & 0xF0) | numbers.astype(np.uint8)
        self._counters[pid] = (counter + count) & 0x0F
        at = unit.stamps
        if first[at - 2] & 0x40:
            first[at : at + 5] = list(_written(unit.pts, 3))
            first[at + 5 : at + 10] = list(_written(unit.dts, 1))
        else:
            first[at : at + 5] = list(_written(unit.pts, 2))
        if first[3] & 0x20 and first[4] >= 7 and first[5] & 0x10:
            first[6:12] = list(_pcr(unit.dts))
        return packets.tobytes()

    def made(
        self, payload: bytes, pts: int, *, video: bool = False, dts: int | None = None
    ) -> bytes:
        """A unit made of an elementary stream. `dts` only where it is not the PTS; a picture made
        like this counts as a keyframe."""
        pid = VIDEO_PID if video else AUDIO_PID
        later = dts is not None and dts != pts
        stamps = _written(pts, 3) + _written(dts or 0, 1) if later else _written(pts, 2)
        length = 0 if video else len(payload) + 3 + len(stamps)
        flags = bytes([0x80, 0xC0 if later else 0x80, len(stamps)])
        head = b"\0\0\1" + (b"\xe0" if video else b"\xc0") + length.to_bytes(2, "big")
        data = head + flags + stamps + payload
        clock = _pcr(pts if dts is None else dts) if video else b""
        pieces, at = [], 0
        while at < len(data):
            field_ = bytes([0x50]) + clock if video and not at else b""
            room = ts.PACKET - 4 - (len(field_) + 1 if field_ else 0)
            piece = data[at : at + room]
            at += len(piece)
            spare = room - len(piece)
            if spare and not field_:
                # The length byte is the first of the padding; a flags byte follows where it fits.
                field_, spare = (b"", 0) if spare == 1 else (b"\0", spare - 2)
                adaptation = bytes([len(field_) + spare]) + field_ + b"\xff" * spare
            elif field_:
                adaptation = bytes([len(field_) + spare]) + field_ + b"\xff" * spare
            else:
                adaptation = b""
            start = 0x40 if at == len(piece) else 0
            control = (0x30 if adaptation else 0x10) | self._next(pid)
            pieces.append(bytes([0x47, start | pid >> 8, pid & 0xFF, control]) + adaptation + piece)
        return b"".join(pieces)

    def _next(self, pid: int) -> int:
        self._counters[pid] = (self._counters.get(pid, 15) + 1) & 0x0F
        return self._counters[pid]


def made_unit(unit: Unit, payload: bytes) -> None:
    """Give a keyframe another elementary stream; its timestamps stay."""
    made = UnitWriter().made(payload, unit.pts, video=True, dts=unit.dts)
    unit.packets = np.frombuffer(made, np.uint8).reshape(-1, ts.PACKET).copy()
    unit.stamps, unit._payload = _first_stamp(made), payload


def _first_stamp(packet: bytes) -> int:
    """Where the PTS stands in a packet in which a unit begins."""
    return 4 + (1 + packet[4] if packet[3] & 0x20 else 0) + 9


def _stamp(data: bytes, at: int) -> int:
    return (
        (data[at] & 0x0E) << 29 | data[at + 1] << 22 | (data[at + 2] & 0xFE) << 14
        | data[at + 3] << 7 | data[at + 4] >> 1
    )  # fmt: skip


def _written(stamp: int, mark: int) -> bytes:
    stamp %= WRAP
    return bytes(
        [mark << 4 | stamp >> 29 & 0x0E | 1, stamp >> 22 & 0xFF, stamp >> 14 & 0xFE | 1,
         stamp >> 7 & 0xFF, stamp << 1 & 0xFE | 1]
    )  # fmt: skip


def _pcr(stamp: int) -> bytes:
    return ((stamp % WRAP) << 15 | 0x7E00).to_bytes(6, "big")


def _pid(pid: int) -> bytes:
    return (0xE000 | pid).to_bytes(2, "big")


def _section(table: int, body: bytes) -> bytes:
    """The payload of a packet that holds one PSI section, with its length and CRC."""
    body = bytes([table]) + (0xB000 | len(body) + 4).to_bytes(2, "big") + body
    return (b"\0" + body + _crc(body).to_bytes(4, "big")).ljust(ts.PACKET - 4, b"\xff")


def _crc(data: bytes) -> int:
    """CRC-32/MPEG-2 by way of zlib's, which is the same one with every bit mirrored."""
    mirrored = bytes(_MIRROR[byte] for byte in data)
    value = zlib.crc32(mirrored) ^ 0xFFFFFFFF
    return int.from_bytes(bytes(_MIRROR[byte] for byte in value.to_bytes(4, "little")), "big")


_MIRROR = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_VERSION = bytes([0, 1, 0xC1, 0, 0])
_PAT = _section(0, _VERSION + b"\0\1" + _pid(PMT_PID))
_PMT = _section(
    2,
    _VERSION + _pid(VIDEO_PID) + b"\xf0\0"
    + bytes([H264]) + _pid(VIDEO_PID) + b"\xf0\0"
    + bytes([AAC]) + _pid(AUDIO_PID) + b"\xf0\0",
)  # fmt: skip
