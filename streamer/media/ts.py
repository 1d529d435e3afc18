"""MPEG transport stream, as much of it as the hub needs (ISO/IEC 13818-1).

Whole buffers are looked at with numpy: a packet at a time in Python would cost ten times more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

PACKET = 188
SYNC = 0x47
PAT_PID = 0
VIDEO_STREAM_TYPES = frozenset({0x01, 0x02, 0x1B, 0x24})
"""MPEG-1, MPEG-2, H.264, H.265."""

Packets = NDArray[np.uint8]
"""Shape (n, 188)."""


@dataclass(slots=True)
class Continuity:
    """Keeps continuity counters unbroken when one encoder follows another.

    A receiver takes a jump of the 4-bit counter for a lost packet and drops the picture.
    """

    last: dict[int, int] = field(default_factory=dict)
    shift: dict[int, int] = field(default_factory=dict)
    joining: bool = False

    def splice(self) -> None:
        """The next bytes come from a new encoder."""
        self.shift.clear()
        self.joining = True

    def apply(self, packets: Packets, pids: NDArray[np.int32]) -> None:
        """Rewrite the counters of `packets` in place."""
        for pid in np.unique(pids):
            number = int(pid)
            rows = np.flatnonzero(pids == pid)
            if self.joining and number not in self.shift:
                first = int(packets[rows[0], 3]) & 0x0F
                expected = (self.last[number] + 1) & 0x0F if number in self.last else first
                self.shift[number] = (expected - first) & 0x0F
            shift = self.shift.get(number, 0)
            if shift:
                low = (packets[rows, 3] + shift) & 0x0F
                packets[rows, 3] = (packets[rows, 3] & 0xF0) | low
            self.last[number] = int(packets[rows[-1], 3]) & 0x0F


def pids_of(packets: Packets) -> NDArray[np.int32]:
    return ((packets[:, 1].astype(np.int32) & 0x1F) << 8) | packets[:, 2]


def keyframes(packets: Packets, pids: NDArray[np.int32], video_pid: int) -> NDArray[np.intp]:
    """Indexes of packets in which a keyframe of `video_pid` begins."""
    starts = (pids == video_pid) & ((packets[:, 1] & 0x40) != 0)
    field_ = ((packets[:, 3] & 0x20) != 0) & (packets[:, 4] > 0) & ((packets[:, 5] & 0x40) != 0)
    return np.flatnonzero(starts & field_)


def next_packet(data: bytes) -> int:
    """Where after the first byte a packet begins, as far as one can see: two lie in a row.

    The length of `data` when there is none.
    """
    at = data.find(SYNC, 1)
    while at >= 0:
        if at + PACKET >= len(data) or data[at + PACKET] == SYNC:
            return at
        at = data.find(SYNC, at + 1)
    return len(data)


def pmt_pid(pat: bytes) -> int | None:
    """PID of the first programme in a PAT packet."""
    section = _section(pat)
    for at in range(8, len(section) - 4 - 3, 4):
        if (section[at] << 8) | section[at + 1]:
            return ((section[at + 2] & 0x1F) << 8) | section[at + 3]
    return None


def video_pid(pmt: bytes) -> int | None:
    """PID of the first video stream in a PMT packet."""
    return next((pid for pid, kind in streams(pmt).items() if kind in VIDEO_STREAM_TYPES), None)


def streams(pmt: bytes) -> dict[int, int]:
    """Stream type by PID in a PMT packet, in its order."""
    section = _section(pmt)
    found: dict[int, int] = {}
    if len(section) < 16:
        return found
    at = 12 + (((section[10] & 0x0F) << 8) | section[11])
    while at + 5 <= len(section) - 4:
        found[((section[at + 1] & 0x1F) << 8) | section[at + 2]] = section[at]
        at += 5 + (((section[at + 3] & 0x0F) << 8) | section[at + 4])
    return found


def _section(packet: bytes) -> bytes:
    """The PSI section in a packet, cut to its own length; empty when there is none."""
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    if at >= PACKET:
        return b""
    at += 1 + packet[at]
    if at + 3 > PACKET:
        return b""
    return packet[at : at + 3 + (((packet[at + 1] & 0x0F) << 8) | packet[at + 2])]
