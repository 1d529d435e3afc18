"""Feeds of one colour each, and a painter without threads and clocks."""

import numpy as np
from PIL import Image

from streamer.config.scenes import SHIPPED, Layout
from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas, Picture
from streamer.programme.cards import Cards
from streamer.programme.feed_buffer import Pulled
from streamer.programme.graphics import Box
from streamer.programme.layouts import Layouts
from streamer.programme.overlay import Overlay
from streamer.programme.painter import Look, Painter
from streamer.programme.scenes import HALL_FEED, SIGN_FEED, SLIDES_FEED, site_feed

CANVAS = Canvas(640, 360, 25)
Colour = tuple[int, int, int]
SITES = tuple(f"site-{number}" for number in range(1, 21))
SLATE_COLOUR: Colour = (60, 60, 60)
COLOURS: dict[str, Colour] = {
    HALL_FEED: (180, 90, 200), SLIDES_FEED: (210, 128, 128), SIGN_FEED: (90, 60, 170),
}  # fmt: skip
COLOURS |= {site_feed(site): (100 + 5 * n, 200 - 7 * n, 50 + 6 * n) for n, site in enumerate(SITES)}
SILENCE = np.zeros((CANVAS.samples_per_tick, 2), dtype=np.float32)


def flat(colour: Colour) -> Picture:
    picture = CANVAS.blank()
    for plane, value in zip(CANVAS.planes(picture), colour, strict=True):
        plane[...] = value
    return picture


PICTURES = {feed: flat(colour) for feed, colour in COLOURS.items()}


class PlainSlate:
    def picture(self, at: float) -> Picture:
        return flat(SLATE_COLOUR)


def there(feed: str, picture: bool = True, sound: bool = True) -> Pulled:
    return Pulled(PICTURES[feed] if picture else None, SILENCE, picture, sound)


def feeds(*names: str) -> dict[str, Pulled]:
    return {name: there(name) for name in names}


def sites(count: int) -> list[str]:
    return [site_feed(site) for site in SITES[:count]]


class Easel:
    """A painter with every scene and a canvas before it."""

    def __init__(
        self, *, sign: bool = False, layouts: tuple[Layout, ...] = SHIPPED.layouts,
        names: dict[str, Names] | None = None,
    ) -> None:  # fmt: skip
        self.layouts = Layouts(layouts, sites=SITES, sign=SHIPPED.sign if sign else None)
        self.cards = Cards(CANVAS, names)
        self.painter = Painter(CANVAS, PlainSlate(), self.layouts, self.cards)
        self.picture = np.full(CANVAS.picture_bytes, 7, np.uint8)

    def show(self, scene: str, look: Look, *, fade: bool = False) -> Picture:
        self.painter.change(self.layouts.scene(scene), fade=fade)
        return self.paint(look)

    def paint(self, look: Look) -> Picture:
        self.painter.paint(look, self.picture)
        return self.picture

    def at(self, x: float, y: float) -> Colour:
        """Y, U and V at a place given in pixels."""
        planes = CANVAS.planes(self.picture)
        row, column = int(y), int(x)
        return (
            int(planes.y[row, column]),
            int(planes.u[row // 2, column // 2]),
            int(planes.v[row // 2, column // 2]),
        )

    def middle(self, box: Box) -> Colour:
        return self.at(box.left + box.width / 2, box.top + box.height / 2)


def overlay(left: int, top: int, width: int, height: int, alpha: int = 255) -> Overlay:
    return Overlay.of(Image.new("RGBA", (width, height), (255, 255, 255, alpha)), left, top)
