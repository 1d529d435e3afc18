"""A look at a source that is only copied: now and then one keyframe and a little sound, decoded.

That is enough for a preview, a meter and the detectors; decoding all of it would cost ten times
what copying does.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL import Image

from streamer.media.forms import SoundForm, sound_form

WIDTH = 480
"""Pixels of the preview that is kept."""
SAMPLE_WIDTH = 160
FULL = 0.999
"""A sample from here on is clipped."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a stretch of sound was like, full scale is 1: peak per channel, RMS, samples that are
    clipped."""

    peaks: tuple[float, float]
    rms: float
    clipped: int


class Peek:
    """Decodes what it is shown, in the thread that calls it. Not for two threads at once.

    `picture` gives a JPEG `WIDTH` wide and a small sample of brightness (uint8, rows, columns).
    What cannot be decoded gives None: it is no reason to stop anything.
    """

    def __init__(self) -> None:
        self._form: SoundForm | None = None
        self._sound: av.AudioCodecContext | None = None

    def picture(self, keyframe: bytes) -> tuple[bytes, NDArray[np.uint8]] | None:
        """One keyframe (Annex B, with its parameter sets)."""
        try:
            frames = _decoded(keyframe)
            if not frames:
                return None
            frame = frames[0]
            height = max(2, round(WIDTH * frame.height / max(1, frame.width) / 2) * 2)
            small = frame.reformat(WIDTH, height, "yuv420p", interpolation="AREA")
            return jpeg(small), _luma(small)
        except (FFmpegError, ValueError, OSError):
            return None

    def sound(self, adts: bytes) -> Heard | None:
        """Frames in a row (ADTS); the first one, which lacks the one before, is left out."""
        form = sound_form(adts)
        if form is None:
            return None
        try:
            if self._sound is None or form != self._form:
                self._form = form
                self._sound = av.CodecContext.create("aac", "r")
                self._sound.thread_count = 1
            frames = [f for p in self._sound.parse(adts) for f in self._sound.decode(p)]
        except (FFmpegError, ValueError):
            self._sound = None
            return None
        if len(frames) < 2:
            return None
        samples = np.concatenate([frame.to_ndarray() for frame in frames[1:]], axis=1)
        if samples.dtype != np.float32:
            return None
        level = np.abs(samples)
        peaks = level.max(axis=1)
        rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        right = float(peaks[1] if len(peaks) > 1 else peaks[0])
        return Heard((float(peaks[0]), right), rms, int(np.count_nonzero(level >= FULL)))


def _decoded(keyframe: bytes) -> list[av.VideoFrame]:
    decoder: av.VideoCodecContext = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    decoder.options = {"skip_loop_filter": "all", "flags2": "+fast"}
    frames = list(decoder.decode(av.Packet(keyframe)))
    return frames or list(decoder.decode(None))


def jpeg(frame: av.VideoFrame, width: int | None = None) -> bytes:
    """`frame` (yuv420p, ITU-R BT.709) as a JPEG, `width` pixels wide where that is another one."""
    width = width or frame.width
    height = max(2, round(width * frame.height / frame.width / 2) * 2)
    picture = frame.reformat(width, height, "rgb24", src_colorspace="ITU709", interpolation="AREA")
    made = BytesIO()
    Image.fromarray(picture.to_ndarray()).save(made, "JPEG", quality=70)
    return made.getvalue()


def _luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    rows = np.frombuffer(bytes(plane), np.uint8).reshape(frame.height, plane.line_size)
    step = max(1, frame.width // SAMPLE_WIDTH)
    sample: NDArray[np.uint8] = rows[::step, : frame.width : step].copy()
    return sample
