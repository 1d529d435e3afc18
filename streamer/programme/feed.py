"""FeedReader: the thread that reads what a feed's child has decoded.

The child (ffmpeg) writes NUT to a pipe: raw pictures of the canvas' size and rate, and 48 kHz
stereo s16le, each packet with its timestamp. NUT is read with PyAV; the packets are raw already, so
nothing is decoded here and each picture is touched once, when the mixer takes it.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import av
import numpy as np
import structlog
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from streamer.domain.errors import BadInput
from streamer.programme.canvas import Canvas
from streamer.programme.feed_buffer import FeedBuffer, FeedCounts, Pulled

__all__ = ["FeedBuffer", "FeedCounts", "FeedEnd", "FeedReader", "Pulled"]

log = structlog.get_logger(__name__)

CHUNK = 1 << 20
"""Bytes read at once; also the size the pipe is asked to have."""
POLL_S = 0.2
"""Seconds after which a waiting reader looks whether it shall stop."""


AHEAD_S = 20.0
"""Seconds that pictures may come ahead of time (a group of pictures of a hub comes at once)."""
STANDS_S = 5.0
"""Seconds without a picture, while sound comes, after which timestamps are suspected."""


class FeedEnd(StrEnum):
    """Why a reader ended."""

    CLOSED = "closed"
    """The child closed its pipe: it ended or was killed."""
    STOPPED = "stopped"
    """We stopped it."""
    GARBAGE = "garbage"
    """What came is not NUT, or not of the agreed form."""


class FeedReader:
    """Reads NUT from `fd` into `buffer` until the pipe closes, garbage comes, or `stop` is called.

    The reader owns `fd` from the beginning and closes it. `on_end` is called once from the reader's
    thread with the end and a text for the technician; it must be cheap.
    """

    def __init__(
        self, fd: int, buffer: FeedBuffer, *, name: str = "feed", stills: bool = False,
        on_end: Callable[[FeedEnd, str], None] | None = None,
    ) -> None:  # fmt: skip
        """`stills`: what comes are single pictures, each to be shown until the next."""
        self.name = name
        self.bytes = 0
        """Bytes read so far: what the feed's leg calls moving."""
        self.end: FeedEnd | None = None
        self.reason = ""
        self.delivered = False
        """It has begun a timeline in the buffer; a reader before it delivers nothing any more."""
        self._fd = fd
        self._buffer = buffer
        self._stills = stills
        self._writer = 0
        self._pace: _Pace | None = None
        self._heard_at = float("-inf")
        self._canvas: Canvas = buffer.canvas
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"reader {name}", daemon=True)

    def start(self) -> None:
        """Start the thread. At once, returns before anything is read."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """Ask it to end and wait for it up to `timeout` seconds; False when it is still there."""
        self._stop.set()
        return self.wait(timeout)

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for its end; True when it has ended."""
        if self._thread.ident is None:  # never started: its pipe is still ours to close
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.end, self.reason = self._read_all()
        except Exception as error:  # whatever it was: the mixer goes on, the leg must know
            self.end, self.reason = FeedEnd.GARBAGE, f"{type(error).__name__}: {error}"
            log.exception("feed reader failed", feed=self.name)
        finally:
            os.close(self._fd)
        if self._on_end is not None:
            self._on_end(self.end, self.reason)

    def _read_all(self) -> tuple[FeedEnd, str]:
        source = _PipeSource(self._fd, self._stop, self)
        try:
            with av.open(
                source, mode="r", format="nut", buffer_size=CHUNK,
                # The header says everything; nothing is read ahead to guess it.
                options={"probesize": "32", "analyzeduration": "0"},
            ) as container:  # fmt: skip
                self._agree(container)
                for packet in container.demux():
                    self._put(packet)
        except BadInput as error:
            return FeedEnd.GARBAGE, error.message
        except FFmpegError as error:
            if not source.ended:
                return FeedEnd.GARBAGE, f"not readable as NUT: {error.strerror}"
        if self._stop.is_set():
            return FeedEnd.STOPPED, "stopped"
        return FeedEnd.CLOSED, "the feed's process closed its output"

    def _agree(self, container: InputContainer) -> None:
        """Check that the streams are what the canvas wants, and tell the buffer what comes."""
        canvas = self._canvas
        for video in container.streams.video:
            form = (video.codec_context.name, video.width, video.height, video.pix_fmt)
            if form != ("rawvideo", canvas.width, canvas.height, "yuv420p"):
                raise BadInput(f"pictures of a feed came as {form}", code="wrong_feed")
        for audio in container.streams.audio:
            sound = (audio.codec_context.name, audio.rate, audio.channels)
            if sound != ("pcm_s16le", canvas.sample_rate, 2):
                raise BadInput(f"sound of a feed came as {sound}", code="wrong_feed")
        video_there, audio_there = bool(container.streams.video), bool(container.streams.audio)
        if not (video_there or audio_there):
            raise BadInput("a feed came without picture and sound", code="wrong_feed")
        self._writer = self._buffer.begin(video=video_there, audio=audio_there, stills=self._stills)
        self.delivered = True

    def _put(self, packet: Packet[Stream]) -> None:
        if packet.pts is None or packet.time_base is None or not packet.size:
            return
        position = self._canvas.samples(packet.pts, packet.time_base)
        data = memoryview(packet)
        if packet.stream.type == "video":
            # The last picture of a killed child may be torn; half a picture is never shown.
            if packet.size == self._canvas.picture_bytes:
                self._follow(position)
                picture = np.frombuffer(data, dtype=np.uint8)
                self._buffer.put_picture(position, picture, writer=self._writer)
        elif packet.stream.type == "audio":
            whole = packet.size // 4 * 4
            samples = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, 2)
            self._heard_at = time.monotonic()
            self._buffer.put_sound(position, samples, writer=self._writer)

    def _follow(self, position: int) -> None:
        now = time.monotonic()
        at = position / self._canvas.sample_rate
        if self._pace is None:
            self._pace = _Pace(now, at, now, at)
        self._pace = _Pace(self._pace.began, self._pace.first, now, at)

    def fault(self) -> str:
        """What is wrong with the timestamps of the pictures, for any thread; empty: nothing.

        The child makes one picture per tick of the source's time. When that time leaps forward it
        makes hours of pictures, when it leaps back it makes none until the old time is reached.
        """
        pace, now = self._pace, time.monotonic()
        if pace is None or self._stills or self.end is not None:
            return ""
        if (pace.newest - pace.first) - (pace.came - pace.began) > AHEAD_S:
            return "its timestamps leapt forward"
        if now - pace.came > STANDS_S and now - self._heard_at < 1:
            return "its pictures stand still while its sound goes on"
        return ""


@dataclass(frozen=True, slots=True)
class _Pace:
    """First and newest picture: monotonic seconds of arrival, seconds of the source's time."""

    began: float
    first: float
    came: float
    newest: float


class _PipeSource:
    """A file object for PyAV over a pipe: it can be told to end while it waits."""

    def __init__(self, fd: int, stop: threading.Event, reader: FeedReader) -> None:
        self._fd = fd
        self._stop = stop
        self._reader = reader
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self.ended = False
        widen(fd)

    def read(self, size: int) -> bytes:
        while not self._stop.is_set():
            if self._poll.poll(POLL_S * 1000):
                data = os.read(self._fd, size)
                self._reader.bytes += len(data)
                self.ended = not data
                return data
        self.ended = True
        return b""


def widen(fd: int) -> None:
    """Ask for a pipe of 1 MB, so that a picture goes over in few steps. Not a pipe: no matter."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, CHUNK)
    except OSError as error:
        # A limit of the system for pipes of one user: it works with the small one as well.
        log.debug("pipe stays small", fd=fd, error=str(error))
