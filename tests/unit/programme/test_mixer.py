"""The mixer's decisions, tick by tick and without its thread."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from streamer.domain.errors import BadInput
from streamer.programme.canvas import Canvas, Picture
from streamer.programme.feed_buffer import FeedBuffer
from streamer.programme.mixer import Mixer
from streamer.programme.output import Output
from streamer.programme.scenes import (
    HALL,
    HALL_FEED,
    SLATE,
    Change,
    ClockSlipped,
    FeedState,
    MixerFailed,
    OutputDropping,
    OutputLost,
    SceneShown,
    SourceBack,
    SourceLost,
)

CANVAS = Canvas(64, 32, 25)
TICK = CANVAS.samples_per_tick


class Plain:
    def picture(self, at: float) -> Picture:
        return np.full(CANVAS.picture_bytes, 60, np.uint8)


class Bench:
    """A mixer, its hall, and a clock that only moves when told."""

    def __init__(self, **more: int) -> None:
        self.now = 100.0
        self.changes: list[Change] = []
        self.mixer = Mixer(CANVAS, Plain(), on_change=self.changes.append, **more)
        self.buffer = FeedBuffer(CANVAS, monotonic=lambda: self.now)
        self.buffer.begin(video=True, audio=True)
        self.mixer.attach_feed(HALL_FEED, self.buffer)
        self.number = 0

    def tick(self, count: int = 1, *, source: bool = True) -> None:
        for _ in range(count):
            if source:
                at = self.number * TICK
                self.buffer.put_picture(at, np.full(CANVAS.picture_bytes, 200, np.uint8))
                wave = np.sin(2 * np.pi * 440 * np.arange(at, at + TICK) / 48000) * 16000
                self.buffer.put_sound(at, np.stack([wave, wave], axis=1).astype(np.int16))
            self.number += 1
            self.now += CANVAS.tick_s
            self.mixer.tick()

    @property
    def names(self) -> list[str]:
        return [type(change).__name__ for change in self.changes]


class Pipes:
    """An output whose pipes are read by two threads."""

    def __init__(self, mixer: Mixer) -> None:
        self.read_video, video = os.pipe()
        self.read_audio, audio = os.pipe()
        self.output: Output = mixer.attach_output(video, audio, name="test")
        self.data = {"video": b"", "audio": b""}
        self.threads = [
            threading.Thread(target=self._read, args=(fd, what))
            for fd, what in ((self.read_video, "video"), (self.read_audio, "audio"))
        ]

    def read(self) -> None:
        for thread in self.threads:
            thread.start()

    def _read(self, fd: int, what: str) -> None:
        with os.fdopen(fd, "rb") as pipe:
            self.data[what] = pipe.read()

    def join(self) -> None:
        assert self.output.wait_closed(5)
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()

    @property
    def lumas(self) -> list[int]:
        return list(self.data["video"][:: CANVAS.picture_bytes])

    @property
    def sound(self) -> np.ndarray:
        return np.frombuffer(self.data["audio"], "<i2").reshape(-1, 2)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    assert bench.mixer.stop()


def until(what: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not what():
        assert time.monotonic() < end, "waited too long"
        pause.wait(0.005)


def test_the_slate_is_on_until_the_hall_is_wanted_and_there(bench: Bench) -> None:
    bench.tick(10)
    assert bench.mixer.state().shown == SLATE
    bench.mixer.take("hall")
    bench.tick()
    state = bench.mixer.state()
    assert (state.wanted, state.shown) == (HALL, HALL)
    assert state.feeds == {HALL_FEED: FeedState.ALIVE}
    shown = [change for change in bench.changes if isinstance(change, SceneShown)]
    assert shown == [SceneShown(HALL, 10 / 25, automatic=False)]


def test_a_lost_hall_is_the_slate_and_comes_back_by_itself(bench: Bench) -> None:
    bench.mixer.take(HALL)
    bench.tick(20)
    bench.tick(24, source=False)
    assert bench.mixer.state().shown == SLATE
    assert bench.mixer.state().wanted == HALL
    assert bench.names[-2:] == ["SourceLost", "SceneShown"]
    lost = next(change for change in bench.changes if isinstance(change, SourceLost))
    assert lost.feed == HALL_FEED
    assert 0.5 < lost.programme_s - 20 / 25 < 0.7
    bench.tick(20)
    assert bench.mixer.state().shown == HALL
    back = next(change for change in bench.changes if isinstance(change, SourceBack))
    assert back.seconds == pytest.approx(back.programme_s - lost.programme_s, abs=0.001)
    assert bench.changes[-1].automatic  # type: ignore[union-attr]


def test_an_unknown_scene_is_refused(bench: Bench) -> None:
    with pytest.raises(BadInput):
        bench.mixer.take("moon")


def test_every_output_gets_whole_ticks_and_no_click_at_any_cut(bench: Bench) -> None:
    bench.tick(3)
    pipes = Pipes(bench.mixer)
    assert pipes.output.first_tick == 3
    pipes.read()
    steps = (
        lambda: bench.mixer.take(HALL), lambda: bench.mixer.mute(True),
        lambda: bench.mixer.mute(False), lambda: bench.mixer.take(SLATE),
        lambda: bench.mixer.take(HALL), lambda: bench.mixer.detach_feed(HALL_FEED),
        lambda: bench.mixer.attach_feed(HALL_FEED, bench.buffer),
    )  # fmt: skip
    for step in steps:
        step()
        bench.tick(12)
        until(lambda: pipes.output.waiting == 0)
    bench.tick(20, source=False)
    bench.mixer.detach_output(pipes.output)
    pipes.join()
    ticks = 12 * len(steps) + 20
    assert len(pipes.data["video"]) == ticks * CANVAS.picture_bytes
    assert len(pipes.data["audio"]) == ticks * CANVAS.block_bytes
    assert pipes.output.dropped == 0
    largest = np.abs(np.diff(pipes.sound.astype(int), axis=0)).max()
    assert np.abs(pipes.sound).max() > 15000
    assert largest < 16000 * 2 * np.pi * 440 / 48000 * 1.05, "no step larger than the tone's own"


def test_the_slate_is_silent_and_mute_silences_the_hall(bench: Bench) -> None:
    bench.mixer.take(HALL)
    bench.tick(20)
    assert min(bench.mixer.state().peak_db) > -8
    bench.mixer.mute(True)
    bench.tick(7)
    assert bench.mixer.state().shown == HALL
    assert bench.mixer.state().muted
    assert max(bench.mixer.state().peak_db) == -90
    bench.mixer.mute(False)
    bench.tick(7)
    assert min(bench.mixer.state().peak_db) > -8
    bench.mixer.take(SLATE)
    bench.tick(7)
    assert max(bench.mixer.state().peak_db) == -90


def test_sound_alone_is_heard_under_the_slate() -> None:
    bench = Bench()
    bench.mixer.take(HALL)
    for number in range(30):
        tone = np.full((TICK, 2), 8000, np.int16)
        bench.buffer.put_sound(number * TICK, tone)
        bench.now += CANVAS.tick_s
        bench.mixer.tick()
    assert bench.mixer.state().shown == SLATE
    assert bench.mixer.state().feeds[HALL_FEED] is FeedState.ALIVE
    assert min(bench.mixer.state().peak_db) > -13
    assert bench.mixer.stop()


def test_an_encoder_that_hangs_loses_ticks_and_disturbs_nobody(bench: Bench) -> None:
    hung, good = Pipes(bench.mixer), Pipes(bench.mixer)
    good.read()
    started = time.monotonic()
    for _ in range(2500):
        bench.tick()
        until(lambda: good.output.waiting < 20)
    assert time.monotonic() - started < 20
    assert hung.output.dropped > 0
    assert hung.output.waiting == 25
    assert good.output.dropped == 0
    dropping = [change for change in bench.changes if isinstance(change, OutputDropping)]
    assert dropping[0].ticks == 1
    assert not dropping[0].over
    hung.read()
    until(lambda: hung.output.waiting == 0)
    bench.tick()
    assert next(c for c in reversed(bench.changes) if isinstance(c, OutputDropping)).over
    for pipes in (hung, good):
        bench.mixer.detach_output(pipes.output)
        pipes.join()
    assert len(good.lumas) == 2501
    assert len(hung.lumas) == 2501 - hung.output.dropped
    assert len(hung.sound) == len(hung.lumas) * TICK, "picture and sound were left out together"


def test_an_encoder_that_closes_its_input_is_told_and_forgotten(bench: Bench) -> None:
    pipes = Pipes(bench.mixer)
    os.close(pipes.read_video)
    bench.tick()
    until(lambda: pipes.output.ended)
    bench.tick(2)
    lost = [change for change in bench.changes if isinstance(change, OutputLost)]
    assert [change.output for change in lost] == ["test"]
    assert "closed" in lost[0].reason
    assert pipes.output.wait_closed(5)
    os.close(pipes.read_audio)


def test_closing_an_encoder_that_hangs_ends_in_time(bench: Bench) -> None:
    pipes = Pipes(bench.mixer)
    for _ in range(500):
        bench.tick()
    assert pipes.output.dropped
    bench.mixer.detach_output(pipes.output, drain=0.1)
    assert pipes.output.wait_closed(2)
    os.close(pipes.read_video)
    os.close(pipes.read_audio)


def test_the_preview_is_a_small_jpeg_of_what_is_on(bench: Bench) -> None:
    assert bench.mixer.preview() == b""
    bench.tick()
    image = Image.open(BytesIO(bench.mixer.preview(48)))
    assert image.size == (48, 24)
    assert image.format == "JPEG"


def test_the_first_tick_is_the_one_that_was_asked_for() -> None:
    bench = Bench(start_tick=2500)
    assert bench.mixer.state().programme_s == 100.0
    bench.tick(25)
    assert bench.mixer.state().programme_s == 101.0
    assert bench.mixer.stop()


class LateClock:
    """The machine's clock, that once stood still for a while."""

    def __init__(self) -> None:
        self.late = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.late

    def time(self) -> float:
        return time.time()


