"""Overlays at their edges: exact where opaque, nothing where transparent, no fringe between."""

import numpy as np
import pytest
from PIL import Image

from streamer.programme.canvas import Canvas, Picture, Planes
from streamer.programme.overlay import Overlay
from streamer.programme.slate import SLATE_BACKGROUND

CANVAS = Canvas(64, 48, 25)


def noise() -> Picture:
    return np.random.default_rng(7).integers(0, 256, CANVAS.picture_bytes).astype(np.uint8)


def yuv(red: int, green: int, blue: int) -> tuple[float, float, float]:
    """ITU-R BT.709 in television range, unrounded."""
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (
        16 + luma * 219 / 255,
        128 + (blue - luma) / 1.8556 * 224 / 255,
        128 + (red - luma) / 1.5748 * 224 / 255,
    )


def over(image: Image.Image, left: int, top: int, picture: Picture) -> Planes:
    planes = CANVAS.planes(picture)
    Overlay.of(image, left, top).blend(planes)
    return planes


@pytest.mark.parametrize(
    "colour", [(12, 36, 70), (216, 178, 74), (255, 255, 255), (0, 0, 0), (196, 22, 42), (0, 255, 1)]
)
def test_a_flat_opaque_colour_arrives_exactly(colour: tuple[int, int, int]) -> None:
    planes = over(Image.new("RGBA", (20, 10), (*colour, 255)), 8, 6, noise())
    parts = (planes.y[6:16, 8:28], planes.u[3:8, 4:14], planes.v[3:8, 4:14])
    for part, wanted in zip(parts, yuv(*colour), strict=True):
        assert np.unique(part).size == 1  # flat: no dithering, no trace of what was there
        assert abs(part[0, 0] - wanted) <= 0.6


@pytest.mark.parametrize(
    ("colour", "values"),
    [(SLATE_BACKGROUND, (45, 145, 116)), ((255, 255, 255), (235, 128, 128)),
     ((0, 0, 0), (16, 128, 128))],
)  # fmt: skip
def test_known_colours_have_their_known_values(
    colour: tuple[int, int, int], values: tuple[int, int, int]
) -> None:
    planes = over(Image.new("RGBA", (64, 48), (*colour, 255)), 0, 0, noise())
    assert tuple(int(plane[20, 20]) for plane in planes) == values


def test_transparent_leaves_every_value_of_the_picture_whatever_its_colour() -> None:
    picture = np.resize(np.arange(256, dtype=np.uint8), CANVAS.picture_bytes)
    before = picture.copy()
    over(Image.new("RGBA", (64, 48), (255, 0, 200, 0)), 0, 0, picture)
    assert (picture == before).all()


def test_half_opacity_is_half() -> None:
    before = noise()
    planes = over(Image.new("RGBA", (64, 48), (216, 178, 74, 128)), 0, 0, before.copy())
    share = 128 / 255
    for got, was, put in zip(planes, CANVAS.planes(before), yuv(216, 178, 74), strict=True):
        wanted = was * (1 - share) + put * share
        assert np.abs(got - wanted).max() <= 0.8


def test_no_colour_of_transparent_pixels_leaks_over_an_edge() -> None:
    """One opaque column of every colour pair: its chroma is half its own, half the picture's."""
    image = Image.new("RGBA", (4, 4), (0, 255, 0, 0))
    image.paste((196, 22, 42, 255), (0, 0, 1, 4))
    picture = CANVAS.blank()
    planes = over(image, 0, 0, picture)
    luma, *chroma = yuv(196, 22, 42)
    assert abs(planes.y[0, 0] - luma) <= 0.6
    assert (planes.y[:4, 1:4] == 16).all()
    for got, own in zip(planes[1:], chroma, strict=True):
        assert abs(got[0, 0] - (own + 128) / 2) <= 1
        assert got[0, 1] == 128


def test_extremes_do_not_run_over() -> None:
    for value in (0, 255):
        for alpha in (1, 127, 128, 254, 255):
            picture = np.full(CANVAS.picture_bytes, value, dtype=np.uint8)
            image = Image.new("RGBA", (64, 48), (255, 255, 255, alpha))
            image.paste((0, 0, 0, 255 - alpha), (0, 0, 31, 23))
            planes = over(image, 0, 0, picture)
            put = 235 if value == 0 else 255
            assert planes.y[40, 40] in range(min(value, 16), put + 1)


def test_odd_places_and_sizes_touch_only_even_pixels_and_nothing_outside() -> None:
    before = noise()
    picture = before.copy()
    overlay = Overlay.of(Image.new("RGBA", (5, 3), (9, 9, 9, 255)), 7, 9)
    assert (overlay.box.left, overlay.box.top) == (6, 8)
    assert (overlay.box.width, overlay.box.height) == (6, 4)
    overlay.blend(CANVAS.planes(picture))
    changed = CANVAS.planes(picture).y != CANVAS.planes(before).y
    assert not changed[:8].any()
    assert not changed[11:].any()
    assert not changed[:, :6].any()
    assert not changed[:, 11:].any()
