"""The watch between the mixer's thread and whoever looks."""

import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from streamer.config.service import DetectorSettings
from streamer.domain.signals import Detector, SignalFault, SignalRecovered
from streamer.programme.canvas import Block, Canvas, Picture
from streamer.programme.feed_buffer import Pulled
from streamer.programme.watch import PROGRAMME, Watch

CANVAS = Canvas(640, 360, 25)
HALL, SITE = "feed:hall", "feed:site:semey"
RANDOM = np.random.default_rng(3)
MOVING = [RANDOM.integers(30, 220, CANVAS.picture_bytes, dtype=np.uint8) for _ in range(7)]
BLACK = CANVAS.blank()


def tone(left: float, right: float) -> Block:
    wave = np.sin(2 * np.pi * 500 * np.arange(CANVAS.samples_per_tick) / 48000)
    return np.stack([left * wave, right * wave], axis=1).astype(np.float32)


SPEECH, NOTHING = tone(0.3, 0.15), tone(0.0, 0.0)


class Bench:
    """Ticks with a clock of its own, and a look after every fifth."""

    def __init__(self) -> None:
        self.now = 50.0
        self.watch = Watch(CANVAS, monotonic=lambda: self.now)
        self.told: list[SignalFault | SignalRecovered] = []
        self.ticks = 0

    def run(
        self, seconds: float, feeds: dict[str, Pulled | None], *, shown: str = "hall",
        programme: Picture | None = None, sound: Block = SPEECH, muted: bool = False,
    ) -> None:  # fmt: skip
        """`feeds`: what each brings, None: pictures that move and speech."""
        for _ in range(round(seconds * CANVAS.fps)):
            moving = MOVING[self.ticks % len(MOVING)]
            for name, pulled in feeds.items():
                self.watch.feed(name, pulled or Pulled(moving, SPEECH, True, True))
            picture = moving if programme is None else programme
            self.watch.programme(picture, (sound,), shown=shown, muted=muted)
            self.ticks += 1
            self.now += CANVAS.tick_s
            if self.ticks % 5 == 0:
                self.told += self.watch.look(self.now)

    @property
    def all(self) -> list[tuple[str, str, str]]:
        return [
            (one.feed, "fault" if isinstance(one, SignalFault) else "over", str(one.detector))
            for one in self.told
        ]  # fmt: skip


def test_a_fault_is_told_of_the_feed_that_has_it() -> None:
    bench = Bench()
    bench.run(5, {HALL: None, SITE: None})
    assert bench.all == []
    bench.run(6, {HALL: None, SITE: Pulled(BLACK, SPEECH, True, True)})
    bench.run(3, {HALL: None, SITE: None})
    assert bench.all == [(SITE, "fault", "black"), (SITE, "over", "black")]


def test_a_lost_feed_is_lost_and_nothing_else() -> None:
    bench = Bench()
    bench.run(5, {HALL: None})
    bench.run(10, {HALL: Pulled(MOVING[0], NOTHING, False, False)}, shown="slate", sound=NOTHING)
    bench.run(3, {HALL: None})
    assert bench.all == [(HALL, "fault", "no_bytes"), (HALL, "over", "no_bytes")]


@pytest.mark.parametrize("shown", ["slate", "slides", "slides:2"])
def test_a_still_programme_is_told_of_unless_it_shows_what_is_still_by_nature(shown: str) -> None:
    bench = Bench()
    bench.run(8, {}, programme=MOVING[0], shown=shown)
    assert bench.all == []
    bench.run(8, {}, programme=MOVING[0], shown="hall")
    assert bench.all == [(PROGRAMME, "fault", "frozen")]
    bench.run(1, {}, programme=MOVING[0], shown=shown)
    assert bench.all[1:] == [(PROGRAMME, "over", "frozen")]


def test_a_muted_programme_and_the_slate_are_silent_on_purpose() -> None:
    bench = Bench()
    bench.run(8, {}, sound=NOTHING, muted=True)
    bench.run(8, {}, sound=NOTHING, shown="slate")
    assert bench.all == []
    bench.run(8, {}, sound=NOTHING)
    assert bench.all == [(PROGRAMME, "fault", "silent")]


def test_samples_at_full_scale_are_counted() -> None:
    bench = Bench()
    clipped = np.clip(tone(1.5, 1.5), -1.0, 1.0)
    bench.run(4, {HALL: Pulled(MOVING[0], clipped, True, True)}, shown="slate")
    faults = [one for one in bench.told if one.detector is Detector.CLIPPING]
    assert len(faults) == 1
    assert (HALL, "fault", "loud") in bench.all


