"""The programme of `pass` mode: the hall's finished picture is copied, nothing is mixed.

To the run it looks like the mixer. It has no thread: everything happens in short rounds on the
event loop, ten a second, so that an idle meeting costs next to nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from io import BytesIO
from typing import Protocol

import av
import numpy as np
import structlog
from numpy.typing import NDArray

from streamer.domain.errors import BadInput
from streamer.media.forms import PictureForm, SoundForm
from streamer.media.slates import Form, Parameters, SlateGroup, encode_slate
from streamer.media.splicer import Splicer
from streamer.media.units import CLOCK, UnitReader
from streamer.programme.canvas import Canvas
from streamer.programme.pass_watch import PassWatch
from streamer.programme.peek import WIDTH, Heard, Peek, jpeg
from streamer.programme.scenes import (
    HALL,
    HALL_FEED,
    SLATE,
    Change,
    FeedState,
    MixerFailed,
    MixerState,
    Scene,
    SceneShown,
    SourceBack,
    SourceChanged,
    SourceLost,
)
from streamer.programme.sound import decibels

log = structlog.get_logger(__name__)

ROUND_S = 0.1
LOOK_S = 2.0
"""Seconds between two looks at the source's picture and sound."""
FAULTS_IN_A_ROW = 50
"""Rounds that may fail one after the other before it gives up."""
POSSIBLE = (HALL, SLATE)


class StillSlate(Protocol):
    """Draws the slate of the meeting for a canvas (blocking): yuv420p, flat."""

    def __call__(self, canvas: Canvas) -> NDArray[np.uint8]: ...


