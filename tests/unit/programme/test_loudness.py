"""What is measured, and where the leveller goes with it."""

import numpy as np
import pytest

from streamer.config.service import SoundSettings
from streamer.programme.bus import SoundBus
from streamer.programme.canvas import Block
from streamer.programme.loudness import Guesses, LoudnessMeter, together
from streamer.programme.sound_graph import SoundGraph
from tests.unit.programme.sounds import CANVAS, RATE, TICK, block, lufs, speech, steps, tone

HALL, SITE = "feed:hall", "feed:site"
QUIET, LOUD = speech(20, -35, 1), speech(20, -14, 2)
SILENT = np.zeros((TICK, 2), np.float32)


class Bench:
    def __init__(self, **settings: object) -> None:
        self.bus = SoundBus(CANVAS, SoundSettings(**settings))  # type: ignore[arg-type]
        self.out: list[Block] = []
        self.tick = 0

    def run(self, seconds: float, heard: str = HALL, muted: bool = False, **sounds: Block) -> Block:
        feeds = {f"feed:{name}": sound for name, sound in sounds.items()}
        first = len(self.out)
        for _ in range(round(seconds * CANVAS.fps)):
            blocks = {name: block(sound, self.tick) for name, sound in feeds.items()}
            names = frozenset({heard}) if heard else frozenset[str]()
            self.out.append(self.bus.mix(blocks, names, muted)[0])
            self.tick += 1
        return np.concatenate(self.out[first:])

    @property
    def gain(self) -> float:
        return self.bus.state().programme.gain_db


def test_the_meter_reads_what_the_standard_says() -> None:
    """EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS."""
    meter = LoudnessMeter(RATE)
    sine = tone(5, 10 ** (-23 / 20), 1000)
    news = sum(meter.put(block(sine, tick)) for tick in range(125))
    assert news in (49, 50)
    for value in (meter.reading.momentary, meter.reading.short_term, meter.reading.integrated):
        assert value == pytest.approx(-23.0, abs=0.1)
    for _ in range(100):
        meter.put(SILENT)
    assert meter.reading.momentary is None
    assert meter.reading.integrated == pytest.approx(-23.0, abs=0.2), "silence is not counted"


def test_a_meter_that_fails_says_nothing_and_the_programme_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Bench()
    it.run(3, hall=QUIET)
    before = it.gain

    def broken(self: SoundGraph, block: Block) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(SoundGraph, "push", broken)
    out = it.run(3, hall=QUIET)
    assert np.abs(out).max() > 0.01
    assert it.bus.state().programme.momentary is None
    assert it.gain == pytest.approx(before, abs=0.5)


def test_a_guess_is_near_what_is_measured() -> None:
    guesses = Guesses(CANVAS)
    assert guesses.level(HALL) is None
    for tick in range(250):
        guesses.put(HALL, block(QUIET, tick))
    assert guesses.level(HALL) == pytest.approx(-35, abs=4)
    for bad in (np.nan, np.inf):
        assert guesses.put(HALL, np.full((TICK, 2), bad, np.float32)) == -120
    assert guesses.level(HALL) == pytest.approx(-35, abs=4)
    assert together([-20.0, -20.0]) == pytest.approx(-17, abs=0.02)
    assert together([]) is None


@pytest.mark.parametrize(("sound", "gain"), [(QUIET, 12), (LOUD, -9)])
def test_the_programme_comes_to_its_loudness_and_stays(sound: Block, gain: float) -> None:
    it = Bench()
    it.run(20, hall=sound)
    assert it.gain == pytest.approx(gain, abs=1.2)
    assert lufs(it.run(20, hall=sound)) == pytest.approx(-23, abs=1)


def test_another_loudness_can_be_asked_for() -> None:
    it = Bench(loudness_lufs=-16)
    it.run(15, hall=LOUD)
    assert lufs(it.run(20, hall=LOUD)) == pytest.approx(-16, abs=1)


def test_gains_by_hand_are_all_there_is_when_loudness_is_not_held() -> None:
    it = Bench(hold_loudness=False)
    out = it.run(20, hall=QUIET)
    assert it.gain == 0
    assert lufs(out) == pytest.approx(-35, abs=0.5)
    assert it.bus.state().programme.integrated == pytest.approx(-35, abs=0.5)


def test_mute_and_slate_leave_the_gain_as_it_is() -> None:
    it = Bench()
    it.run(25, hall=QUIET)
    before = it.gain
    it.run(20, hall=QUIET, muted=True)
    it.run(20, heard="", hall=QUIET)
    it.run(20, hall=np.zeros((RATE, 2), np.float32))
    assert it.gain == pytest.approx(before, abs=0.1)
    it.bus.set(HALL, muted=True)
    it.run(10, hall=LOUD)
    it.bus.set(HALL, muted=False)
    it.run(0.3, hall=QUIET)
    assert it.gain == pytest.approx(before, abs=0.5)
    assert lufs(it.run(20, hall=QUIET)) == pytest.approx(-23, abs=1)


def test_the_noise_of_a_room_is_not_made_loud() -> None:
    it = Bench()
    it.run(20, hall=speech(20, -25))
    before = it.gain
    noise = np.random.default_rng(2).normal(0, 0.003, (RATE * 5, 2)).astype(np.float32)
    it.run(40, hall=noise)
    assert it.gain == pytest.approx(before, abs=0.3)


def test_a_speaker_who_steps_back_is_followed() -> None:
    it = Bench()
    it.run(20, hall=speech(20, -20))
    assert it.gain == pytest.approx(-3, abs=1.2)
    it.run(45, hall=speech(20, -34))
    assert it.gain == pytest.approx(11, abs=1.5)


def test_the_gain_is_right_when_the_floor_comes_back() -> None:
    it = Bench()
    it.run(20, hall=QUIET)
    it.run(20, SITE, hall=QUIET, site=LOUD)
    for heard in (HALL, SITE):
        assert lufs(it.run(3, heard, hall=QUIET, site=LOUD)) == pytest.approx(-23, abs=2)


def test_the_first_time_is_near_when_the_site_was_listened_to_before() -> None:
    it = Bench()
    it.run(20, hall=QUIET, site=LOUD)
    assert lufs(it.run(2, SITE, hall=QUIET, site=LOUD)) == pytest.approx(-23, abs=4)


def test_a_loud_site_fades_out_with_its_own_gain() -> None:
    """A gain on the sum would rise by 21 dB while the loud site is still fading out."""
    it = Bench()
    it.run(20, hall=QUIET, site=LOUD)
    it.run(20, SITE, hall=QUIET, site=LOUD)
    usual = np.abs(it.run(10, SITE, hall=QUIET, site=LOUD)).max()
    first = len(it.out)
    for heard in (HALL, SITE) * 10:
        it.run(1, heard, hall=QUIET, site=LOUD)
    switched = np.concatenate(it.out[first:])
    assert np.abs(switched).max() < usual * 1.5
    assert steps(switched) < steps(LOUD)
