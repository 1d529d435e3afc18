"""Transport streams made by hand: the hub must understand them, whoever encoded."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

PACKET = 188
PMT_PID, VIDEO_PID, AUDIO_PID = 0x1000, 0x100, 0x101


def packet(
    pid: int, counter: int, payload: bytes = b"", *, start: bool = False, keyframe: bool = False
) -> bytes:
    """One packet; `keyframe` sets the random access indicator."""
    head = bytes([0x47, (0x40 if start else 0) | pid >> 8, pid & 0xFF])
    room = PACKET - 4
    if keyframe:
        stuffing = room - 2 - len(payload)
        field_ = bytes([1 + stuffing, 0x40]) + b"\xff" * stuffing
        return head + bytes([0x30 | counter & 15]) + field_ + payload
    return head + bytes([0x10 | counter & 15]) + payload.ljust(room, b"\xff")


def section(body: bytes) -> bytes:
    """A PSI section with its pointer field; its CRC is not looked at."""
    length = len(body) - 3 + 4
    return b"\0" + bytes([body[0], 0xB0 | length >> 8, length & 0xFF]) + body[3:] + b"CRC!"


def pat(pmt_pid: int = PMT_PID) -> bytes:
    network = b"\0\0\xe0\x10"  # programme 0 names the network's table, not a programme
    return section(
        b"\0\0\0\0\x01\xc1\0\0" + network + b"\0\x01" + (0xE000 | pmt_pid).to_bytes(2, "big")
    )


def pmt(video_pid: int = VIDEO_PID, audio_pid: int = AUDIO_PID, info: bytes = b"") -> bytes:
    """Sound is listed first, with a descriptor, so that both must be stepped over."""
    streams = b"\x0f" + (0xE000 | audio_pid).to_bytes(2, "big") + b"\xf0\x03\x0a\x01k"
    streams += b"\x1b" + (0xE000 | video_pid).to_bytes(2, "big") + b"\xf0\0"
    head = b"\x02\0\0\0\x01\xc1\0\0" + (0xE000 | video_pid).to_bytes(2, "big")
    return section(head + (0xF000 | len(info)).to_bytes(2, "big") + info + streams)


@dataclass
class Maker:
    """An encoder: counts its packets as one does, and numbers its pictures."""

    counters: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    picture: int = 0

    def psi(self) -> bytes:
        return self._packet(0, pat(), start=True) + self._packet(PMT_PID, pmt(), start=True)

    def group(self, pictures: int = 3, packets: int = 4) -> bytes:
        """PSI, a keyframe and the pictures after it, each followed by a packet of sound."""
        data = self.psi()
        for number in range(pictures):
            self.picture += 1
            name = f"picture {self.picture} ".encode()
            data += self._packet(VIDEO_PID, name, start=True, keyframe=number == 0)
            for _ in range(packets - 1):
                data += self._packet(VIDEO_PID, b"more of " + name)
            data += self._packet(AUDIO_PID, b"sound", start=True)
        return data

    def _packet(
        self, pid: int, payload: bytes, *, start: bool = False, keyframe: bool = False
    ) -> bytes:
        made = packet(pid, self.counters[pid], payload, start=start, keyframe=keyframe)
        self.counters[pid] += 1
        return made


def split(data: bytes) -> list[bytes]:
    """Packets of `data`; AssertionError when it is not made of whole ones."""
    assert len(data) % PACKET == 0
    packets = [data[at : at + PACKET] for at in range(0, len(data), PACKET)]
    assert all(p[0] == 0x47 for p in packets)
    return packets


def pid_of(one: bytes) -> int:
    return (one[1] & 0x1F) << 8 | one[2]


def jumps(data: bytes) -> int:
    """How often a continuity counter is not the one after the last of its PID."""
    last: dict[int, int] = {}
    found = 0
    for one in split(data):
        pid, counter = pid_of(one), one[3] & 15
        found += pid in last and counter != (last[pid] + 1) & 15
        last[pid] = counter
    return found


def is_keyframe(one: bytes) -> bool:
    return bool(pid_of(one) == VIDEO_PID and one[3] & 0x20 and one[4] and one[5] & 0x40)


def pictures(data: bytes) -> list[int]:
    """Numbers of the pictures that begin in `data`."""
    return [
        int(one.partition(b"picture ")[2].split()[0])
        for one in split(data)
        if pid_of(one) == VIDEO_PID and one[1] & 0x40
    ]
