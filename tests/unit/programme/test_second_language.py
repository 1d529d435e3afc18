"""The interpreter: over the original in the second language, never in the main one."""

from itertools import pairwise

import numpy as np
import pytest

from streamer.config.service import SoundSettings
from streamer.programme.bus import SoundBus
from streamer.programme.canvas import Block
from streamer.programme.interpreting import INTERPRETER_FEED
from tests.unit.programme.sounds import CANVAS, CEILING, TICK, block, lufs, speech, steps, tone

HALL = "feed:hall"
HALL_HZ, HIS_HZ = 500, 1500
ORIGINAL, HIS = tone(1, 0.2, HALL_HZ), tone(1, 0.2, HIS_HZ)
SILENT = np.zeros((TICK, 2), np.float32)


def level(sound: Block, hertz: int) -> float:
    """Amplitude of the tone of `hertz` in one tick."""
    turn = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / CANVAS.sample_rate)
    return float(2 * np.abs(np.mean(sound[:, 0] * turn)))


class Bench:
    def __init__(self, *, held: bool = False) -> None:
        self.bus = SoundBus(CANVAS, SoundSettings(hold_loudness=held), languages=2)
        self.tick = 0
        self.main: list[Block] = []
        self.second: list[Block] = []

    def run(
        self, ticks: int, his: Block | None = HIS, original: Block = ORIGINAL,
        heard: tuple[str, ...] = (HALL,), muted: bool = False,
    ) -> None:  # fmt: skip
        for _ in range(ticks):
            sounds = {HALL: block(original, self.tick)}
            if his is not None:
                sounds[INTERPRETER_FEED] = block(his, self.tick)
            main, second = self.bus.mix(sounds, frozenset(heard), muted)
            self.main.append(main)
            self.second.append(second)
            self.tick += 1

    @property
    def original(self) -> float:
        """How much of the original is in the second language, 1 for all of it."""
        return level(self.second[-1], HALL_HZ) / 0.2

    @property
    def his(self) -> float:
        return level(self.second[-1], HIS_HZ) / 0.2


def test_he_is_heard_over_the_original_in_the_second_language_only() -> None:
    it = Bench()
    it.run(50)
    assert it.his == pytest.approx(1, abs=0.01)
    assert it.original == pytest.approx(10 ** (-18 / 20), abs=0.01)
    assert level(it.main[-1], HALL_HZ) == pytest.approx(0.2, abs=0.002)
    assert max(level(one, HIS_HZ) for one in it.main[2:]) < 0.001
    it.run(50, heard=(HALL, INTERPRETER_FEED))
    assert max(level(one, HIS_HZ) for one in it.main[2:]) < 0.001


def test_with_one_language_he_is_not_heard_at_all() -> None:
    bus = SoundBus(CANVAS)
    heard = frozenset({HALL, INTERPRETER_FEED})
    for tick in range(20):
        out = bus.mix({INTERPRETER_FEED: block(HIS, tick)}, heard, False)
        assert len(out) == 1
        assert not out[0].any()


def test_the_original_comes_back_when_he_is_silent_for_a_while() -> None:
    it = Bench()
    it.run(50)
    it.run(round(1.4 * 25), his=SILENT)
    assert it.original < 0.2, "a pause between two sentences"
    it.run(10)
    it.run(round(1.4 * 25), his=SILENT)
    assert it.original < 0.2, "the time begins anew with each word"
    it.run(10, his=SILENT)
    assert it.original == pytest.approx(1, abs=0.01)
    it.run(10)
    assert it.original < 0.2
    assert steps(np.concatenate(it.second)) <= steps(ORIGINAL) + steps(HIS) + 0.001


def test_the_original_goes_down_within_300_ms_and_softly() -> None:
    it = Bench()
    it.run(50, his=SILENT)
    first = len(it.second)
    it.run(10)
    course = [level(one, HALL_HZ) / 0.2 for one in it.second[first - 1 :]]
    assert course[0] == pytest.approx(1, abs=0.01)
    assert course[-1] == pytest.approx(0.126, abs=0.01)
    assert all(before - after < 0.2 for before, after in pairwise(course))


def test_a_bump_of_his_microphone_is_not_speech() -> None:
    it = Bench()
    it.run(50, his=SILENT)
    it.run(1)
    it.run(10, his=SILENT)
    assert it.original == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("gone", ["absent", "lost", "muted"])
def test_without_him_both_languages_are_the_same(gone: str) -> None:
    it = Bench(held=True)
    it.run(50)
    if gone == "absent":
        it.bus.forget(INTERPRETER_FEED)
    it.bus.set(INTERPRETER_FEED, muted=gone == "muted")
    his = {"absent": None, "lost": SILENT, "muted": HIS}[gone]
    it.run(60, his=his)
    assert np.array_equal(it.main[-1], it.second[-1])
    assert it.main[-1].any()
    assert steps(np.concatenate(it.second)) <= (steps(ORIGINAL) + steps(HIS)) * 3


def test_mute_and_slate_silence_both() -> None:
    it = Bench()
    for how in ({"muted": True}, {"heard": ()}):
        it.run(50)
        it.run(5, **how)  # type: ignore[arg-type]
        assert not it.main[-1].any()
        assert not it.second[-1].any()


def test_both_languages_are_held_at_their_loudness() -> None:
    it = Bench(held=True)
    original, his = speech(20, -33, 4), speech(20, -15, 5)
    it.run(500, original=original, his=his)
    it.run(500, original=original, his=his)
    for sound in (it.main, it.second):
        heard = np.concatenate(sound[500:])
        assert lufs(heard) == pytest.approx(-23, abs=1)
        assert np.abs(heard).max() <= CEILING
    main, second = it.bus.state().languages
    assert main.gain_db == pytest.approx(10, abs=1.5)
    assert second.gain_db == pytest.approx(-8, abs=1.5)
    it.run(500, original=original, his=SILENT)
    assert lufs(np.concatenate(it.second[1100:])) == pytest.approx(-23, abs=1)
    assert it.bus.state().languages[1].gain_db == pytest.approx(second.gain_db, abs=0.3)


def test_both_are_limited() -> None:
    it = Bench()
    it.run(50, original=tone(1, 1.0, HALL_HZ), his=tone(1, 1.0, HIS_HZ))
    for sound in (it.main, it.second):
        assert np.abs(np.concatenate(sound)).max() <= np.float32(CEILING)
