"""Parts of the mixer's tests: sources, feed children, and an encoder's place that measures."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from streamer.programme.canvas import Canvas, Picture
from streamer.programme.feed import FeedBuffer, FeedReader
from streamer.programme.mixer import Mixer
from streamer.programme.output import Output
from streamer.programme.scenes import HALL_FEED, Change

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
SLATE_LUMA = 60
"""Luma of the plain slate; the sources are black (16) with white flashes (235)."""


def wait_until(what: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll `what` until it is true; fails after `seconds`."""
    until = time.monotonic() + seconds
    pause = threading.Event()
    while not what():
        assert time.monotonic() < until, "waited too long"
        pause.wait(0.01)


class PlainSlate:
    """A slate of one grey."""

    def __init__(self, canvas: Canvas) -> None:
        self._picture = canvas.blank()
        canvas.planes(self._picture).y[:] = SLATE_LUMA

    def picture(self, at: float) -> Picture:
        return self._picture


@dataclass
class Sink:
    """Takes an encoder's place: reads both pipes and keeps the luma and all sound.

    While `blocked` is set it reads nothing, as an encoder that hangs.
    """

    canvas: Canvas
    blocked: threading.Event = field(default_factory=threading.Event)
    lumas: list[tuple[float, float]] = field(default_factory=list)
    """Per tick: the time it was read (monotonic), and the mean luma of the middle."""
    sound: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._video, self.video_fd = os.pipe()
        self._audio, self.audio_fd = os.pipe()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"sink {target.__name__}")
            for target in (self._read_video, self._read_audio)
        ]
        for thread in self._threads:
            thread.start()

    def _read_video(self) -> None:
        with os.fdopen(self._video, "rb") as pipe:
            while data := self._read(pipe.read, self.canvas.picture_bytes):
                if len(data) == self.canvas.picture_bytes:
                    y = self.canvas.planes(np.frombuffer(data, np.uint8)).y
                    middle = y[y.shape[0] // 2 - 4 :: 4, y.shape[1] // 2 - 4 :: 4]
                    self.lumas.append((time.monotonic(), float(middle[:2, :2].mean())))

    def _read_audio(self) -> None:
        with os.fdopen(self._audio, "rb") as pipe:
            while data := self._read(pipe.read, self.canvas.block_bytes):
                self.sound += data

    def _read(self, read: Callable[[int], bytes], size: int) -> bytes:
        while self.blocked.is_set() and not self._ended.is_set():
            self._ended.wait(0.01)
        return read(size)

    def join(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    @property
    def samples(self) -> NDArray[np.int16]:
        whole = len(self.sound) // 4 * 4
        return np.frombuffer(bytes(self.sound[:whole]), "<i2").reshape(-1, 2)

    @property
    def luma(self) -> list[float]:
        return [luma for _, luma in self.lumas]


@dataclass
class Stage:
    """A running mixer with what was told, its sinks and its feeds."""

    mixer: Mixer
    canvas: Canvas
    changes: list[Change] = field(default_factory=list)
    sinks: list[tuple[Sink, Output]] = field(default_factory=list)
    feeds: list[Feed] = field(default_factory=list)

    def sink(self) -> Sink:
        sink = Sink(self.canvas)
        output = self.mixer.attach_output(sink.video_fd, sink.audio_fd)
        self.sinks.append((sink, output))
        return sink

    def feed(self, *source: str, buffer: FeedBuffer | None = None, **how: str) -> Feed:
        """Start a feed child on `source` as the hall; into `buffer` when one is given."""
        buffer = buffer or FeedBuffer(self.canvas)
        feed = Feed(self.canvas, buffer, feed_argv(self.canvas, *source, **how))
        self.mixer.attach_feed(HALL_FEED, buffer)
        self.feeds.append(feed)
        return feed

    def told(self, kind: type[Change]) -> list[Change]:
        return [change for change in self.changes if isinstance(change, kind)]

    def finish(self) -> None:
        """End everything, so that the sinks hold all that was written."""
        for feed in self.feeds:
            feed.kill()
        for sink, output in self.sinks:
            self.mixer.detach_output(output)
            sink.blocked.clear()
        assert self.mixer.stop(5)
        for sink, output in self.sinks:
            assert output.wait_closed(5)
            sink.join()


class Feed:
    """A feed child and its reader."""

    def __init__(
        self, canvas: Canvas, buffer: FeedBuffer, argv: list[str], stdin: int = subprocess.DEVNULL
    ) -> None:
        read_end, write_end = os.pipe()
        self.buffer = buffer
        self.child = subprocess.Popen(argv, stdout=write_end, stdin=stdin)
        os.close(write_end)
        self.reader = FeedReader(read_end, buffer, name="hall")
        self.reader.start()

    def kill(self) -> None:
        self.child.kill()
        self.child.wait(5)
        assert self.reader.wait(5)


@contextmanager
def stage(canvas: Canvas, **more: object) -> Iterator[Stage]:
    """A running mixer with the plain slate; ends everything afterwards."""
    changes: list[Change] = []
    mixer = Mixer(canvas, PlainSlate(canvas), on_change=changes.append, **more)
    it = Stage(mixer, canvas, changes)
    mixer.start()
    try:
        yield it
    finally:
        it.finish()


def feed_argv(
    canvas: Canvas, *source: str, maps: str = "av"
) -> list[str]:  # fmt: skip
    """The command line of a feed child.

    The muxer holds a picture back until its sound came, ten seconds by default: a sound track that
    falls silent would stop the picture. 0.2 s is what it may wait here.
    """
    size = f"{canvas.width}:{canvas.height}"
    picture = ["-map", "0:v:0?"] if "v" in maps else []
    sound = ["-map", "0:a:0?"] if "a" in maps else []
    return [
        FFMPEG, "-v", "error", "-nostdin", "-threads", "2", *source, *picture, *sound,
        "-vf", f"fps={canvas.fps},scale={size}:force_original_aspect_ratio=decrease,"
        f"pad={size}:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p",
        "-af", "aresample=48000:async=1000", "-ac", "2",
        "-c:v", "rawvideo", "-c:a", "pcm_s16le",
        "-max_interleave_delta", "200000", "-f", "nut", "-flush_packets", "1", "pipe:1",
    ]  # fmt: skip


def flash_and_beep(
    path: Path, rate: str = "25", period: str = "1", *, seconds: int = 8, drop: str = "",
    codecs: tuple[str, ...] = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le"),
    extra: tuple[str, ...] = (),
) -> Path:  # fmt: skip
    """A film that is black and silent, with a white flash and a beep of 0.2 s every `period`."""
    on = f"lt(mod(t+0.0001\\,{period})\\,0.2)"
    tone = f"0.7*sin(2*PI*1000*mod(t\\,{period}))*lt(mod(t\\,{period})\\,0.2)"
    picture = f"color=black:s=320x180:r={rate},drawbox=c=white:t=fill:enable='{on}'"
    subprocess.run(
        [
            FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", f"{picture}{drop}",
            "-f", "lavfi", "-i", f"aevalsrc={tone}:s=48000",
            "-t", str(seconds), "-fps_mode", "vfr", *codecs, *extra, str(path),
        ],
        check=True, timeout=60,
    )  # fmt: skip
    return path


def camera_whose_sound_pauses(fd: int, seconds: int, pause: tuple[float, float]) -> None:
    """Write a live transport stream to `fd`: pictures all the time, no sound packet in `pause`."""
    with os.fdopen(fd, "wb", buffering=0) as pipe, av.open(
        pipe, "w", format="mpegts",
        container_options={"max_interleave_delta": "1000", "flush_packets": "1"},
    ) as out:  # fmt: skip
        video = out.add_stream("mpeg2video", rate=25)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        audio = out.add_stream("aac", rate=48000, layout="stereo")
        began, sent, pause_until = time.monotonic(), 0, threading.Event()
        for number in range(seconds * 25):
            pause_until.wait(max(0.0, began + number / 25 - time.monotonic()))
            white = np.full((270, 320), 235, np.uint8)
            white[180:] = 128
            picture = av.VideoFrame.from_ndarray(white, format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            out.mux(video.encode(picture))
            while sent < (number + 1) * 1920:
                wave = np.sin(2 * np.pi * 440 * np.arange(sent, sent + 1024) / 48000) * 0.3
                block = np.stack([wave, wave]).astype(np.float32)
                sound = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
                sound.sample_rate, sound.pts, sound.time_base = 48000, sent, Fraction(1, 48000)
                if not pause[0] <= sent / 48000 < pause[1]:
                    out.mux(audio.encode(sound))
                sent += 1024


def onsets(values: NDArray[np.bool_], quiet: int) -> list[int]:
    """Where `values` becomes true after at least `quiet` false ones."""
    found, last = [], -quiet - 1
    for index in np.flatnonzero(values):
        if index - last > quiet:
            found.append(int(index))
        last = int(index)
    return found


def offsets_ms(sink: Sink) -> list[float]:
    """Sound after picture, milliseconds, for every flash in what the sink got."""
    canvas = sink.canvas
    flashes = [tick / canvas.fps for tick in onsets(np.array(sink.luma) > 128, 5)]
    loud = np.abs(sink.samples).max(axis=1) > 1600
    beeps = [at / canvas.sample_rate for at in onsets(loud, 9600)]
    pairs = [(min(beeps, key=lambda b: abs(b - flash)), flash) for flash in flashes]
    return [1000 * (beep - flash) for beep, flash in pairs]


def largest_step(samples: NDArray[np.int16]) -> int:
    """The largest step between two neighbouring samples: a click is a large one."""
    return int(np.abs(np.diff(samples.astype(np.int32), axis=0)).max())
