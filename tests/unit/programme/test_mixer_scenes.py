"""The mixer with scenes: what is taken, heard, lost and given."""

from collections.abc import Iterator

import numpy as np
import pytest

from streamer.config.scenes import SHIPPED
from streamer.domain.errors import BadInput
from streamer.programme.feed_buffer import FeedBuffer
from streamer.programme.layouts import Layouts
from streamer.programme.mixer import Mixer
from streamer.programme.scenes import (
    HALL,
    HALL_FEED,
    SLATE,
    Change,
    Scene,
    SceneShown,
    site_feed,
)
from tests.unit.programme.stage_parts import CANVAS, PICTURES, SITES, PlainSlate, overlay

TICK = CANVAS.samples_per_tick
SITE, OTHER = site_feed("site-1"), site_feed("site-2")


class Bench:
    """A mixer with three feeds; the clock only moves when told."""

    def __init__(self, *, sign: bool = False) -> None:
        self.now = 100.0
        self.changes: list[Change] = []
        layouts = Layouts(sites=SITES, sign=SHIPPED.sign if sign else None)
        self.mixer = Mixer(CANVAS, PlainSlate(), on_change=self.changes.append, layouts=layouts)
        self.number = 0
        self.buffers = {feed: self._buffer() for feed in (HALL_FEED, SITE, OTHER)}
        for feed, buffer in self.buffers.items():
            self.mixer.attach_feed(feed, buffer)
        self.levels = {HALL_FEED: 1000, SITE: 4000, OTHER: 16000}

    def _buffer(self) -> FeedBuffer:
        buffer = FeedBuffer(CANVAS, monotonic=lambda: self.now)
        buffer.begin(video=True, audio=True)
        return buffer

    def tick(
        self, count: int = 1, *, silent: tuple[str, ...] = (), blind: tuple[str, ...] = ()
    ) -> None:
        """Ticks in which the feeds `silent` send nothing, and `blind` no picture."""
        for _ in range(count):
            at = self.number * TICK
            for feed, buffer in self.buffers.items():
                if feed in silent:
                    continue
                if feed not in blind:
                    buffer.put_picture(at, PICTURES[feed])
                buffer.put_sound(at, np.full((TICK, 2), self.levels[feed], np.int16))
            self.number += 1
            self.now += CANVAS.tick_s
            self.mixer.tick()

    @property
    def shown(self) -> list[tuple[str, bool]]:
        return [(str(c.scene), c.automatic) for c in self.changes if isinstance(c, SceneShown)]

    @property
    def heard(self) -> set[str]:
        """The feeds that are heard now: their levels are chosen so that each sum is one of them."""
        level = 32768 * 10 ** (self.mixer.state().peak_db[0] / 20)
        names = list(self.levels)
        for bits in range(8):
            some = {name for n, name in enumerate(names) if bits >> n & 1}
            if abs(sum(self.levels[name] for name in some) - level) < 300:
                return some
        raise AssertionError(f"no sum is {level}")

    def picture(self) -> np.ndarray:
        assert self.mixer._last is not None
        return self.mixer._last.picture


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.tick(12)
    yield bench
    assert bench.mixer.stop()


def test_scenes_are_taken_and_spelled_as_they_were(bench: Bench) -> None:
    for name in ("hall", "site:site-1", "split:site-2", "pip:site-1", "grid", "slate"):
        bench.mixer.take(name)
        bench.tick()
        state = bench.mixer.state()
        assert str(state.wanted) == str(state.shown) == name
    assert [name for name, _ in bench.shown][-1] == "slate"
    assert not any(automatic for _, automatic in bench.shown)


@pytest.mark.parametrize(
    ("name", "code", "listed"),
    [("moon", "unknown_scene", "split:<site>"), ("splti:site-1", "unknown_scene", "'split'"),
     ("split", "unknown_scene", "is taken with a site"), ("hall:site-1", "unknown_scene", "not"),
     ("split:nowhere", "unknown_site", "site-1, site-2"), ("slate:site-1", "unknown_scene", "not"),
     ("split:site-1:x", "unknown_scene", "spelled"), ("", "unknown_scene", "spelled"),
     ("Hall", "unknown_scene", "spelled")],
)  # fmt: skip
def test_what_is_not_there_is_refused_with_what_is(
    bench: Bench, name: str, code: str, listed: str
) -> None:
    bench.mixer.take(HALL)
    with pytest.raises(BadInput) as caught:
        bench.mixer.take(name)
    assert caught.value.code == code
    assert listed in caught.value.message
    with pytest.raises(BadInput):
        bench.mixer.check(name)
    bench.tick()
    assert bench.mixer.state().wanted == HALL, "nothing has changed"


def test_a_scene_that_was_kept_is_checked_again(bench: Bench) -> None:
    with pytest.raises(BadInput):
        bench.mixer.take(Scene("split", "gone"))


