"""The board: what is drawn, where, and how often.

Set GRAPHICS_PICTURES to a folder to have the pictures of these tests kept and look at them.
"""

import itertools
import os
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from streamer.config.region import GraphicsSettings
from streamer.domain.errors import BadInput
from streamer.domain.graphics import Graphic, LowerThird, On, Question, parse
from streamer.programme import titles
from streamer.programme.board import Board
from streamer.programme.canvas import Canvas
from streamer.programme.fonts import FontMissing
from streamer.programme.graphics import Box
from streamer.programme.lanes import overlaps
from streamer.programme.overlay import Overlay

HD, SMALL = (1280, 720), (640, 360)
AT = 1_803_000_000.0
MINUTE = AT // 60 * 60
PLAIN: dict[str, Any] = {
    "lower_third": {
        "name": "Бердібек Сейітжанұлы Қожахметов",
        "office_kk": "Ұлытау облысының Жаңаарқа ауданының әкімі",
        "office_ru": "Аким Жанааркинского района области Ұлытау",
    },
    "question": {
        "text": "Атасу кентіндегі № 5 мектептің құрылысы 2024 жылдан бері тоқтап тұр. Қашан"
        " аяқталады және бюджеттен бөлінген 350 млн теңге қайда жұмсалды?",
        "district": "Жаңаарқа ауданы, Атасу кенті", "source": "телефон", "number": "128",
    },
    "next": {"text_kk": "Қызылорда қаласы", "text_ru": "Город Кызылорда"},
}  # fmt: skip
LONG: dict[str, Any] = {
    "lower_third": {
        "name": "Гүлмира Әбілқасымқызы Сүлейменова-Жұмаділова",
        "office_kk": "Ұлытау облысы Жаңаарқа ауданы әкімінің әлеуметтік мәселелер, білім беру,"
        " денсаулық сақтау және мәдениет жөніндегі орынбасары",
        "office_ru": "Заместитель акима Жанааркинского района области Ұлытау по социальным"
        " вопросам, вопросам образования, здравоохранения и культуры",
    },
    "question": {
        "text": "Здравствуйте, уважаемый аким! Я проживаю в селе Актубек по улице А. Б. Ахметова,"
        " д. 15. Третий год мы обращаемся в районный акимат с просьбой отремонтировать дорогу от"
        " трассы М-36 до школы, это всего 2,5 км. Весной и осенью проехать невозможно, скорая"
        " помощь не доезжает, дети ходят в школу пешком по грязи. В прошлом году было выделено"
        " 48 млн тенге, но подрядчик не выполнил работы. Скажите, пожалуйста, когда начнётся"
        " ремонт, кто за это отвечает и на что потрачены деньги из бюджета района? Спаси",
        "district": "Жанааркинский район, село Актубек", "source": "YouTube", "number": "1047",
    },
    "next": {
        "text_kk": "Қызылорда қаласы, Байқоңыр әкімшілік-аумақтық бірлігі, А. Б. Жұмабаев",
        "text_ru": "Кызылорда, административно-территориальная единица Байконур, А. Б. Жумабаев",
    },
}  # fmt: skip
NASTY: dict[str, Any] = {
    "lower_third": {"name": "Ә" * 80, "office_kk": "Щ" * 200, "office_ru": "ж " * 99},
    "question": {
        "text": "Й\u0301\u0306" * 80 + " ﷽ 😀 " + "W" * 200, "district": "ф" * 100,
        "source": "ы" * 40, "number": "9" * 20,
    },
    "next": {"text_kk": "Ң" * 120, "text_ru": "a" * 120},
}  # fmt: skip
TEXTS = {"plain": PLAIN, "long": LONG, "nasty": NASTY}


