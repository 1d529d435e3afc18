"""Each detector tells a fault once when it begins and once when it is over, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.config.service import DetectorSettings
from streamer.domain.signals import Detector, SignalFault, SignalRecovered
from streamer.programme.detectors import SignalDetectors

Luma = NDArray[np.uint8]
SHAPE = (45, 80)
RANDOM = np.random.default_rng(7)
HALL = RANDOM.integers(40, 200, SHAPE, dtype=np.uint8)
BLACK = np.full(SHAPE, 17, np.uint8)
SPEECH, FAINT, ROOM, NOTHING = (0.3, 0.06), (0.008, 0.002), (0.003, 0.0008), (0.0, 0.0)


def camera(at: float) -> Luma:
    """A hall in which somebody moves, with the noise of a camera."""
    picture = HALL.astype(np.int16) + RANDOM.integers(-3, 4, SHAPE)
    x = 30 + round(8 * np.sin(at))
    picture[10:20, x : x + 6] = 220
    return picture.astype(np.uint8)


def still(at: float) -> Luma:
    return HALL


def black(at: float) -> Luma:
    return BLACK


@dataclass
class Bench:
    """Drives detectors with a clock of its own: `rate` pictures a second, sound every 40 ms."""

    name: str = "feed:hall"
    rate: float = 8.0
    settings: DetectorSettings = field(default_factory=DetectorSettings)
    now: float = 1000.0
    told: list[tuple[float, SignalFault | SignalRecovered]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.it = SignalDetectors(self.name, self.settings)
        self.ticks = 0

    def run(
        self, seconds: float, picture: Callable[[float], Luma] | None = camera,
        sound: tuple[float, float] | None = SPEECH, *, clipped: int = 0, bytes_come: bool = True,
        pause: float = 0.45,
    ) -> None:  # fmt: skip
        """Speech goes on and off: `pause` of every second is a pause in it."""
        every = round(25 / self.rate)
        for _ in range(round(seconds * 25)):
            if bytes_come:
                self.it.bytes_came(self.now)
            if picture is not None and self.ticks % every == 0:
                self.it.picture(picture(self.now), self.now)
            if sound is not None:
                speaks = self.now % 1 >= pause or sound is NOTHING
                peak, rms = sound if speaks else (min(sound[0], ROOM[0]), min(sound[1], ROOM[1]))
                self.it.sound(peak, rms, clipped, self.now)
            self.ticks += 1
            self.now += 0.04
            if self.ticks % 5 == 0:
                self.told += [(self.now, one) for one in self.it.look(self.now)]

    def since(self, at: float) -> list[tuple[str, str]]:
        """What was told since `at`: `fault` or `recovered`, and the detector."""
        return [
            ("fault" if isinstance(one, SignalFault) else "recovered", str(one.detector))
            for when, one in self.told if when >= at
        ]  # fmt: skip

    @property
    def all(self) -> list[tuple[str, str]]:
        return self.since(0)

    def delay(self, detector: Detector, began: float) -> float:
        """Seconds from `began` to the fault."""
        return next(
            at - began for at, one in self.told
            if isinstance(one, SignalFault) and one.detector is detector
        )  # fmt: skip


EVERY_RATE = pytest.mark.parametrize("rate", [8.0, 1.0, 0.5], ids=["8 Hz", "1 Hz", "every 2 s"])
FAULTS = {
    "black": (black, SPEECH, 0), "frozen": (still, SPEECH, 0), "silent": (camera, NOTHING, 0),
    "low": (camera, FAINT, 0), "loud": (camera, (0.9, 0.6), 0), "clipping": (camera, SPEECH, 40),
}  # fmt: skip


@EVERY_RATE
def test_a_hall_in_order_is_never_told_of(rate: float) -> None:
    bench = Bench(rate=rate)
    bench.run(60)
    assert bench.all == []


@EVERY_RATE
@pytest.mark.parametrize("name", list(FAULTS))
def test_a_fault_is_told_once_within_5_s_and_once_when_it_is_over(name: str, rate: float) -> None:
    picture, sound, clipped = FAULTS[name]
    for lead in (6.0, 6.4, 7.04, 7.96):  # the fault begins anywhere between two key frames
        bench = Bench(rate=rate)
        bench.run(lead)
        began = bench.now
        bench.run(12, picture, sound, clipped=clipped, pause=0.45 if clipped == 0 else 0.0)
        assert bench.all == [("fault", name)]
        assert bench.delay(Detector(name), began) <= 5.0
        over = bench.now
        bench.run(15)
        assert bench.all == [("fault", name), ("recovered", name)]
        assert bench.told[1][0] - over <= 6.5
        seconds = bench.told[1][1].seconds  # type: ignore[union-attr]
        assert seconds == pytest.approx(bench.told[1][0] - began, abs=3.5)


@EVERY_RATE
def test_a_lost_feed_is_only_lost(rate: float) -> None:
    bench = Bench(rate=rate)
    bench.run(6)
    began = bench.now
    bench.run(20, None, None, bytes_come=False)
    assert bench.all == [("fault", "no_bytes")]
    assert bench.delay(Detector.NO_BYTES, began) <= 2.5
    bench.run(10)
    assert bench.all == [("fault", "no_bytes"), ("recovered", "no_bytes")]
    assert bench.told[1][1].seconds == pytest.approx(20.5, abs=0.5)  # type: ignore[union-attr]


def test_what_was_wrong_with_a_feed_ends_when_it_is_lost() -> None:
    bench = Bench()
    bench.run(5)
    bench.run(8, black, NOTHING)
    assert sorted(bench.all) == [("fault", "black"), ("fault", "silent")]
    at = bench.now
    bench.run(8, None, None, bytes_come=False)
    assert bench.since(at) == [
        ("fault", "no_bytes"), ("recovered", "black"), ("recovered", "silent"),
    ]  # fmt: skip
    at = bench.now
    bench.run(2, black, NOTHING)
    assert bench.since(at) == [("recovered", "no_bytes")]
    bench.run(4, black, NOTHING)
    assert sorted(bench.since(at)) == [
        ("fault", "black"), ("fault", "silent"), ("recovered", "no_bytes"),
    ]  # fmt: skip


def test_a_loss_shortly_before_black_would_be_told_hides_it() -> None:
    bench = Bench()
    bench.run(5)
    bench.run(1.8, black)
    bench.run(8, None, None, bytes_come=False)
    assert bench.all == [("fault", "no_bytes")]


def test_a_source_that_was_never_there_is_not_told_of() -> None:
    bench = Bench()
    bench.run(20, None, None, bytes_come=False)
    assert bench.all == []


def test_a_dark_hall_and_a_short_fade_are_not_black() -> None:
    dark = np.full(SHAPE, 18, np.uint8)
    dark[5:8, 20:30] = 60  # the lamp of a desk: under one point in a hundred

    def night(at: float) -> Luma:
        return dark + RANDOM.integers(0, 3, SHAPE, dtype=np.uint8)

    bench = Bench()
    bench.run(20, night)
    for _ in range(5):
        bench.run(2, black)
        bench.run(1)
    assert bench.all == []


def test_flicker_at_the_limits_does_not_flutter() -> None:
    """A picture around the limit of black, a sound around those of silence and of a low level."""

    def dusk(at: float) -> Luma:
        return np.full(SHAPE, RANDOM.integers(22, 28), np.uint8)

    bench = Bench()
    bench.run(5)
    bench.run(5, black, NOTHING)
    assert sorted(bench.all) == [("fault", "black"), ("fault", "silent")]
    for _ in range(200):
        level = 10 ** (float(RANDOM.uniform(-61.5, -58.5)) / 20)
        bench.run(0.2, dusk, (level, level / 4))
    told = [one for one in bench.all if one[1] in ("black", "silent")]
    assert len(told) == 2


def test_a_click_on_a_dead_line_is_no_recovery() -> None:
    bench = Bench()
    bench.run(5)
    bench.run(6, sound=NOTHING)
    for _ in range(6):
        bench.run(0.04, sound=(0.5, 0.1), pause=0)
        bench.run(2, sound=NOTHING)
    assert bench.all == [("fault", "silent")]


def test_pauses_of_speech_are_neither_silent_nor_low() -> None:
    bench = Bench()
    for _ in range(10):
        bench.run(4)
        bench.run(6, sound=ROOM, pause=0)  # the speaker reads; the room hums
        bench.run(3.5, sound=NOTHING)  # a conference link cuts a pause out
    assert bench.all == []


def test_a_faint_tone_of_the_line_up_is_low() -> None:
    bench = Bench()
    bench.run(8, sound=(0.0028, 0.002), pause=0)
    assert bench.all == [("fault", "low")]


def test_a_single_loud_word_does_not_end_what_is_low() -> None:
    bench = Bench()
    bench.run(8, sound=FAINT)
    bench.run(0.4, pause=0)
    bench.run(8, sound=FAINT)
    assert bench.all == [("fault", "low")]


def test_a_peak_at_full_scale_is_not_clipping() -> None:
    bench = Bench()
    for _ in range(10):
        bench.run(0.04, sound=(1.0, 0.2), clipped=2)
        bench.run(2)
    assert bench.all == []


@EVERY_RATE
def test_a_calm_face_is_not_frozen(rate: float) -> None:
    """Only a mouth moves, and an encoder repeats everything else."""

    def face(at: float) -> Luma:
        picture = HALL.copy()
        left, open_ = 36 + int(at * 3) % 7, 1 + int(at * 1.9) % 3
        picture[22 : 22 + open_, left : left + 4] = 30
        return picture

    bench = Bench(rate=rate)
    bench.run(40, face)
    assert bench.all == []


def test_an_empty_hall_with_the_noise_of_a_camera_is_not_frozen() -> None:
    def empty(at: float) -> Luma:
        return HALL + RANDOM.integers(0, 4, SHAPE, dtype=np.uint8)

    bench = Bench()
    bench.run(3)
    bench.run(40, empty)
    assert bench.all == []


@EVERY_RATE
def test_a_still_picture_that_is_encoded_is_frozen(rate: float) -> None:
    """Its key frames differ by a few steps; sparse samples see nothing but key frames."""

    def encoded(at: float) -> Luma:
        if int(at * 25) % 50 < 4 or rate < 1:
            return HALL + RANDOM.integers(0, 8, SHAPE, dtype=np.uint8)
        return HALL + 3

    bench = Bench(rate=rate)
    bench.run(6)
    began = bench.now
    bench.run(20, encoded)
    assert bench.all == [("fault", "frozen")]
    assert bench.delay(Detector.FROZEN, began) <= 5.0


def test_a_link_that_jumps_on_once_is_still_frozen() -> None:
    bench = Bench()
    bench.run(4)
    for step in range(6):
        shifted = np.roll(HALL, step * 7)
        bench.run(5, lambda at, shifted=shifted: shifted)
    assert bench.all == [("fault", "frozen")]


def test_a_picture_that_ceases_beside_its_sound_is_frozen() -> None:
    bench = Bench()
    bench.run(5)
    began = bench.now
    bench.run(10, None)
    assert bench.all == [("fault", "frozen")]
    assert bench.delay(Detector.FROZEN, began) <= 5.0
    bench.run(3)
    assert bench.all == [("fault", "frozen"), ("recovered", "frozen")]


def test_a_sound_that_ceases_beside_its_picture_is_silent_and_one_that_never_was_is_not() -> None:
    bench = Bench()
    bench.run(10, sound=None)
    assert bench.all == []
    bench.run(3)
    began = bench.now
    bench.run(10, sound=None)
    assert bench.all == [("fault", "silent")]
    assert bench.delay(Detector.SILENT, began) <= 5.0


def test_slides_stand_still_in_silence_but_black_ones_are_told() -> None:
    bench = Bench(name="feed:slides")
    bench.run(20, still, NOTHING)
    assert bench.all == []
    bench.run(6, black, NOTHING)
    assert bench.all == [("fault", "black")]


def test_a_slate_is_no_fault_of_the_programme_and_ends_those_that_were() -> None:
    bench = Bench(name="programme")
    bench.run(4)
    bench.run(6, still, NOTHING)
    assert sorted(bench.all) == [("fault", "frozen"), ("fault", "silent")]
    bench.it.expect(still=True, quiet=True)
    bench.run(10, still, NOTHING)
    assert len(bench.all) == 4
    bench.it.expect(still=False, quiet=False)
    at = bench.now
    bench.run(3, still, NOTHING)
    assert bench.since(at) == [], "what was excused counts from here on"


def test_a_fault_is_told_in_time_whatever_the_settings_say() -> None:
    minute = timedelta(minutes=1)
    settings = DetectorSettings(black_after=minute, frozen_after=minute, silent_after=minute)
    for name in ("black", "frozen", "silent"):
        picture, sound, _ = FAULTS[name]
        bench = Bench(settings=settings)
        bench.run(5)
        began = bench.now
        bench.run(6, picture, sound)
        assert bench.all == [("fault", name)]
        assert bench.delay(Detector(name), began) <= 5.0


def flashes(bench: Bench, seconds: float, late_s: float, *, spread: float = 0.0) -> None:
    """A flash a second of 0.2 s, with a beep that begins `late_s` later."""
    for _ in range(round(seconds * 25)):
        phase = bench.now % 1
        shift = late_s + spread * (int(bench.now) % 3)
        bench.it.bytes_came(bench.now)
        bench.it.brightness(235.0 if phase < 0.2 else 16.0, bench.now)
        begins = (shift - bench.now) % 1
        if begins < 0.04:
            bench.it.sound(0.7, 0.4, 0, bench.now, onset=begins)
        elif (bench.now - shift) % 1 < 0.2:
            bench.it.sound(0.7, 0.4, 0, bench.now)
        else:
            bench.it.sound(0.0, 0.0, 0, bench.now)
        bench.now += 0.04
        bench.ticks += 1
        if bench.ticks % 5 == 0:
            bench.told += [(bench.now, one) for one in bench.it.look(bench.now)]


@pytest.mark.parametrize("late_s", [0.2, -0.2, 0.4])
def test_sound_and_picture_apart_are_told_and_when_they_are_together_again(late_s: float) -> None:
    bench = Bench()
    flashes(bench, 8, 0.0)
    assert bench.all == []
    began = bench.now
    flashes(bench, 8, late_s)
    assert bench.all == [("fault", "offset")]
    assert bench.delay(Detector.OFFSET, began) <= 5.0
    fault = bench.told[0][1]
    assert isinstance(fault, SignalFault)
    assert fault.value == pytest.approx(1000 * late_s, abs=45)
    flashes(bench, 8, 0.04)
    assert bench.all == [("fault", "offset"), ("recovered", "offset")]


def test_cuts_and_words_that_do_not_agree_are_no_measurement() -> None:
    bench = Bench()
    flashes(bench, 20, 0.1, spread=0.15)
    assert bench.all == []


def test_close_ends_what_is_wrong() -> None:
    bench = Bench()
    bench.run(5)
    bench.run(6, black)
    assert [str(one) for one in bench.it.faults] == ["black"]
    assert [one.detector for one in bench.it.close(bench.now)] == [Detector.BLACK]
    assert bench.it.faults == {}
    assert bench.it.close(bench.now) == []
