"""An overlay is laid over a picture as its transparency says."""

import numpy as np
import pytest
from PIL import Image

from streamer.programme.canvas import Canvas
from streamer.programme.overlay import Overlay

CANVAS = Canvas(64, 48, 25)


@pytest.mark.parametrize("alpha", [0, 1, 64, 127, 128, 200, 254, 255])
@pytest.mark.parametrize("below", [0, 16, 100, 235, 255])
def test_it_is_right_to_one_unit(alpha: int, below: int) -> None:
    picture = np.full(CANVAS.picture_bytes, below, np.uint8)
    Overlay.of(Image.new("RGBA", (20, 30), (255, 255, 255, alpha)), 10, 8).blend(
        CANVAS.planes(picture)
    )
    for plane, value in zip(CANVAS.planes(picture), (235, 128, 128), strict=True):
        by = CANVAS.width // plane.shape[1]
        box = plane[8 // by : 38 // by, 10 // by : 30 // by]
        right = (value * alpha + below * (255 - alpha)) / 255
        assert np.abs(box.astype(int) - right).max() <= 1
        if alpha in (0, 255):
            assert (box == round(right)).all()
        rest = plane.copy()
        rest[8 // by : 38 // by, 10 // by : 30 // by] = below
        assert (rest == below).all(), "nothing outside of the box"


def test_odd_places_and_sizes_are_made_even() -> None:
    made = Overlay.of(Image.new("RGBA", (5, 7), (0, 0, 0, 255)), 3, 5)
    assert made.box == (made.box.__class__)(2, 4, 6, 8)
