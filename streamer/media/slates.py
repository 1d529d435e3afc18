"""Slates for the splicer: one closed group of pictures and one frame of silence, encoded once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streamer.media.forms import (
    PictureForm,
    SoundForm,
    adts_frames,
    parameter_sets,
    sound_form,
)
from streamer.media.units import Unit, UnitReader

GROUP_S = 2
FPS_LIMIT = 60
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "7.1"}
"""By the number of channels in ADTS."""


@dataclass(frozen=True, slots=True)
class Form:
    """Picture and sound as a source sends them; `sound` None: it has none."""

    picture: PictureForm
    sound: SoundForm | None

    def __str__(self) -> str:
        return f"{self.picture}, {self.sound or 'no sound'}"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a decoder must know; another value wants a new sequence header, a new init file."""

    sets: tuple[bytes, ...]
    sound: SoundForm


@dataclass(frozen=True, slots=True)
class SlateGroup:
    """One closed group of pictures without B-frames, and one frame of silence, for `form`."""

    form: Form
    fps: Fraction
    sets: tuple[bytes, ...]
    pictures: tuple[Unit, ...]
    silence: bytes
    """ADTS, one frame."""

    @property
    def sound(self) -> SoundForm:
        return sound_form(self.silence) or SoundForm()


def frame_rate(form: PictureForm, otherwise: int) -> Fraction:
    """Pictures per second of a slate for `form`; `otherwise` where it says nothing that can be."""
    return form.fps if 1 <= form.fps <= FPS_LIMIT else Fraction(otherwise)


def encode_slate(
    form: Form, picture: NDArray[np.uint8], fps: int, *, sound: SoundForm | None = None
) -> SlateGroup:
    """Encode `picture` (yuv420p, height * 3 / 2 rows, even size) for a source of `form`.

    `fps` and `sound` are used where the form has none. Takes some tenths of a second (blocking).
    """
    rate = frame_rate(form.picture, fps)
    count = round(rate * GROUP_S)
    reader = UnitReader()
    stream = io.BytesIO()
    with av.open(stream, "w", format="mpegts") as out:
        track: Any = out.add_stream("libx264", rate=rate)
        track.width, track.height = picture.shape[1], picture.shape[0] * 2 // 3
        track.pix_fmt, track.sample_aspect_ratio = "yuv420p", form.picture.aspect
        track.thread_count = 1
        profile = form.picture.profile
        track.options = {
            "preset": "superfast", "crf": "20", "bf": "0", "threads": "1",
            "profile": profile if profile in ("baseline", "main") else "high",
            "x264-params": f"keyint={count}:min-keyint={count}:scenecut=0:open-gop=0",
        }  # fmt: skip
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.colorspace, frame.color_range = 1, 1
        for number in range(count):
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    units = [*reader.feed(stream.getvalue()), *reader.flush()]
    pictures = tuple(unit for unit in units if unit.video)
    if len(pictures) != count or not pictures[0].keyframe:
        raise ValueError(f"the slate was encoded to {len(pictures)} pictures, not {count}")
    quiet = _silence(form.sound or sound or SoundForm())
    return SlateGroup(form, rate, parameter_sets(pictures[0].payload), pictures, quiet)


def _silence(form: SoundForm) -> bytes:
    """One frame of silent AAC, which may follow itself; stereo where the form is unknown to us."""
    layout = LAYOUTS.get(form.channels, "stereo")
    stream = io.BytesIO()
    with av.open(stream, "w", format="adts") as out:
        track: Any = out.add_stream("aac", rate=form.rate, layout=layout)
        for packet in _quiet(track, form.rate, layout):
            out.mux(packet)
    return adts_frames(stream.getvalue())[4]


def _quiet(track: Any, rate: int, layout: str) -> Iterator[Any]:
    channels = av.AudioLayout(layout).nb_channels
    for number in range(8):
        samples = np.zeros((channels, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, number * 1024
        yield from track.encode(frame)
    yield from track.encode(None)
