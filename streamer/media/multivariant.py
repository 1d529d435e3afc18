"""The multivariant playlist (`hls/master.m3u8`): which renditions there are, read from them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import av

from streamer.media.renditions import (
    INDEX,
    LOW,
    LOW_AUDIO_KBPS,
    LOW_VIDEO_KBPS,
    SOUND,
    VIDEO,
    Viewing,
)

NAME = "master.m3u8"
NAMES = {"kk": "Қазақша", "ru": "Русский", "en": "English"}
GROUP = "sound"
OVERHEAD = 1.1
"""Of the segments' form over what is in them."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is in one rendition. `peak_bps`: bits a second of its largest segment."""

    codecs: tuple[str, ...]
    width: int = 0
    height: int = 0
    peak_bps: float = 0.0


def form(init: Path, peak_bps: float) -> Form | None:
    """Read a rendition's form from its init file; None when it cannot be read."""
    codecs, width, height = [], 0, 0
    try:
        with av.open(io.BytesIO(init.read_bytes()), format="mp4") as media:
            for stream in media.streams:
                extra = stream.codec_context.extradata or b""
                if isinstance(stream, av.VideoStream) and len(extra) > 3:
                    # ISO/IEC 14496-15: version, then profile, constraints and level.
                    codecs.append(f"avc1.{extra[1:4].hex()}")
                    width, height = stream.codec_context.width, stream.codec_context.height
                elif isinstance(stream, av.AudioStream) and extra:
                    # ISO/IEC 14496-3: the object type is in the first five bits; 2 is AAC-LC.
                    codecs.append(f"mp4a.40.{extra[0] >> 3}")
    except (OSError, av.FFmpegError):
        return None
    return Form(tuple(codecs), width, height, peak_bps) if codecs else None


def compose(viewing: Viewing, forms: Mapping[str, Form]) -> str:
    """The text of the multivariant playlist over the renditions in `forms`; "" without a picture.

    With one sound a picture comes with it. With two, a player chooses among them, and all
    renditions hold either picture or sound.
    """
    picture = VIDEO if viewing.apart else INDEX
    if picture not in forms or any(name not in forms for name in viewing.sounds if viewing.apart):
        return ""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    if viewing.apart:
        lines += [_media(viewing, track) for track in range(len(viewing.languages))]
    kbps = {
        INDEX: viewing.video_kbps + viewing.audio_kbps,
        VIDEO: viewing.video_kbps,
        LOW: LOW_VIDEO_KBPS + (0 if viewing.apart else LOW_AUDIO_KBPS),
        SOUND: viewing.audio_kbps,
    }
    for name in (picture, LOW, SOUND):
        if name in forms:
            lines += _variant(viewing, forms, name, kbps[name])
    return "\n".join(lines) + "\n"


def _media(viewing: Viewing, track: int) -> str:
    language = viewing.languages[track]
    first = "YES" if track == 0 else "NO"
    return (
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{GROUP}",NAME="{NAMES.get(language, language)}",'
        f'LANGUAGE="{language}",DEFAULT={first},AUTOSELECT=YES,CHANNELS="2",'
        f'URI="{viewing.sounds[track]}.m3u8"'
    )


def _variant(viewing: Viewing, forms: Mapping[str, Form], name: str, kbps: int) -> list[str]:
    found = forms[name]
    peak = max(found.peak_bps, kbps * 1000 * OVERHEAD)
    codecs = found.codecs
    if viewing.apart and name != SOUND:
        sounds = [forms[one] for one in viewing.sounds]
        peak += max(max(one.peak_bps for one in sounds), viewing.audio_kbps * 1000 * OVERHEAD)
        codecs = (*codecs, *sounds[0].codecs)
    words = [
        f"BANDWIDTH={round(peak)}",
        f"AVERAGE-BANDWIDTH={round(kbps * 1000 * OVERHEAD)}",
        f'CODECS="{",".join(codecs)}"',
    ]
    if found.width:
        words += [f"RESOLUTION={found.width}x{found.height}", f"FRAME-RATE={viewing.fps:.3f}"]
    if viewing.apart:
        words.append(f'AUDIO="{GROUP}"')
    return [f"#EXT-X-STREAM-INF:{','.join(words)}", f"{name}.m3u8"]