def places(width: int, height: int) -> dict[str, Box | None]:
    """Where a sign-language window may be."""
    wide, high = width * 41 // 200 * 2, height * 41 // 200 * 2
    right, low = width - wide, height - high
    return {
        "none": None,
        "low right": Box(right, low, wide, high),
        "low right inside": Box(right - 40, low - 30, wide, high),
        "top right": Box(right, 0, wide, high),
        "low left": Box(0, low, wide, high),
        "top left": Box(0, 0, wide, high),
        "middle right": Box(right, low // 4 * 2, wide, high),
        "middle": Box(right // 4 * 2, low // 4 * 2, wide, high),
        "right half": Box(width // 2, 0, width // 2, height),
        "left third": Box(0, 0, width // 6 * 2, height),
        "bottom strip": Box(0, height * 3 // 8 * 2, width, height - height * 3 // 8 * 2),
        "outside": Box(width, height, 100, 100),
    }


def board(size: tuple[int, int] = HD, **more: Any) -> Board:
    settings = GraphicsSettings(
        clock=True, emblem=more.pop("emblem", None), accent=more.pop("accent", "#00AFCA")
    )
    made = Board(Canvas(*size, 25), settings, "Asia/Almaty", **more)
    made.on_air(True)
    return made


def show(on: Board, texts: dict[str, Any]) -> None:
    for graphic, shown in texts.items():
        on.show(graphic, parse(graphic, shown))


@pytest.fixture(scope="module")
def emblem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("emblem") / "emblem.png"
    image = Image.new("RGBA", (300, 400))
    image.paste((216, 178, 74, 255), (50, 50, 250, 350))
    image.save(path)
    return path


@pytest.mark.parametrize(("size", "texts"), [(HD, "plain"), (SMALL, "long"), (SMALL, "nasty")])
@pytest.mark.parametrize("place", list(places(*HD)))
def test_nothing_lies_over_anything_else(
    size: tuple[int, int], texts: str, place: str, emblem: Path
) -> None:
    clear = places(*size)[place]
    every = board(size, keep_clear=clear, emblem=emblem)
    names = list(TEXTS[texts])
    for count in range(len(names) + 1):
        for some in itertools.combinations(names, count):
            for name in names:
                shown = TEXTS[texts][name] if name in some else None
                every.show(name, parse(name, shown))
            boxes = [overlay.box for overlay in every.overlays(AT)]
            # Emblem, live mark and clock are always there.
            assert len(boxes) == count + 3
            for one, other in itertools.combinations(boxes, 2):
                assert not overlaps(one, other), (some, one, other)
            for box in boxes:
                assert clear is None or not overlaps(box, clear), (some, box)
                assert_safe(box, size)
    keep(every, size, clear, f"{texts}-{place}-{size[1]}")


def assert_safe(box: Box, size: tuple[int, int]) -> None:
    """Within the title-safe area, on even pixels."""
    assert box.left >= size[0] * 0.05 - 1
    assert box.right <= size[0] * 0.95 + 1
    assert box.top >= size[1] * 0.05 - 1
    assert box.bottom <= size[1] * 0.95 + 1
    assert not any(value % 2 for value in (box.left, box.top, box.width, box.height))


@pytest.mark.parametrize("texts", list(TEXTS))
def test_not_one_pixel_outside_of_the_boxes_changes(texts: str) -> None:
    canvas = Canvas(*HD, 25)
    made = board()
    show(made, TEXTS[texts])
    picture = np.random.default_rng(3).integers(0, 256, canvas.picture_bytes).astype(np.uint8)
    before = canvas.planes(picture.copy())
    after = canvas.planes(picture)
    inside = np.zeros((720, 1280), dtype=bool)
    for overlay in made.overlays(AT):
        overlay.blend(after)
        box = overlay.box
        inside[box.top : box.bottom, box.left : box.right] = True
    assert (after.y == before.y)[~inside].all()
    assert (after.u == before.u)[~inside[::2, ::2]].all()
    assert (after.v == before.v)[~inside[::2, ::2]].all()


def test_whole_texts_are_shown_together_beside_a_sign_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """500 letters of a question and 120 of each office: none of them is cut, on any canvas."""
    cut: list[str] = []
    real = titles.fit_text

    def watched(text: str, *args: Any, **more: Any) -> Any:
        fitted = real(text, *args, **more)
        cut.extend([text] if fitted.cut else [])
        return fitted

    monkeypatch.setattr(titles, "fit_text", watched)
    for size in (HD, SMALL, (1920, 1080)):
        for place in ("none", "low right", "top right", "low left"):
            made = board(size, keep_clear=places(*size)[place])
            show(made, LONG)
            cut.clear()
            made.overlays(AT)
            # What was tried too large, and did not fit, was set again smaller.
            question = LONG["question"]["text"]
            assert cut.count(question) <= 1, (size, place)
            assert set(cut) <= {question, *LONG["next"].values()}, (size, place)


def test_each_graphic_is_drawn_once_per_change() -> None:
    made = board()
    show(made, PLAIN)
    first = made.overlays(MINUTE)
    for second in range(60):
        assert made.overlays(MINUTE + second) is first
    assert made.renders == {
        "live_mark": 1, "clock": 1, "next": 1, "lower_third": 1, "question": 1,
    }  # fmt: skip
    assert set(made.took_ms) == set(made.renders)
    later = made.overlays(MINUTE + 60)
    assert later is not first
    assert made.renders["clock"] == 2
    assert made.renders.total() == 6
    show(made, PLAIN)
    assert made.overlays(MINUTE + 61) is later
    made.show("next", parse("next", {"text_kk": "Үзіліс"}))
    made.overlays(MINUTE + 61)
    assert made.renders["next"] == 2
    assert made.renders.total() == 7


def test_the_clock_shows_the_time_of_the_zone_and_says_when_it_changes() -> None:
    made = board()
    assert made.next_change(MINUTE) == MINUTE + 60
    assert made.next_change(MINUTE + 59.9) == MINUTE + 60
    pictures = set()
    for zone in ("Asia/Almaty", "UTC"):
        other = Board(Canvas(*HD, 25), GraphicsSettings(clock=True), zone)
        (clock,) = other.overlays(AT)
        pictures.add(painted(clock))
    assert len(pictures) == 2
    made.show(Graphic.CLOCK, None)
    assert made.next_change(MINUTE) is None
    assert len(made.overlays(AT)) == 1


def painted(overlay: Overlay) -> bytes:
    canvas = Canvas(*HD, 25)
    picture = canvas.blank()
    overlay.blend(canvas.planes(picture))
    return picture.tobytes()


def test_the_live_mark_is_seen_only_on_air() -> None:
    made = board()
    made.show(Graphic.CLOCK, None)
    (mark,) = made.overlays(AT)
    canvas = Canvas(*HD, 25)
    planes = canvas.planes(canvas.blank())
    mark.blend(planes)
    row, column = mark.box.top // 2 + 1, mark.box.left // 2 + 1
    assert planes.v[row, column] > 180  # red
    made.on_air(False)
    assert made.overlays(AT) == ()
    made.on_air(True)
    made.show(Graphic.LIVE_MARK, None)
    assert made.overlays(AT) == ()


def test_the_question_moves_when_the_lower_third_comes_and_goes() -> None:
    made = board()
    made.on_air(False)
    made.show(Graphic.CLOCK, None)
    made.show("question", Question("Қашан?"))
    (alone,) = made.overlays(AT)
    made.show("lower_third", LowerThird("Айгүл Серік"))
    third, question = made.overlays(AT)
    assert question.box.bottom <= third.box.top
    made.show("lower_third", None)
    (again,) = made.overlays(AT)
    assert again.box == alone.box


def test_the_kept_part_may_change_while_live() -> None:
    made = board()
    show(made, PLAIN)
    before = made.overlays(AT)
    clear = places(*HD)["low right"]
    assert clear is not None
    made.keep(clear)
    assert all(not overlaps(overlay.box, clear) for overlay in made.overlays(AT))
    made.keep(None)
    assert [one.box for one in made.overlays(AT)] == [one.box for one in before]


def test_where_nothing_is_free_nothing_is_drawn() -> None:
    made = board(keep_clear=Box(0, 0, 1280, 720))
    show(made, PLAIN)
    assert made.overlays(AT) == ()
    made.keep(None)
    assert len(made.overlays(AT)) == 5


def test_the_state_goes_through_a_snapshot() -> None:
    made = board()
    show(made, PLAIN)
    made.show(Graphic.LIVE_MARK, None)
    state = made.state()
    assert state["lower_third"] == PLAIN["lower_third"]
    assert state["live_mark"] is None
    other = board()
    other.restore(state)
    assert other.state() == state
    other.restore({"banner": {}, "question": {"text": 5}, "next": None})
    assert other.state() == {**state, "next": None}


def test_what_does_not_belong_to_a_graphic_is_refused() -> None:
    made = board()
    with pytest.raises(BadInput, match="banner"):
        made.show("banner", None)
    with pytest.raises(BadInput):
        made.show("clock", LowerThird("А"))
    with pytest.raises(BadInput):
        made.show("lower_third", On())
    with pytest.raises(BadInput):
        Board(Canvas(*HD, 25), GraphicsSettings(), "Asia/Nowhere")


def test_a_board_without_fonts_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FontMissing, match="fonts-noto-core"):
        board(font_folders=(tmp_path,))


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, None])
def test_an_emblem_that_cannot_be_used_costs_only_itself(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "emblem.png"
    if content is not None:
        path.write_bytes(content)
    made = board(emblem=path)
    assert [fault.code for fault in made.faults] == ["wrong_emblem"]
    assert len(made.overlays(AT)) == 2


def test_a_huge_emblem_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    Image.new("1", (30_000, 10)).save(tmp_path / "wide.png")
    with pytest.raises(BadInput, match="30000x10"):
        titles.load_emblem(tmp_path / "wide.png")


def test_names_are_really_written() -> None:
    """Two names that differ in one Kazakh letter give two pictures; the same one, the same."""
    seen = set()
    for name in ("Қанат Әлім", "Канат Әлім", "Қанат Алім", "Қанат Әлім"):
        made = Board(Canvas(*HD, 25), GraphicsSettings(), "Asia/Almaty")
        made.show("lower_third", LowerThird(name))
        (overlay,) = made.overlays(AT)
        seen.add(painted(overlay))
    assert len(seen) == 3


def keep(made: Board, size: tuple[int, int], clear: Box | None, name: str) -> None:
    """Write the picture to GRAPHICS_PICTURES, if that is set."""
    folder = os.environ.get("GRAPHICS_PICTURES")
    if not folder:
        return
    canvas = Canvas(*size, 25)
    picture = canvas.blank()
    canvas.planes(picture).y[:] = np.linspace(60, 200, size[0], dtype=np.uint8)
    if clear is not None:
        canvas.planes(picture).y[clear.top : clear.bottom, clear.left : clear.right] = 16
    for overlay in made.overlays(AT):
        overlay.blend(canvas.planes(picture))
    rows = picture.reshape(size[1] * 3 // 2, size[0])
    frame = av.VideoFrame.from_ndarray(rows, format="yuv420p")
    rgb = frame.reformat(format="rgb24", src_colorspace="ITU709").to_ndarray()
    Image.fromarray(rgb).save(Path(folder) / f"{name.replace(' ', '-')}.png")
