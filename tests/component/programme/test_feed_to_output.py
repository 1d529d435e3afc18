"""Feed child → reader → mixer → an encoder's pipes, measured on the raw output."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas
from streamer.programme.feed import FeedBuffer, FeedEnd, FeedReader
from streamer.programme.mixer import Mixer
from streamer.programme.scenes import HALL, HALL_FEED, SLATE, FeedState, SourceBack, SourceLost
from streamer.programme.slate import Slate
from tests.component.programme.bench_parts import (
    SLATE_LUMA,
    Feed,
    Sink,
    Stage,
    camera_whose_sound_pauses,
    feed_argv,
    flash_and_beep,
    largest_step,
    offsets_ms,
    onsets,
    stage,
    wait_until,
)

pytestmark = pytest.mark.component

CANVAS = Canvas(320, 180, 25)
TONE = (
    "-re", "-f", "lavfi", "-i",
    "color=white:s=320x180:r=25[out0];sine=frequency=440:sample_rate=48000,volume=18dB[out1]",
)  # fmt: skip
TONE_STEP = 1400
"""The tone itself moves by up to 1,334 in one sample."""


def on_air(it: Stage, sink: Sink) -> bool:
    return len(sink.lumas) > 0 and sink.luma[-1] > 200


@pytest.mark.parametrize(
    ("rate", "period", "drop"),
    [
        ("25", "1", ""),
        ("50", "1", ""),
        ("30000/1001", "1.001", ""),
        ("50", "1", ",select='lt(mod(n\\,50)\\,1)+gt(random(0)\\,0.5)'"),
    ],
    ids=["25", "50", "29.97", "variable"],
)
def test_sound_is_with_its_picture_whatever_the_rate(
    tmp_path: Path, rate: str, period: str, drop: str
) -> None:
    film = flash_and_beep(tmp_path / "film.mkv", rate, period, seconds=5, drop=drop)
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        sink = it.sink()
        feed = it.feed("-re", "-i", str(film))
        assert feed.reader.wait(15)
        wait_until(lambda: it.told(SourceLost))
    offsets = offsets_ms(sink)
    print(f"sound after picture, ms, from {rate}: {[round(o, 1) for o in offsets]}")
    assert len(offsets) >= 4
    assert max(abs(offset) for offset in offsets) <= 20
    flashes = onsets(np.array(sink.luma) > 128, 5)
    gaps = np.diff(flashes) / CANVAS.fps
    assert np.abs(gaps[1:] - float(period)).max() <= 0.04, "no picture is lost or repeated"
    assert len(sink.samples) == len(sink.lumas) * CANVAS.samples_per_tick


def test_sound_is_with_its_picture_when_it_begins_later(tmp_path: Path) -> None:
    """A source whose sound track begins 0.7 s after its picture, coded as an encoder sends it."""
    film = flash_and_beep(
        tmp_path / "film.ts", seconds=5,
        codecs=("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"),
        extra=("-af", "atrim=start=0.7"),
    )  # fmt: skip
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        sink = it.sink()
        feed = it.feed("-re", "-i", str(film))
        assert feed.reader.wait(15)
    offsets = [offset for offset in offsets_ms(sink) if abs(offset) < 400]
    print(f"sound after picture, ms: {[round(o, 1) for o in offsets]}")
    assert len(offsets) >= 3
    assert max(abs(offset) for offset in offsets) <= 20


def test_a_killed_feed_is_the_slate_within_a_second_and_comes_back() -> None:
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        sink = it.sink()
        feed = it.feed(*TONE)
        wait_until(lambda: on_air(it, sink))
        wait_until(lambda: it.mixer.state().tick > 60)
        killed = time.monotonic()
        feed.kill()
        assert feed.reader.end is FeedEnd.CLOSED
        wait_until(lambda: sink.luma[-1] == SLATE_LUMA)
        slate_after = next(at for at, luma in sink.lumas if at > killed and luma == SLATE_LUMA)
        print(f"killed feed to slate: {slate_after - killed:.2f} s")
        assert slate_after - killed < 1.0
        wait_until(lambda: it.mixer.state().peak_db == (-90.0, -90.0))
        assert it.mixer.state().feeds[HALL_FEED] is FeedState.LOST
        again = time.monotonic()
        it.feed(*TONE, buffer=feed.buffer)
        wait_until(lambda: on_air(it, sink))
        print(f"new child to picture: {time.monotonic() - again:.2f} s")
        assert [len(it.told(SourceLost)), len(it.told(SourceBack))] == [1, 1]
        wait_until(lambda: it.mixer.state().peak_db[0] > -20)
    assert largest_step(sink.samples) < TONE_STEP
    assert len(sink.samples) == len(sink.lumas) * CANVAS.samples_per_tick


def test_a_stalled_feed_is_the_slate_and_goes_on_when_it_wakes() -> None:
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        sink = it.sink()
        feed = it.feed(*TONE)
        wait_until(lambda: on_air(it, sink))
        stopped = time.monotonic()
        feed.child.send_signal(signal.SIGSTOP)
        wait_until(lambda: sink.luma[-1] == SLATE_LUMA)
        assert time.monotonic() - stopped < 1.0
        feed.child.send_signal(signal.SIGCONT)
        wait_until(lambda: on_air(it, sink))
        wait_until(lambda: it.mixer.state().peak_db[0] > -20)
    assert largest_step(sink.samples) < TONE_STEP


def test_sound_alone_and_picture_alone() -> None:
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        sink = it.sink()
        feed = it.feed(*TONE, maps="a")
        wait_until(lambda: it.mixer.state().peak_db[0] > -20)
        assert it.mixer.state().shown == SLATE
        assert sink.luma[-1] == SLATE_LUMA
        feed.kill()
        wait_until(lambda: it.told(SourceLost))
        it.feed(*TONE, buffer=feed.buffer, maps="v")
        wait_until(lambda: on_air(it, sink))
        wait_until(lambda: it.mixer.state().peak_db == (-90.0, -90.0))
    assert largest_step(sink.samples) < TONE_STEP


def test_a_sound_track_that_pauses_does_not_stop_the_picture() -> None:
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        sink = it.sink()
        out_of_camera, camera = os.pipe()
        source = ("-analyzeduration", "500000", "-f", "mpegts", "-i", "pipe:0")
        argv = feed_argv(CANVAS, *source)
        feed = Feed(CANVAS, FeedBuffer(CANVAS), argv, stdin=out_of_camera)
        os.close(out_of_camera)
        it.feeds.append(feed)
        it.mixer.attach_feed(HALL_FEED, feed.buffer)
        filming = threading.Thread(target=camera_whose_sound_pauses, args=(camera, 6, (2.5, 4.5)))
        filming.start()
        wait_until(lambda: it.mixer.state().peak_db[0] > -20)
        wait_until(lambda: it.mixer.state().peak_db[0] == -90.0)
        wait_until(lambda: it.mixer.state().peak_db[0] > -20)
        assert not it.told(SourceLost)
        assert it.mixer.state().shown == HALL
        filming.join(10)
    assert SLATE_LUMA not in sink.luma[sink.luma.index(235.0) : -30]


def test_cuts_mute_and_losses_make_no_click() -> None:
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        sink = it.sink()
        it.feed(*TONE)
        wait_until(lambda: it.mixer.state().peak_db[0] > -20)
        for _ in range(3):
            for step in (
                lambda: it.mixer.take(SLATE), lambda: it.mixer.take(HALL),
                lambda: it.mixer.mute(True), lambda: it.mixer.mute(False),
            ):  # fmt: skip
                at = it.mixer.state().tick
                step()
                wait_until(lambda at=at: it.mixer.state().tick > at + 3)
    print(f"largest step of the sound: {largest_step(sink.samples)}")
    assert np.abs(sink.samples).max() > 10_000
    assert largest_step(sink.samples) < TONE_STEP


def test_an_encoder_that_hangs_costs_the_other_nothing() -> None:
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        good, hung = it.sink(), it.sink()
        hung_output = it.sinks[1][1]
        it.feed(*TONE)
        wait_until(lambda: on_air(it, good))
        hung.blocked.set()
        wait_until(lambda: hung_output.dropped > 10, 20)
        at = len(good.lumas)
        wait_until(lambda: len(good.lumas) > at + 25)
        hung.blocked.clear()
        wait_until(lambda: not hung_output.dropping)
    (_, good_output), _ = it.sinks
    assert good_output.dropped == 0
    assert len(good.lumas) == it.mixer.state().tick - good_output.first_tick
    assert len(hung.samples) == len(hung.lumas) * CANVAS.samples_per_tick
    assert it.mixer.state().slips == 0


@pytest.mark.parametrize("what", [b"", b"\x00" * 100_000, os.urandom(500_000), b"nut/multimedia"])
def test_garbage_ends_the_reader_with_a_reason(what: bytes) -> None:
    read_end, write_end = os.pipe()
    ended: list[tuple[FeedEnd, str]] = []
    reader = FeedReader(
        read_end, FeedBuffer(CANVAS), on_end=lambda end, reason: ended.append((end, reason))
    )
    reader.start()
    with os.fdopen(write_end, "wb") as pipe:
        pipe.write(what)
    assert reader.wait(5)
    assert len(ended) == 1
    assert ended[0][1]


def test_pictures_of_another_size_end_the_reader_and_the_programme_goes_on() -> None:
    with stage(CANVAS) as it:
        it.mixer.take(HALL)
        feed = Feed(CANVAS, FeedBuffer(CANVAS), feed_argv(Canvas(64, 64, 25), *TONE))
        it.feeds.append(feed)
        assert feed.reader.wait(10)
        assert feed.reader.end is FeedEnd.GARBAGE
        assert "64" in feed.reader.reason
        at = it.mixer.state().tick
        wait_until(lambda: it.mixer.state().tick > at + 5)


def test_a_reader_that_waits_is_stopped_in_time() -> None:
    read_end, write_end = os.pipe()
    reader = FeedReader(read_end, FeedBuffer(CANVAS))
    reader.start()
    assert reader.stop(2)
    assert reader.end is FeedEnd.STOPPED
    os.close(write_end)


def test_a_reader_that_never_started_still_closes_its_pipe() -> None:
    read_end, write_end = os.pipe()
    reader = FeedReader(read_end, FeedBuffer(CANVAS))
    assert reader.stop()
    assert reader.stop()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)
    os.close(write_end)


def test_share_of_a_core_for_one_feed_at_720p25() -> None:
    canvas = Canvas(1280, 720, 25)
    names = Names("Абай облысы", "Область Абай")
    slate = Slate(canvas, region=names, title=names, zone="Asia/Almaty")
    it = Stage(Mixer(canvas, slate), canvas)
    me = psutil.Process()
    it.mixer.start()
    try:
        it.mixer.take(HALL)
        it.sink()
        it.feed(
            "-re", "-f", "lavfi", "-i",
            "testsrc2=s=1280x720:r=25[out0];sine=frequency=440:sample_rate=48000[out1]",
        )  # fmt: skip
        wait_until(lambda: it.mixer.state().shown == HALL)
        names_of = {thread.native_id: thread.name for thread in threading.enumerate()}
        before, began = threads_cpu(me), time.monotonic()
        first = it.mixer.state().tick
        wait_until(lambda: it.mixer.state().tick > first + 100)
        after, seconds = threads_cpu(me), time.monotonic() - began
    finally:
        it.finish()
    shares = {
        names_of.get(thread, "?"): (after[thread] - before.get(thread, 0.0)) / seconds
        for thread in after
    }
    ours = {name: share for name, share in shares.items() if not name.startswith(("sink", "Main"))}
    print({name: round(share, 3) for name, share in ours.items()}, round(sum(ours.values()), 3))
    assert sum(ours.values()) < 0.4, "about 0.1 of a core; the bound allows for a busy machine"
    assert it.mixer.state().faults == 0


def threads_cpu(process: psutil.Process) -> dict[int, float]:
    """Seconds of processor time per thread."""
    return {thread.id: thread.user_time + thread.system_time for thread in process.threads()}
