"""The mixer: one thread with a steady clock that makes the programme, tick by tick.

Each tick it pulls one picture and one block of sound from every feed, arranges what the wanted
scene shows, and hands the result to the outputs. A feed that is gone is replaced by the slate by
itself and comes back by itself; what was wanted is never changed by the mixer. Nothing here waits
for anybody but the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from streamer.domain.errors import BadInput
from streamer.programme.bus import SoundBus
from streamer.programme.canvas import Block, Canvas, Frame, FramePool
from streamer.programme.cards import Cards
from streamer.programme.feed_buffer import FeedBuffer
from streamer.programme.graphics import Box
from streamer.programme.layouts import Layouts
from streamer.programme.output import Output
from streamer.programme.overlay import Overlay
from streamer.programme.painter import Look, Painter, SlatePicture
from streamer.programme.preview import jpeg
from streamer.programme.scenes import (
    HALL,
    SLATE,
    Change,
    ClockSlipped,
    FeedState,
    MixerFailed,
    MixerState,
    OutputDropping,
    OutputLost,
    Scene,
    SceneShown,
    SourceBack,
    SourceLost,
    site_feed,
)
from streamer.programme.watch import Watch

log = structlog.get_logger(__name__)

SLIP_S = 0.5
"""Seconds of lateness after which the clock is slipped; less is caught up tick by tick."""
FAULTS_IN_A_ROW = 50
"""Ticks that may fail one after the other before the mixer gives up."""


def name_thread(name: str) -> None:
    """Tell the kernel what this thread is called, for `top -H` and for measurements."""
    try:
        with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as comm:
            comm.write(name)
    except OSError:  # not Linux, or forbidden: the thread works without a name
        return


class Clock(Protocol):
    """Where the mixer takes time from; the module `time` is one."""

    def monotonic(self) -> float: ...

    def time(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()


@dataclass(slots=True)
class _Feed:
    buffer: FeedBuffer
    state: FeedState = FeedState.WAITING
    lost_at: float = 0.0


class Mixer:
    """Makes the programme. Its commands may be called from any thread and return at once.

    `start_tick` is the index of the first tick: a run that takes over goes on counting from the
    epoch of the programme clock, so that programme time (tick / fps, seconds) stays one timeline.
    `on_change` is called from the mixer's thread and must be cheap (no lock, no I/O). Without
    `layouts` there are the shipped scenes and no site; without `cards` what is lost has no name.
    """

    def __init__(
        self, canvas: Canvas, slate: SlatePicture, *, start_tick: int = 0,
        clock: Clock | None = None, on_change: Callable[[Change], None] | None = None,
        layouts: Layouts | None = None, cards: Cards | None = None, bus: SoundBus | None = None,
    ) -> None:  # fmt: skip
        self.canvas = canvas
        self.layouts = layouts or Layouts()
        self._clock = clock or SystemClock()
        self._on_change = on_change
        self.bus = bus or SoundBus(canvas)
        self.watch = Watch(canvas, monotonic=self._clock.monotonic)
        self._pool = FramePool(canvas)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mixer", daemon=True)
        # Under the lock: what is wanted, and who takes part.
        self._wanted, self._fade, self._muted = SLATE, False, False
        self._floor: str | None = None
        self._overlays: tuple[Overlay, ...] = ()
        self._feeds: dict[str, _Feed] = {}
        self._outputs: list[Output] = []
        self._tick_index = start_tick
        self._last: Frame | None = None
        # The mixer's thread only.
        self._painter = Painter(canvas, slate, self.layouts, cards or Cards(canvas))
        self._shown = self._shown_for = SLATE
        self._slips = self._late = self._faults = self._faults_in_a_row = 0

    # -- commands -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread; the first tick is due now."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> bool:
        """End the programme and close every output; waits up to `timeout` seconds (blocking).

        Returns False when something of it is still there after that.
        """
        until = time.monotonic() + timeout
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        with self._lock:
            outputs, self._outputs = self._outputs, []
            last, self._last = self._last, None
        if last is not None:
            last.release()
        for output in outputs:
            output.close(max(0.0, min(1.0, until - time.monotonic() - 0.3)))
        closed = [output.wait_closed(max(0.0, until - time.monotonic())) for output in outputs]
        return all(closed) and not self._thread.is_alive()

    @property
    def running(self) -> bool:
        """The thread lives. It ends by `stop`, or after `MixerFailed`."""
        return self._thread.is_alive()

    def check(self, scene: Scene | str) -> Scene:
        """The scene that is spelled so; BadInput says what is possible in this meeting."""
        return self.layouts.check(Scene.parse(scene) if isinstance(scene, str) else scene)

    def take(self, scene: Scene | str, fade: bool = False) -> None:
        """Want `scene` from the next tick on; with `fade` it comes within 300 ms instead of cut.

        BadInput for a scene or site there is not. The scene that is on already is not faded again.
        """
        wanted = self.check(scene)
        with self._lock:
            self._wanted, self._fade = wanted, fade

    def give_floor(self, site: str | None) -> None:
        """Let the site with the id `site` be heard in every scene but the slate, and seen where
        a scene shows the floor; None: the hall. BadInput for a site there is not."""
        feed = site_feed(self.layouts.check_site(site)) if site is not None else None
        with self._lock:
            self._floor = feed

    def show_overlays(self, overlays: tuple[Overlay, ...]) -> None:
        """Lay exactly these over every scene but the slate, the first one deepest.

        BadInput when one of them is not wholly inside the picture: nothing changes then.
        """
        for box in (overlay.box for overlay in overlays):
            if (
                min(box.left, box.top) < 0
                or box.left + box.width > self.canvas.width
                or box.top + box.height > self.canvas.height
            ):
                raise BadInput(f"an overlay at {box} is outside of the picture", code="overlay")
        with self._lock:
            self._overlays = overlays

    @property
    def sign_box(self) -> Box | None:
        """Where the sign language window is in every scene but the slate; None without one."""
        pane = self.layouts.sign_pane(self.canvas)
        return pane.box if pane else None

    def mute(self, muted: bool) -> None:
        """Silence the programme whatever the scene, or let it be heard again."""
        with self._lock:
            self._muted = muted

    def attach_feed(self, feed_id: str, buffer: FeedBuffer) -> None:
        """Let `buffer` be the feed `feed_id`; a buffer that was there before is replaced."""
        with self._lock:
            known = self._feeds.get(feed_id)
            if known is None:
                self._feeds[feed_id] = _Feed(buffer)
            elif known.buffer is not buffer:
                known.buffer = buffer
                self.bus.cut()

    def detach_feed(self, feed_id: str) -> None:
        """Forget the feed `feed_id`; nothing happens when there is none."""
        with self._lock:
            known = self._feeds.pop(feed_id, None)
        if known is not None:
            self.bus.forget(feed_id)
            self.watch.forget(feed_id)

    def attach_output(self, video_fd: int, *audio_fds: int, name: str = "encoder") -> Output:
        """Write the programme to an encoder's pipes from a whole tick on (`Output.first_tick`).

        One descriptor of sound for each language; the
        output owns all of them from now on. About a second is kept for a slow start, so
        the pipes may be attached before the encoder is spawned.
        """
        with self._lock:
            output = Output(
                self.canvas, video_fd, audio_fds, name=name, first_tick=self._tick_index
            )  # fmt: skip
            self._outputs.append(output)
        return output

    def detach_output(self, output: Output, *, drain: float = 1.0) -> None:
        """Give `output` nothing more; what waits is written for up to `drain` seconds, then its
        pipes are closed. Returns at once; `Output.wait_closed` waits."""
        with self._lock:
            if output in self._outputs:
                self._outputs.remove(output)
        output.close(drain)

    # -- looks --------------------------------------------------------------------------------

    def state(self) -> MixerState:
        """What it does just now."""
        with self._lock:
            return MixerState(
                tick=self._tick_index, programme_s=self._tick_index / self.canvas.fps,
                wanted=self._wanted, shown=self._shown, muted=self._muted,
                peak_db=self.watch.peak_db(),
                feeds={name: feed.state for name, feed in self._feeds.items()},
                slips=self._slips, faults=self._faults, late=self._late,
            )  # fmt: skip

    def preview(self, width: int = 480) -> bytes:
        """The last picture of the programme as a JPEG, `width` pixels wide; empty before the first.

        Takes some milliseconds of the caller's thread, none of the mixer's.
        """
        with self._lock:
            frame = self._last.hold() if self._last is not None else None
        if frame is None:
            return b""
        try:
            return jpeg(self.canvas, frame.picture, width)
        finally:
            frame.release()

    def feed_preview(self, feed_id: str, width: int = 240) -> bytes:
        """The same of a feed; empty while it has no picture."""
        return self.watch.preview(feed_id, width)

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        """Ticks at start + n / fps until stopped."""
        name_thread("mixer")
        start, ticks = self._clock.monotonic(), 0
        while not self._stop.is_set():
            early = start + ticks * self.canvas.tick_s - self._clock.monotonic()
            if early > 0:
                self._stop.wait(early)
                continue
            if -early > self.canvas.tick_s:
                self._late += 1
            if -early > SLIP_S:
                start -= early
                self._slips += 1
                self._tell(ClockSlipped(-early, self._programme_s))
            if not self._guarded_tick():
                return
            ticks += 1

    def _guarded_tick(self) -> bool:
        """One tick; a fault in it costs that tick, not the meeting. False when it is hopeless."""
        try:
            self.tick()
        except Exception as error:  # the programme goes on; the fault is counted and logged
            self._faults += 1
            self._faults_in_a_row += 1
            if self._faults_in_a_row in (1, FAULTS_IN_A_ROW):
                log.exception("tick failed", tick=self._tick_index, in_a_row=self._faults_in_a_row)
            if self._faults_in_a_row >= FAULTS_IN_A_ROW:
                self._tell(MixerFailed(f"{type(error).__name__}: {error}", self._programme_s))
                return False
        else:
            self._faults_in_a_row = 0
        return True

    def tick(self) -> None:
        """Make one tick of the programme. For the mixer's thread (and tests without one)."""
        with self._lock:
            wanted, fade, muted, feeds = self._wanted, self._fade, self._muted, dict(self._feeds)
            floor, overlays = self._floor, self._overlays
        pulled = {name: feed.buffer.pull() for name, feed in feeds.items()}
        for name, feed in feeds.items():
            self._follow(name, feed, pulled[name].alive)
            self.watch.feed(name, pulled[name])
        look = Look(pulled, self._clock.time(), floor, overlays)
        frame = self._pool.take()
        try:
            self._show(wanted if self._painter.alive(wanted, look) else SLATE, wanted, fade)
            self._painter.paint(look, frame.picture)
            heard = self.layouts.heard(wanted, self.canvas, floor=floor, linked=look.linked)
            sounds = self.bus.mix({name: one.sound for name, one in pulled.items()}, heard, muted)
            self.watch.programme(frame.picture, sounds, shown=str(self._shown), muted=muted)
        except BaseException:
            frame.release()
            raise
        self._hand_out(frame, sounds)

    def _follow(self, name: str, feed: _Feed, alive: bool) -> None:
        """Notice that a feed was lost or is back."""
        if alive and feed.state is not FeedState.ALIVE:
            if feed.state is FeedState.LOST:
                now = self._programme_s
                self._tell(SourceBack(name, now, round(now - feed.lost_at, 3)))
            feed.state = FeedState.ALIVE
        elif not alive and feed.state is FeedState.ALIVE:
            feed.state, feed.lost_at = FeedState.LOST, self._programme_s
            self._tell(SourceLost(name, feed.lost_at))

    def _show(self, shown: Scene, wanted: Scene, fade: bool) -> None:
        """Tell the painter and the listener of another scene. What the mixer does by itself, when
        a source is lost or is back, is always a cut."""
        if shown != self._shown:
            automatic = wanted == self._shown_for
            self._painter.change(shown, fade=fade and not automatic and shown == wanted)
            self._tell(SceneShown(shown, self._programme_s, automatic))
        self._shown, self._shown_for = shown, wanted

    def _hand_out(self, frame: Frame, sounds: tuple[Block, ...]) -> None:
        """Give the finished tick to every output; from here on the next tick is the present one."""
        gone: list[Output] = []
        dropping: list[tuple[Output, bool]] = []
        with self._lock:
            for output in self._outputs:
                was = output.dropping
                taken = output.offer(frame, sounds)
                if output.ended:
                    gone.append(output)
                elif was == taken or (not taken and output.dropped % self.canvas.fps == 0):
                    dropping.append((output, taken))
            for output in gone:
                self._outputs.remove(output)
            before, self._last = self._last, frame
            self._tick_index += 1
        if before is not None:
            before.release()
        for output in gone:
            self._tell(OutputLost(output.name, output.reason, self._programme_s))
        for output, over in dropping:
            self._tell(OutputDropping(output.name, output.dropped, over, self._programme_s))

    @property
    def _programme_s(self) -> float:
        return self._tick_index / self.canvas.fps

    def _tell(self, change: Change) -> None:
        if self._on_change is None:
            return
        try:
            self._on_change(change)
        except Exception:  # whoever listens must not stop the programme
            log.exception("on_change failed", change=repr(change))


__all__ = ["HALL", "SLATE", "Clock", "Mixer", "SlatePicture", "SystemClock"]