def test_flash_and_beep_are_measured_to_the_sample() -> None:
    bench = Bench()
    white = np.full(CANVAS.picture_bytes, 235, np.uint8)
    late = 0.13  # neither a whole tick nor within the limit
    samples = np.arange(CANVAS.samples_per_tick) / 48000
    for tick in range(8 * 25):
        at = tick / 25
        beeps = (at + samples - late) % 1 < 0.2
        block = np.repeat((beeps * 0.7)[:, None], 2, axis=1).astype(np.float32)
        picture = white if at % 1 < 0.2 else BLACK
        bench.run(0.04, {HALL: Pulled(picture, block, True, True)}, shown="slate")
    (fault,) = [one for one in bench.told if one.detector is Detector.OFFSET]
    assert isinstance(fault, SignalFault)
    assert fault.value == pytest.approx(130, abs=2)


def test_a_feed_that_is_forgotten_ends_its_faults_and_never_comes_back_as_lost() -> None:
    bench = Bench()
    bench.run(8, {SITE: Pulled(BLACK, SPEECH, True, True)}, shown="hall")
    assert bench.all == [(SITE, "fault", "black")]
    bench.watch.forget(SITE)
    bench.watch.feed(SITE, Pulled(BLACK, SPEECH, True, True))  # a tick that was on its way
    bench.run(10, {})
    assert bench.all == [(SITE, "fault", "black"), (SITE, "over", "black")]
    assert bench.watch.feeds() == []


def test_meters_of_feeds_and_programme_over_the_last_200_ms() -> None:
    bench = Bench()
    bench.run(1, {HALL: Pulled(MOVING[0], tone(0.5, 0.05), True, True)}, sound=tone(0.1, 1.0))
    meters = bench.watch.meters()
    assert meters[HALL] == pytest.approx((-6.0, -26.0), abs=0.1)
    assert meters[PROGRAMME] == pytest.approx((-20.0, 0.0), abs=0.1)
    assert bench.watch.peak_db() == meters[PROGRAMME]
    assert bench.watch.rms()[HALL] == pytest.approx(-12.0, abs=0.2)
    bench.run(0.2, {HALL: Pulled(MOVING[0], NOTHING, True, True)}, sound=NOTHING)
    assert bench.watch.meters() == {PROGRAMME: (-90.0, -90.0), HALL: (-90.0, -90.0)}


def test_the_preview_of_a_feed_is_small_and_only_there_while_the_feed_is() -> None:
    bench = Bench()
    assert bench.watch.preview(HALL) == b""
    red = CANVAS.blank()
    planes = CANVAS.planes(red)
    planes.y[:], planes.u[:], planes.v[:] = 63, 102, 240
    bench.run(0.2, {HALL: Pulled(red, SPEECH, True, True)})
    jpeg = bench.watch.preview(HALL, 240)
    picture = Image.open(BytesIO(jpeg))
    assert picture.size == (240, 136)
    r, g, b = picture.convert("RGB").getpixel((120, 60))
    assert r > 220
    assert max(g, b) < 40
    bench.run(0.2, {HALL: Pulled(red, NOTHING, False, False)})
    assert bench.watch.preview(HALL) == b""


def test_settings_of_the_meeting_count() -> None:
    bench = Bench()
    bench.watch.configure(DetectorSettings(black_luma=64))
    dusk = CANVAS.blank()
    CANVAS.planes(dusk).y[:] = 50
    bench.run(6, {HALL: Pulled(dusk, SPEECH, True, True)})
    assert bench.all == [(HALL, "fault", "black")]


def test_one_thread_may_show_while_others_look() -> None:
    watch = Watch(CANVAS)
    stop, broken = threading.Event(), []

    def look() -> None:
        try:
            while not stop.is_set():
                watch.look(0.0)
                watch.meters()
                watch.forget("feed:3")
                watch.preview("feed:1")
        except Exception as error:  # told by the thread that started this one
            broken.append(error)

    threads = [threading.Thread(target=look, name=f"look {n}") for n in range(2)]
    for thread in threads:
        thread.start()
    for tick in range(600):
        for number in range(5):
            watch.feed(f"feed:{number}", Pulled(MOVING[tick % 7], SPEECH, True, True))
        watch.programme(MOVING[tick % 7], (SPEECH,), shown="hall")
    stop.set()
    for thread in threads:
        thread.join(5)
    assert broken == []
