"""Fonts: letters that are there, letters that are not."""

from pathlib import Path

import pytest
from PIL import Image, ImageFont

from streamer.domain.errors import Act
from streamer.programme import fonts
from streamer.programme.fonts import (
    REQUIRED,
    FontMissing,
    Weight,
    drawable,
    find_font,
    has_glyph,
    load_font,
    missing_letters,
)
from streamer.programme.graphics import Box, draw_text, fit_text

REGULAR = find_font(Weight.REGULAR)


def latin_font() -> Path | None:
    """A real font of this machine that has Latin and lacks Kazakh."""
    for folder in fonts.font_folders():
        for path in sorted(folder.rglob("*.ttf")):
            if path.name.startswith(("NotoSansThai-", "NotoSansArabic-", "NotoSansHebrew-")):
                return path
    return None


@pytest.mark.parametrize("weight", list(Weight))
def test_the_fonts_of_this_machine_have_every_letter(weight: Weight) -> None:
    assert missing_letters(find_font(weight)) == ""
    assert all(has_glyph(find_font(weight), letter) for letter in REQUIRED)


@pytest.mark.parametrize("letter", ["\U0001f600", "ع", "漢", "\U0010fffd", "\ue000"])
def test_letters_of_no_font_are_known_as_missing(letter: str) -> None:
    assert not has_glyph(REGULAR, letter)


def test_a_font_without_kazakh_letters_is_refused_and_says_what_it_lacks(tmp_path: Path) -> None:
    real = latin_font()
    if real is None:
        pytest.skip("every font of this machine has Kazakh letters")
    (tmp_path / "NotoSans-Regular.ttf").symlink_to(real)
    (tmp_path / "DejaVuSans.ttf").write_bytes(b"not a font")
    with pytest.raises(FontMissing, match="fonts-noto-core") as caught:
        find_font(Weight.REGULAR, (tmp_path,))
    assert caught.value.act is Act.CALL_US
    refused = caught.value.tried["refused"]
    assert "Ә" in refused[str(tmp_path / "NotoSans-Regular.ttf")]
    assert refused[str(tmp_path / "DejaVuSans.ttf")] == REQUIRED


def test_a_whole_font_is_found_beside_a_broken_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/NotoSans-Regular.ttf").write_bytes(b"")
    (tmp_path / "b").mkdir()
    (tmp_path / "b/NotoSans-Regular.ttf").symlink_to(REGULAR)
    assert find_font(Weight.REGULAR, (tmp_path,)).parent.name == "b"


@pytest.mark.parametrize(
    ("typed", "drawn"),
    [
        ("Қашан? 😀🇰🇿 Рахмет", "Қашан? Рахмет"),
        ("👨‍👩‍👧", ""),
        ("сказал مرحبا بك и ушёл", "сказал … … и ушёл"),
        ("漢字 Алматы", "… Алматы"),
        ("𝐀𝐁 ①", "AB 1"),
        ("350 млн ₸", "350 млн ₸"),
        ("\ue000\ufffd", None),
    ],
)
def test_what_cannot_be_drawn_is_left_out_visibly(typed: str, drawn: str | None) -> None:
    made = drawable(typed, REGULAR)
    if drawn is not None:
        assert made == drawn
    assert all(has_glyph(REGULAR, letter) for letter in made)


@pytest.mark.parametrize("engine", [ImageFont.Layout.BASIC, ImageFont.Layout.RAQM])
def test_kazakh_and_russian_are_drawn_with_and_without_raqm(
    engine: ImageFont.Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(10, 10, 300, 80)
    pictures = {}
    for layout in (fonts.LAYOUT, engine):
        monkeypatch.setattr(fonts, "LAYOUT", layout)
        load_font.cache_clear()
        image = Image.new("L", (320, 100))
        fitted = fit_text("Ұлытау әкімі — Йод, ёж № 5", box, REGULAR, largest=30, smallest=12)
        draw_text(image, fitted, box, 255)  # type: ignore[arg-type]
        pictures[layout] = fitted.lines
        left, top, right, bottom = image.getbbox() or (0, 0, 0, 0)
        assert left >= 10
        assert top >= 10
        assert right <= 310
        assert bottom <= 90
    load_font.cache_clear()
    assert len(set(pictures.values())) == 1
