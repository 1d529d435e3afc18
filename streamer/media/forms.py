"""The form of a picture and of a sound, as their own headers tell it: H.264 SPS, ADTS.

As much of both as a slate needs to look the same, and a person to recognise what an encoder sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""Sample rates by their index in ADTS."""
FRAME = 1024
"""Samples in a frame of AAC."""
SPS, PPS, IDR = 7, 8, 5
_PROFILES = {66: "baseline", 77: "main", 88: "extended", 100: "high", 110: "high 10"}
_CHROMA_TOLD = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_SQUARE = Fraction(1)
_ASPECTS = {
    1: _SQUARE, 2: Fraction(12, 11), 3: Fraction(10, 11), 4: Fraction(16, 11), 5: Fraction(40, 33),
    14: Fraction(4, 3), 15: Fraction(3, 2), 16: Fraction(2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PictureForm:
    """Size in pixels, pictures per second (0: the stream does not say), H.264 profile."""

    width: int
    height: int
    fps: Fraction = Fraction(0)
    profile: str = "high"
    aspect: Fraction = _SQUARE
    """Of one sample; 1 for square ones."""

    def __str__(self) -> str:
        rate = f" {float(self.fps):g} fps" if self.fps else ""
        return f"{self.width}x{self.height}{rate} H.264 {self.profile}"


@dataclass(frozen=True, slots=True)
class SoundForm:
    """AAC: MPEG-4 object type (2: LC), samples per second, channels (ADTS: 7 means eight)."""

    rate: int = 48000
    channels: int = 2
    object_type: int = 2

    def __str__(self) -> str:
        return f"AAC {self.rate} Hz, {self.channels} ch"


def nal_units(annex_b: bytes) -> list[bytes]:
    """The NAL units of an access unit, without their start codes."""
    return [piece.rstrip(b"\0") for piece in annex_b.split(b"\0\0\1")[1:]]


def parameter_sets(annex_b: bytes) -> tuple[bytes, ...]:
    """SPS and PPS of an access unit, in order; they stand before its first slice."""
    found: list[bytes] = []
    at = annex_b.find(b"\0\0\1")
    while 0 <= at < len(annex_b) - 4:
        kind = annex_b[at + 3] & 0x1F
        if 1 <= kind <= IDR:
            break
        end = annex_b.find(b"\0\0\1", at + 3)
        if kind in (SPS, PPS):
            found.append(annex_b[at + 3 : end if end >= 0 else None].rstrip(b"\0"))
        at = end
    return tuple(found)


def annex_b(sets: tuple[bytes, ...]) -> bytes:
    return b"".join(b"\0\0\0\1" + one for one in sets)


def picture_form(sets: tuple[bytes, ...]) -> PictureForm | None:
    """What the first SPS of `sets` says; None when there is none that can be read."""
    for one in sets:
        if one and one[0] & 0x1F == SPS:
            try:
                return _read_sps(one)
            except (IndexError, ValueError, ZeroDivisionError):
                return None
    return None


def sound_form(adts: bytes) -> SoundForm | None:
    """What the ADTS header at the beginning of `adts` says; None when it is none."""
    if len(adts) < 7 or adts[0] != 0xFF or adts[1] & 0xF6 != 0xF0:
        return None
    index = adts[2] >> 2 & 0x0F
    channels = (adts[2] & 1) << 2 | adts[3] >> 6
    if index >= len(RATES):
        return None
    return SoundForm(RATES[index], channels, (adts[2] >> 6) + 1)


def adts_frames(adts: bytes) -> list[bytes]:
    """The whole frames that follow one another in `adts`."""
    frames, at = [], 0
    while at + 7 <= len(adts) and adts[at] == 0xFF and adts[at + 1] & 0xF6 == 0xF0:
        length = (adts[at + 3] & 3) << 11 | adts[at + 4] << 3 | adts[at + 5] >> 5
        if length < 7 or at + length > len(adts):
            break
        frames.append(adts[at : at + length])
        at += length
    return frames


class _Bits:
    """Reads bits and Exp-Golomb codes of an SPS, whose emulation prevention it takes out."""

    def __init__(self, data: bytes) -> None:
        data = data.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the parameter set is torn")
        return self._value >> self._left & (1 << count) - 1

    def ue(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 31:
                raise ValueError("not an Exp-Golomb code")
        return (1 << zeros) - 1 + self.take(zeros)

    def se(self) -> int:
        value = self.ue()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def _read_sps(sps: bytes) -> PictureForm:
    """ISO/IEC 14496-10, 7.3.2.1.1 and E.1.1, up to what is needed."""
    bits = _Bits(sps[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.ue()
    chroma = 1
    if profile in _CHROMA_TOLD:
        chroma = _skip_chroma(bits)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.take(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue()
    bits.take(1)
    wide, high = bits.ue() + 1, bits.ue() + 1
    frames_only = bits.take(1)
    if not frames_only:
        bits.take(1)
    bits.take(1)
    left = right = top = bottom = 0
    if bits.take(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
    across = 2 if chroma in (1, 2) else 1
    down = (2 if chroma == 1 else 1) * (2 - frames_only)
    width = wide * 16 - across * (left + right)
    height = high * 16 * (2 - frames_only) - down * (top + bottom)
    if not (16 <= width <= 16384 and 16 <= height <= 16384):
        raise ValueError("no size of a picture")
    aspect, fps = _read_vui(bits) if bits.take(1) else (_SQUARE, Fraction(0))
    name = _PROFILES.get(profile, f"profile {profile}")
    return PictureForm(width, height, fps, name, aspect)


def _skip_chroma(bits: _Bits) -> int:
    chroma = bits.ue()
    if chroma == 3:
        bits.take(1)
    bits.ue()
    bits.ue()
    bits.take(1)
    if bits.take(1):
        for number in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling(bits, 16 if number < 6 else 64)
    return chroma


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _read_vui(bits: _Bits) -> tuple[Fraction, Fraction]:
    """Aspect of a sample and pictures per second; 0 when they are not told."""
    aspect = _SQUARE
    if bits.take(1):
        kind = bits.take(8)
        if kind == 255:
            wide, high = bits.take(16), bits.take(16)
            aspect = Fraction(wide, high) if wide and high else _SQUARE
        else:
            aspect = _ASPECTS.get(kind, _SQUARE)
    if bits.take(1):
        bits.take(1)
    if bits.take(1):
        bits.take(4)
        if bits.take(1):
            bits.take(24)
    if bits.take(1):
        bits.ue()
        bits.ue()
    if not bits.take(1):
        return aspect, Fraction(0)
    tick, scale = bits.take(32), bits.take(32)
    return aspect, Fraction(scale, 2 * tick) if tick and scale else Fraction(0)
