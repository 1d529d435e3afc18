from fractions import Fraction

import numpy as np
import pytest

from streamer.domain.errors import BadInput
from streamer.programme.canvas import Canvas, FramePool


def test_sizes_of_a_tick() -> None:
    canvas = Canvas(1280, 720, 25)
    assert canvas.samples_per_tick == 1920
    assert canvas.picture_bytes == 1_382_400
    assert canvas.block_bytes == 7680
    assert canvas.samples(1, Fraction(1, 25)) == 1920


@pytest.mark.parametrize(
    ("width", "height", "fps"), [(1281, 720, 25), (1280, 0, 25), (1280, 720, 29), (1280, 720, 0)]
)
def test_a_canvas_that_cannot_be_is_refused(width: int, height: int, fps: int) -> None:
    with pytest.raises(BadInput) as caught:
        Canvas(width, height, fps)
    assert caught.value.code in ("wrong_canvas", "wrong_rate")


def test_planes_are_views_in_the_order_of_yuv420p() -> None:
    canvas = Canvas(32, 16, 25)
    picture = canvas.blank()
    planes = canvas.planes(picture)
    planes.y[0, 0], planes.u[0, 0], planes.v[-1, -1] = 1, 2, 3
    assert picture[0] == 1
    assert picture[32 * 16] == 2
    assert picture[-1] == 3
    assert planes.u.shape == planes.v.shape == (8, 16)


def test_a_frame_returns_to_the_pool_with_its_last_holder() -> None:
    pool = FramePool(Canvas(32, 16, 25))
    frame = pool.take()
    memory = frame.picture
    frame.hold()
    frame.release()
    assert pool.take().picture is not memory
    frame.release()
    assert pool.take().picture is memory
    assert pool.made == 2
    assert memory.dtype == np.uint8
