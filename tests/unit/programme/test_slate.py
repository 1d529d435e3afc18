"""The slate. Set SLATE_PICTURES to a folder to have the pictures of these tests kept and look."""

import os
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from streamer.domain.errors import BadInput
from streamer.domain.meeting import Names
from streamer.programme.canvas import Canvas
from streamer.programme.slate import SLATE_BACKGROUND, Slate

AT = 1_803_000_000.0
SHORT = (Names("Абай облысы", "Область Абай"), Names("Есептік кездесу", "Отчётная встреча"))
LONG = (
    Names(
        "Шығыс Қазақстан облысы Өскемен қаласы Үлбі әкімшілік ауданы",
        "Восточно-Казахстанская область, город Усть-Каменогорск, Ульбинский район",
    ),
    Names(
        "Өскемен қаласы әкімінің 2026 жылғы жұмыс қорытындылары және 2027 жылға арналған"
        " әлеуметтік-экономикалық даму жоспарлары туралы халық алдындағы есептік кездесуі",
        "Отчётная встреча акима города Усть-Каменогорска с населением об итогах"
        " социально-экономического развития за 2026 год и планах на 2027 год",
    ),
)
ENDLESS = (Names("Ә" * 300, "Щ" * 300), Names("ұзын " * 400, "очень длинно " * 400))


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (1920, 1080)])
@pytest.mark.parametrize("texts", [SHORT, LONG, ENDLESS], ids=["short", "long", "endless"])
def test_the_border_is_background_whatever_is_written(
    size: tuple[int, int], texts: tuple[Names, Names], request: pytest.FixtureRequest
) -> None:
    canvas = Canvas(*size, 25)
    slate = Slate(canvas, region=texts[0], title=texts[1], zone="Asia/Almaty")
    planes = canvas.planes(slate.picture(AT))
    for plane, value in zip(planes, (45, 145, 116), strict=True):
        height, width = plane.shape
        inner = plane[height // 20 : -height // 20, width // 20 : -width // 20]
        assert np.count_nonzero(plane != value) == np.count_nonzero(inner != value)
        assert np.count_nonzero(inner != value) > 0
    keep(canvas, slate, request.node.name)


def test_the_background_is_the_colour_it_says() -> None:
    canvas = Canvas(640, 360, 25)
    slate = Slate(canvas, region=SHORT[0], title=SHORT[1], zone="Asia/Almaty")
    corner = as_image(canvas, slate).getpixel((5, 5))
    assert isinstance(corner, tuple)
    assert np.abs(np.array(corner) - SLATE_BACKGROUND).max() <= 2


def test_only_the_clock_changes_and_once_a_second() -> None:
    canvas = Canvas(1280, 720, 25)
    slate = Slate(canvas, region=SHORT[0], title=SHORT[1], zone="Asia/Almaty")
    before = slate.picture(AT).copy()
    assert np.array_equal(slate.picture(AT + 0.9), before)
    after = slate.picture(AT + 1)
    rows, columns = np.nonzero(canvas.planes(after).y != canvas.planes(before).y)
    assert len(rows) > 0
    assert rows.min() > 720 * 0.78
    assert rows.max() < 720 * 0.92
    assert columns.min() > 1280 * 0.38
    assert columns.max() < 1280 * 0.62
    assert np.array_equal(slate.picture(AT), before)


def test_the_clock_is_that_of_the_zone() -> None:
    canvas = Canvas(640, 360, 25)
    almaty, utc, later = (
        Slate(canvas, region=SHORT[0], title=SHORT[1], zone=zone).picture(at).copy()
        for zone, at in (("Asia/Almaty", AT), ("UTC", AT), ("UTC", AT + 5 * 3600))
    )
    assert not np.array_equal(almaty, utc)
    assert np.array_equal(almaty, later), "Kazakhstan is at UTC+5"


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(BadInput):
        Slate(Canvas(640, 360, 25), region=SHORT[0], title=SHORT[1], zone="Asia/Nowhere")


def as_image(canvas: Canvas, slate: Slate) -> Image.Image:
    rows = slate.picture(AT).reshape(canvas.height * 3 // 2, canvas.width)
    frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
    return Image.fromarray(frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray())


def keep(canvas: Canvas, slate: Slate, name: str) -> None:
    if folder := os.environ.get("SLATE_PICTURES"):
        as_image(canvas, slate).save(Path(folder) / f"{name}.png")
