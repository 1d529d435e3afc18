"""The alignment of a feed, with arrivals and ticks driven by hand."""

from dataclasses import dataclass, field

import numpy as np

from streamer.programme.canvas import Canvas
from streamer.programme.feed_buffer import FeedBuffer, Pulled

CANVAS = Canvas(16, 16, 25)
TICK = CANVAS.samples_per_tick
TONE_LEVEL = 8000


@dataclass
class Source:
    """Puts pictures (their number in every byte) and sound whose samples say their position."""

    buffer: FeedBuffer
    now: list[float]
    got: list[Pulled] = field(default_factory=list)

    def put(self, number: int, *, video: bool = True, audio: bool = True, shift: int = 0) -> None:
        at = number * TICK + shift
        if video:
            picture = np.full(CANVAS.picture_bytes, number % 251, np.uint8)
            self.buffer.put_picture(at, picture)
        if audio:
            level = np.full((TICK, 2), TONE_LEVEL + number % 251, np.int16)
            self.buffer.put_sound(at, level)

    def pull(self) -> Pulled:
        self.now[0] += CANVAS.tick_s
        pulled = self.buffer.pull()
        self.got.append(pulled)
        return pulled


def source(**more: int) -> Source:
    now = [100.0]
    buffer = FeedBuffer(CANVAS, monotonic=lambda: now[0], **more)
    buffer.begin(video=True, audio=True)
    return Source(buffer, now)


def shown(pulled: Pulled) -> int | None:
    return None if pulled.picture is None else int(pulled.picture[0])


def heard(pulled: Pulled) -> int:
    """The number of the block that is heard at the end of the tick; -1 for silence."""
    level = round(float(pulled.sound[-1, 0]) * 32768)
    return level - TONE_LEVEL if level >= TONE_LEVEL else -1


def run(it: Source, numbers: range, **how: bool) -> None:
    for number in numbers:
        it.put(number, **how)
        it.pull()


def test_picture_and_sound_of_one_timestamp_come_in_one_tick() -> None:
    it = source()
    run(it, range(50))
    assert [shown(p) for p in it.got[-40:]] == [heard(p) for p in it.got[-40:]]
    assert [shown(p) for p in it.got[-3:]] == [44, 45, 46], "four pictures wait"
    assert it.got[-1].alive
    assert it.buffer.counts.holds == it.buffer.counts.skips == 0


def test_sound_that_is_delivered_later_stays_with_its_picture() -> None:
    it = source()
    for number in range(60):
        it.put(number, audio=False)
        if number >= 3:
            it.put(number - 3, video=False)
        it.pull()
    assert [shown(p) for p in it.got[-40:]] == [heard(p) for p in it.got[-40:]]


def test_sound_that_begins_later_is_silent_before() -> None:
    it = source()
    for number in range(40):
        it.put(number, audio=number >= 10)
        it.pull()
    for pulled in it.got[12:]:
        assert heard(pulled) == (-1 if (shown(pulled) or 0) < 10 else shown(pulled))


def test_bursts_are_evened_out() -> None:
    it = source()
    for number in range(0, 60, 3):
        for part in range(3):
            it.put(number + part)
        for _ in range(3):
            it.pull()
    numbers = [shown(p) for p in it.got[8:]]
    assert numbers == list(range(numbers[0] or 0, (numbers[0] or 0) + len(numbers)))


def test_a_pause_is_held_and_nothing_is_lost() -> None:
    it = source()
    run(it, range(20))
    for _ in range(9):
        it.pull()
    assert it.buffer.counts.holds == 1
    assert shown(it.got[-1]) == 19
    assert heard(it.got[-1]) == -1
    run(it, range(20, 60))
    after = [shown(p) for p in it.got[29:]]
    assert set(range(20, 50)) <= set(after)
    assert [shown(p) for p in it.got[-20:]] == [heard(p) for p in it.got[-20:]]


def test_too_much_is_skipped_together_and_softly() -> None:
    it = source()
    run(it, range(20))
    for number in range(20, 36):
        it.put(number)
    run(it, range(36, 50))
    assert it.buffer.counts.skips == 1
    assert [shown(p) for p in it.got[-10:]] == [heard(p) for p in it.got[-10:]]
    assert shown(it.got[-1]) in (45, 46)
    steps = np.abs(np.diff(np.concatenate([p.sound for p in it.got]), axis=0))
    assert steps.max() < 0.001


