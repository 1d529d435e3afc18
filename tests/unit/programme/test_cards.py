"""Cards and labels fit where they are shown, for every name there is in the country."""

import threading
import time
from pathlib import Path

import numpy as np

from streamer.config.loader import load
from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas
from streamer.programme.cards import BACKGROUND_YUV, Cards, card_names
from streamer.programme.scenes import HALL_FEED, site_feed

CANVAS = Canvas(1280, 720, 25)
CONFIGS = Path(__file__).resolve().parents[3] / "configs"
LONG = Names(
    "Тимирязев атындағы ауылдық округі әкімінің аппараты", "Аппарат акима сельского округа"
)


def test_a_card_keeps_its_names_in_what_a_nearly_square_window_shows() -> None:
    names = {HALL_FEED: LONG, site_feed("a"): Names("Ә", "А")}
    cards = Cards(CANVAS, names)
    for feed in names:
        luma = CANVAS.planes(cards.picture(feed)).y
        drawn = np.argwhere(luma != BACKGROUND_YUV[0])
        assert drawn.size
        assert drawn[:, 1].min() > 1280 * 0.2
        assert drawn[:, 1].max() < 1280 * 0.8
        assert cards.picture(feed) is cards.picture(feed), "the same one, so it is scaled once"


def test_who_has_no_name_has_a_plain_card() -> None:
    cards = Cards(CANVAS)
    assert (CANVAS.planes(cards.picture("feed:site:x")).y == BACKGROUND_YUV[0]).all()
    assert cards.label("feed:site:x", 1000) is None


def test_labels_of_all_regions_fit_into_the_windows_of_a_grid() -> None:
    region = load(CONFIGS, {}).regions["north-kazakhstan"]
    sites = {site.id: site.names.domain for site in region.sites}
    names = card_names(Names("Зал", "Зал"), Names("а", "б"), sites)
    cards = Cards(CANVAS, names | {HALL_FEED: LONG})
    for feed in names:
        wide, narrow = cards.label(feed, 600), cards.label(feed, 190)
        assert wide is not None
        assert narrow is not None
        assert narrow.width <= 190
        assert wide.width <= 600
        assert wide.height == narrow.height
        assert wide.y.max() > 200


def test_cards_that_are_drawn_later_come_by_themselves() -> None:
    cards = Cards(CANVAS, {HALL_FEED: LONG}, later=True)
    plain = cards.picture(HALL_FEED)
    assert (CANVAS.planes(plain).y == BACKGROUND_YUV[0]).all()
    assert cards.label(HALL_FEED, 600) is None
    cards.draw_soon()
    end = time.monotonic() + 10
    while cards.picture(HALL_FEED) is plain:
        assert time.monotonic() < end
        threading.Event().wait(0.01)
    assert CANVAS.planes(cards.picture(HALL_FEED)).y.max() > 200
    assert cards.label(HALL_FEED, 600) is not None