def test_the_clock_is_slipped_not_sprinted_after() -> None:
    clock, changes = LateClock(), list[Change]()
    mixer = Mixer(CANVAS, Plain(), clock=clock, on_change=changes.append)
    mixer.start()
    until(lambda: mixer.state().tick > 5)
    clock.late = 10.0
    until(lambda: mixer.state().slips == 1)
    at = mixer.state().tick
    started = time.monotonic()
    until(lambda: mixer.state().tick >= at + 10)
    assert time.monotonic() - started > 0.3
    assert mixer.stop()
    slipped = next(change for change in changes if isinstance(change, ClockSlipped))
    assert 9 < slipped.seconds < 11


def test_a_fault_costs_its_tick_and_many_end_the_mixer() -> None:
    class Broken:
        broken = True

        def picture(self, at: float) -> Picture:
            if self.broken:
                raise RuntimeError("cannot draw")
            return CANVAS.blank()

    slate, changes = Broken(), list[Change]()
    mixer = Mixer(CANVAS, slate, on_change=changes.append)
    mixer.start()
    until(lambda: mixer.state().faults >= 3)
    slate.broken = False
    until(lambda: mixer.state().tick >= 3)
    slate.broken = True
    until(lambda: not mixer.running)
    assert isinstance(changes[-1], MixerFailed)
    assert mixer.stop()


def test_a_listener_that_fails_does_not_stop_the_programme() -> None:
    def fail(change: Change) -> None:
        raise RuntimeError(str(change))

    bench = Bench()
    mixer = Mixer(CANVAS, Plain(), on_change=fail)
    mixer.attach_feed(HALL_FEED, bench.buffer)
    mixer.take(HALL)
    bench.mixer, old = mixer, bench.mixer
    bench.tick(12)
    assert mixer.state().shown == HALL
    assert mixer.stop()
    assert old.stop()