def test_a_jump_of_the_timestamps_begins_anew() -> None:
    for there in (-100_000, 100_000):
        it = source()
        run(it, range(200, 240))
        for number in range(200 + there, 240 + there):
            it.put(number)
            it.pull()
        level = [heard(p) for p in it.got[-20:]]
        assert [shown(p) for p in it.got[-20:]] == level
        assert it.got[-1].alive
        assert len(set(level)) == 20


def test_picture_and_sound_of_two_clocks_are_both_played() -> None:
    it = source()
    for number in range(60):
        it.put(number, audio=False)
        it.put(number, video=False, shift=48000 * 3600)
        it.pull()
    assert [shown(p) for p in it.got[-20:]] == [heard(p) for p in it.got[-20:]]


def test_without_sound_the_picture_goes_on_silent() -> None:
    it = source()
    run(it, range(40), audio=False)
    assert shown(it.got[-1]) in range(30, 40)
    assert it.got[-1].picture_alive
    assert not it.got[-1].sound_alive
    assert not it.got[-1].sound.any()


def test_without_picture_the_sound_goes_on() -> None:
    it = source()
    run(it, range(40), video=False)
    assert it.got[-1].picture is None
    assert not it.got[-1].picture_alive
    assert it.got[-1].sound_alive
    assert [heard(p) for p in it.got[-3:]] == [heard(it.got[-3]) + n for n in range(3)]


def test_sound_that_stops_and_comes_back_rejoins_its_picture() -> None:
    it = source()
    run(it, range(30))
    run(it, range(30, 70), audio=False)
    assert heard(it.got[-1]) == -1
    assert it.got[-1].picture_alive
    assert len({shown(p) for p in it.got[-20:]}) == 20, "the picture moves without its sound"
    run(it, range(70, 120))
    assert [shown(p) for p in it.got[-20:]] == [heard(p) for p in it.got[-20:]]


def test_a_picture_is_stale_before_a_second_and_back_only_when_it_plays() -> None:
    it = source()
    run(it, range(30))
    ticks = 0
    while it.pull().picture_alive:
        ticks += 1
    assert 0.5 < ticks * CANVAS.tick_s < 0.7
    it.put(80)
    assert not it.pull().alive, "one picture is not a source"
    run(it, range(81, 100))
    assert it.got[-1].alive


def test_pictures_that_are_always_late_make_the_sound_wait() -> None:
    it = source()
    for number in range(100):
        it.put(number, video=False)
        if number >= 8:
            it.put(number - 8, audio=False)
        it.pull()
    assert [shown(p) for p in it.got[-20:]] == [heard(p) for p in it.got[-20:]]


def test_a_buffer_nobody_pulls_stays_small() -> None:
    it = source()
    for number in range(500):
        it.put(number)
    assert len(it.buffer._pictures) <= 20
    run(it, range(500, 520))
    assert shown(it.got[-1]) == 515 % 251 or shown(it.got[-1]) == 516 % 251


def test_a_new_reader_begins_anew_while_the_last_picture_is_kept() -> None:
    it = source()
    run(it, range(30))
    it.buffer.begin(video=True, audio=True)
    assert it.pull().picture_alive
    assert shown(it.got[-1]) is not None
    run(it, range(30))
    assert [shown(p) for p in it.got[-10:]] == [heard(p) for p in it.got[-10:]]
    assert shown(it.got[-1]) in (25, 26)


def test_what_a_dying_decoder_still_held_is_not_the_source_coming_back() -> None:
    """Seen as half a second of hall in the middle of the slate, 1.6 s after the hall was lost."""
    it = source()
    run(it, range(30))
    for _ in range(40):
        it.pull()
    for number in range(30, 45):
        it.put(number)
    assert not any(it.pull().picture_alive for _ in range(25))
    it.buffer.begin(video=True, audio=True)
    run(it, range(20))
    assert it.got[-1].picture_alive
