from pathlib import Path

import pytest
from PIL import Image

from streamer.domain.errors import Unavailable
from streamer.programme.graphics import Box, Weight, draw_text, find_font, fit_text

BOX = Box(40, 30, 400, 90)
KAZAKH = "ӘҒҚҢӨҰҮІҺәғқңөұүіһ"


@pytest.mark.parametrize(
    "text",
    [
        "Есеп",
        "Абай облысы әкімінің халық алдындағы есептік кездесуі",
        "Отчётная встреча акима " * 30,
        "Ә" * 300,
        "",
        "a " * 900,
    ],
)
def test_text_never_leaves_its_box(text: str) -> None:
    fitted = fit_text(text, BOX, find_font(Weight.BOLD), largest=48, smallest=12)
    image = Image.new("RGB", (480, 150))
    draw_text(image, fitted, BOX, (255, 255, 255))
    drawn = image.getbbox()
    if text.strip():
        assert drawn is not None
        left, top, right, bottom = drawn
        assert left >= BOX.left - 1
        assert right <= BOX.left + BOX.width + 1
        assert top >= BOX.top - 1
        assert bottom <= BOX.top + BOX.height + 1
    else:
        assert drawn is None


def test_short_text_is_large_and_whole_and_long_text_is_smaller() -> None:
    font = find_font(Weight.REGULAR)
    short = fit_text("Есеп", BOX, font, largest=48, smallest=12)
    long = fit_text("Отчётная встреча акима с населением " * 3, BOX, font, largest=48, smallest=12)
    assert short.size == 48
    assert long.size < short.size
    assert " ".join(long.lines).split() == ("Отчётная встреча акима с населением " * 3).split()


def test_what_cannot_fit_ends_with_an_ellipsis() -> None:
    fitted = fit_text("слово " * 500, BOX, find_font(Weight.REGULAR), largest=20, smallest=12)
    assert fitted.size == 12
    assert fitted.lines[-1].endswith("слово…") or fitted.lines[-1].endswith("…")
    assert fitted.height <= BOX.height


@pytest.mark.parametrize("weight", list(Weight))
def test_every_kazakh_letter_has_a_glyph_of_its_own(weight: Weight) -> None:
    box = Box(0, 0, 64, 64)
    font = find_font(weight)

    def drawn(letter: str) -> bytes:
        image = Image.new("L", (64, 64))
        fitted = fit_text(letter, box, font, largest=40, smallest=40)
        draw_text(image, fitted, box, 255)  # type: ignore[arg-type]
        return image.tobytes()

    missing = drawn("\U0010fffd")
    assert all(drawn(letter) != missing for letter in KAZAKH)
    assert len({drawn(letter) for letter in KAZAKH}) == len(KAZAKH)


def test_no_font_says_which_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="fonts-noto-core") as caught:
        find_font(Weight.BOLD, (tmp_path, tmp_path / "missing"))
    assert caught.value.code == "font_missing"


def test_dejavu_is_taken_when_noto_is_missing(tmp_path: Path) -> None:
    real = find_font(Weight.REGULAR)
    (tmp_path / "DejaVuSans.ttf").symlink_to(real)
    assert find_font(Weight.REGULAR, (tmp_path,)).name == "DejaVuSans.ttf"
    (tmp_path / "noto").mkdir()
    (tmp_path / "noto/NotoSans-Regular.ttf").symlink_to(real)
    find_font.cache_clear()
    assert find_font(Weight.REGULAR, (tmp_path,)).name == "NotoSans-Regular.ttf"
