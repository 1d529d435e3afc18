"""Small pictures for the console."""

from __future__ import annotations

from io import BytesIO

import av
import numpy as np
from PIL import Image

from streamer.programme.canvas import Canvas, Picture


def jpeg(canvas: Canvas, picture: Picture, width: int) -> bytes:
    """`picture` as a JPEG, `width` pixels wide. Takes a few milliseconds of the caller's thread."""
    frame = av.VideoFrame.from_ndarray(_thinned(canvas, picture, width), format="yuv420p")
    height = round(width * canvas.height / canvas.width / 2) * 2
    small = frame.reformat(
        width, height, "rgb24", src_colorspace="ITU709", interpolation="AREA", threads=1
    )
    out = BytesIO()
    Image.fromarray(small.to_ndarray()).save(out, "JPEG", quality=70)
    return out.getvalue()


def _thinned(canvas: Canvas, picture: Picture, width: int) -> Picture:
    """Every second (third …) pixel of a picture much wider than `width`: scaling is what costs."""
    step = canvas.width // (2 * width)
    if step < 2:
        return picture.reshape(canvas.height * 3 // 2, canvas.width)
    high, wide = (size // step // 2 * 2 for size in (canvas.height, canvas.width))
    planes = canvas.planes(picture)
    halves = (plane[::step, ::step][: high // 2, : wide // 2] for plane in (planes.u, planes.v))
    thin = np.concatenate(
        [planes.y[::step, ::step][:high, :wide].ravel(), *(half.ravel() for half in halves)]
    )
    return thin.reshape(high * 3 // 2, wide)
