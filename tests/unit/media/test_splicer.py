"""The splicer's timeline, with a clock by hand: what goes out is read and decoded."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import av
import numpy as np
import pytest

from streamer.media.forms import PictureForm, SoundForm
from streamer.media.slates import Form, Parameters, SlateGroup, encode_slate
from streamer.media.splicer import Splicer
from streamer.media.units import CLOCK, WRAP, Unit, UnitReader
from tests.unit.media.sources import Made, made, units
from tests.unit.media.ts_maker import jumps

ROUND = CLOCK // 10
SLATE_Y = 40
HALL_Y = 120
START = 10 * CLOCK
MONO = SoundForm(44100, 1)


@cache
def slate(form: Form | None = None) -> SlateGroup:
    form = form or Form(PictureForm(64, 48), SoundForm())
    height, width = form.picture.height, form.picture.width
    rows = np.full((height * 3 // 2, width), 128, np.uint8)
    rows[:height] = SLATE_Y
    return encode_slate(form, rows, 25)


@cache
def source(what: Made) -> bytes:
    return made(what)


@dataclass
class Stage:
    """Sources that come at their time, rounds of the splicer, and what went out."""

    out: bytearray = field(default_factory=bytearray)
    new: list[tuple[int, Parameters]] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    now: int = START
    make_slates: bool = True

    def __post_init__(self) -> None:
        self.splicer = Splicer(self.out.extend, lambda _, after: self._changed(after))
        self.splicer.source.on_form = self._formed
        self.splicer.give_slate(slate())
        self.splicer.begin(self.now)
        self.splicer.wanted = True

    def _changed(self, after: Parameters) -> None:
        self.new.append((len(self.out), after))

    def _formed(self, form: Form) -> None:
        self.forms.append(form)
        if self.make_slates:
            self.splicer.give_slate(slate(form))

    def wait(self, seconds: float) -> None:
        self.play([], seconds)

    def play(
        self, sent: list[Unit], seconds: float, *, burst: float = 0.0, speed: float = 1
    ) -> None:
        """`seconds` in which `sent` comes at its own time, the first `burst` seconds at once."""
        waiting = [unit.at(unit.pts, unit.dts) for unit in sent]
        begin, base = self.now, min((unit.dts for unit in waiting), default=0)
        while self.now < begin + seconds * CLOCK:
            self.now += ROUND
            due = base + (self.now - begin) * speed + burst * CLOCK
            while waiting and waiting[0].dts <= due:
                self.splicer.take(waiting.pop(0), self.now)
            self.splicer.round(self.now)

    def connect(self, what: Made, seconds: float, **more: float) -> None:
        self.splicer.connected(sound=bool(what.sound))
        self.play(units(source(what)), seconds, **more)

    # What is seen

    @property
    def units(self) -> list[Unit]:
        reader = UnitReader()
        return [*reader.feed(bytes(self.out)), *reader.flush()]

    def colours(self) -> list[tuple[int, int, int]]:
        """(width, Y of the picture, how many in a row) as a decoder at the end sees it."""
        found: list[tuple[int, int, int]] = []
        with av.open(io.BytesIO(bytes(self.out)), format="mpegts") as media:
            for frame in media.decode(video=0):
                y = int(np.median(frame.to_ndarray()[: frame.height]))
                near = min((SLATE_Y, HALL_Y, 200), key=lambda known: abs(known - y))
                assert abs(near - y) <= 2, y
                if found and found[-1][:2] == (frame.width, near):
                    found[-1] = (*found[-1][:2], found[-1][2] + 1)
                else:
                    found.append((frame.width, near, 1))
        return found

    def whole(self, *, largest: float = 0.5) -> None:
        """Counters without a hole, time that never goes back, no gap, sound all the time."""
        assert jumps(bytes(self.out)) == 0
        both = self.units
        for video in (True, False):
            times = [unit.dts for unit in both if unit.video is video]
            steps = [after - before for before, after in pairwise(times)]
            assert min(steps) > 0, (video, steps)
            assert max(steps) <= largest * CLOCK, (video, max(steps) / CLOCK)
            assert abs(times[-1] - self.now) <= 0.8 * CLOCK
        shown = [unit.pts for unit in both if unit.video]
        assert len(set(shown)) == len(shown)
        assert all(unit.pts >= unit.dts for unit in both)


def test_hall_slate_hall_is_one_timeline() -> None:
    stage = Stage()
    stage.wait(2)
    stage.connect(Made(), 4)
    stage.wait(3)
    stage.connect(Made(seconds=3), 2.5)
    stage.whole()
    seen = stage.colours()
    assert [(width, y) for width, y, _ in seen] == [
        (64, SLATE_Y), (64, HALL_Y), (64, SLATE_Y), (64, HALL_Y),
    ]  # fmt: skip
    assert seen[1][2] >= 3.6 * 25
    assert seen[3][2] >= 2.0 * 25
    assert stage.splicer.counts.jumps == 0


def test_a_dead_source_gives_way_within_a_second() -> None:
    stage = Stage()
    stage.connect(Made(), 3)
    assert stage.splicer.hall
    before = stage.now
    while stage.splicer.hall:
        stage.wait(0.1)
    assert stage.now - before <= 0.8 * CLOCK
    stage.whole()


def test_the_hall_is_joined_at_the_newest_keyframe_of_the_first_burst() -> None:
    stage = Stage()
    stage.wait(1)
    stage.connect(Made(gop=50), 0.4, burst=2.6)
    assert stage.splicer.hall
    stage.play([], 0.1)
    stage.whole()
    # Of the burst only the group that began 2 s in is shown, and it is shown in its own time.
    assert 5 <= stage.colours()[-1][2] <= 0.5 * 25
    stage.wait(0.1)
    assert len(stage.splicer._pictures) > 10  # it is as late as the group was old


def test_one_picture_that_was_left_over_is_no_return() -> None:
    stage = Stage()
    sent = units(source(Made()))
    stage.splicer.connected()
    stage.play(sent[:150], 2)
    stage.wait(2)
    stage.play(sent[150:152], 0.3)
    assert not stage.splicer.source.alive(stage.now)


def test_pictures_before_an_open_keyframe_are_left_out() -> None:
    what = Made(b_frames=2, open_gop=True, gop=24)
    stage = Stage()
    stage.wait(1)
    stage.splicer.connected()
    sent = units(source(what))
    keys = [at for at, unit in enumerate(sent) if unit.keyframe]
    stage.play(sent[keys[1] + 3 :], 2)  # in the middle of a group: the next one is joined
    assert stage.splicer.counts.dropped >= 1
    stage.whole()
    hall = [unit for unit in stage.units if unit.video][-20:]
    assert any(unit.pts != unit.dts for unit in hall)
    assert {y for _, y, _ in stage.colours()} == {SLATE_Y, HALL_Y}


@pytest.mark.parametrize("by", [-3600.0, -5.0, 7.0, 40000.0])
def test_timestamps_that_jump_begin_a_new_count(by: float) -> None:
    stage = Stage()
    sent = units(source(Made(seconds=6)))
    first = [unit for unit in sent if unit.dts <= 3 * CLOCK]
    rest = sent[len(first) :]
    for unit in rest:
        unit.dts += int(by * CLOCK)
        unit.pts += int(by * CLOCK)
    stage.splicer.connected()
    stage.play(first, 3)
    stage.play(rest, 2.5)
    stage.whole()
    assert stage.splicer.counts.jumps == 1
    assert stage.splicer.hall


def test_timestamps_that_stand_still_are_counted_by_us() -> None:
    """FFmpeg, where a clock went back, counts on by single ticks."""
    stage = Stage()
    sent = units(source(Made(seconds=6, sound="")))
    stage.splicer.connected(sound=False)
    stage.play(sent[:75], 3)
    still = sent[75:]
    for number, unit in enumerate(still):
        stage.now += 3600 if number % 5 else 0
        unit.pts = unit.dts = sent[74].dts + 1 + number
        stage.splicer.take(unit, stage.now)
        if not number % 3:
            stage.splicer.round(stage.now)
    stage.splicer.round(stage.now)
    stage.whole()
    assert stage.splicer.hall


def test_programme_time_is_kept_while_the_source_drifts() -> None:
    """A clock that is 100 ppm wrong moves the hall by 0.4 s an hour: it is followed."""
    stage = Stage()
    stage.splicer.connected()
    group = units(source(Made(seconds=2, gop=50)))
    length = 2 * CLOCK
    for turn in range(150):
        sent = [unit.at(unit.pts + turn * length, unit.dts + turn * length) for unit in group]
        # A source that is 0.05 % fast: 150 ms in these five minutes.
        stage.play(sent, 2 - 2 * 0.0005)
        if turn == 20:
            early = max(unit.dts for unit in stage.units) - stage.now
            stage.out.clear()
    last = max(unit.dts for unit in stage.units if unit.video) - stage.now
    assert abs(last - early) < 0.15 * CLOCK
    waiting = stage.splicer._pictures
    assert (waiting[-1].dts - stage.now if waiting else 0) < 0.5 * CLOCK
    assert stage.splicer.counts.jumps == 0
    stage.whole()


def test_a_source_of_another_size_and_sound_brings_new_headers_at_its_keyframe() -> None:
    stage = Stage()
    stage.connect(Made(), 3)
    stage.wait(2)
    stage.connect(Made(width=128, height=96, colour=200, rate=44100, layout="mono"), 3)
    stage.wait(2.5)
    stage.whole()
    seen = [(width, y) for width, y, _ in stage.colours()]
    assert seen == [
        (64, SLATE_Y), (64, HALL_Y), (64, SLATE_Y), (128, 200), (128, SLATE_Y),
    ] or seen == [(64, HALL_Y), (64, SLATE_Y), (128, 200), (128, SLATE_Y)]  # fmt: skip
    assert [str(form.sound) for form in stage.forms] == ["AAC 48000 Hz, 2 ch", str(MONO)]
    for at, after in stage.new:
        (first, *_) = UnitReader().feed(bytes(stage.out[at : at + 188 * 400]))
        assert first.keyframe
        assert after.sets[0] in first.payload
    assert stage.new[-1][1].sound == MONO


def test_the_same_source_again_brings_the_same_headers() -> None:
    stage = Stage()
    for _ in range(2):
        stage.connect(Made(), 3)
        stage.wait(2)
    hall = [after for _, after in stage.new if after.sets != slate().sets]
    assert len(set(hall)) <= 2  # the hall's and its slate's, whichever are not the first slate's
    assert len(stage.new) <= 5


def test_mute_and_a_source_without_sound_are_silent() -> None:
    for what, muted in ((Made(), True), (Made(sound=""), False), (Made(), False)):
        stage = Stage()
        stage.splicer.muted = muted
        stage.connect(what, 3)
        stage.whole()
        loud = Counter[bool]()
        with av.open(io.BytesIO(bytes(stage.out)), format="mpegts") as media:
            for frame in media.decode(audio=0):
                loud[bool(np.abs(frame.to_ndarray()).max() > 0.1)] += 1
        assert loud[True] > 100 if not muted and what.sound else not loud[True], (what, muted, loud)
        assert sum(loud.values()) > 2.3 * 48000 / 1024


def test_the_slate_stays_while_it_is_wanted_and_the_hall_comes_at_once_after_it() -> None:
    stage = Stage()
    stage.splicer.wanted = False
    sent = units(source(Made(gop=50)))
    stage.splicer.connected()
    stage.play(sent[: len(sent) // 2], 2.4)
    assert not stage.splicer.hall
    stage.splicer.wanted = True
    stage.wait(0.1)
    assert stage.splicer.hall
    stage.whole()


def test_an_encoder_that_sends_its_parameter_sets_once_is_joined_all_the_same() -> None:
    stage = Stage()
    sent = units(source(Made(seconds=6)))
    for unit in [unit for unit in sent if unit.keyframe][1:]:
        data = unit.payload
        unit._payload = data[data.index(b"\0\0\1\x65") :]
    stage.splicer.connected()
    stage.play(sent, 4)
    stage.whole()
    assert stage.colours()[-1][1:] >= (HALL_Y, 60)
    keys = [unit for unit in stage.units if unit.keyframe and b"\0\0\1\x65" in unit.payload]
    assert all(b"\0\0\1\x67" in unit.payload for unit in keys)


def test_two_hundred_pictures_a_second_are_passed_on() -> None:
    stage = Stage()
    stage.connect(Made(fps=200, gop=200, seconds=4), 3)
    stage.wait(2)
    stage.whole()
    assert stage.colours()[-2][2] > 400


def test_33_bits_begin_anew() -> None:
    stage = Stage(now=WRAP - 2 * CLOCK)
    sent = units(source(Made()))
    for unit in sent:
        unit.pts += WRAP - CLOCK
        unit.dts += WRAP - CLOCK
    stage.splicer.connected()
    stage.play(sent, 4)
    assert stage.splicer.counts.jumps == 0
    stage.whole()


def test_garbage_is_no_unit() -> None:
    reader = UnitReader()
    data = source(Made(seconds=1))
    noise = np.random.default_rng(1).integers(0, 256, 188 * 500, np.uint8).reshape(-1, 188)
    noise[:, 0] = 0x47
    found = [*reader.feed(noise.tobytes()), *reader.feed(data), *reader.feed(noise.tobytes())]
    found += [*reader.feed(data), *reader.flush()]
    assert sum(unit.video for unit in found) >= 49
    stage = Stage()
    for unit in found:
        stage.splicer.take(unit, stage.now)
    stage.wait(1)
    assert stage.splicer.counts.slates + stage.splicer.counts.passed > 20
