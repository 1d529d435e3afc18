"""Pictures of scenes as they will look, from coloured feeds that carry their names.

For whoever writes layouts: `streamer scenes --png DIR`. Nothing of it runs in a programme.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

from streamer.config.scenes import Layout, Scenes, Takes
from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas, Picture
from streamer.programme.cards import Cards, card_names
from streamer.programme.feed_buffer import Pulled
from streamer.programme.graphics import Box, Weight, draw_text, find_font, fit_text
from streamer.programme.layouts import Layouts
from streamer.programme.overlay import Overlay
from streamer.programme.painter import Look, Painter
from streamer.programme.scenes import SITE_FEEDS, Scene
from streamer.programme.slate import Slate, to_yuv

GRIDS = (1, 4, 9, 16)
"""Numbers of windows of which a grid is drawn."""
TITLE = Names("Әкімнің халықпен кездесуі", "Встреча акима с населением")


def draw_scenes(
    folder: Path, scenes: Scenes, *, canvas: Canvas, region: Names, hall: Names,
    sites: Mapping[str, Names], zone: str,
) -> list[Path]:  # fmt: skip
    """Draw every scene with and without the sign language window; the files that were written.

    Blocking for some seconds; makes `folder`. Raises FontMissing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = card_names(hall, scenes.sign.names.domain, sites)
    cards = Cards(canvas, names)
    slate = Slate(canvas, region=region, title=TITLE, zone=zone)
    feeds = _feeds(canvas, names)
    written = [_write(folder / "slate.png", canvas, slate.picture(0))]
    for sign in (False, True):
        layouts = Layouts(
            scenes.layouts, sites=list(sites), sign=scenes.sign if sign else None
        )  # fmt: skip
        painter = Painter(canvas, slate, layouts, cards)
        pane = layouts.sign_pane(canvas)
        overlay = _lower_third(canvas, pane.box if pane else None)
        for layout in scenes.layouts:
            for name, scene, linked in _takes(layout, list(sites)):
                look = Look(_linked(feeds, linked), 0, overlays=(overlay,))
                painter.change(scene)
                picture = canvas.blank()
                painter.paint(look, picture)
                path = folder / f"{name}{'.sign' if sign else ''}.png"
                written.append(_write(path, canvas, picture))
    return written


def _takes(layout: Layout, sites: list[str]) -> list[tuple[str, Scene, int]]:
    """Name of the picture, scene, and how many sites are linked."""
    if layout.takes is Takes.SITE:
        return [(layout.name, Scene(layout.name, sites[0]), len(sites))] if sites else []
    if layout.arrange == "grid":
        counts = [n for n in GRIDS if n <= len(sites) + 1]
        return [(f"{layout.name}-{n}", Scene(layout.name), n - 1) for n in counts]
    return [(layout.name, Scene(layout.name), len(sites))]


def _linked(feeds: Mapping[str, Pulled], count: int) -> dict[str, Pulled]:
    sites = [feed for feed in feeds if feed.startswith(SITE_FEEDS)]
    return {feed: one for feed, one in feeds.items() if feed not in sites[count:]}


def _feeds(canvas: Canvas, names: Mapping[str, Names]) -> dict[str, Pulled]:
    """A picture for every feed, but for each ninth: what is lost shows its card."""
    silence = np.zeros((canvas.samples_per_tick, 2), dtype=np.float32)
    feeds = {}
    for number, (feed, name) in enumerate(names.items()):
        there = number == 0 or number % 9 != 0
        picture = _test_picture(canvas, name, number / max(1, len(names))) if there else None
        feeds[feed] = Pulled(picture, silence, there, there)
    return feeds


def _test_picture(canvas: Canvas, names: Names, hue: float) -> Picture:
    """A colour with the frame of the whole picture, the middle of 4:3, and a head in it."""
    width, height = canvas.width, canvas.height
    dark, light = (
        tuple(round(255 * part) for part in colorsys.hls_to_rgb(hue, level, 0.45))
        for level in (0.35, 0.55)
    )
    image = Image.new("RGB", (width, height), dark)
    draw = ImageDraw.Draw(image)
    middle, head = width // 2, height // 6
    draw.ellipse((middle - head, height * 0.22, middle + head, height * 0.22 + 2 * head), light)
    draw.ellipse((middle - 2 * head, height * 0.6, middle + 2 * head, height * 1.3), light)
    draw.rectangle((4, 4, width - 5, height - 5), outline=light, width=4)
    draw.rectangle((width // 8, 8, width * 7 // 8, height - 9), outline=light, width=2)
    box = Box(width // 6, height * 7 // 10, width * 2 // 3, height // 6)
    fitted = fit_text(names.ru, box, find_font(Weight.BOLD), largest=height // 12, smallest=10)
    draw_text(image, fitted, box, (255, 255, 255))
    return to_yuv(image).reshape(-1)


def _lower_third(canvas: Canvas, keep_clear: Box | None) -> Overlay:
    """Where a lower third will be about, so that layouts leave room for it."""
    right = keep_clear.left if keep_clear else canvas.width
    left, top = round(canvas.width * 0.04), round(canvas.height * 0.79)
    box = Box(0, 0, right - 2 * left, round(canvas.height * 0.15))
    image = Image.new("RGBA", (box.width, box.height), (8, 24, 48, 200))
    text = Image.new("RGB", (box.width, box.height), (8, 24, 48))
    fitted = fit_text(
        "Төменгі жол · место титра", box, find_font(Weight.REGULAR),
        largest=canvas.height // 22, smallest=10,
    )  # fmt: skip
    draw_text(text, fitted, box, (255, 255, 255))
    image.paste(text, (0, 0), text.convert("L").point(lambda value: 255 if value > 60 else 0))
    return Overlay.of(image, left, top)


def _write(path: Path, canvas: Canvas, picture: Picture) -> Path:
    rows = picture.reshape(canvas.height * 3 // 2, canvas.width)
    frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
    rgb = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    Image.fromarray(rgb).save(path)
    return path
