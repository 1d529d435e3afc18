"""What is seen where: windows of every scene, cards, overlays, the sign window, fades."""

import numpy as np
import pytest

from streamer.config.scenes import SHIPPED, Fit, Layout, LocalNames, Show, Window
from streamer.domain.meeting import Names
from streamer.programme.cards import BACKGROUND_YUV, FRAME_YUV
from streamer.programme.feed_buffer import Pulled
from streamer.programme.layouts import Pane, overlap
from streamer.programme.painter import Look
from streamer.programme.scenes import HALL_FEED, SIGN_FEED, SLIDES_FEED, Scene, site_feed
from tests.unit.programme.stage_parts import (
    CANVAS,
    COLOURS,
    PICTURES,
    SILENCE,
    SITES,
    SLATE_COLOUR,
    Easel,
    feeds,
    flat,
    overlay,
    sites,
    there,
)

SITE = site_feed("site-1")
SCENES = ["hall", "site:site-1", "split:site-1", "pip:site-1", "slides", "grid"]
EVERY = feeds(HALL_FEED, SLIDES_FEED, SIGN_FEED, *sites(3))
EDGE = 4
"""Pixels of a window's frame and a little more."""


def free_corners(pane: Pane, others: list[Pane]) -> list[tuple[int, int]]:
    """Points just inside the corners of a window that nothing lies over."""
    box = pane.box
    points = [
        (x, y)
        for x in (box.left + EDGE, box.left + box.width - EDGE - 1)
        for y in (box.top + EDGE, box.top + box.height - EDGE - 1)
    ]
    return [
        (x, y) for x, y in points
        if not any(
            o.box.left <= x < o.box.left + o.box.width and o.box.top <= y < o.box.top + o.box.height
            for o in others
        )
    ]  # fmt: skip