def test_a_lost_site_is_a_card_and_its_scene_stays(bench: Bench) -> None:
    bench.mixer.take("split:site-1")
    bench.tick()
    bench.tick(25, silent=(SITE,))
    assert str(bench.mixer.state().shown) == "split:site-1"
    assert np.count_nonzero(bench.picture() == PICTURES[HALL_FEED][0]) > 30_000


def test_a_scene_of_which_nothing_is_left_is_the_slate_within_a_second(bench: Bench) -> None:
    bench.mixer.take("split:site-1")
    bench.tick(2)
    at = bench.mixer.state().programme_s
    bench.tick(25, silent=(HALL_FEED, SITE))
    state = bench.mixer.state()
    assert (state.shown, str(state.wanted)) == (SLATE, "split:site-1")
    slate = next(c for c in bench.changes if isinstance(c, SceneShown) and c.scene == SLATE)
    assert slate.automatic
    assert slate.programme_s - at < 1.0
    bench.tick(20, silent=(HALL_FEED,))
    assert bench.shown[-1] == ("split:site-1", True), "one of the two is enough"


def test_a_site_with_sound_alone_shows_its_card_and_is_heard(bench: Bench) -> None:
    bench.mixer.take("site:site-1")
    bench.tick(40, blind=(SITE,))
    assert str(bench.mixer.state().shown) == "site:site-1"
    assert bench.heard == {HALL_FEED, SITE}
    assert set(np.unique(bench.picture())) == {45, 116, 145}, "a card, not the last picture"


@pytest.mark.parametrize(
    ("scene", "floor", "heard"),
    [
        ("hall", None, {HALL_FEED}),
        ("hall", "site-2", {HALL_FEED, OTHER}),
        ("site:site-1", None, {HALL_FEED, SITE}),
        ("site:site-1", "site-2", {HALL_FEED, SITE, OTHER}),
        ("split:site-1", None, {HALL_FEED, SITE}),
        ("split:site-1", "site-2", {HALL_FEED, SITE, OTHER}),
        ("grid", None, {HALL_FEED, SITE, OTHER}),
        ("slides", None, {HALL_FEED}),
        ("slides", "site-1", {SITE}),
        ("slate", "site-1", set()),
    ],
)  # fmt: skip
def test_who_is_heard(bench: Bench, scene: str, floor: str | None, heard: set[str]) -> None:
    bench.mixer.take(scene)
    bench.mixer.give_floor(floor)
    bench.tick(15)
    assert bench.heard == heard


def test_the_floor_is_given_to_sites_of_the_meeting_only(bench: Bench) -> None:
    with pytest.raises(BadInput, match="site-20"):
        bench.mixer.give_floor("nowhere")


def test_a_fade_takes_300_ms_and_a_fault_cuts(bench: Bench) -> None:
    bench.mixer.take(HALL)
    bench.tick()
    bench.mixer.take("site:site-1", fade=True)
    lumas = []
    for _ in range(9):
        bench.tick()
        lumas.append(int(bench.picture()[0]))
    hall, site = int(PICTURES[HALL_FEED][0]), int(PICTURES[SITE][0])
    assert lumas == sorted(lumas, reverse=True)
    assert hall > lumas[0] > lumas[6] > site == lumas[7] == lumas[8]
    assert bench.shown[-1] == ("site:site-1", False)
    bench.tick(30, silent=(SITE,))
    changes = {int(bench.picture()[0])}
    assert changes == {60}, "the slate"


def test_a_source_that_dies_in_a_fade_cuts_to_the_slate(bench: Bench) -> None:
    bench.mixer.take(HALL)
    bench.tick(10, silent=(SITE,))
    bench.mixer.take("site:site-1", fade=True)
    seen = []
    for _ in range(8):
        bench.tick(silent=(SITE,))
        seen.append((str(bench.mixer.state().shown), int(bench.picture()[0])))
    assert seen[0][0] == "site:site-1"
    assert seen[-1] == ("slate", 60)
    first = next(n for n, one in enumerate(seen) if one[0] == "slate")
    assert seen[first][1] == 60, "no mixture"


def test_overlays_lie_over_every_scene_but_the_slate(bench: Bench) -> None:
    bench.mixer.show_overlays((overlay(0, 0, 40, 40),))
    for scene, luma in (("hall", 235), ("split:site-1", 235), ("slate", 60)):
        bench.mixer.take(scene)
        bench.tick()
        assert bench.picture()[0] == luma
    bench.mixer.take("hall")
    with pytest.raises(BadInput):
        bench.mixer.show_overlays((overlay(620, 0, 40, 40),))
    bench.tick()
    assert bench.picture()[0] == 235, "what was shown stays"
    bench.mixer.show_overlays(())
    bench.tick()
    assert bench.picture()[0] == PICTURES[HALL_FEED][0]


def test_graphics_are_told_where_the_sign_window_is(bench: Bench) -> None:
    assert bench.mixer.sign_box is None
    with_sign = Bench(sign=True)
    box = with_sign.mixer.sign_box
    assert box is not None
    assert box.width * box.height * 6 >= CANVAS.width * CANVAS.height
    assert with_sign.mixer.stop()
