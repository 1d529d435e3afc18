"""What is heard of which feed: gains, mutes, fades, and what must never come out."""

import threading

import numpy as np
import pytest

from streamer.config.service import SoundSettings
from streamer.domain.errors import BadInput
from streamer.programme.bus import FeedSound, SoundBus
from streamer.programme.canvas import Block
from tests.unit.programme.sounds import CANVAS, CEILING, TICK, block, steps, tone

HALL, SITE = "feed:hall", "feed:site"
BOTH = frozenset({HALL, SITE})
TONE = tone(1, 0.3)
OWN = steps(TONE)
"""The largest step that the tone itself makes."""
FADE = 0.3 / 1440
"""What a fade of 30 ms from nothing to full adds to it."""


class Bench:
    """A bus that hears a tone from the hall."""

    def __init__(self, bus: SoundBus | None = None) -> None:
        self.bus = bus or SoundBus(CANVAS)
        self.tick = 0
        self.out: list[Block] = []

    def run(self, ticks: int = 5, heard: frozenset[str] = BOTH, muted: bool = False) -> float:
        """Some ticks; the peak of the last one."""
        for _ in range(ticks):
            self.out += self.bus.mix({HALL: block(TONE, self.tick)}, heard, muted)
            self.tick += 1
        return float(np.abs(self.out[-1]).max())

    @property
    def sound(self) -> Block:
        return np.concatenate(self.out)


def test_a_bus_of_its_own_changes_nothing_of_what_it_lets_through() -> None:
    it = Bench()
    it.run(50)
    late = it.bus.delay
    assert late == 239
    source = np.concatenate([block(TONE, tick) for tick in range(50)])
    assert np.array_equal(it.sound[1440 + late :], source[1440:-late])
    assert np.abs(it.sound[:late]).max() == 0
    assert it.bus.state().programme.gain_db == 0


@pytest.mark.parametrize("gain_db", [-40.0, -6.0, 6.0, 8.0])
def test_a_gain_is_what_it_says(gain_db: float) -> None:
    it = Bench()
    it.bus.set(HALL, gain_db=gain_db)
    assert it.run() == pytest.approx(0.3 * 10 ** (gain_db / 20), rel=1e-3)


def test_every_change_is_a_fade_of_30_ms() -> None:
    it = Bench()
    it.run(10)
    levels = []
    for change in (
        {"gain_db": 8.0}, {"gain_db": -20.0}, {"gain_db": 0.0}, {"muted": True}, {"gain_db": 3.0},
        {"muted": False}, {"gain_db": 0.0},
    ):  # fmt: skip
        it.bus.set(HALL, **change)  # type: ignore[arg-type]
        levels.append(round(it.run(5), 2))
    assert levels == [0.75, 0.03, 0.3, 0, 0, 0.42, 0.3]
    it.run(5, frozenset())
    it.run(5)
    it.run(5, muted=True)
    it.run(5)
    assert steps(it.sound) < OWN * 2.52 + FADE * 2.5, "the tone 8 dB up, and a fade to there"
    muted = SoundBus(CANVAS)
    ones = np.full((TICK, 2), 0.5, np.float32)
    for _ in range(3):
        muted.mix({HALL: ones}, BOTH, False)
    muted.set(HALL, muted=True)
    faded = muted.mix({HALL: ones}, BOTH, False)[0][:, 0]
    going = np.flatnonzero((faded > 0) & (faded < 0.5))
    assert 1435 <= len(going) <= 1440
    assert going[0] in (muted.delay, muted.delay + 1)


def test_changes_in_the_middle_of_a_fade_do_not_click() -> None:
    canvas = type(CANVAS)(64, 32, 60)
    bus, out = SoundBus(canvas), []
    ones = np.full((800, 2), 0.3, np.float32)
    for tick in range(60):
        bus.set(HALL, gain_db=(-40.0, 6.0)[tick % 2], muted=tick % 7 == 0)
        out.append(bus.mix({HALL: ones}, BOTH, tick % 11 == 0)[0])
    assert steps(np.concatenate(out)) < 0.6 / 1440 * 1.05


def test_what_is_set_before_a_feed_comes_and_after_it_went_is_remembered() -> None:
    it = Bench()
    it.bus.set(HALL, gain_db=-10)
    it.bus.set(HALL, muted=True)
    it.bus.set(SITE, gain_db=4)
    assert it.bus.state().feeds == {HALL: FeedSound(-10, True), SITE: FeedSound(4, False)}
    assert it.run() == 0
    it.bus.set(HALL, muted=False)
    assert it.run() == pytest.approx(0.3 * 10**-0.5, rel=1e-3)
    it.bus.forget(HALL)
    it.bus.mix({}, BOTH, False)
    assert it.run() == pytest.approx(0.3 * 10**-0.5, rel=1e-3)


def test_a_feed_that_is_taken_away_or_replaced_does_not_click() -> None:
    it = Bench()
    it.run(5)
    it.bus.forget(HALL)
    it.out += it.bus.mix({}, BOTH, False)
    it.tick += 7
    it.run(5)
    it.bus.cut()
    it.tick += 13
    it.run(5)
    assert steps(it.sound) < OWN + 2 * FADE


@pytest.mark.parametrize("gain", [float("nan"), float("inf"), -40.1, 20.1])
def test_a_gain_that_is_none_is_refused(gain: float) -> None:
    bus = SoundBus(CANVAS)
    with pytest.raises(BadInput):
        bus.set(HALL, gain_db=gain)
    assert bus.state().feeds == {}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30, 1.0])
@pytest.mark.parametrize("held", [True, False])
def test_nothing_but_sound_below_the_ceiling_comes_out(bad: float, held: bool) -> None:
    bus = SoundBus(CANVAS, SoundSettings(hold_loudness=held), languages=2)
    bus.set(HALL, gain_db=20)
    out = []
    for tick in range(200):
        sound = block(TONE, tick).copy()
        if tick % 25 == 3:
            sound[:] = bad
        if tick % 25 == 4:
            sound[100] = bad
        spoken = {HALL: sound, SITE: block(TONE, tick), "feed:interpreter": sound}
        out.append(np.concatenate(bus.mix(spoken, BOTH, False), axis=1))
    whole = np.concatenate(out)
    assert np.isfinite(whole).all()
    assert np.abs(whole).max() <= np.float32(CEILING)
    assert np.abs(out[-1]).max() > 0.05, "it is still heard"
    assert np.isfinite(bus.state().programme.gain_db)


def test_it_may_be_turned_and_looked_at_while_it_mixes() -> None:
    it = Bench(SoundBus(CANVAS, SoundSettings(), languages=2))
    stop = threading.Event()
    faults: list[Exception] = []

    def turn() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                it.bus.set(f"feed:{number % 20}", gain_db=number % 20)
                it.bus.set(HALL, muted=bool(number % 2))
                it.bus.forget(f"feed:{number % 20}")
                assert len(it.bus.state().languages) == 2
        except Exception as error:
            faults.append(error)

    thread = threading.Thread(target=turn)
    thread.start()
    it.run(100)
    stop.set()
    thread.join(5)
    assert not faults
    assert not thread.is_alive()
    assert np.isfinite(it.sound).all()