class Passing:
    """Copies `HALL_FEED` into the programme. Made and driven on the event loop.

    `epoch` is the POSIX time at which programme time is zero. `canvas` is the form of the slate
    until a source was seen. `on_change` is called on the loop.
    """

    def __init__(
        self, canvas: Canvas, slate: StillSlate, *, epoch: float,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:  # fmt: skip
        self._canvas, self._slate, self._on_change = canvas, slate, on_change
        self.watch = PassWatch()
        self._loop = asyncio.get_running_loop()
        self._began = time.monotonic() - (time.time() - epoch)
        self._reader = UnitReader()
        self._splicer = Splicer(self._emit, self._parameters)
        self._splicer.source.on_form = self._formed
        self._output: Callable[[bytes], None] | None = None
        self._on_parameters: Callable[[Parameters | None, Parameters], None] | None = None
        self.ready = asyncio.Event()
        """Set once there is a slate: the output may begin."""
        self._looking: asyncio.Future[None] | None = None
        self._stopped = False
        self._form: Form | None = None
        self._wanted, self._muted = SLATE, False
        self._shown = self._shown_for = SLATE
        self._feed, self._lost_at = FeedState.WAITING, 0.0
        self._faults = self._faults_in_a_row = 0
        # What a look has found; written in the worker's thread.
        self._lock = threading.Lock()
        self._peek = Peek()
        self._looked_at, self._seen = 0.0, 0
        self._heard: Heard | None = None
        self._hall_jpeg = self._slate_jpeg = b""

    # Commands -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin the rounds; the first slate is encoded in the meantime. Event loop only."""
        size = PictureForm(self._canvas.width, self._canvas.height)
        self._make_slate(Form(size, SoundForm(self._canvas.sample_rate)))
        self._loop.call_soon(self._tick)

    def stop(self, timeout: float = 3.0) -> bool:
        """No more rounds; the one that is waited for finds that out. Any thread."""
        self._stopped = True
        return True

    def take(self, scene: Scene | str, fade: bool = False) -> None:
        """Want the hall or the slate, always by a cut. BadInput (`no_scene_in_pass_mode`) for any
        other scene."""
        self._wanted = self.check(scene)

    def check(self, scene: Scene | str) -> Scene:
        """The scene, when there is one in this mode; BadInput (`no_scene_in_pass_mode`)."""
        wanted = Scene.parse(scene) if isinstance(scene, str) else scene
        if wanted not in POSSIBLE:
            raise BadInput(
                f"in pass mode the hall's picture is only copied: there is no scene '{wanted}';"
                f" possible: {', '.join(map(str, POSSIBLE))}",
                code="no_scene_in_pass_mode", scene=str(wanted),
            )  # fmt: skip
        return wanted

    def feed_preview(self, feed_id: str, width: int = WIDTH) -> bytes:
        """The hall's newest keyframe as a JPEG; empty for any other feed and before the first."""
        with self._lock:
            return self._hall_jpeg if feed_id == HALL_FEED else b""

    def mute(self, muted: bool) -> None:
        """Replace the hall's sound by silence, or let it be heard again."""
        self._muted = muted

    # The legs -------------------------------------------------------------------------------

    @property
    def fault(self) -> str:
        """What in the source cannot be copied; empty when nothing."""
        return self._reader.fault

    @property
    def units(self) -> int:
        """Pictures and stretches of sound that came from the source so far."""
        return self._splicer.source.units

    def connected(self) -> None:
        """The source begins anew; `take_bytes` follows."""
        self._reader = UnitReader()
        self._splicer.connected()

    def take_bytes(self, data: bytes) -> None:
        """Whole transport packets of the source, as its hub hands them on."""
        reader, now = self._reader, self._now
        known = bool(reader.kinds)
        for unit in reader.feed(data):
            if reader.fault:
                continue
            if not known:
                self._splicer.source.connected(sound=reader.has_sound)
                known = True
            self._splicer.take(unit, now)
        self.watch.bytes_came()

    def attach(
        self, output: Callable[[bytes], None],
        on_parameters: Callable[[Parameters | None, Parameters], None],
    ) -> None:  # fmt: skip
        """Give the programme to `output` from now on; await `ready` before. `on_parameters` comes
        between two calls of it: what follows wants other headers."""
        self._splicer.begin(self._now)
        self._output, self._on_parameters = output, on_parameters

    def detach(self) -> None:
        """Give the programme to nobody."""
        self._output = self._on_parameters = None

    # Looks ----------------------------------------------------------------------------------

    def state(self) -> MixerState:
        """What it does just now."""
        now = self._now
        counts, heard = self._splicer.counts, self._heard
        quiet = heard is None or self._muted or self._shown != HALL
        peaks = (0.0, 0.0) if quiet or heard is None else heard.peaks
        return MixerState(
            tick=now * self._canvas.fps // CLOCK, programme_s=now / CLOCK, wanted=self._wanted,
            shown=self._shown, muted=self._muted,
            peak_db=(decibels(peaks[0]), decibels(peaks[1])),
            feeds={HALL_FEED: self._feed}, slips=counts.jumps, faults=self._faults,
        )  # fmt: skip

    def preview(self, width: int = WIDTH) -> bytes:
        """The newest keyframe that was looked at, or the slate, as a JPEG; empty before both."""
        with self._lock:
            found = self._hall_jpeg if self._shown == HALL else self._slate_jpeg
            found = found or self._slate_jpeg
        if width == WIDTH or not found:
            return found
        with av.open(BytesIO(found), "r", format="mjpeg") as image:
            return jpeg(next(image.decode(video=0)).reformat(format="yuv420p"), width)

    # The rounds -----------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        return int((time.monotonic() - self._began) * CLOCK)

    def _tick(self) -> None:
        if self._stopped:
            return
        self._loop.call_later(ROUND_S, self._tick)
        try:
            self._round(self._now)
        except Exception as error:  # the programme goes on; the fault is counted and logged
            self._faults += 1
            self._faults_in_a_row += 1
            if self._faults_in_a_row in (1, FAULTS_IN_A_ROW):
                log.exception("round failed", in_a_row=self._faults_in_a_row)
            if self._faults_in_a_row == FAULTS_IN_A_ROW:
                self._tell(MixerFailed(f"{type(error).__name__}: {error}", self._now / CLOCK))
        else:
            self._faults_in_a_row = 0

    def _round(self, now: int) -> None:
        splicer = self._splicer
        splicer.wanted, splicer.muted = self._wanted == HALL, self._muted
        if self._output is not None and splicer.ready:
            splicer.round(now)
        self._follow(splicer.source.alive(now), now / CLOCK)
        self._show(HALL if splicer.hall else SLATE, now / CLOCK)
        if now / CLOCK - self._looked_at >= LOOK_S:
            self._looked_at = now / CLOCK
            self._look()

    def _follow(self, alive: bool, now: float) -> None:
        if alive and self._feed is not FeedState.ALIVE:
            if self._feed is FeedState.LOST:
                self._tell(SourceBack(HALL_FEED, now, round(now - self._lost_at, 3)))
            self._feed = FeedState.ALIVE
        elif not alive and self._feed is FeedState.ALIVE:
            self._feed, self._lost_at = FeedState.LOST, now
            self._tell(SourceLost(HALL_FEED, now))

    def _show(self, shown: Scene, now: float) -> None:
        """Tell what is on; a scene that a person took may be shown a keyframe later."""
        if shown != self._shown:
            self._tell(SceneShown(shown, now, automatic=self._wanted == self._shown_for))
        if shown == self._wanted or shown != self._shown or self._feed is not FeedState.ALIVE:
            self._shown_for = self._wanted
        self._shown = shown

    def _emit(self, data: bytes) -> None:
        if self._output is not None:
            self._output(data)

    def _parameters(self, before: Parameters | None, after: Parameters) -> None:
        if self._on_parameters is not None:
            self._on_parameters(before, after)

    def _tell(self, change: Change) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(change)
        except Exception:  # whoever listens must not stop the programme
            log.exception("on_change failed", change=repr(change))

    # In the worker's thread -----------------------------------------------------------------

    def _formed(self, form: Form) -> None:
        """The source sends in this form now: a slate that looks like it is needed."""
        before, self._form = self._form, form
        if before is not None:
            self._tell(SourceChanged(HALL_FEED, str(before), str(form), self._now / CLOCK))
        if not self._splicer.has_slate(form):
            self._make_slate(form)

    def _make_slate(self, form: Form) -> None:
        made = self._loop.run_in_executor(None, self._encode, form)
        made.add_done_callback(lambda done: self._slate_made(form, done))

    def _encode(self, form: Form) -> tuple[SlateGroup, bytes]:
        width, height = (size // 2 * 2 for size in (form.picture.width, form.picture.height))
        fps = self._canvas.fps
        canvas = Canvas(width, height, fps, self._canvas.sample_rate)
        rows = self._slate(canvas).reshape(height * 3 // 2, width)
        group = encode_slate(form, rows, fps, sound=SoundForm(self._canvas.sample_rate))
        return group, jpeg(av.VideoFrame.from_ndarray(rows, format="yuv420p"), WIDTH)

    def _slate_made(self, form: Form, done: asyncio.Future[tuple[SlateGroup, bytes]]) -> None:
        if done.cancelled() or self._stopped:
            return
        error = done.exception()
        if error is not None:  # the slate there is goes on; only its form is another one
            log.error("no slate could be made", form=str(form), error=repr(error))
            if not self._splicer.ready:
                self._tell(MixerFailed(f"no slate could be made: {error}", self._now / CLOCK))
            return
        group, picture = done.result()
        self._splicer.give_slate(group)
        with self._lock:
            self._slate_jpeg = picture
        self.ready.set()

    def _look(self) -> None:
        """Decode the newest keyframe and a little sound, unless the last look still goes on."""
        source = self._splicer.source
        if self._looking is not None and not self._looking.done():
            return
        if not source.alive(self._now):
            self._heard = None
            self.watch.silence()
            return
        new = source.keyframes != self._seen
        self._seen = source.keyframes
        self._looking = self._loop.run_in_executor(
            None, self._looked, source.keyframe if new else b"", b"".join(source.sounds)
        )

    def _looked(self, keyframe: bytes, sound: bytes) -> None:
        try:
            found = self._peek.picture(keyframe) if keyframe else None
            heard = self._peek.sound(sound)
        except Exception:  # a look informs; it must not break anything
            log.exception("a look at the source failed")
            return
        with self._lock:
            self._hall_jpeg = found[0] if found else self._hall_jpeg
            self._heard = heard
        if found is not None:
            self.watch.picture(found[1])
        if heard is not None:
            self.watch.sound(heard.peaks, heard.rms, heard.clipped)