@pytest.mark.parametrize("sign", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_every_window_is_where_its_layout_says_in_exactly_its_colour(
    scene: str, sign: bool
) -> None:
    easel, look = Easel(sign=sign), Look(EVERY, 0)
    easel.show(scene, look)
    panes = list(easel.painter.panes(Scene.parse(scene), look))
    signs = easel.layouts.sign_pane(CANVAS)
    panes += [signs] if signs else []
    assert len(panes) >= (2 if sign else 1)
    seen = 0
    for number, pane in enumerate(panes):
        for x, y in free_corners(pane, panes[number + 1 :]):
            assert easel.at(x, y) == COLOURS[pane.feed], (pane, x, y)
            seen += 1
    assert seen >= 2 * len(panes)


def test_a_whole_picture_is_copied_as_it_is() -> None:
    noise = np.random.default_rng(3).integers(0, 255, CANVAS.picture_bytes, dtype=np.uint8)
    easel = Easel()
    easel.show("hall", Look({HALL_FEED: Pulled(noise, SILENCE, True, True)}, 0))
    assert np.array_equal(easel.picture, noise)


def test_around_the_windows_is_the_background_of_the_slate() -> None:
    easel = Easel()
    easel.show("split:site-1", Look(EVERY, 0))
    assert easel.at(2, 2) == easel.at(320, 350) == BACKGROUND_YUV


def test_cover_cuts_the_sides_and_contain_shows_them_with_bars() -> None:
    striped = flat((50, 128, 128))
    planes = CANVAS.planes(striped)
    planes.y[:, :20] = planes.y[:, -20:] = 220  # what stands at the sides of the picture
    tall = (0.3, 0.1, 0.3, 0.8)
    shapes = {}
    for fit in Fit:
        layout = Layout(
            name="tall", names=LocalNames(kk="а", ru="а"),
            windows=(Window(show=Show.HALL, box=tall, fit=fit),),
        )  # fmt: skip
        easel = Easel(layouts=(layout,))
        easel.show("tall", Look({HALL_FEED: Pulled(striped, SILENCE, True, True)}, 0))
        box = easel.painter.panes(Scene("tall"), Look({}, 0))[0].box
        row = [easel.at(x, 180)[0] for x in range(box.left + EDGE, box.left + box.width - EDGE)]
        shapes[fit] = (max(row), easel.at(box.left + box.width / 2, box.top + EDGE)[0])
    assert shapes[Fit.COVER] == (50, 50)
    assert shapes[Fit.CONTAIN][0] > 200
    assert shapes[Fit.CONTAIN][1] == 16


def test_a_picture_in_motion_is_painted_and_a_still_one_is_not_scaled_again() -> None:
    easel = Easel()
    easel.show("pip:site-1", Look(EVERY, 0))
    stage = easel.painter._side.stage
    assert stage is not None
    before = [window._patch for window in stage._windows]
    easel.paint(Look(EVERY, 1))
    assert [window._patch for window in stage._windows] == before
    moved = {**EVERY, SITE: Pulled(flat((33, 44, 55)), SILENCE, True, True)}
    easel.paint(Look(moved, 2))
    after = [window._patch for window in stage._windows]
    assert after[0] is not before[0]
    assert after[1] is before[1], "the hall did not move"
    assert easel.at(10, 10) == (33, 44, 55)
    inset = stage.panes[1].box
    assert easel.middle(inset) == COLOURS[HALL_FEED], "and is still on top"
    assert easel.at(inset.left, inset.top + 20) == FRAME_YUV, "with its frame"


def test_a_lost_window_is_a_card_with_its_name_and_comes_back() -> None:
    easel = Easel(names={SITE: Names("Абай ауданы", "Абайский район")})
    lost = {HALL_FEED: there(HALL_FEED), SITE: there(SITE, picture=False)}
    easel.show("split:site-1", Look(lost, 0))
    hall, site = (pane.box for pane in easel.painter.panes(Scene("split", "site-1"), Look({}, 0)))
    assert easel.middle(hall) == COLOURS[HALL_FEED]
    assert easel.at(site.left + 10, site.top + 10) == BACKGROUND_YUV
    inside = CANVAS.planes(easel.picture).y[
        site.top + 20 : site.top + site.height - 40, site.left + 10 : site.left + site.width - 10
    ]
    assert inside.max() > 200, "white letters"
    bright = np.argwhere(inside > 120)
    assert 20 < bright[:, 1].min() < bright[:, 1].max() < inside.shape[1] - 20, "whole names"
    easel.paint(Look(EVERY, 1))
    assert easel.middle(site) == COLOURS[SITE]
    easel.paint(Look(lost, 2))
    assert easel.at(site.left + 10, site.top + 10) == BACKGROUND_YUV


def test_a_label_stands_in_the_corner_of_its_window_and_inside_of_it() -> None:
    named = Easel(names={SITE: Names("Абай ауданы", "Абайский район")})
    plain = Easel()
    for easel in (named, plain):
        easel.show("split:site-1", Look(EVERY, 0))
    differs = np.argwhere(
        CANVAS.planes(named.picture).y.astype(int) != CANVAS.planes(plain.picture).y
    )
    box = named.painter.panes(Scene("split", "site-1"), Look({}, 0))[1].box
    (top, left), (bottom, right) = differs.min(axis=0), differs.max(axis=0)
    assert box.left < left < box.left + 10
    assert right < box.left + box.width
    assert box.top + box.height - 30 < top < bottom < box.top + box.height


def test_a_label_that_comes_late_is_painted_on_a_still_picture() -> None:
    easel = Easel()
    easel.cards._names = {SITE: Names("Абай ауданы", "Абайский район")}
    easel.show("split:site-1", Look(EVERY, 0))
    before = easel.picture.copy()
    easel.cards._draw()
    easel.paint(Look(EVERY, 1))
    assert not np.array_equal(easel.picture, before)


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_ever_covers_the_sign_window(scene: str) -> None:
    easel = Easel(sign=True)
    everywhere = (overlay(0, 0, CANVAS.width, CANVAS.height),)
    look = Look(EVERY, 0, overlays=everywhere)
    pane = easel.layouts.sign_pane(CANVAS)
    assert pane is not None
    assert pane.box.width * pane.box.height * 6 >= CANVAS.width * CANVAS.height
    inside = np.s_[
        pane.box.top + EDGE : pane.box.top + pane.box.height - EDGE,
        pane.box.left + EDGE : pane.box.left + pane.box.width - EDGE,
    ]
    easel.show("hall" if scene != "hall" else "slides", look)
    easel.show(scene, look, fade=True)
    for _ in range(10):
        assert (CANVAS.planes(easel.picture).y[inside] == COLOURS[SIGN_FEED][0]).all()
        easel.paint(look)
    assert easel.at(5, 5) == (235, 128, 128), "the overlay covers the rest"


def test_windows_keep_clear_of_the_sign_window() -> None:
    layouts = Easel(sign=True).layouts
    sign = layouts.sign_pane(CANVAS)
    assert sign is not None
    for scene in SCENES:
        for count in range(1, 16):
            panes = layouts.panes(Scene.parse(scene), CANVAS, linked=sites(count))
            assert not any(overlap(pane.box, sign.box) for pane in panes if not pane.full)


def test_the_slate_is_without_overlays_and_sign() -> None:
    easel = Easel(sign=True)
    easel.show("hall", Look(EVERY, 0))
    easel.show("slate", Look(EVERY, 0, overlays=(overlay(0, 0, 640, 360),)))
    assert np.array_equal(easel.picture, flat(SLATE_COLOUR))


def test_a_fade_is_monotone_and_ends_exactly() -> None:
    easel, look = Easel(), Look(EVERY, 0)
    easel.show("hall", look)
    first, last = COLOURS[HALL_FEED], COLOURS[SITE]
    seen = [easel.at(320, 180)]
    easel.show("site:site-1", look, fade=True)
    while easel.at(320, 180) != last:
        seen.append(easel.at(320, 180))
        easel.paint(look)
        assert len(seen) < 12
    assert len(seen) in (7, 8), "300 ms"
    for plane in range(3):
        values = [colour[plane] for colour in [*seen, last]]
        steps = np.diff(values)
        assert (steps > 0).all() if last[plane] > first[plane] else (steps < 0).all()
        assert np.abs(steps).max() <= abs(last[plane] - first[plane]) / 8 + 1
    assert np.array_equal(easel.picture, PICTURES[SITE])


def test_both_scenes_move_while_they_fade() -> None:
    easel = Easel()
    easel.show("hall", Look(EVERY, 0))
    easel.show("site:site-1", Look(EVERY, 0), fade=True)
    easel.paint(Look(EVERY, 0))
    dark = {HALL_FEED: Pulled(flat((0, 0, 0)), SILENCE, True, True), SITE: EVERY[SITE]}
    easel.paint(Look(dark, 0))
    assert easel.at(9, 9)[0] == pytest.approx(COLOURS[SITE][0] * 3 / 8, abs=1)


def test_another_take_in_a_fade_goes_on_from_what_is_seen() -> None:
    easel, look = Easel(), Look(EVERY, 0)
    easel.show("hall", look)
    easel.show("site:site-1", look, fade=True)
    for _ in range(3):
        easel.paint(look)
    before = easel.at(9, 9)[0]
    assert before == pytest.approx((COLOURS[HALL_FEED][0] + COLOURS[SITE][0]) / 2, abs=1)
    target = COLOURS[site_feed("site-3")][0]
    easel.show("site:site-3", look, fade=True)
    step = abs(target - before) / 8 + 1
    for _ in range(8):
        assert abs(easel.at(9, 9)[0] - before) <= step, "no jump"
        before = easel.at(9, 9)[0]
        easel.paint(look)
    assert easel.at(9, 9) == COLOURS[site_feed("site-3")]
    easel.show("hall", look, fade=True)
    easel.show("slides", look)
    planes = CANVAS.planes(easel.picture)
    assert easel.at(2, 2) == BACKGROUND_YUV, "a cut ends the fade"
    assert int(planes.y.max()) == COLOURS[SLIDES_FEED][0]


def test_an_overlay_stands_still_while_scenes_fade() -> None:
    easel = Easel(sign=True)
    look = Look(EVERY, 0, overlays=(overlay(40, 280, 200, 40, alpha=128),))
    easel.show("split:site-1", look)
    place = np.s_[282:318, 42:238]
    before = CANVAS.planes(easel.picture).y[place].copy()
    easel.show("slides", look, fade=True)
    for _ in range(9):
        assert np.array_equal(CANVAS.planes(easel.picture).y[place], before)
        easel.paint(look)


@pytest.mark.parametrize("count", range(1, 17))
def test_a_grid_has_a_window_for_everybody(count: int) -> None:
    easel = Easel()
    look = Look(feeds(HALL_FEED, *sites(count - 1)), 0)
    easel.show("grid", look)
    panes = easel.painter.panes(Scene("grid"), look)
    assert [pane.feed for pane in panes] == [HALL_FEED, *sites(count - 1)]
    for pane in panes:
        assert easel.middle(pane.box) == COLOURS[pane.feed]
        assert pane.box.width / pane.box.height == pytest.approx(16 / 9, rel=0.03)
    lefts = {pane.box.left for pane in panes[:4]}
    assert len({pane.box.top for pane in panes}) <= 4
    assert len(lefts) <= 4
    assert not any(
        overlap(one.box, other.box) for n, one in enumerate(panes) for other in panes[:n]
    )


def test_a_grid_grows_when_a_site_comes() -> None:
    easel = Easel()
    easel.show("grid", Look(feeds(HALL_FEED, *sites(2)), 0))
    look = Look(feeds(HALL_FEED, *sites(5)), 0)
    easel.paint(look)
    panes = easel.painter.panes(Scene("grid"), look)
    assert len(panes) == 6
    assert [easel.middle(pane.box) for pane in panes] == [COLOURS[p.feed] for p in panes]


def test_of_too_many_sites_a_grid_shows_who_has_the_floor() -> None:
    layouts = Easel().layouts
    panes = layouts.panes(Scene("grid"), CANVAS, floor=site_feed("site-19"), linked=sites(20))
    assert len(panes) == 16
    assert panes[-1].feed == site_feed("site-19")
    assert [pane.feed for pane in panes[1:-1]] == sites(14)


def test_the_floor_is_shown_where_a_scene_says_so() -> None:
    easel = Easel()
    easel.show("slides", Look(EVERY, 0))
    box = easel.painter.panes(Scene("slides"), Look({}, 0))[1].box
    assert easel.middle(box) == COLOURS[HALL_FEED]
    easel.paint(Look(EVERY, 0, floor=SITE))
    assert easel.middle(box) == COLOURS[SITE]


def test_the_shipped_grid_of_sites_is_in_the_order_of_the_region() -> None:
    layouts = Easel().layouts
    panes = layouts.panes(Scene("grid"), CANVAS, linked=list(reversed(sites(3))))
    assert [pane.feed for pane in panes[1:]] == sites(3)
    assert len(SITES) == 20
    assert {layout.name for layout in SHIPPED.layouts} == {
        "hall", "site", "split", "pip", "grid", "slides",
    }  # fmt: skip
