"""A source's own delay between picture and sound, to the sample and to the tick."""

import numpy as np
import pytest

from streamer.domain.errors import BadInput
from streamer.programme.canvas import Canvas
from streamer.programme.feed_buffer import FeedBuffer, Pulled

CANVAS = Canvas(16, 16, 25)
TICK = CANVAS.samples_per_tick
MS = CANVAS.sample_rate // 1000


class Source:
    """Pictures carry their number (of 250), samples their position (of 30,000: 16 in 250 ticks)."""

    def __init__(self) -> None:
        self.now = 100.0
        self.buffer = FeedBuffer(CANVAS, monotonic=lambda: self.now)
        self.buffer.begin(video=True, audio=True)
        self.got: list[Pulled] = []

    def put(self, number: int) -> None:
        at = number * TICK
        self.buffer.put_picture(at, np.full(CANVAS.picture_bytes, number % 250, np.uint8))
        ramp = (np.arange(at, at + TICK) % 30000).astype(np.int16)
        self.buffer.put_sound(at, np.stack([ramp, ramp], axis=1))

    def pull(self, count: int = 1) -> None:
        for _ in range(count):
            self.now += CANVAS.tick_s
            self.got.append(self.buffer.pull())

    def run(self, numbers: range) -> None:
        for number in numbers:
            self.put(number)
            self.pull()

    def sound_later(self, which: int = -1) -> int:
        """Samples by which the sound of a tick comes later than its picture."""
        pulled = self.got[which]
        assert pulled.picture is not None
        here = round(float(pulled.sound[0, 0]) * 32768)
        assert round(float(pulled.sound[-1, 0]) * 32768) == (here + TICK - 1) % 30000
        apart = int(pulled.picture[0]) * TICK % 30000 - here
        return (apart + 15000) % 30000 - 15000


def unwrapped(ms: int) -> int:
    return (ms * MS + 15000) % 30000 - 15000


@pytest.mark.parametrize("ms", [0, 1, 7, 40, 250, 1000, -1, -7, -39, -40, -41, -250, -500])
def test_sound_is_later_than_its_picture_by_just_that(ms: int) -> None:
    it = Source()
    it.buffer.set_delay(ms)
    it.run(range(80))
    assert it.sound_later() == unwrapped(ms)
    assert it.buffer.counts.holds == it.buffer.counts.skips == it.buffer.counts.late == 0
    assert it.buffer.counts.restarts == 1


@pytest.mark.parametrize("ms", [0, 300, -300])
def test_every_picture_is_shown_once_and_only_one_of_the_two_waits_longer(ms: int) -> None:
    it = Source()
    it.buffer.set_delay(ms)
    it.run(range(80))
    numbers = [int(p.picture[0]) for p in it.got[-40:] if p.picture is not None]
    assert numbers == list(range(numbers[0], numbers[0] + 40))
    assert numbers[-1] == 76 - (8 if ms < 0 else 0)


@pytest.mark.parametrize("ms", [300, -300])
def test_it_holds_over_new_readers_jumps_skips_and_pauses(ms: int) -> None:
    it = Source()
    it.buffer.set_delay(ms)
    it.run(range(60))
    it.buffer.begin(video=True, audio=True)
    it.run(range(60))
    assert it.sound_later() == unwrapped(ms), "a new reader"
    it.run(range(100_000, 100_060))
    assert it.sound_later() == unwrapped(ms), "a jump of the timestamps"
    for number in range(100_060, 100_076):
        it.put(number)
    it.run(range(100_076, 100_110))
    assert it.buffer.counts.skips == 1
    assert it.sound_later() == unwrapped(ms), "a skip"
    it.pull(8)
    it.run(range(100_110, 100_150))
    assert it.buffer.counts.holds == 1
    assert it.sound_later() == unwrapped(ms), "a pause"


def test_it_changes_live_without_a_click() -> None:
    it = Source()
    level = np.full((TICK, 2), 20000, np.int16)

    def run(numbers: range) -> None:
        for number in numbers:
            at = number * TICK
            it.buffer.put_picture(at, np.full(CANVAS.picture_bytes, number % 250, np.uint8))
            # Turns round each 100 ms, softly: a leap in it would be a step of up to twice 20000.
            wave = np.cos(2 * np.pi * 10 * np.arange(at, at + TICK) / 48000)[:, None]
            it.buffer.put_sound(at, (level * wave).astype(np.int16))
            it.pull()

    run(range(60))
    number = 60
    for ms in (150, -450, 850, 0, 33):
        it.buffer.set_delay(ms)
        run(range(number, number + 60))
        number += 60
    steps = np.abs(np.diff(np.concatenate([p.sound for p in it.got]), axis=0))
    assert steps.max() < 0.003, "the wave alone makes steps of 0.0008, a fade of 30 ms 0.0009 more"
    assert it.buffer.counts.holds == it.buffer.counts.skips == 0
    assert it.buffer.counts.restarts == 1
    assert it.got[-1].picture is not None
    assert int(it.got[-1].picture[0]) == (number - 4) % 250


@pytest.mark.parametrize("ms", [-501, 1001])
def test_more_than_that_is_refused(ms: int) -> None:
    with pytest.raises(BadInput):
        Source().buffer.set_delay(ms)


def test_the_queue_has_room_for_delayed_pictures_and_no_more() -> None:
    it = Source()
    it.buffer.set_delay(-500)
    for number in range(500):
        it.put(number)
    assert len(it.buffer._pictures) <= 33
