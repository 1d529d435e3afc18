"""Half an hour of a feed whose clock is not ours, and feeds of still pictures; clocks by hand."""

import numpy as np
import pytest

from streamer.programme.canvas import Canvas
from streamer.programme.feed_buffer import FeedBuffer

CANVAS = Canvas(16, 16, 25)
TICK = CANVAS.samples_per_tick
HALF_HOUR = 30 * 60 * 25


def number_of(picture: np.ndarray) -> int:
    return int(picture[:4].view(np.uint32)[0])


@pytest.mark.parametrize("ppm", [100, -100])
def test_a_clock_that_drifts_neither_adds_delay_nor_parts_sound_from_picture(ppm: int) -> None:
    now = [0.0]
    buffer = FeedBuffer(CANVAS, monotonic=lambda: now[0])
    buffer.begin(video=True, audio=True)
    late = np.random.default_rng(7).uniform(0, 0.06, HALF_HOUR).tolist()
    pool = [np.zeros(CANVAS.picture_bytes, np.uint8) for _ in range(64)]
    numbers = [picture[:4].view(np.uint32) for picture in pool]
    put, offsets, delays = 0, [], []
    for tick in range(HALF_HOUR):
        now[0] = tick * CANVAS.tick_s
        # Arrivals jitter by a picture and a half, as from a network.
        due = (now[0] * (1 + ppm / 1e6) - late[tick]) / CANVAS.tick_s
        while put <= due:
            numbers[put % 64][0] = put
            buffer.put_picture(put * TICK, pool[put % 64])
            # The level of the sound tells its number, in two steps that 16 bits can hold.
            block = np.empty((TICK, 2), np.int16)
            block[:, 0], block[:, 1] = put % 181 + 100, put // 181 + 100
            buffer.put_sound(put * TICK, block)
            put += 1
        pulled = buffer.pull()
        if tick > 50 and pulled.picture is not None:
            low, high = (round(level * 32768) for level in pulled.sound[-1].tolist())
            if low >= 100 and high >= 100:
                heard = (high - 100) * 181 + low - 100
                offsets.append(number_of(pulled.picture) - heard)
            delays.append(put - number_of(pulled.picture))
    assert len(offsets) > HALF_HOUR * 0.99
    assert np.abs(offsets).max() <= 2, "80 ms"
    assert max(delays) <= 14, "the delay is held"
    assert buffer.counts.skips + buffer.counts.holds <= 6
    assert buffer.counts.restarts == 1


def stills(now: list[float]) -> FeedBuffer:
    buffer = FeedBuffer(CANVAS, monotonic=lambda: now[0])
    buffer.begin(video=True, audio=True, stills=True)
    return buffer


def test_stills_are_shown_from_one_to_the_next_while_the_sound_plays() -> None:
    now = [0.0]
    buffer = stills(now)
    alive, heard = [], []
    for tick in range(250):
        now[0] = tick * CANVAS.tick_s
        if tick % 100 == 0:
            buffer.put_picture(tick * TICK, np.full(CANVAS.picture_bytes, tick // 100, np.uint8))
        buffer.put_sound(tick * TICK, np.full((TICK, 2), 5000, np.int16))
        pulled = buffer.pull()
        alive.append(pulled.picture_alive)
        heard.append(float(pulled.sound[-1, 0]))
        if tick >= 1:
            assert pulled.picture is not None
            assert int(pulled.picture[0]) == tick // 100
    assert all(alive)
    assert min(heard[20:]) > 0.1, "the sound is never held for a picture"


def test_stills_end_with_their_source_and_count_at_once_when_it_is_back() -> None:
    now = [0.0]
    buffer = stills(now)
    buffer.put_picture(0, np.zeros(CANVAS.picture_bytes, np.uint8))
    assert buffer.pull().picture_alive
    now[0] = 11.0
    assert buffer.pull().picture_alive, "the next keyframe may be far"
    buffer.end()
    assert not buffer.pull().picture_alive
    buffer.begin(video=True, audio=False, stills=True)
    buffer.put_picture(0, np.zeros(CANVAS.picture_bytes, np.uint8))
    assert buffer.pull().picture_alive


def test_a_reader_that_was_replaced_puts_nothing() -> None:
    now = [0.0]
    buffer = FeedBuffer(CANVAS, monotonic=lambda: now[0])
    first = buffer.begin(video=True, audio=False)
    second = buffer.begin(video=True, audio=False)
    for number in range(8):
        buffer.put_picture(number * TICK, np.full(CANVAS.picture_bytes, 9), writer=first)
        buffer.put_picture(
            number * TICK, np.full(CANVAS.picture_bytes, 5, np.uint8), writer=second
        )  # fmt: skip
    picture = buffer.pull().picture
    assert picture is not None
    assert int(picture[0]) == 5
    assert buffer.counts.pictures == 8
