"""Sources for the splicer, encoded in the test: small pictures of one colour, real AAC."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from streamer.media.units import Unit, UnitReader


@dataclass(frozen=True)
class Made:
    """What a source sends. `colour` is Y of the picture; `sound` Hz, 0: none."""

    width: int = 64
    height: int = 48
    fps: int = 25
    seconds: float = 6.0
    colour: int = 120
    gop: int = 25
    b_frames: int = 0
    open_gop: bool = False
    codec: str = "libx264"
    sound: str = "aac"
    rate: int = 48000
    layout: str = "stereo"


def made(what: Made) -> bytes:
    """The source as a transport stream."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mpegts") as out:
        picture: Any = out.add_stream(what.codec, rate=what.fps)
        picture.width, picture.height, picture.pix_fmt = what.width, what.height, "yuv420p"
        picture.thread_count = 1
        if what.codec == "libx264":
            picture.options = {
                "preset": "superfast", "bf": str(what.b_frames),
                "x264-params": f"keyint={what.gop}:min-keyint={what.gop}:scenecut=0:threads=1"
                f":bframes={what.b_frames}:b-adapt=0:open-gop={int(what.open_gop)}",
            }  # fmt: skip
        sound: Any = None
        if what.sound:
            sound = out.add_stream(what.sound, rate=what.rate, layout=what.layout)
        frames = round(what.seconds * what.fps)
        done = 0
        for number in range(frames):
            rows = np.full((what.height * 3 // 2, what.width), 128, np.uint8)
            rows[: what.height] = what.colour
            frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
            frame.pts = number
            out.mux(picture.encode(frame))
            while sound is not None and done < (number + 1) / what.fps * what.rate:
                out.mux(sound.encode(_tone(done, what.rate, what.layout, sound.format.name)))
                done += 1024
        out.mux(picture.encode(None))
        if sound is not None:
            out.mux(sound.encode(None))
    return stream.getvalue()


def _tone(at: int, rate: int, layout: str, form: str) -> av.AudioFrame:
    channels = av.AudioLayout(layout).nb_channels
    wave = np.sin(2 * np.pi * 440 * (at + np.arange(1024)) / rate) * 0.5
    samples = np.repeat(wave[None, :], channels, axis=0).astype(np.float32)
    if not form.startswith("flt"):
        samples = (samples * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples, format=form, layout=layout)
    frame.sample_rate, frame.pts = rate, at
    return frame


def units(data: bytes) -> list[Unit]:
    reader = UnitReader()
    return [*reader.feed(data), *reader.flush()]
